"""What an ``ingestion_definition`` says, in Databricks' shape: which tables of a connection become which tables here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from boathouse.ingest.connectors.errors import DefinitionFieldInvalid

_WHOLE = "ingestion_definition"


class ScdType(StrEnum):
    """What a table keeps of a row that changes."""

    APPEND_ONLY = "APPEND_ONLY"
    SCD_TYPE_1 = "SCD_TYPE_1"
    SCD_TYPE_2 = "SCD_TYPE_2"


class Connector(StrEnum):
    """How changes are found."""

    QUERY_BASED = "QUERY_BASED"
    CDC = "CDC"


@dataclass(frozen=True)
class TableSettings:
    """How one table is brought.

    Attributes:
        scd: What is kept of a row that changes.
        primary_keys: Columns that say which row is meant; none for those of the source.
        cursor: Column whose values only grow, by which new rows are found; None where all rows are brought each time.
        sequence_by: Column that orders the changes of a row; None for the cursor.
        include: Columns to bring; none for all.
        exclude: Columns to leave out.
        deletion_condition: Under which a row means that it is gone.
        row_filter: Which rows are kept.
        properties: Of the table.
        clustering: Columns that the table is clustered by.
    """

    scd: ScdType = ScdType.SCD_TYPE_1
    primary_keys: tuple[str, ...] = ()
    cursor: str | None = None
    sequence_by: str | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    deletion_condition: str | None = None
    row_filter: str | None = None
    properties: Mapping[str, str] | None = None
    clustering: tuple[str, ...] = ()

    @property
    def merges(self) -> bool:
        """Whether rows that come take the place of others, which keys tell."""
        return self.scd is ScdType.SCD_TYPE_2 or (self.cursor is not None and self.scd is not ScdType.APPEND_ONLY)


@dataclass(frozen=True)
class TableObject:
    """A table to bring, or with no ``source_table`` all tables of a schema.

    Attributes:
        field: Where it stands, for messages: ``ingestion_definition.objects[0].table``.
        database: Of the source; None for the connection's.
        source_schema: Of the source; None for the default one.
        source_table: Of the source.
        catalog: Where it goes.
        schema: Where it goes.
        destination_table: Its name there.
        settings: How.
    """

    field: str
    database: str | None
    source_schema: str | None
    source_table: str | None
    catalog: str
    schema: str
    destination_table: str | None
    settings: TableSettings

    @property
    def source(self) -> str:
        """The table's name at the source, for people."""
        return ".".join(part for part in (self.source_schema, self.source_table or "*") if part)

    @property
    def destination(self) -> str:
        """The full name of the table that it becomes."""
        return f"{self.catalog}.{self.schema}.{(self.destination_table or self.source_table or '').lower()}"

    def of(self, table: str) -> "TableObject":
        """The same for one table of its schema."""
        return replace(self, source_table=table)


def own_replication(pipeline_id: str) -> str:
    """The name of the replication slot, and of the publication, that a pipeline makes for itself."""
    return f"boathouse_{pipeline_id.replace('-', '_')}"


@dataclass(frozen=True)
class Definition:
    """A whole definition.

    Attributes:
        connection: Name of the connection.
        connector: How changes are found.
        objects: What is brought.
        slot: Name of the replication slot; None for one of the pipeline's own.
        publication: Name of the publication; None for one of the pipeline's own.
        rest_api: Declaration of an HTTP API in YAML or JSON; None for a database.
        rest_api_path: The file that it stands in instead.
    """

    connection: str
    connector: Connector
    objects: tuple[TableObject, ...]
    slot: str | None = None
    publication: str | None = None
    rest_api: str | None = None
    rest_api_path: str | None = None


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class _QueryBased(_Strict):
    cursor_columns: list[str] = []
    deletion_condition: str | None = None


class _Configuration(_Strict):
    scd_type: ScdType | None = None
    primary_keys: list[str] = []
    sequence_by: list[str] = []
    include_columns: list[str] = []
    exclude_columns: list[str] = []
    row_filter: str | None = None
    table_properties: dict[str, str] | None = None
    clustering_columns: list[str] = []
    query_based_connector_config: _QueryBased | None = None


class _Place(_Strict):
    source_catalog: str | None = None
    source_schema: str | None = None
    destination_catalog: str
    destination_schema: str
    table_configuration: _Configuration | None = None


class _Table(_Place):
    source_table: str
    destination_table: str | None = None


class _Schema(_Place):
    source_schema: str | None = Field(min_length=1)


class _Object(_Strict):
    table: _Table | None = None
    schema_: _Schema | None = Field(default=None, alias="schema")


class _Slot(_Strict):
    slot_name: str | None = None
    publication_name: str | None = None


class _Postgres(_Strict):
    slot_config: _Slot | None = None


class _SourceCatalog(_Strict):
    source_catalog: str | None = None
    postgres: _Postgres | None = None


class _ApiConfig(_Strict):
    configs: dict[str, str] = {}


class _Source(_Strict):
    catalog: _SourceCatalog | None = None
    api_source_connector_config: _ApiConfig | None = None


class _Whole(_Strict):
    connection_name: str
    connector_type: Connector = Connector.QUERY_BASED
    source_type: str | None = None
    objects: list[_Object]
    source_configurations: list[_Source] = []
    table_configuration: _Configuration | None = None


