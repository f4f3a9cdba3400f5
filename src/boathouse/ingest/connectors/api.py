"""What other slices use of connectors. Apart from ``boathouse.ingest.api``, since the process that reads a source needs no engine."""

from boathouse.ingest.connectors.definition import Connector, Definition, TableObject, own_replication
from boathouse.ingest.connectors.definition import parse as parse_definition
from boathouse.ingest.connectors.extract import Extraction, Landed, Reader, Stopped, loaded_key, told
from boathouse.ingest.connectors.landing import Landing

__all__ = [
    "Connector",
    "Definition",
    "Extraction",
    "Landed",
    "Landing",
    "Reader",
    "Stopped",
    "TableObject",
    "loaded_key",
    "own_replication",
    "parse_definition",
    "told",
]
