"""What can be wrong with files that are ingested, and with how it was asked for."""

from collections.abc import Iterable
from difflib import get_close_matches

from boathouse.errors import BoathouseError, InvalidParameterValue, InvalidState, NotImplementedHere


class OptionUnknown(InvalidParameterValue):
    """An option that nobody knows."""

    error_code = "CF_UNKNOWN_OPTION_KEYS_ERROR"

    def __init__(self, names: Iterable[str], known: Iterable[str], off: str) -> None:
        names, known = sorted(names), sorted(known)
        hints = {name: get_close_matches(name, known, 1) for name in names}
        meant = "; ".join(f"{name}: did you mean {hint[0]}?" for name, hint in hints.items() if hint)
        super().__init__(
            f"Unknown options: {', '.join(names)}.{f' {meant}' if meant else ''} Valid: {', '.join(known)}. {off}",
            field=names[0],
        )


class OptionInvalid(InvalidParameterValue):
    """An option with a value that is not valid, or that contradicts another one."""

    def __init__(self, name: str, value: str, valid: str) -> None:
        super().__init__(f"The option {name} cannot be '{value}'. Valid: {valid}.", field=name)


class OptionMissing(InvalidParameterValue):
    """An option that is needed."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"The option {name} is missing: {why}.", field=name)


class OptionNotBuilt(NotImplementedHere):
    """An option of Databricks' that is not built here."""

    def __init__(self, name: str, instead: str) -> None:
        super().__init__(f"The option {name} is not supported: {instead}.", field=name)


class NothingToInfer(InvalidParameterValue):
    """There are no files to infer a schema from."""

    error_code = "CF_EMPTY_DIR_FOR_SCHEMA_INFERENCE"

    def __init__(self, path: str, file_format: str) -> None:
        super().__init__(
            f"Cannot infer a schema: {path} holds no {file_format} files with rows. Give a schema, or put a file there first.",
            field="path",
        )


class TypesDoNotMerge(InvalidParameterValue):
    """A hint that is no column with a type."""

    def __init__(self, hint: str) -> None:
        super().__init__(
            f"cloudFiles.schemaHints cannot be read at '{hint}'. Valid: columns with types, e.g. 'id BIGINT, address.zip STRING'.",
            field="cloudFiles.schemaHints",
        )


class NewColumns(BoathouseError):
    """Files have columns that the schema has not, and it may not grow."""

    error_code = "UNKNOWN_FIELD_EXCEPTION"
    status = 400

    def __init__(self, names: Iterable[str], path: str) -> None:
        listed = ", ".join(sorted(names))
        super().__init__(
            f"[UNKNOWN_FIELD_EXCEPTION.NEW_FIELDS_IN_FILE] Files have columns that the schema has not: {listed} (first in {path}). "
            "cloudFiles.schemaEvolutionMode is failOnNewColumns: add them to the schema or cloudFiles.schemaHints, take the "
            "file away, or set the mode to addNewColumns, rescue or none.",
            columns=listed,
        )


class FileGone(BoathouseError):
    """A file that was found is not there any more."""

    error_code = "FAILED_READ_FILE"
    status = 400

    def __init__(self, path: str) -> None:
        super().__init__(
            f"[FAILED_READ_FILE.FILE_NOT_EXIST] {path} was found and is gone. Put it back, or set ignoreMissingFiles to true to go "
            "on without it.",
            path=path,
        )


class FileOutside(InvalidState):
    """A list of files that names one outside of the folder that is read."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"The checkpoint's list of files names '{path}', which is not in the folder that is read. Start with a new one."
        )


class FileCorrupt(BoathouseError):
    """A file that cannot be read as what it should be."""

    error_code = "FAILED_READ_FILE"
    status = 400

    def __init__(self, path: str, file_format: str, reason: str) -> None:
        super().__init__(
            f"[FAILED_READ_FILE.NO_HINT] {path} is not a whole {file_format} file: {reason.rstrip('.')}. Replace it or take it away, set "
            "ignoreCorruptFiles to true to go on without it, or badRecordsPath to have it noted there.",
            path=path,
        )


class ColumnMismatch(BoathouseError):
    """A column of a file whose values are of another type than the schema's, where nothing takes what does not fit."""

    error_code = "FAILED_READ_FILE"
    status = 400

    def __init__(self, path: str, name: str, found: str, expected: str) -> None:
        super().__init__(
            f"[FAILED_READ_FILE.PARQUET_COLUMN_DATA_TYPE_MISMATCH] The column {name} of {path} is {found}, and the schema has {expected}. "
            "Give it that type, or set rescuedDataColumn to have such values kept there.",
            path=path,
        )


class RecordCorrupt(BoathouseError):
    """A record that cannot be read, where mode is FAILFAST."""

    error_code = "MALFORMED_RECORD_IN_PARSING"
    status = 400

    def __init__(self, path: str, line: int, reason: str) -> None:
        super().__init__(
            f"[MALFORMED_RECORD_IN_PARSING] {path}, line {line}: {reason}. The option mode is FAILFAST; PERMISSIVE keeps such records "
            "in the rescued data column, DROPMALFORMED leaves them out.",
            path=path,
        )
