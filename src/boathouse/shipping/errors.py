"""What keeps a notebook from being shipped."""

from boathouse.errors import InvalidParameterValue


class NotebookUnfit(InvalidParameterValue):
    """A notebook that no project can be made of."""
