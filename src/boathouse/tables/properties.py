"""Table properties: which there are, and what a table's protocol has to be for them."""

import re
from collections.abc import Iterable, Mapping

from boathouse.tables import fields
from boathouse.tables.errors import DeltaRefused
from boathouse.tables.log import FEATURES_READER, FEATURES_WRITER, Action, State

CHANGE_FEED = "delta.enableChangeDataFeed"
OWN_CHANGE_FEED = "boathouse.enableChangeDataFeed"
"""Where the change data feed is recorded. Under Delta's own key the embedded engine would refuse every write; under this one
the feed is worked out from the files of each commit."""
FEED_SINCE = "boathouse.changeDataFeedSince"
"""The first version with a feed, where it was on before the property was written: of tables that are made with it."""
MAPPING_MODE, MAPPING_MAX = "delta.columnMapping.mode", "delta.columnMapping.maxColumnId"
CONSTRAINT = "delta.constraints."
FEATURE = "delta.feature."
RETENTION = "delta.deletedFileRetentionDuration"

READER_FEATURES = frozenset(
    {"columnMapping", "deletionVectors", "timestampNtz", "v2Checkpoint", "typeWidening", "vacuumProtocolCheck", "variantType"}
)
_ADDABLE = frozenset(
    {
        *("appendOnly", "invariants", "checkConstraints", "generatedColumns", "columnMapping", "identityColumns"),
        *("deletionVectors", "timestampNtz", "allowColumnDefaults"),
    }
)
"""Features that the embedded engine reads and writes."""
_SWITCHES = {
    "delta.appendOnly": "appendOnly",
    "delta.enableDeletionVectors": "deletionVectors",
    CHANGE_FEED: None,
    "delta.autoOptimize.autoCompact": None,
    "delta.autoOptimize.optimizeWrite": None,
    "delta.randomizeFilePrefixes": None,
    "delta.setTransactionRetentionDuration": None,
    "delta.checkpoint.writeStatsAsJson": None,
    "delta.checkpoint.writeStatsAsStruct": None,
    "delta.enableExpiredLogCleanup": None,
    "delta.enableFullRetentionRollback": None,
    "delta.parquet.compression.codec": None,
}
_BOOLEANS = frozenset(
    {
        *("delta.appendOnly", "delta.enableDeletionVectors", CHANGE_FEED, "delta.enableExpiredLogCleanup"),
        *("delta.checkpoint.writeStatsAsJson", "delta.checkpoint.writeStatsAsStruct", "delta.randomizeFilePrefixes"),
    }
)
_INTEGERS = frozenset(
    {
        "delta.dataSkippingNumIndexedCols",
        "delta.checkpointInterval",
        "delta.randomPrefixLength",
        "delta.tuneFileSizesForRewrites",
    }
    - {"delta.tuneFileSizesForRewrites"}
)
_INTERVALS = frozenset({RETENTION, "delta.logRetentionDuration", "delta.setTransactionRetentionDuration"})
_OTHERS = frozenset(
    {
        *(
            MAPPING_MODE,
            "delta.dataSkippingStatsColumns",
            "delta.isolationLevel",
            "delta.targetFileSize",
            "delta.checkpointPolicy",
        ),
        *(
            "delta.tuneFileSizesForRewrites",
            "delta.minReaderVersion",
            "delta.minWriterVersion",
            "delta.universalFormat.enabledFormats",
        ),
    }
)
_UNSUPPORTED = {
    "delta.enableRowTracking": "row tracking",
    "delta.enableTypeWidening": "type widening",
    "delta.enableInCommitTimestamps": "in-commit timestamps",
    "delta.enableIcebergCompatV1": "Iceberg compatibility",
    "delta.enableIcebergCompatV2": "Iceberg compatibility",
    "delta.enableIcebergCompatV3": "Iceberg compatibility",
    "delta.universalFormat.enabledFormats": "UniForm",
}
_PIPELINE = "pipelines.pipelineId"
_BAD_IN_NAMES = re.compile(r"[ ,;{}()\n\t=]")
_UNITS = {"millisecond": 1, "second": 1000, "minute": 60_000, "hour": 3_600_000, "day": 86_400_000, "week": 604_800_000}
WEEK_MS = _UNITS["week"]


def shown(configuration: Mapping[str, str]) -> dict[str, str]:
    """Properties as they are shown: the change data feed under Delta's name."""
    found = dict(configuration)
    found.pop(FEED_SINCE, None)
    if OWN_CHANGE_FEED in found:
        found[CHANGE_FEED] = found.pop(OWN_CHANGE_FEED)
    return found


