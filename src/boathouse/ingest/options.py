"""Options of Auto Loader and of ``read_files``, checked and typed."""

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from boathouse.ingest.errors import OptionInvalid, OptionMissing, OptionNotBuilt, OptionUnknown
from boathouse.kit.spans import VALID_SPAN, seconds_of

PREFIX = "cloudFiles."
FORMATS = ("json", "csv", "parquet", "avro", "orc", "text", "binaryFile")
FIXED = frozenset({"text", "binaryFile"})
"""Formats whose rows always have the same columns."""
_CLOUD = (
    "allowOverwrites",
    "backfillInterval",
    "cleanSource",
    "cleanSource.moveDestination",
    "cleanSource.retentionDuration",
    "format",
    "includeExistingFiles",
    "inferColumnTypes",
    "maxBytesPerTrigger",
    "maxFileAge",
    "maxFilesPerTrigger",
    "partitionColumns",
    "schemaEvolutionMode",
    "schemaHints",
    "schemaLocation",
    "useIncrementalListing",
    "useManagedFileEvents",
    "useNotifications",
    "useStrictGlobber",
    "validateOptions",
)
_EVERY_FORMAT = (
    *("path", "pathGlobFilter", "fileNamePattern", "recursiveFileLookup", "modifiedAfter", "modifiedBefore"),
    *("ignoreMissingFiles", "ignoreCorruptFiles", "rescuedDataColumn", "readerCaseSensitive", "badRecordsPath"),
)
_RECORDS = ("mode", "columnNameOfCorruptRecord", "multiLine", "encoding", "charset", "dateFormat", "timestampFormat", "lineSep")
_OF_FORMAT: dict[str, tuple[str, ...]] = {
    "json": _RECORDS,
    "csv": (
        *_RECORDS,
        *("header", "sep", "delimiter", "quote", "escape", "comment", "nullValue", "emptyValue", "nanValue", "positiveInf"),
        *("negativeInf", "ignoreLeadingWhiteSpace", "ignoreTrailingWhiteSpace", "enforceSchema", "skipRows"),
    ),
    "parquet": ("mergeSchema",),
    "avro": ("mergeSchema",),
    "orc": ("mergeSchema",),
    "text": ("wholeText", "lineSep", "encoding", "charset"),
    "binaryFile": (),
}
_SQL_NAMES = (
    "format",
    "schema",
    "schemaHints",
    "inferColumnTypes",
    "partitionColumns",
    "schemaEvolutionMode",
    "schemaLocation",
)
_SQL_STREAM = ("allowOverwrites", "includeExistingFiles", "maxBytesPerTrigger", "maxFilesPerTrigger", "useStrictGlobber")
_OFF = "cloudFiles.validateOptions=false turns this check off."
_UNITS = {
    "": 1,
    "b": 1,
    "k": 1 << 10,
    "kb": 1 << 10,
    "m": 1 << 20,
    "mb": 1 << 20,
    "g": 1 << 30,
    "gb": 1 << 30,
    "t": 1 << 40,
    "tb": 1 << 40,
}


class Evolution(StrEnum):
    """What becomes of columns that the schema has not."""

    ADD = "addNewColumns"
    RESCUE = "rescue"
    FAIL = "failOnNewColumns"
    NONE = "none"


@dataclass(frozen=True)
class CsvOptions:
    """How CSV is written."""

    header: bool = False
    sep: str = ","
    quote: str = '"'
    escape: str = "\\"
    comment: str = ""
    null_value: str = ""
    empty_value: str = ""
    nan_value: str = "NaN"
    positive_inf: str = "Inf"
    negative_inf: str = "-Inf"
    trim_left: bool = False
    trim_right: bool = False
    skip_rows: int = 0


