"""What other slices use of the engine."""

from boathouse.engine.catalog_access import CatalogAccess
from boathouse.engine.errors import EngineCrashed, EngineUnavailable
from boathouse.engine.gateway.governor import Governor
from boathouse.engine.gateway.hidden_columns import METADATA_OPTION
from boathouse.engine.gateway.paths import PathGuard, Use
from boathouse.engine.gateway.protocol import local_relation, proto
from boathouse.engine.gateway.server import Gateway
from boathouse.engine.gateway.session import EngineSession as QuerySession
from boathouse.engine.gateway.spark_types import Array, Atomic, DataType, Field, Map, Struct
from boathouse.engine.gateway.spark_types import from_json as type_from_json
from boathouse.engine.gateway.spark_types import from_message as type_from_message
from boathouse.engine.gateway.spark_types import to_json as type_to_json
from boathouse.engine.gateway.table_functions import Answer, Argument, CallContext, TableFunction, TableFunctions, of_text
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
    "METADATA_OPTION",
    "Answer",
    "Argument",
    "Array",
    "Atomic",
    "CallContext",
    "CatalogAccess",
    "DataType",
    "EngineBackend",
    "EngineCrashed",
    "EngineMetrics",
    "EnginePool",
    "EngineService",
    "EngineSession",
    "EngineUnavailable",
    "Field",
    "Gateway",
    "Governor",
    "Map",
    "Offset",
    "PathGuard",
    "QuerySession",
    "ReadLimits",
    "SourceContext",
    "SourceFactory",
    "Sources",
    "StreamSchemaChanged",
    "StreamSource",
    "Struct",
    "TableFunction",
    "TableFunctions",
    "Use",
    "local_relation",
    "of_text",
    "proto",
    "type_from_json",
    "type_from_message",
    "type_to_json",
]
