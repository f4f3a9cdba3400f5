"""What other slices use of the workspace."""

from boathouse.workspace.errors import ObjectNotFound, PathInvalid
from boathouse.workspace.info import ObjectInfo
from boathouse.workspace.references import WorkspaceReferences
from boathouse.workspace.service import WorkspaceService
from boathouse.workspace.tree import Kind, Language

__all__ = ["Kind", "Language", "ObjectInfo", "ObjectNotFound", "PathInvalid", "WorkspaceReferences", "WorkspaceService"]
