"""What other slices use of serving."""

from boathouse.serving.capture import PAYLOAD
from boathouse.serving.references import ServingReferences
from boathouse.serving.runtime import Serving
from boathouse.serving.service import Endpoint, ServingService

__all__ = ["PAYLOAD", "Endpoint", "Serving", "ServingReferences", "ServingService"]