@dataclass(frozen=True)
class Options:
    """What was asked for.

    Attributes:
        given: Which options were given at all, in lower case.
        partition_columns: The partition columns to take from paths; None for those that are found there.
    """

    file_format: str
    given: frozenset[str] = frozenset()
    evolution: Evolution = Evolution.NONE
    schema_location: str | None = None
    schema_hints: str = ""
    infer_column_types: bool = False
    partition_columns: tuple[str, ...] | None = None
    include_existing: bool = True
    allow_overwrites: bool = False
    max_files: int | None = 1000
    max_bytes: int | None = None
    max_file_age: float | None = None
    full_listing_seconds: float | None = None
    incremental_listing: Literal["auto", "true", "false"] = "auto"
    clean: Literal["OFF", "DELETE", "MOVE"] = "OFF"
    clean_destination: str | None = None
    clean_after: float = 30 * 86400
    glob: str | None = None
    recursive: bool = False
    modified_after: float | None = None
    modified_before: float | None = None
    ignore_missing: bool = False
    ignore_corrupt: bool = False
    rescued_column: str | None = None
    case_sensitive: bool = True
    bad_records: str | None = None
    mode: Literal["PERMISSIVE", "DROPMALFORMED", "FAILFAST"] = "PERMISSIVE"
    corrupt_column: str = "_corrupt_record"
    multi_line: bool = False
    encoding: str = "utf-8"
    line_separator: str | None = None
    date_format: str | None = None
    timestamp_format: str | None = None
    whole_text: bool = False
    csv: CsvOptions = field(default_factory=CsvOptions)


def stream_options(options: Mapping[str, str], *, has_schema: bool) -> Options:
    """The options of ``readStream.format("cloudFiles")``.

    Raises:
        InvalidParameterValue: If one is unknown, missing, not valid or contradicts another one.
        OptionNotBuilt: If one is not built here.
    """
    values = _Values({key.lower(): value for key, value in options.items()}, PREFIX)
    if not values.cloud("format"):
        raise OptionMissing("cloudFiles.format", f"it is one of {', '.join(FORMATS)}")
    file_format = values.choice("format", FORMATS, "", cloud=True)
    if values.boolean("validateOptions", default=True, cloud=True):
        known = [PREFIX + name for name in _CLOUD] + [*_EVERY_FORMAT, *_OF_FORMAT[file_format]]
        _refuse_unknown(options, known, _OFF)
    return _read(values, file_format, has_schema=has_schema, is_stream=True)


def sql_options(options: Mapping[str, str], file_format: str, *, has_schema: bool, is_stream: bool) -> Options:
    """The arguments of ``read_files``, whose names have no prefix.

    Raises:
        InvalidParameterValue: If one is unknown, not valid or contradicts another one.
    """
    lower = {key.lower().removeprefix(PREFIX.lower()): value for key, value in options.items()}
    values = _Values(lower, "")
    file_format = _Values({"format": file_format}, "").choice("format", FORMATS, "")
    known = [*_SQL_NAMES, *(_SQL_STREAM if is_stream else ()), *_EVERY_FORMAT, *_OF_FORMAT[file_format]]
    _refuse_unknown({key.removeprefix(PREFIX): value for key, value in options.items()}, known, "")
    return _read(values, file_format, has_schema=has_schema, is_stream=is_stream)


def _refuse_unknown(options: Mapping[str, str], known: list[str], off: str) -> None:
    lower = {name.lower() for name in known}
    unknown = [name for name in options if name.lower() not in lower]
    if unknown:
        raise OptionUnknown(unknown, known, off)


