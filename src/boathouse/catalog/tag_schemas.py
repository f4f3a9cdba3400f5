"""HTTP bodies of tags, in the shapes of Unity Catalog's REST API 2.1."""

from pydantic import BaseModel, ConfigDict


class TagAssignment(BaseModel):
    """A tag of a securable or column. ``entity_type`` is ``catalogs``, ``schemas``, ``tables``, ``columns``, ``volumes``, ..."""

    model_config = ConfigDict(extra="ignore")

    entity_type: str
    entity_name: str
    tag_key: str
    tag_value: str | None = None


class NewTagValue(BaseModel):
    """A tag's other value."""

    model_config = ConfigDict(extra="ignore")

    tag_value: str | None = None


class TagAssignmentList(BaseModel):
    """A page of tags."""

    tag_assignments: list[TagAssignment]
    next_page_token: str | None = None


class TagPair(BaseModel):
    """A key and a value."""

    key: str
    value: str = ""


class TagChanges(BaseModel):
    """Tags to give and to take."""

    add_tags: list[TagPair] = []
    remove: list[str] = []


class UpdateTags(BaseModel):
    """Changes tags."""

    changes: TagChanges
