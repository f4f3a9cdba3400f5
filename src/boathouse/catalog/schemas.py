"""HTTP bodies of the catalog, in the shapes of Unity Catalog's REST API 2.1."""

from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from boathouse.catalog.info import Policy, SecurableInfo, TableInfo, VolumeInfo, is_literal

METASTORE = "boathouse"

T = TypeVar("T")
Given: TypeAlias = Annotated[T | None, Field(exclude_if=lambda value: value is None)]
"""Left out of an answer where there is none, as clients expect that know the field as an object."""


class Owned(BaseModel):
    """What every securable is answered with. Times are ms since the epoch."""

    metastore_id: str = METASTORE
    owner: str
    comment: str | None
    created_at: int
    created_by: str
    updated_at: int
    updated_by: str


class InContainer(Owned):
    """What of a catalog, or in one, is answered with: ``browse_only`` where the asker may know of it by BROWSE alone."""

    browse_only: Given[bool] = None


class Page(BaseModel):
    """A page of a list, and the token of the next one."""

    next_page_token: str | None = None


class CatalogBody(InContainer):
    """A catalog, as it is answered."""

    id: str
    name: str
    full_name: str
    catalog_type: str = "MANAGED_CATALOG"
    isolation_mode: str = "OPEN"
    securable_type: str = "CATALOG"
    properties: dict[str, str]

    @classmethod
    def of(cls, info: SecurableInfo, *, browse_only: bool = False) -> "CatalogBody":
        """The wire form."""
        body = cls.model_validate(info, from_attributes=True)
        return body.model_copy(update={"browse_only": True}) if browse_only else body


class SchemaBody(InContainer):
    """A schema, as it is answered."""

    schema_id: str = Field(validation_alias="id")
    name: str
    catalog_name: str
    full_name: str
    properties: dict[str, str]

    @classmethod
    def of(cls, info: SecurableInfo, *, browse_only: bool = False) -> "SchemaBody":
        """The wire form."""
        body = cls.model_validate(info, from_attributes=True)
        return body.model_copy(update={"browse_only": True}) if browse_only else body


class ColumnBody(BaseModel):
    """A column of a table."""

    model_config = ConfigDict(extra="ignore")

    name: str
    type_name: str | None = None
    type_text: str | None = None
    type_json: str | None = None
    type_precision: int | None = None
    type_scale: int | None = None
    type_interval_type: str | None = None
    position: int | None = None
    nullable: bool | None = True
    comment: str | None = None
    partition_index: int | None = None


class PolicyArgument(BaseModel):
    """An argument of a policy: a column or a literal."""

    column: Given[str] = None
    constant: Given[str] = None


class MaskBody(BaseModel):
    """A column's mask."""

    function_name: str
    using_column_names: list[str]
    using_arguments: list[PolicyArgument]


class RowFilterBody(BaseModel):
    """A table's row filter."""

    function_name: str
    input_column_names: list[str]
    input_arguments: list[PolicyArgument]


def _arguments(policy: Policy) -> list[PolicyArgument]:
    return [PolicyArgument(constant=one) if is_literal(one) else PolicyArgument(column=one) for one in policy.using]


def _columns_of(policy: Policy) -> list[str]:
    return [one for one in policy.using if not is_literal(one)]


class ShownColumn(ColumnBody):
    """A column of a table, as it is answered."""

    mask: Given[MaskBody] = None


