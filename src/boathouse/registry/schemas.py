"""HTTP in and out of Unity Catalog's registered models, as ``databricks-sdk`` has them."""

from pydantic import BaseModel, ConfigDict

from boathouse.catalog.api import SecurableInfo
from boathouse.registry.info import ModelInfo, ModelVersionInfo


class _Body(BaseModel):
    model_config = ConfigDict(protected_namespaces=())


class CreateModel(_Body):
    """A new model."""

    catalog_name: str
    schema_name: str
    name: str
    comment: str | None = None


class UpdateModel(_Body):
    """What changes of a model."""

    comment: str | None = None
    owner: str | None = None
    new_name: str | None = None


class CreateVersion(_Body):
    """A new version, whose files are still to come."""

    catalog_name: str
    schema_name: str
    model_name: str
    source: str
    run_id: str | None = None
    comment: str | None = None


class FinalizeVersion(_Body):
    """A version whose files are there; clients say once more which."""

    full_name: str | None = None
    version: int | None = None


class VersionCredentials(_Body):
    """Credentials for the files of a version."""

    catalog_name: str
    schema_name: str
    model_name: str
    version: int
    operation: str = "READ_MODEL_VERSION"


class UpdateVersion(_Body):
    """What changes of a version."""

    comment: str | None = None


class SetAlias(_Body):
    """Where an alias points."""

    version_num: int


class AliasBody(_Body):
    """An alias."""

    alias_name: str
    catalog_name: str
    schema_name: str
    model_name: str
    version_num: int

    @classmethod
    def of(cls, full_name: str, alias: str, version: int) -> "AliasBody":
        """From its parts."""
        catalog, schema, model = full_name.split(".")
        return cls(alias_name=alias, catalog_name=catalog, schema_name=schema, model_name=model, version_num=version)


class ModelBody(_Body):
    """A registered model."""

    id: str
    name: str
    catalog_name: str
    schema_name: str
    full_name: str
    owner: str
    comment: str | None = None
    created_at: int
    created_by: str
    updated_at: int
    updated_by: str
    storage_location: str
    browse_only: bool = False
    aliases: list[AliasBody] | None = None

    @classmethod
    def of(cls, info: SecurableInfo, model: ModelInfo | None = None) -> "ModelBody":
        """From the securable, with aliases if the model is given."""
        catalog, schema, name = info.full_name.split(".")
        aliases = [AliasBody.of(model.name, alias, version) for alias, version in model.aliases.items()] if model else None
        return cls(
            id=info.id,
            name=name,
            catalog_name=catalog,
            schema_name=schema,
            full_name=info.full_name,
            owner=info.owner,
            comment=(model.description or None) if model else info.comment,
            created_at=info.created_at,
            created_by=info.created_by,
            updated_at=max(info.updated_at, model.updated_at) if model else info.updated_at,
            updated_by=info.updated_by,
            storage_location=f"/Models/{catalog}/{schema}/{name}",
            aliases=aliases,
        )


class ModelList(_Body):
    """A page of models."""

    registered_models: list[ModelBody]
    next_page_token: str | None = None


class VersionBody(_Body):
    """A version of a model."""

    id: str
    catalog_name: str
    schema_name: str
    model_name: str
    version: int
    source: str
    run_id: str
    status: str
    comment: str | None = None
    created_at: int
    created_by: str
    updated_at: int
    updated_by: str
    storage_location: str
    aliases: list[AliasBody]

    @classmethod
    def of(cls, info: ModelVersionInfo) -> "VersionBody":
        """From the version."""
        catalog, schema, model = info.name.split(".")
        return cls(
            id=f"{info.name}/{info.version}",
            catalog_name=catalog,
            schema_name=schema,
            model_name=model,
            version=info.version,
            source=info.source,
            run_id=info.run_id,
            status=info.status,
            comment=info.description or None,
            created_at=info.created_at,
            created_by=info.user,
            updated_at=info.updated_at,
            updated_by=info.user,
            storage_location=f"/Models/{catalog}/{schema}/{model}/{info.version}",
            aliases=[AliasBody.of(info.name, alias, info.version) for alias in info.aliases],
        )


class VersionList(_Body):
    """A page of versions."""

    model_versions: list[VersionBody]
    next_page_token: str | None = None


class SignatureColumn(_Body):
    """One of what a model takes or gives; its type in MLflow's words."""

    name: str
    type: str
    required: bool


class SignatureBody(_Body):
    """What a version takes and gives."""

    inputs: list[SignatureColumn]
    outputs: list[SignatureColumn]
    params: list[SignatureColumn]
