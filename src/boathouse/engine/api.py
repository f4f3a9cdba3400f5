"""What other slices use of the engine."""

from boathouse.engine.catalog_access import CatalogAccess
from boathouse.engine.errors import EngineCrashed, EngineUnavailable
from boathouse.engine.gateway.governor import Governor
from boathouse.engine.gateway.paths import PathGuard, Use
from boathouse.engine.gateway.server import Gateway
from boathouse.engine.gateway.session import EngineSession as QuerySession
from boathouse.engine.link import EngineSession
from boathouse.engine.metrics import EngineMetrics
from boathouse.engine.pool import EngineBackend, EnginePool
from boathouse.engine.service import EngineService
from boathouse.engine.streaming.source import (
    Offset,
    ReadLimits,
    SourceContext,
    SourceFactory,
    Sources,
    StreamSchemaChanged,
    StreamSource,
)

__all__ = [
    "CatalogAccess",
    "EngineBackend",
    "EngineCrashed",
    "EngineMetrics",
    "EnginePool",
    "EngineService",
    "EngineSession",
    "EngineUnavailable",
    "Gateway",
    "Governor",
    "Offset",
    "PathGuard",
    "QuerySession",
    "ReadLimits",
    "SourceContext",
    "SourceFactory",
    "Sources",
    "StreamSchemaChanged",
    "StreamSource",
    "Use",
]
