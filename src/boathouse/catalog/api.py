"""What other slices use of the catalog."""

from boathouse.catalog.dependencies import Catalog, WritableCatalog
from boathouse.catalog.errors import InvalidName, PrivilegeMissing, SecurableExists, SecurableNotFound
from boathouse.catalog.info import SecurableInfo, TableInfo, VolumeInfo
from boathouse.catalog.privileges import Privilege, SecurableType
from boathouse.catalog.service import CatalogService

__all__ = [
    "Catalog",
    "CatalogService",
    "InvalidName",
    "Privilege",
    "PrivilegeMissing",
    "SecurableExists",
    "SecurableInfo",
    "SecurableNotFound",
    "SecurableType",
    "TableInfo",
    "VolumeInfo",
    "WritableCatalog",
]
