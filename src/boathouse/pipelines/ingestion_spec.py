"""The ``ingestion_definition`` of a pipeline's settings, on the server's side: what is valid, and the connection it names."""

import dataclasses
import importlib.util
from collections.abc import Mapping
from typing import Any

from boathouse.catalog.api import CatalogService
from boathouse.errors import InvalidState
from boathouse.ingest.connectors.api import Connector, Definition, parse_definition
from boathouse.pipelines.errors import SpecInvalid
from boathouse.pipelines.files import SourceReader
from boathouse.pipelines.schemas import PipelineBody

FIELD = "ingestion_definition"
_LIBRARIES = ("dlt", "psycopg", "pymysql")


def check_ingestion(body: PipelineBody, catalog: CatalogService) -> None:
    """Go on only if the settings are those of an ingestion pipeline.

    Raises:
        InvalidParameterValue: If a field is not valid; it is named.
        NotFound: If the asker knows of no connection of this name.
    """
    definition = parse_definition(body.ingestion_definition or {})
    if body.libraries:
        raise SpecInvalid("libraries", f"cannot be given beside {FIELD}. Read its tables in another pipeline.")
    if body.continuous:
        raise SpecInvalid("continuous", f"is not supported with {FIELD}. Start updates as often as rows are wanted.")
    if definition.rest_api is not None and definition.rest_api_path is not None:
        raise SpecInvalid(f"{FIELD}.source_configurations", "has rest_api and rest_api_path; give one of them.")
    _check_type(definition, catalog.get_connection(definition.connection).connection_type)


def _check_type(definition: Definition, kind: str) -> None:
    if definition.connector is Connector.CDC and kind != "POSTGRESQL":
        field = f"{FIELD}.connector_type"
        raise SpecInvalid(field, f"CDC is built for POSTGRESQL; the connection is {kind}. Valid: QUERY_BASED.")
    declares_api = definition.rest_api is not None or definition.rest_api_path is not None
    if declares_api != (kind == "HTTP"):
        field = f"{FIELD}.source_configurations"
        raise SpecInvalid(field, f"needs api_source_connector_config for a connection of type HTTP alone; this one is {kind}.")


def source_of(spec: Mapping[str, Any], catalog: CatalogService, files: SourceReader) -> dict[str, Any]:
    """What the process that reads the source has to know, the connection's secrets too.

    Raises:
        PrivilegeMissing: Without USE CONNECTION.
        InvalidState: Without the extra ``connect``.
        SpecInvalid: If the connection's type does not go with the definition.
    """
    if any(importlib.util.find_spec(name) is None for name in _LIBRARIES):
        message = "Ingestion pipelines need libraries that are not installed here: pip install 'boathouse[connect]'."
        raise InvalidState(message)
    definition = parse_definition(spec[FIELD])
    connection = catalog.open_connection(definition.connection)
    _check_type(definition, connection.type)
    rest_api = definition.rest_api
    if definition.rest_api_path is not None:
        rest_api = files.text(definition.rest_api_path, f"{FIELD}.source_configurations.rest_api_path")
    return {"connection": dataclasses.asdict(connection), "definition": spec[FIELD], "rest_api": rest_api}
