"""What other slices use of serving."""

from boathouse.serving.capture import PAYLOAD
from boathouse.serving.references import ServingReferences
from boathouse.serving.runtime import Serving
from boathouse.serving.served_versions import ServedEntities, ServedVersions
from boathouse.serving.service import Endpoint, ServingService
from boathouse.serving.shapes import EndpointShapes

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
