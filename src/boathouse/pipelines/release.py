"""What an ingestion pipeline that is deleted has made at its source is taken away there, or told."""

import asyncio
import sys
import tempfile
from collections.abc import Mapping
from typing import Any

from boathouse.ingest.connectors.api import Connector, own_replication, parse_definition
from boathouse.kit.children import Child, start_child

EXTRACTION = "boathouse.pipelines.extraction"
_SECONDS = 45.0


def makes_something(spec: Mapping[str, Any]) -> bool:
    """Whether updates of a pipeline with these settings make a slot or a publication at their source."""
    if spec.get("ingestion_definition") is None:
        return False
    definition = parse_definition(spec["ingestion_definition"])
    return definition.connector is Connector.CDC and (definition.slot is None or definition.publication is None)


def what_is_left(spec: Mapping[str, Any], pipeline_id: str, why: str) -> str:
    """What people are told of what could not be taken away."""
    definition, own = parse_definition(spec["ingestion_definition"]), own_replication(pipeline_id)
    slot = [] if definition.slot is not None else [f"SELECT pg_drop_replication_slot('{own}')"]
    publication = [] if definition.publication is not None else [f"DROP PUBLICATION {own}"]
    return (
        f"The pipeline is deleted. What it made at its source may be left there, and a replication slot keeps the server's log: {why} "
        f"Run in the database {definition.objects[0].database or 'of the connection'}: {'; '.join([*slot, *publication])};"
    )


async def release(pipeline_id: str, source: Mapping[str, Any]) -> str | None:
    """Take it away, in a process of its own; answers why that failed, or None.

    Args:
        pipeline_id: Of the pipeline that is gone.
        source: What that process has to know of the source.
    """
    with tempfile.TemporaryDirectory(prefix="pipeline-") as folder:
        assignment = {"release": True, "folder": folder, "source": source, "pipeline_id": pipeline_id}
        unused = {"options": {}, "remembered": {}, "base_url": "http://127.0.0.1", "token": "none", "catalog": "", "schema": ""}
        async with start_child([sys.executable, "-P", "-m", EXTRACTION], {**assignment, **unused}) as child:
            try:
                return await asyncio.wait_for(_answer(child), _SECONDS)
            except TimeoutError:
                return f"It did not answer within {_SECONDS:.0f} s."


async def _answer(child: Child) -> str | None:
    """What the process says, as its first line."""
    async for message in child.messages():
        return message["left"]
    return "The process that was to do it ended unexpectedly."
