"""What can be wrong with a Delta table's files."""

from boathouse.errors import Conflict, InvalidParameterValue, InvalidState, NotFound


class TableUnreadable(InvalidState):
    """There is no Delta table at the location, or its log cannot be read."""

    def __init__(self, location: str, cause: str) -> None:
        super().__init__(f"The Delta table at {location} cannot be read: {cause}", location=location)


class VersionNotFound(NotFound):
    """The table does not have this version (any more)."""

    def __init__(self, version: int, last: int) -> None:
        super().__init__(f"The table has no version {version}; its newest is {last}.", version=str(version))


class DeltaRefused(InvalidParameterValue):
    """What Delta Lake does not allow, under Delta's own error code (``DELTA_...``)."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.error_code = code


class VersionUnavailable(VersionNotFound):
    """A version to restore or to travel to that the table does not have, under Delta's own code."""

    error_code = "DELTA_VERSION_NOT_FOUND"

    def __init__(self, version: int, first: int, last: int) -> None:
        super().__init__(version, last)
        self.message = f"Cannot time travel Delta table to version {version}. Available versions: [{first}, {last}]."


class TruncatedLog(InvalidState):
    """The newest commit file of a table is empty or cut off, as after a loss of power."""

    error_code = "DELTA_TRUNCATED_LOG"

    def __init__(self, location: str, file: str) -> None:
        super().__init__(
            f"The newest commit of the Delta table at {location} is damaged: {file} is empty or ends in the middle of a line. "
            "The table is not read as the older one that it would seem to be. `boathouse doctor --repair` moves the file aside; "
            "what that commit held is then to be written again.",
            location=location,
            file=file,
        )


class CommitLost(Conflict):
    """Another writer changed the table in a way that this operation cannot go on from."""

    error_code = "DELTA_CONCURRENT_WRITE"

    def __init__(self, operation: str, why: str) -> None:
        super().__init__(f"{operation} was not committed: {why} Run it again.")
