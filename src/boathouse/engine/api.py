"""What other slices use of the engine."""

from boathouse.engine.catalog_access import CatalogAccess
from boathouse.engine.compute import require_warehouse, warehouse_id_of
from boathouse.engine.errors import EngineCrashed, EngineUnavailable
from boathouse.engine.gateway.governor import Governor
from boathouse.engine.gateway.messages.protocol import local_relation, proto
from boathouse.engine.gateway.messages.spark_types import Array, Atomic, DataType, Field, Map, Struct
from boathouse.engine.gateway.messages.spark_types import from_json as type_from_json
from boathouse.engine.gateway.messages.spark_types import from_message as type_from_message
from boathouse.engine.gateway.messages.spark_types import sql as type_sql
from boathouse.engine.gateway.messages.spark_types import to_json as type_to_json
from boathouse.engine.gateway.names.ai_query import Endpoints, EndpointShape
from boathouse.engine.gateway.names.table_functions import Answer, Argument, CallContext, TableFunction, TableFunctions, of_text
from boathouse.engine.gateway.paths.guard import PathGuard, Use
from boathouse.engine.gateway.readings import AS_OF_HEADER, SOURCE_HEADER, TableRead
from boathouse.engine.gateway.server import STATEMENT_ID, Gateway
from boathouse.engine.gateway.session import EngineSession as QuerySession
from boathouse.engine.gateway.sql.tokens import literal, quote, tokenize
from boathouse.engine.gateway.streams.hidden_columns import METADATA_OPTION
from boathouse.engine.link import CHANNEL_OPTIONS, SERVICE, EngineSession
from boathouse.engine.metrics import EngineMetrics
from boathouse.engine.pool import EngineBackend, EnginePool
from boathouse.engine.scripts import Raw, Value, bound, filled, statements
from boathouse.engine.service import EngineService, check_engine
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
    "AS_OF_HEADER",
    "CHANNEL_OPTIONS",
    "METADATA_OPTION",
    "SERVICE",
    "SOURCE_HEADER",
    "STATEMENT_ID",
    "Answer",
    "Argument",
    "Array",
    "Atomic",
    "CallContext",
    "CatalogAccess",
    "DataType",
    "EndpointShape",
    "Endpoints",
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
    "Raw",
    "ReadLimits",
    "SourceContext",
    "SourceFactory",
    "Sources",
    "StreamSchemaChanged",
    "StreamSource",
    "Struct",
    "TableFunction",
    "TableFunctions",
    "TableRead",
    "Use",
    "Value",
    "bound",
    "check_engine",
    "filled",
    "literal",
    "local_relation",
    "of_text",
    "proto",
    "quote",
    "require_warehouse",
    "statements",
    "tokenize",
    "type_from_json",
    "type_from_message",
    "type_sql",
    "type_to_json",
    "warehouse_id_of",
]
