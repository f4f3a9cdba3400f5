"""What other slices use of the workspace."""

from boathouse.workspace.errors import ObjectIdNotFound, ObjectNotFound, PathInvalid
from boathouse.workspace.info import LEVEL_TEXTS, LEVELS, ObjectInfo, number_of
from boathouse.workspace.references import WorkspaceReferences
from boathouse.workspace.service import WorkspaceService
from boathouse.workspace.sources import Laid, Sources
from boathouse.workspace.tree import Kind, Language

__all__ = [
    "LEVELS",
    "LEVEL_TEXTS",
    "Kind",
    "Laid",
    "Language",
    "ObjectIdNotFound",
    "ObjectInfo",
    "ObjectNotFound",
    "PathInvalid",
    "Sources",
    "WorkspaceReferences",
    "WorkspaceService",
    "number_of",
]