def parse(raw: Mapping[str, Any]) -> Definition:
    """Read a definition.

    Raises:
        DefinitionFieldInvalid: If a field is missing, unknown or not valid; it names the field and what would be valid.
    """
    try:
        whole = _Whole.model_validate(raw)
    except ValidationError as error:
        raise _first(error) from error
    if not whole.objects:
        raise DefinitionFieldInvalid(f"{_WHOLE}.objects", "is empty: name tables or schemas of the source.")
    slot = next((found for one in whole.source_configurations if (found := _slot(one)) is not None), None)
    configs = next(
        (one.api_source_connector_config.configs for one in whole.source_configurations if one.api_source_connector_config), {}
    )
    unknown = sorted(set(configs) - {"rest_api", "rest_api_path"})
    if unknown:
        field = f"{_WHOLE}.source_configurations.api_source_connector_config.configs.{unknown[0]}"
        raise DefinitionFieldInvalid(field, "is unknown. Valid: rest_api, rest_api_path.")
    objects = tuple(
        _object(one, number, whole.table_configuration, whole.connector_type) for number, one in enumerate(whole.objects)
    )
    named = [one.destination for one in objects if one.source_table]
    twice = next((one for one in objects if one.source_table and named.count(one.destination) > 1), None)
    if twice is not None:
        raise DefinitionFieldInvalid(twice.field, f"is the second that goes to {twice.destination}. Give destination_table.")
    databases = {one.database for one in objects}
    if len(databases) > 1:
        raise DefinitionFieldInvalid(
            f"{_WHOLE}.objects", "name several source_catalogs. One pipeline reads one database; make another pipeline."
        )
    return Definition(
        whole.connection_name,
        whole.connector_type,
        objects,
        slot.slot_name if slot else None,
        slot.publication_name if slot else None,
        configs.get("rest_api"),
        configs.get("rest_api_path"),
    )


def _slot(source: _Source) -> _Slot | None:
    found = source.catalog.postgres if source.catalog is not None else None
    return None if found is None else found.slot_config


def _first(error: ValidationError) -> DefinitionFieldInvalid:
    problem = error.errors(include_input=False, include_url=False)[0]
    field = _WHOLE
    for part in problem["loc"]:
        field += f"[{part}]" if isinstance(part, int) else f".{part}"
    if problem["type"] == "extra_forbidden":
        return DefinitionFieldInvalid(field, "is not a field that is supported here.")
    if problem["type"] == "missing":
        return DefinitionFieldInvalid(field, "is missing.")
    return DefinitionFieldInvalid(field, f"is not valid: {problem['msg']}.")


def _object(one: _Object, number: int, general: _Configuration | None, connector: Connector) -> TableObject:
    field = f"{_WHOLE}.objects[{number}]"
    if (one.table is None) == (one.schema_ is None):
        raise DefinitionFieldInvalid(field, "needs one of table and schema; report is not supported.")
    place: _Place = one.table or one.schema_  # pyright: ignore[reportAssignmentType] - one of them is there
    field += ".table" if one.table is not None else ".schema"
    for name in ("destination_catalog", "destination_schema", "destination_table"):
        value = getattr(place, name, None)
        if value is not None and (not value or set(value) & set(".` /")):
            raise DefinitionFieldInvalid(f"{field}.{name}", f"'{value}' is not a name of one part.")
    settings = _settings(place.table_configuration, general, f"{field}.table_configuration", connector)
    return TableObject(
        field,
        place.source_catalog,
        place.source_schema,
        one.table.source_table if one.table else None,
        place.destination_catalog.lower(),
        place.destination_schema.lower(),
        one.table.destination_table if one.table else None,
        settings,
    )


def _settings(own: _Configuration | None, general: _Configuration | None, field: str, connector: Connector) -> TableSettings:
    """The settings of a table: its own, else those of the whole definition."""

    def of(name: str) -> Any:
        return next((value for one in (own, general) if one is not None and (value := getattr(one, name))), None)

    query: _QueryBased = of("query_based_connector_config") or _QueryBased()
    settings = TableSettings(
        of("scd_type") or ScdType.SCD_TYPE_1,
        tuple(of("primary_keys") or ()),
        _only(query.cursor_columns, f"{field}.query_based_connector_config.cursor_columns"),
        _only(of("sequence_by") or (), f"{field}.sequence_by"),
        tuple(of("include_columns") or ()),
        tuple(of("exclude_columns") or ()),
        query.deletion_condition,
        of("row_filter"),
        of("table_properties"),
        tuple(of("clustering_columns") or ()),
    )
    if settings.include and settings.exclude:
        raise DefinitionFieldInvalid(f"{field}.exclude_columns", "cannot be given beside include_columns.")
    if connector is Connector.CDC:
        _check_cdc(settings, field)
    elif settings.cursor is None:
        _check_snapshot(settings, field)
    return settings


def _only(names: Sequence[str], field: str) -> str | None:
    if len(names) > 1:
        raise DefinitionFieldInvalid(field, f"names {len(names)} columns; one is the most.")
    return names[0] if names else None


def _check_cdc(settings: TableSettings, field: str) -> None:
    if settings.cursor or settings.deletion_condition:
        config = f"{field}.query_based_connector_config"
        raise DefinitionFieldInvalid(config, "does not go with connector_type CDC, which sees every change.")
    if settings.sequence_by:
        raise DefinitionFieldInvalid(f"{field}.sequence_by", "does not go with connector_type CDC: changes have their order.")
    if settings.scd is ScdType.APPEND_ONLY:
        raise DefinitionFieldInvalid(f"{field}.scd_type", "is APPEND_ONLY, which connector_type CDC does not have.")


def _check_snapshot(settings: TableSettings, field: str) -> None:
    if settings.scd is ScdType.APPEND_ONLY:
        why = "is APPEND_ONLY, which needs query_based_connector_config.cursor_columns to tell which rows are new."
        raise DefinitionFieldInvalid(f"{field}.scd_type", why)
    if settings.deletion_condition or settings.sequence_by:
        config = f"{field}.query_based_connector_config.cursor_columns"
        raise DefinitionFieldInvalid(config, "is missing: deletion_condition and sequence_by need it.")
