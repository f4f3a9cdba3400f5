"""HTTP in and out of the workspace, as databricks-sdk's ``w.workspace`` sends and reads it."""

from typing import Literal

from pydantic import BaseModel, Field

from boathouse.workspace.info import ObjectInfo, Permissions
from boathouse.workspace.tree import Kind, Language


class ObjectBody(BaseModel):
    """An object; times in ms since the epoch."""

    object_type: Kind
    path: str
    object_id: int
    resource_id: str
    language: Language | None = None
    size: int | None = None
    created_at: int
    modified_at: int

    @classmethod
    def of(cls, info: ObjectInfo) -> "ObjectBody":
        """The form of an object."""
        return cls(
            object_type=info.kind,
            path=info.path,
            object_id=info.object_id,
            resource_id=info.resource_id,
            language=info.language,
            size=info.size if info.kind is Kind.FILE else None,
            created_at=info.created_at,
            modified_at=info.modified_at,
        )


class ObjectList(BaseModel):
    """What a folder holds."""

    objects: list[ObjectBody] | None = None


class PathBody(BaseModel):
    """A path."""

    path: str


class DeleteBody(BaseModel):
    """What is to be deleted."""

    path: str
    recursive: bool = False


class ImportBody(BaseModel):
    """What is to be imported; the content in base64."""

    path: str
    content: str = Field(default="", repr=False)
    format: str = "SOURCE"
    language: str | None = None
    overwrite: bool = False


class ExportBody(BaseModel):
    """What was exported, in base64."""

    content: str
    file_type: str


class LevelBody(BaseModel):
    """A level, and where it comes from."""

    permission_level: str
    inherited: bool
    inherited_from_object: list[str] | None = None


class GranteeBody(BaseModel):
    """What one grantee may."""

    user_name: str | None = None
    group_name: str | None = None
    service_principal_name: str | None = None
    all_permissions: list[LevelBody]


class PermissionsBody(BaseModel):
    """Who may what on an object."""

    object_id: str
    object_type: Literal["directory", "notebook", "file", "repo", "dashboard"]
    access_control_list: list[GranteeBody]

    @classmethod
    def of(cls, kind: str, found: Permissions) -> "PermissionsBody":
        """The form of an object's permissions; a grantee is told once."""
        levels: dict[tuple[str, str], list[LevelBody]] = {}
        for one in found.permissions:
            told = None if one.inherited_from is None else [f"/directories/{one.inherited_from}"]
            level = LevelBody(permission_level=one.access.level, inherited=told is not None, inherited_from_object=told)
            levels.setdefault((one.access.kind, one.access.grantee), []).append(level)
        entries = [GranteeBody.model_validate({kind: name, "all_permissions": held}) for (kind, name), held in levels.items()]
        types = {one: one.lower() for one in Kind}
        return cls.model_validate(
            {
                "object_id": f"/{kind}/{found.object.resource_id}",
                "object_type": types[found.object.kind],
                "access_control_list": entries,
            }
        )


class PermissionLevel(BaseModel):
    """A level that an object can have, in words."""

    permission_level: str
    description: str


class PermissionLevels(BaseModel):
    """The levels that an object can have."""

    permission_levels: list[PermissionLevel]
