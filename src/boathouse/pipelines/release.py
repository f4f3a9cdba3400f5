"""What an ingestion pipeline that is deleted has made at its source is taken away there, or told."""

import asyncio
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from typing import Any

from boathouse.ingest.connectors.api import Connector, own_replication, parse_definition

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


async def release(pipeline_id: str, source: Mapping[str, Any], kept: Mapping[str, str]) -> str | None:
    """Take it away, in a process of its own; answers why that failed, or None.

    Args:
        pipeline_id: Of the pipeline that is gone.
        source: What that process has to know of the source.
        kept: Its environment.
    """
    with tempfile.TemporaryDirectory(prefix="pipeline-") as folder:
        read_end, write_end = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                EXTRACTION,
                pass_fds=[write_end],
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                env=dict(kept),
                process_group=0,
            )
        finally:
            os.close(write_end)
        assignment = {"release": True, "descriptor": write_end, "folder": folder, "source": source, "pipeline_id": pipeline_id}
        unused = {"options": {}, "remembered": {}, "base_url": "http://127.0.0.1", "token": "none", "catalog": "", "schema": ""}
        try:
            return await asyncio.wait_for(_answer(process, read_end, {**assignment, **unused}), _SECONDS)
        except TimeoutError:
            return f"It did not answer within {_SECONDS:.0f} s."
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _answer(process: asyncio.subprocess.Process, read_end: int, assignment: Mapping[str, Any]) -> str | None:
    """What the process says, as its first line."""
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_end, "rb", buffering=0)
    )
    try:
        if process.stdin is not None:
            with contextlib.suppress(ConnectionError):
                process.stdin.write(json.dumps(assignment).encode() + b"\n")
                await process.stdin.drain()
        line = await reader.readline()
    finally:
        transport.close()
    return json.loads(line)["left"] if line else "The process that was to do it ended unexpectedly."