def _read(values: "_Values", file_format: str, *, has_schema: bool, is_stream: bool) -> Options:
    if values.boolean("useNotifications", default=False, cloud=True):
        raise OptionNotBuilt(f"{values.prefix}useNotifications", "folders are listed; leave it out or set it to false")
    if values.boolean("useManagedFileEvents", default=False, cloud=True):
        raise OptionNotBuilt(f"{values.prefix}useManagedFileEvents", "folders are listed; leave it out or set it to false")
    evolution = _evolution(values, file_format, has_schema=has_schema, is_stream=is_stream)
    hints = values.cloud("schemaHints") or ""
    if hints and has_schema:
        raise OptionInvalid(f"{values.prefix}schemaHints", hints, "a schema or hints, not both; change the schema")
    infers = not has_schema and file_format not in FIXED
    rescued = values.plain("rescuedDataColumn") or ("_rescued_data" if infers else None)
    partition = values.cloud("partitionColumns")
    clean = values.choice("cleanSource", ("OFF", "DELETE", "MOVE"), "OFF", cloud=True)
    destination = values.cloud("cleanSource.moveDestination")
    if (clean == "MOVE") != (destination is not None):
        name = f"{values.prefix}cleanSource.moveDestination"
        raise OptionInvalid(name, destination or "", "a folder if cleanSource is MOVE, and left out if not")
    return Options(
        file_format,
        given=frozenset(values.values),
        evolution=evolution,
        schema_location=values.cloud("schemaLocation"),
        schema_hints=hints,
        infer_column_types=values.boolean("inferColumnTypes", default=not is_stream or not values.prefix, cloud=True),
        partition_columns=None if partition is None else tuple(one.strip() for one in partition.split(",") if one.strip()),
        include_existing=values.boolean("includeExistingFiles", default=True, cloud=True),
        allow_overwrites=values.boolean("allowOverwrites", default=False, cloud=True),
        max_files=values.integer("maxFilesPerTrigger", 1000, cloud=True),
        max_bytes=values.size("maxBytesPerTrigger", cloud=True),
        max_file_age=values.interval("maxFileAge", cloud=True),
        full_listing_seconds=values.interval("backfillInterval", cloud=True),
        incremental_listing=values.choice("useIncrementalListing", ("auto", "true", "false"), "auto", cloud=True),
        clean=clean,
        clean_destination=destination,
        clean_after=values.interval("cleanSource.retentionDuration", cloud=True) or 30 * 86400,
        glob=values.plain("pathGlobFilter") or values.plain("fileNamePattern"),
        recursive=values.boolean("recursiveFileLookup", default=False),
        modified_after=values.time("modifiedAfter"),
        modified_before=values.time("modifiedBefore"),
        ignore_missing=values.boolean("ignoreMissingFiles", default=False),
        ignore_corrupt=values.boolean("ignoreCorruptFiles", default=False),
        rescued_column=rescued,
        case_sensitive=values.boolean("readerCaseSensitive", default=True),
        bad_records=values.plain("badRecordsPath"),
        mode=values.choice("mode", ("PERMISSIVE", "DROPMALFORMED", "FAILFAST"), "PERMISSIVE"),
        corrupt_column=values.plain("columnNameOfCorruptRecord") or "_corrupt_record",
        multi_line=values.boolean("multiLine", default=False),
        encoding=values.encoding(),
        line_separator=values.plain("lineSep"),
        date_format=values.plain("dateFormat"),
        timestamp_format=values.plain("timestampFormat"),
        whole_text=values.boolean("wholeText", default=False),
        csv=_csv(values),
    )


def _evolution(values: "_Values", file_format: str, *, has_schema: bool, is_stream: bool) -> Evolution:
    fixed = has_schema or file_format in FIXED or not is_stream
    text = values.choice("schemaEvolutionMode", [one.value for one in Evolution], "", cloud=True)
    mode = Evolution(text) if text else Evolution.NONE if fixed else Evolution.ADD
    name = f"{values.prefix}schemaEvolutionMode"
    if mode is Evolution.ADD and fixed:
        valid = (
            "rescue, failOnNewColumns or none where the schema is given; give schemaHints instead of a schema to let it grow"
        )
        raise OptionInvalid(name, mode.value, valid)
    return mode