def interval_ms(text: str) -> int:
    """The milliseconds of an interval such as ``interval 7 days`` or ``2 weeks 12 hours``.

    Raises:
        DeltaRefused: If it is none.
    """
    parts = re.findall(r"(\d+)\s*([a-z]+?)s?\b", text.lower().replace("interval", " "))
    rest = re.sub(r"(\d+)\s*([a-z]+?)s?\b", "", text.lower().replace("interval", " ")).strip()
    if not parts or rest or any(unit not in _UNITS for _, unit in parts):
        message = f"'{text}' is not a valid interval. Write e.g. 'interval 7 days'; units: {', '.join(_UNITS)}."
        raise DeltaRefused("DELTA_INVALID_INTERVAL", message)
    return sum(int(number) * _UNITS[unit] for number, unit in parts)


def retention_ms(state: State) -> int:
    """For how long files that are not used any more are kept."""
    return interval_ms(state.configuration[RETENTION]) if RETENTION in state.configuration else WEEK_MS


def feed_is_on(configuration: Mapping[str, str]) -> bool:
    """Whether the changes of a table can be asked for."""
    return "true" in {configuration.get(key, "").lower() for key in (OWN_CHANGE_FEED, CHANGE_FEED)}


def with_features(protocol: Action, wanted: Iterable[str], configuration: Mapping[str, str] | None = None) -> Action:
    """A protocol that has some features too.

    Args:
        protocol: As it is.
        wanted: The features.
        configuration: The table's properties. An old protocol that implies Delta's change data feed is written out without it
            where it is off: the embedded engine refuses to write tables that name it.
    """
    state = State("", 0, protocol, {}, {})
    missing = [name for name in wanted if name not in state.writer_features]
    if not missing:
        return protocol
    reader, writer = protocol["minReaderVersion"], protocol["minWriterVersion"]
    if missing == ["checkConstraints"] and writer < FEATURES_WRITER:
        return protocol | {"minWriterVersion": max(writer, 3)}
    writer_features = sorted({*written_out(state, configuration), *missing, "appendOnly", "invariants"})
    reader_features = sorted({*state.reader_features, *(name for name in missing if name in READER_FEATURES)})
    changed: Action = {"minReaderVersion": reader, "minWriterVersion": FEATURES_WRITER, "writerFeatures": writer_features}
    if reader_features:
        changed |= {"minReaderVersion": FEATURES_READER, "readerFeatures": reader_features}
    return changed


def written_out(state: State, configuration: Mapping[str, str] | None) -> frozenset[str]:
    """The features of writers that a protocol that names them would name."""
    implied = state.protocol["minWriterVersion"] < FEATURES_WRITER
    off = configuration is not None and configuration.get(CHANGE_FEED, "false").lower() != "true"
    return state.writer_features - {"changeDataFeed"} if implied and off else state.writer_features


def check(properties: Mapping[str, str]) -> None:
    """Go on only with properties that there are, with values that they can have.

    Raises:
        DeltaRefused: Otherwise; it names the property and says what would be valid.
    """
    for key, value in properties.items():
        if not key.startswith("delta.") or key.startswith(FEATURE):
            continue
        if key.startswith(CONSTRAINT):
            message = "Please use ALTER TABLE ADD CONSTRAINT to add CHECK constraints."
            raise DeltaRefused("DELTA_ADD_CONSTRAINTS", message)
        if key in _UNSUPPORTED and value.lower() not in {"false", ""}:
            message = (
                f"{key} = {value} is not supported here: delta-rs and the embedded engine cannot write tables with "
                f"{_UNSUPPORTED[key]}. Apache Spark with delta-spark can, on a table of its own at a path."
            )
            raise DeltaRefused("DELTA_UNSUPPORTED_TABLE_PROPERTY", message)
        if key == "delta.checkpointPolicy" and value != "classic":
            message = (
                f"delta.checkpointPolicy = {value} is not supported here. Valid: classic. Apache Spark with delta-spark writes v2 "
                "checkpoints, on a table of its own at a path."
            )
            raise DeltaRefused("DELTA_UNSUPPORTED_TABLE_PROPERTY", message)
        known = {*_SWITCHES, *_INTEGERS, *_INTERVALS, *_OTHERS, *_UNSUPPORTED}
        if key not in known:
            near = ", ".join(sorted(name for name in known if name.lower() == key.lower())) or ", ".join(sorted(known))
            raise DeltaRefused("DELTA_UNKNOWN_CONFIGURATION", f"Unknown configuration was specified: {key}. Valid: {near}.")
        if key in _BOOLEANS and value.lower() not in {"true", "false"}:
            raise _invalid(key, value, "true or false")
        if key in _INTEGERS and not re.fullmatch(r"-?\d+", value):
            raise _invalid(key, value, "a whole number")
        if key in _INTERVALS:
            interval_ms(value)


