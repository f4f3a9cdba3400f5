"""What can be wrong with a Delta table's files."""

from boathouse.errors import InvalidState, NotFound


class TableUnreadable(InvalidState):
    """There is no Delta table at the location, or its log cannot be read."""

    def __init__(self, location: str, cause: str) -> None:
        super().__init__(f"The Delta table at {location} cannot be read: {cause}", location=location)


class VersionNotFound(NotFound):
    """The table does not have this version (any more)."""

    def __init__(self, version: int, last: int) -> None:
        super().__init__(f"The table has no version {version}; its newest is {last}.", version=str(version))