def _csv(values: "_Values") -> CsvOptions:
    standard = CsvOptions()
    both = {"sep", "delimiter"} & values.values.keys()
    if len(both) == 2 and values.plain("sep") != values.plain("delimiter"):
        raise OptionInvalid("delimiter", values.plain("delimiter") or "", "sep or delimiter, which mean the same, not both")
    sep = values.plain("sep") or values.plain("delimiter") or standard.sep
    return CsvOptions(
        header=values.boolean("header", default=False),
        sep={"\\t": "\t"}.get(sep, sep),
        quote=values.character("quote", standard.quote),
        escape=values.character("escape", standard.escape),
        comment=values.character("comment", ""),
        null_value=values.plain("nullValue") or "",
        empty_value=values.plain("emptyValue") or "",
        nan_value=values.plain("nanValue") or standard.nan_value,
        positive_inf=values.plain("positiveInf") or standard.positive_inf,
        negative_inf=values.plain("negativeInf") or standard.negative_inf,
        trim_left=values.boolean("ignoreLeadingWhiteSpace", default=False),
        trim_right=values.boolean("ignoreTrailingWhiteSpace", default=False),
        skip_rows=values.integer("skipRows", 0) or 0,
    )


@dataclass(frozen=True)
class _Values:
    """Options by their names in lower case.

    Attributes:
        prefix: What Auto Loader's own ones begin with.
    """

    values: Mapping[str, str]
    prefix: str

    def plain(self, name: str) -> str | None:
        return self.values.get(name.lower())

    def cloud(self, name: str) -> str | None:
        return self.values.get((self.prefix + name).lower())

    def _named(self, name: str, *, cloud: bool) -> tuple[str, str | None]:
        return (self.prefix + name, self.cloud(name)) if cloud else (name, self.plain(name))

    def boolean(self, name: str, *, default: bool, cloud: bool = False) -> bool:
        full, text = self._named(name, cloud=cloud)
        if text is None:
            return default
        if text.lower() not in {"true", "false"}:
            raise OptionInvalid(full, text, "true, false")
        return text.lower() == "true"

    def choice(self, name: str, valid: Sequence[str], default: str, *, cloud: bool = False) -> Any:
        full, text = self._named(name, cloud=cloud)
        if text is None:
            return default
        found = next((one for one in valid if one.lower() == text.strip().lower()), None)
        if found is None:
            raise OptionInvalid(full, text, ", ".join(valid))
        return found

    def integer(self, name: str, default: int, *, cloud: bool = False) -> int:
        full, text = self._named(name, cloud=cloud)
        if text is None:
            return default
        if not text.strip().isdigit() or (int(text) == 0 and cloud):
            raise OptionInvalid(full, text, "a whole number above 0" if cloud else "a whole number")
        return int(text)

    def size(self, name: str, *, cloud: bool = False) -> int | None:
        full, text = self._named(name, cloud=cloud)
        if text is None:
            return None
        found = size_of(text)
        if not found:
            raise OptionInvalid(full, text, "a number of bytes above 0, as 10g or 500mb")
        return found

    def interval(self, name: str, *, cloud: bool = False) -> float | None:
        full, text = self._named(name, cloud=cloud)
        if text is None:
            return None
        seconds = seconds_of(text)
        if seconds is None:
            raise OptionInvalid(full, text, VALID_SPAN)
        return seconds

    def time(self, name: str) -> float | None:
        text = self.plain(name)
        if text is None:
            return None
        try:
            moment = dt.datetime.fromisoformat(text.strip().removesuffix(" UTC"))
        except ValueError:
            raise OptionInvalid(name, text, "a time as 2026-01-31 13:00:00.000000 UTC+0 or 2026-01-31T13:00:00") from None
        return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp()

    def character(self, name: str, default: str) -> str:
        text = self.plain(name)
        if text is not None and len(text) > 1:
            raise OptionInvalid(name, text, "one character, or nothing to turn it off")
        return default if text is None else text

    def encoding(self) -> str:
        name = "encoding" if self.plain("encoding") is not None else "charset"
        text = self.plain(name) or "utf-8"
        try:
            return ("".encode(text) and "") or text.lower()
        except LookupError:
            raise OptionInvalid(name, text, "a character set as UTF-8, UTF-16, ISO-8859-1 or windows-1252") from None


def size_of(text: str) -> int | None:
    """A number of bytes with its unit, or None."""
    found = re.fullmatch(r"(\d+)\s*([a-z]*)", text.strip().lower())
    return int(found[1]) * _UNITS[found[2]] if found and found[2] in _UNITS else None
