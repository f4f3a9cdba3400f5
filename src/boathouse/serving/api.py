"""What other slices use of serving."""

from boathouse.catalog.api import on_rename
from boathouse.serving.capture import PAYLOAD
from boathouse.serving.references import ServingReferences
from boathouse.serving.renames import follow
from boathouse.serving.runtime import Serving
from boathouse.serving.served_versions import ServedEntities, ServedVersions
from boathouse.serving.service import Endpoint, ServingService
from boathouse.serving.shapes import EndpointShapes

on_rename(follow)

__all__ = [
    "PAYLOAD",
    "Endpoint",
    "EndpointShapes",
    "ServedEntities",
    "ServedVersions",
    "Serving",
    "ServingReferences",
    "ServingService",
]