class TableBody(InContainer):
    """A table, as it is answered."""

    table_id: str = Field(validation_alias="id")
    name: str
    catalog_name: str
    schema_name: str
    full_name: str
    table_type: str
    data_source_format: Given[str] = None
    storage_location: Given[str] = None
    columns: list[ShownColumn]
    properties: dict[str, str]
    view_definition: Given[str] = None
    row_filter: Given[RowFilterBody] = None
    table_constraints: Given[list[dict[str, Any]]] = None

    @classmethod
    def of(
        cls,
        info: TableInfo,
        *,
        as_external: bool = False,
        browse_only: bool = False,
        omit: Collection[str] = (),
    ) -> "TableBody":
        """The wire form.

        Args:
            info: The table.
            browse_only: Whether the asker may know of it by BROWSE alone; it is then not shown how a view is made.
            omit: ``columns`` or ``properties``, to be left empty.
            as_external: Whether a managed table is shown as external: the embedded engine would otherwise route its
                commits through the catalog, and other readers of Delta could not read the table any more.
        """
        values = {name: getattr(info, name) for name in _TABLE_FIELDS}
        values["properties"] = {} if "properties" in omit else info.properties
        values["columns"] = [] if "columns" in omit else [_shown(column, info.column_masks) for column in info.columns]
        values["table_type"] = "EXTERNAL" if as_external and not info.is_view else info.table_type
        values["data_source_format"] = info.data_source_format or None
        values["storage_location"] = info.storage_location or None
        values["view_definition"] = None if browse_only else info.view_definition
        values["table_constraints"] = list(info.constraints) or None
        values["browse_only"] = browse_only or None
        if info.row_filter is not None:
            values["row_filter"] = RowFilterBody(
                function_name=info.row_filter.function_name,
                input_column_names=_columns_of(info.row_filter),
                input_arguments=_arguments(info.row_filter),
            )
        return cls.model_validate(values)


_TABLE_FIELDS = (
    "id",
    "name",
    "catalog_name",
    "schema_name",
    "full_name",
    "owner",
    "comment",
    "created_at",
    "created_by",
    "updated_at",
    "updated_by",
)


def _shown(column: Mapping[str, Any], masks: Mapping[str, Policy]) -> dict[str, Any]:
    mask = masks.get(column["name"])
    if mask is None:
        return dict(column)
    body = MaskBody(function_name=mask.function_name, using_column_names=_columns_of(mask), using_arguments=_arguments(mask))
    return {**column, "mask": body}


class VolumeBody(InContainer):
    """A volume, as it is answered."""

    volume_id: str = Field(validation_alias="id")
    name: str
    catalog_name: str
    schema_name: str
    full_name: str
    volume_type: str
    storage_location: str

    @classmethod
    def of(cls, info: VolumeInfo, *, browse_only: bool = False) -> "VolumeBody":
        """The wire form."""
        body = cls.model_validate(info, from_attributes=True)
        return body.model_copy(update={"browse_only": True}) if browse_only else body


class CatalogList(Page):
    """A page of catalogs."""

    catalogs: list[CatalogBody]


class SchemaList(Page):
    """A page of schemas."""

    schemas: list[SchemaBody]


class TableList(Page):
    """A page of tables."""

    tables: list[TableBody]


class VolumeList(Page):
    """A page of volumes."""

    volumes: list[VolumeBody]


class DroppedTableBody(BaseModel):
    """A dropped table that can come back. Times are ms since the epoch."""

    id: str
    full_name: str
    table_type: str
    owner: str
    dropped_at: int
    dropped_by: str
    kept_until: int


class DroppedTableList(BaseModel):
    """The dropped tables of a schema."""

    tables: list[DroppedTableBody]


class MetastoreBody(BaseModel):
    """The metastore."""

    metastore_id: str = METASTORE
    global_metastore_id: str = METASTORE
    name: str
    owner: str
    cloud: str = ""
    region: str = ""
    privilege_model_version: str = "1.0"
    delta_sharing_scope: str = "INTERNAL"
    external_access_enabled: bool = True
    created_at: int
    created_by: str
    updated_at: int
    updated_by: str


class MetastoreList(BaseModel):
    """The metastores: one."""

    metastores: list[MetastoreBody]
    next_page_token: Given[str] = None


class SystemSchema(BaseModel):
    """A schema of the catalog ``system``."""

    model_config = ConfigDict(protected_namespaces=(), populate_by_name=True)

    name: str = Field(serialization_alias="schema")
    state: Literal["ENABLE_COMPLETED"] = "ENABLE_COMPLETED"