def check_new(properties: Mapping[str, str]) -> None:
    """Go on only with properties that a table can be made with, features and constraints too; raises DeltaRefused."""
    check({key: value for key, value in properties.items() if not key.startswith(CONSTRAINT)})
    features_of(properties)


def check_names(names: Iterable[str], configuration: Mapping[str, str]) -> None:
    """Go on only with names of columns that a table can have; where it maps its columns, and in a pipeline's table, with any.

    What a pipeline brings is named as its source names it, and its tables are not written in a way that could map names.

    Raises:
        DeltaRefused: It names the first that it cannot.
    """
    if configuration.get(MAPPING_MODE, "none") != "none" or _PIPELINE in configuration:
        return
    bad = next((name for name in names if _BAD_IN_NAMES.search(name)), None)
    if bad is not None:
        message = (
            f"Found invalid character(s) among ' ,;{{}}()\\n\\t=' in the column name '{bad}'. Rename it, or enable column mapping, "
            f"with TBLPROPERTIES ('{MAPPING_MODE}' = 'name') in CREATE TABLE, or ALTER TABLE <table> SET TBLPROPERTIES "
            f"('{MAPPING_MODE}' = 'name')."
        )
        raise DeltaRefused("DELTA_INVALID_CHARACTERS_IN_COLUMN_NAMES", message)


def _invalid(key: str, value: str, valid: str) -> DeltaRefused:
    return DeltaRefused("DELTA_VIOLATE_TABLE_PROPERTY_VALIDATION_FAILED", f"{key} = '{value}' is not valid: give {valid}.")


def features_of(properties: Mapping[str, str]) -> list[str]:
    """The features that some properties ask for.

    Raises:
        DeltaRefused: If one is not supported.
    """
    found: list[str] = []
    for key, value in properties.items():
        feature = _SWITCHES.get(key)
        if feature is not None and value.lower() == "true":
            found.append(feature)
        elif key == MAPPING_MODE and value != "none":
            found.append("columnMapping")
        elif key.startswith(FEATURE):
            name = key.removeprefix(FEATURE)
            if value not in {"supported", "enabled"}:
                raise _invalid(key, value, "'supported'")
            if name == "changeDataFeed":
                continue
            if name not in _ADDABLE:
                message = f"The table feature '{name}' is not supported here. Supported: {', '.join(sorted(_ADDABLE))}."
                raise DeltaRefused("DELTA_UNSUPPORTED_FEATURES_IN_CONFIG", message)
            found.append(name)
    return found


def with_versions(protocol: Action, properties: Mapping[str, str]) -> Action:
    """A protocol of at least the versions that some properties name.

    Raises:
        DeltaRefused: If a version is lower than the table's, or unknown.
    """
    changed = dict(protocol)
    for key, field, most in (
        ("delta.minReaderVersion", "minReaderVersion", FEATURES_READER),
        ("delta.minWriterVersion", "minWriterVersion", FEATURES_WRITER),
    ):
        if key not in properties:
            continue
        text, now = properties[key], int(protocol[field])
        if not text.isdigit() or not now <= int(text) <= most:
            message = f"Protocol version cannot be downgraded or unknown: {key} = {text}. Valid: {now} to {most}."
            raise DeltaRefused("DELTA_INVALID_PROTOCOL_DOWNGRADE", message)
        changed[field] = int(text)
    if changed["minWriterVersion"] == FEATURES_WRITER and "writerFeatures" not in changed:
        before = State("", 0, protocol, {}, {})
        changed["writerFeatures"] = sorted(before.writer_features)
    if changed["minReaderVersion"] == FEATURES_READER and "readerFeatures" not in changed:
        before = State("", 0, protocol, {}, {})
        if changed["minWriterVersion"] < FEATURES_WRITER:
            message = "delta.minReaderVersion = 3 needs delta.minWriterVersion = 7."
            raise DeltaRefused("DELTA_INVALID_PROTOCOL_VERSION", message)
        changed["readerFeatures"] = sorted(before.reader_features)
    return changed


def enable_mapping(schema: dict[str, object], configuration: dict[str, str], mode: str, before: str) -> None:
    """Turn column mapping on: every column's name in the files is the one that it has now.

    Raises:
        DeltaRefused: For a mode that cannot be changed to.
    """
    if mode == before:
        return
    if mode != "name" or before != "none":
        message = (
            f"Changing column mapping mode from '{before}' to '{mode}' is not supported. It can be changed from none to name."
        )
        raise DeltaRefused("DELTA_UNSUPPORTED_COLUMN_MAPPING_MODE_CHANGE", message)
    columns: fields.Fields = schema["fields"]  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    following = fields.map_new(columns, 1, fields.same_physical)
    configuration |= {MAPPING_MODE: mode, MAPPING_MAX: str(following - 1)}
