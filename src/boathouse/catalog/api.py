"""What other slices use of the catalog."""

from boathouse.catalog.delta_schema import type_text
from boathouse.catalog.dependencies import Catalog, WritableCatalog
from boathouse.catalog.errors import InvalidName, PolicyInTheWay, PrivilegeMissing, SecurableExists, SecurableNotFound
from boathouse.catalog.info import (
    FEATURE_SPEC,
    ConnectionInfo,
    FunctionInfo,
    Parameter,
    Policy,
    SecurableInfo,
    TableInfo,
    VolumeInfo,
)
from boathouse.catalog.open_connection import OpenConnection
from boathouse.catalog.paging import paged, paged_by_creation
from boathouse.catalog.private import private_schema
from boathouse.catalog.privileges import SYSTEM, Privilege, SecurableType
from boathouse.catalog.references import CatalogReferences
from boathouse.catalog.renames import COLUMN, Rename, change_function_bodies, id_of, on_rename, take_renames
from boathouse.catalog.service import CatalogService
from boathouse.catalog.service.containers import DEFAULT_CATALOG, DEFAULT_SCHEMA
from boathouse.catalog.service.grants import GrantChange
from boathouse.catalog.service.locations import REMOTE
from boathouse.catalog.service.tags import TagChange

__all__ = [
    "COLUMN",
    "DEFAULT_CATALOG",
    "DEFAULT_SCHEMA",
    "FEATURE_SPEC",
    "REMOTE",
    "SYSTEM",
    "Catalog",
    "CatalogReferences",
    "CatalogService",
    "ConnectionInfo",
    "FunctionInfo",
    "GrantChange",
    "InvalidName",
    "OpenConnection",
    "Parameter",
    "Policy",
    "PolicyInTheWay",
    "Privilege",
    "PrivilegeMissing",
    "Rename",
    "SecurableExists",
    "SecurableInfo",
    "SecurableNotFound",
    "SecurableType",
    "TableInfo",
    "TagChange",
    "VolumeInfo",
    "WritableCatalog",
    "change_function_bodies",
    "id_of",
    "on_rename",
    "paged",
    "paged_by_creation",
    "private_schema",
    "take_renames",
    "type_text",
]
