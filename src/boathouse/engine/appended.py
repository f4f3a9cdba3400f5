"""The option by which a pipeline asks for what was added to a table. Apart from what reads it, which imports much more."""

APPENDED_AFTER = "boathouse.appendedAfter"
"""The reader's option."""
