"""What can be wrong with the metadata database."""

from boathouse.errors import BoathouseError, InvalidParameterValue


class DatabaseTooNew(BoathouseError):
    """The database was written by a newer Boathouse."""

    error_code = "DATABASE_TOO_NEW"

    def __init__(self, revision: str, known: str) -> None:
        super().__init__(
            f"The metadata database has schema {revision}, which this version does not know (its newest is {known}). "
            "It was written by a newer Boathouse: install that version, or point --root at another lake. Nothing was changed.",
            revision=revision,
        )


class DatabaseUnreachable(BoathouseError):
    """The database of the URL does not answer."""

    error_code = "DATABASE_UNREACHABLE"
    status = 503

    def __init__(self, url: str, cause: str) -> None:
        super().__init__(
            f"The metadata database {url} cannot be reached: {cause}. Check BOATHOUSE_DATABASE_URL and that it runs.", url=url
        )


class DriverMissing(BoathouseError):
    """The driver of PostgreSQL is an extra that is not installed."""

    error_code = "DRIVER_MISSING"

    def __init__(self) -> None:
        super().__init__("PostgreSQL needs its driver: pip install 'boathouse[postgres]'.")


class TextRefused(InvalidParameterValue):
    """PostgreSQL keeps no text with a NUL character in it, and looks for none."""

    def __init__(self) -> None:
        super().__init__("A text of the request has a NUL character (\\0), which cannot be kept.")
