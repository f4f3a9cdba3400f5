"""The process of one refresh: it reads as whom the monitor runs as, and leaves the rows of the metric tables as Arrow files.

It gets its assignment as the first line of its standard input, and says on the descriptor that is named there how it has ended.
"""

import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NoReturn

import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from boathouse.errors import BoathouseError
from boathouse.kit.wire import Wire, read_assignment
from boathouse.monitoring.profiles.custom import CustomMetrics
from boathouse.monitoring.profiles.definition import Definition
from boathouse.monitoring.profiles.metric_tables import DRIFT, PROFILE, drift_schema, profile_schema
from boathouse.monitoring.profiles.refresh import Refresh
from boathouse.monitoring.profiles.source import Source
from boathouse.monitoring.profiles.windows import Stretch

_LONGEST = 2000


def main() -> NoReturn:
    """Do the refresh of the assignment on standard input."""
    assignment = read_assignment()
    wire = Wire(int(assignment["descriptor"]))
    wire.listen()
    try:
        wire.send(done=refresh(assignment))
    except (PySparkException, BoathouseError) as error:
        wire.send(failed=str(getattr(error, "message", None) or error)[:_LONGEST])
    except Exception as error:  # noqa: BLE001 - whatever it is, the refresh has failed with it
        wire.send(failed=f"{type(error).__name__}: {error}"[:_LONGEST])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def refresh(assignment: dict[str, Any]) -> dict[str, Any]:
    """Compute the rows; which stretches of time they take the place of, by granularity."""
    definition = Definition.of(assignment["settings"])
    spark = SparkSession.builder.remote(assignment["remote"]).create()
    custom = CustomMetrics(spark, definition)
    table, version = assignment["table"], assignment["version"]
    source = Source(spark, table, version, definition)
    folder = Path(assignment["folder"])
    with ExitStack() as stack:
        emit = _Sinks(folder, definition, stack)
        work = Refresh(source, definition, assignment["monitor_version"], version, emit, custom)
        baseline = assignment["baseline"]
        if baseline is not None:
            work.baseline(Source(spark, baseline["table"], baseline["version"], definition), baseline["version"])
        if not definition.granularities:
            before = assignment["before"]
            earlier = None if before is None else Source(spark, table, before["version"], definition)
            work.snapshot(assignment["now"], earlier, None if before is None else before["at"])
            return {"stretches": {}}
        found: dict[str, list[list[int]]] = {}
        for granularity in definition.granularities:
            told = [work.stretch(granularity, one) for one in _stretches(assignment, source)]
            found[granularity.text] = [[one.begin, one.end] for one in told]
        return {"stretches": found}


def _stretches(assignment: dict[str, Any], source: Source) -> list[Stretch]:
    if assignment["touched"] is not None:
        return [Stretch(begin, end) for begin, end in assignment["touched"]]
    last = source.last_moment()
    since = int(assignment["since"])
    return [] if last is None or last < since else [Stretch(since, last + 1)]


class _Sinks:
    """Takes rows into the two files."""

    def __init__(self, folder: Path, definition: Definition, stack: ExitStack) -> None:
        self._profile = _sink(folder / PROFILE, profile_schema(definition), stack)
        self._drift = _sink(folder / DRIFT, drift_schema(definition), stack)

    def __call__(self, profiles: list[dict[str, Any]], changes: list[dict[str, Any]]) -> None:
        self._profile(profiles)
        self._drift(changes)


def _sink(path: Path, schema: pa.Schema, stack: ExitStack) -> Callable[[list[dict[str, Any]]], None]:
    writer = stack.enter_context(pa.ipc.new_file(stack.enter_context(pa.OSFile(str(path), "wb")), schema))

    def take(rows: list[dict[str, Any]]) -> None:
        if rows:
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))

    return take


if __name__ == "__main__":
    main()