class SystemSchemaList(BaseModel):
    """A page of schemas of the catalog ``system``."""

    schemas: list[SystemSchema]
    next_page_token: Given[str] = None


class MetastoreAssignment(BaseModel):
    """Which metastore this workspace has."""

    metastore_id: str = METASTORE
    workspace_id: int = 0
    default_catalog_name: str


class TableSummary(BaseModel):
    """A table's name and type."""

    full_name: str
    table_type: str


class TableSummaryList(Page):
    """A page of table summaries."""

    tables: list[TableSummary]


class TableExists(BaseModel):
    """Whether there is a table."""

    table_exists: bool


class CreateCatalog(BaseModel):
    """Asks for a catalog."""

    name: str
    storage_root: str | None = None
    connection_name: str | None = None
    provider_name: str | None = None
    share_name: str | None = None
    comment: str | None = None
    properties: dict[str, str] | None = None


class CreateSchema(BaseModel):
    """Asks for a schema."""

    name: str
    storage_root: str | None = None
    catalog_name: str
    comment: str | None = None
    properties: dict[str, str] | None = None


class CreateStagingTable(BaseModel):
    """Asks for the location of a managed table."""

    name: str
    catalog_name: str
    schema_name: str


class StagingTable(BaseModel):
    """The location of a managed table that is about to be made."""

    id: str
    name: str
    catalog_name: str
    schema_name: str
    staging_location: str


class CreateTable(BaseModel):
    """Asks for a table to be registered."""

    name: str
    catalog_name: str
    schema_name: str
    table_type: Literal["MANAGED", "EXTERNAL", "VIEW"] = "EXTERNAL"
    data_source_format: str = "DELTA"
    storage_location: str = ""
    view_definition: str | None = None
    columns: list[ColumnBody] = []
    comment: str | None = None
    properties: dict[str, str] | None = None


class CreateVolume(BaseModel):
    """Asks for a volume."""

    name: str
    catalog_name: str
    schema_name: str
    volume_type: Literal["MANAGED", "EXTERNAL"] = "MANAGED"
    storage_location: str | None = None
    comment: str | None = None


class UpdateSecurable(BaseModel):
    """Changes a securable; what is not given stays."""

    owner: str | None = None
    comment: str | None = None
    properties: dict[str, str] | None = None
    new_name: str | None = None


class UpdateCatalog(UpdateSecurable):
    """Changes a catalog; what is not given stays."""

    isolation_mode: str | None = None


class PrivilegeAssignment(BaseModel):
    """What one principal was granted."""

    principal: str
    privileges: list[str]


class Permissions(BaseModel):
    """The grants on a securable."""

    privilege_assignments: list[PrivilegeAssignment]
    next_page_token: Given[str] = None


class EffectivePrivilege(BaseModel):
    """A privilege, and where it comes from."""

    privilege: str
    inherited_from_name: str | None = None
    inherited_from_type: str | None = None


class EffectiveAssignment(BaseModel):
    """What one principal holds."""

    principal: str
    privileges: list[EffectivePrivilege]


class EffectivePermissions(BaseModel):
    """The privileges that hold on a securable."""

    privilege_assignments: list[EffectiveAssignment]
    next_page_token: Given[str] = None


class PermissionsChange(BaseModel):
    """Privileges to give to and take from one principal."""

    principal: str
    add: list[str] = []
    remove: list[str] = []


class UpdatePermissions(BaseModel):
    """Changes of grants."""

    changes: list[PermissionsChange] = []
    omit_permissions_in_response: bool = False


class EffectiveAssignmentPage(BaseModel):
    """A page of what principals hold."""

    effective_privilege_assignments: list[EffectiveAssignment]
    next_page_token: Given[str] = None


def wire(body: BaseModel) -> dict[str, Any]:
    """A body without the fields that are null."""
    return body.model_dump(exclude_none=True)
