"""Objects of the workspace as plain values."""

from dataclasses import dataclass

from boathouse.iam.api import Access, Levels
from boathouse.kit.ids import number_in
from boathouse.workspace.tree import Kind, Language

LEVELS = Levels(("CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE"))
"""Of permission on an object and all that it holds."""
LEVEL_TEXTS = {
    "CAN_READ": "See it and what it holds",
    "CAN_RUN": "See it and run it",
    "CAN_EDIT": "See, run and change it",
    "CAN_MANAGE": "See, run, change, move and delete it, and say who may",
}


@dataclass(frozen=True)
class ObjectInfo:
    """An object; times in ms since the epoch, the size in bytes of what is a file."""

    object_id: int
    path: str
    kind: Kind
    language: Language | None
    size: int | None
    created_at: int
    modified_at: int
    level: str | None

    @property
    def resource_id(self) -> str:
        """What the API for objects of its kind calls it by."""
        return f"{_DASHBOARDS}{self.object_id:030x}" if self.kind is Kind.DASHBOARD else str(self.object_id)


_DASHBOARDS = "01"


def number_of(kind: Kind, resource_id: str) -> int | None:
    """The number of the object that an API of a kind calls so; None if it can be none's."""
    if kind is not Kind.DASHBOARD:
        return number_in(resource_id)
    digits = resource_id.removeprefix(_DASHBOARDS)
    good = len(resource_id) == 32 and len(digits) == 30 and not set(digits) - set("0123456789abcdef")
    number = int(digits, 16) if good else -1
    return number if 0 <= number < 2**63 else None


@dataclass(frozen=True)
class Permission:
    """A level that somebody has on an object, and the folder that it comes from if it is not the object's own."""

    access: Access
    inherited_from: int | None


@dataclass(frozen=True)
class Permissions:
    """Who may what on an object."""

    object: ObjectInfo
    permissions: tuple[Permission, ...]


@dataclass(frozen=True)
class Exported:
    """What an export gives; ``file_type`` is the suffix without its dot."""

    content: bytes
    file_type: str
