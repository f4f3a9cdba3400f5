"""HTTP bodies of the catalog, in the shapes of Unity Catalog's REST API 2.1."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from boathouse.catalog.info import SecurableInfo, TableInfo, VolumeInfo
from boathouse.catalog.privileges import SecurableType

METASTORE = "boathouse"


class CatalogBody(BaseModel):
    """A catalog, as it is answered."""

    id: str
    name: str
    full_name: str
    catalog_type: str = "MANAGED_CATALOG"
    metastore_id: str = METASTORE
    securable_type: str = "CATALOG"
    owner: str
    comment: str | None
    properties: dict[str, str]
    created_at: int
    created_by: str
    updated_at: int
    updated_by: str

    @classmethod
    def of(cls, info: SecurableInfo) -> "CatalogBody":
        """The wire form."""
        return cls.model_validate(info, from_attributes=True)


class SchemaBody(BaseModel):
    """A schema, as it is answered."""

    schema_id: str = Field(validation_alias="id")
    name: str
    catalog_name: str
    full_name: str
    metastore_id: str = METASTORE
    owner: str
    comment: str | None
    properties: dict[str, str]
    created_at: int
    created_by: str
    updated_at: int
    updated_by: str

    @classmethod
    def of(cls, info: SecurableInfo) -> "SchemaBody":
        """The wire form."""
        return cls.model_validate(info, from_attributes=True)


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


class TableBody(BaseModel):
    """A table, as it is answered."""

    table_id: str = Field(validation_alias="id")
    name: str
    catalog_name: str
    schema_name: str
    full_name: str
    table_type: str
    data_source_format: str
    storage_location: str
    columns: list[ColumnBody]
    metastore_id: str = METASTORE
    owner: str
    comment: str | None
    properties: dict[str, str]
    created_at: int
    created_by: str
    updated_at: int
    updated_by: str

    @classmethod
    def of(cls, info: TableInfo, *, as_external: bool = False) -> "TableBody":
        """The wire form.

        Args:
            info: The table.
            as_external: Whether a managed table is shown as external: the embedded engine would otherwise route its
                commits through the catalog, and other readers of Delta could not read the table any more.
        """
        body = cls.model_validate(info, from_attributes=True)
        return body.model_copy(update={"table_type": "EXTERNAL"}) if as_external else body


class VolumeBody(BaseModel):
    """A volume, as it is answered."""

    volume_id: str = Field(validation_alias="id")
    name: str
    catalog_name: str
    schema_name: str
    full_name: str
    volume_type: str
    storage_location: str
    metastore_id: str = METASTORE
    owner: str
    comment: str | None
    created_at: int
    created_by: str
    updated_at: int
    updated_by: str

    @classmethod
    def of(cls, info: VolumeInfo) -> "VolumeBody":
        """The wire form."""
        return cls.model_validate(info, from_attributes=True)


class CatalogList(BaseModel):
    """A page of catalogs."""

    catalogs: list[CatalogBody]
    next_page_token: str | None = None


class SchemaList(BaseModel):
    """A page of schemas."""

    schemas: list[SchemaBody]
    next_page_token: str | None = None


class TableList(BaseModel):
    """A page of tables."""

    tables: list[TableBody]
    next_page_token: str | None = None


class VolumeList(BaseModel):
    """A page of volumes."""

    volumes: list[VolumeBody]
    next_page_token: str | None = None


class TableSummary(BaseModel):
    """A table's name and type."""

    full_name: str
    table_type: str


class TableSummaryList(BaseModel):
    """A page of table summaries."""

    tables: list[TableSummary]
    next_page_token: str | None = None


class TableExists(BaseModel):
    """Whether there is a table."""

    table_exists: bool


class CreateCatalog(BaseModel):
    """Asks for a catalog."""

    name: str
    comment: str | None = None
    properties: dict[str, str] | None = None


class CreateSchema(BaseModel):
    """Asks for a schema."""

    name: str
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
    table_type: Literal["MANAGED", "EXTERNAL"] = "EXTERNAL"
    data_source_format: str = "DELTA"
    storage_location: str
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


class PrivilegeAssignment(BaseModel):
    """What one principal was granted."""

    principal: str
    privileges: list[str]


class Permissions(BaseModel):
    """The grants on a securable."""

    privilege_assignments: list[PrivilegeAssignment]


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


class PermissionsChange(BaseModel):
    """Privileges to give to and take from one principal."""

    principal: str
    add: list[str] = []
    remove: list[str] = []


class UpdatePermissions(BaseModel):
    """Changes of grants."""

    changes: list[PermissionsChange]


def securable_type(text: str) -> SecurableType | None:
    """The kind of securable that a path segment names; models go by ``function`` too, as in Unity Catalog."""
    name = text.lower().replace("-", "_")
    if name == "function":
        return SecurableType.MODEL
    return next((kind for kind in SecurableType if kind.value == name), None)


def wire(body: BaseModel) -> dict[str, Any]:
    """A body without the fields that are null."""
    return body.model_dump(exclude_none=True)
