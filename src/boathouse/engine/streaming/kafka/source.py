"""Streams from Kafka; and reads of what is there now."""

import json
import secrets
import shutil
import time
from pathlib import Path
from typing import Any

from boathouse.engine.catalog_access import CatalogAccess
from boathouse.engine.gateway.messages.protocol import local_relation, proto
from boathouse.engine.gateway.paths.guard import PathGuard
from boathouse.engine.streaming.checkpoint import write
from boathouse.engine.streaming.kafka.client import configuration, require_brokers
from boathouse.engine.streaming.kafka.offsets import Positions, as_offset, limited, positions_of
from boathouse.engine.streaming.kafka.options import read_options
from boathouse.engine.streaming.kafka.reading import Broker, schema_of
from boathouse.engine.streaming.source import Offset, ReadLimits, SourceContext, StreamSource
from boathouse.iam.api import Principal

_KEPT_SECONDS = 3600
_VERSION = "v1"


def kafka_source(read: Any, context: SourceContext) -> "KafkaSource":
    """The source of a streaming read of topics."""
    return KafkaSource(context, dict(read.read.data_source.options))


class KafkaSource(StreamSource):
    """A streaming read of topics.

    Args:
        context: What it works with.
        options: Of the reader.
    """

    def __init__(self, context: SourceContext, options: dict[str, str]) -> None:
        self._context = context
        self._given = options
        self._options = read_options(options, is_stream=True)
        self._configuration = configuration(options, context.guard)
        require_brokers(options, context.access, context.principal)
        self._broker = Broker(self._options, self._configuration)
        self._schema = context.session.schema(local_relation(schema_of(self._options).empty_table()))
        self._until: Positions | None = None
        self._counts: dict[str, int] = {}

    def schema(self) -> Any:
        """The columns of Spark's connector."""
        return self._schema

    @property
    def description(self) -> str:
        """As Spark calls it."""
        return self._options.description

    def latest(self, start: Offset | None, limits: ReadLimits) -> Offset | None:
        """The offsets after as many rows as one batch may take."""
        require_brokers(self._given, self._context.access, self._context.principal)
        before = self._initial() if start is None else positions_of(start)
        bounds = self._broker.bounds(self._broker.partitions())
        for one in before.keys() - bounds.keys():
            self._broker.lost(f"the partition {one[0]}-{one[1]} is gone")
        ends = {one: high for one, (_, high) in bounds.items()}
        if limits.available_now:
            self._until = ends if self._until is None else self._until
            ends = {one: end for one, end in self._until.items() if one in bounds}
        # What is new is read from its beginning, and what has fewer rows than before has lost some.
        known = {one: before.get(one, bounds[one][0]) for one in ends}
        for one, position in known.items():
            if ends[one] < position:
                self._broker.lost(f"{one[0]}-{one[1]} ends at {ends[one]}, and was read to {position}")
                ends[one] = position
        if self._options.most is not None and not limits.once:
            ends = limited(known, ends, self._options.most)
        if ends == known and start is not None:
            return None
        return as_offset(ends) if any(ends[one] > known[one] for one in ends) else None

    def relation(self, start: Offset | None, end: Offset) -> Any:
        """The rows between offsets, read into a file of the server's."""
        before = self._initial() if start is None else positions_of(start)
        ends = positions_of(end)
        new = [one for one in ends if one not in before]
        before |= {one: low for one, (low, _) in self._broker.bounds(new).items()}
        self._context.scratch.mkdir(parents=True, exist_ok=True)
        file = self._context.scratch / f"{secrets.token_hex(8)}.parquet"
        self._counts[json.dumps(end)] = self._broker.fetch(before, ends, file)
        return _parquet(file)

    def rows(self, start: Offset | None, end: Offset) -> int | None:
        """How many rows were read."""
        del start
        return self._counts.get(json.dumps(end))

    def committed(self, end: Offset) -> None:
        """Remove the file."""
        del end
        self._counts.clear()
        shutil.rmtree(self._context.scratch, ignore_errors=True)

    def stop(self) -> None:
        """Break off what is being read."""
        self._broker.stop()

    def close(self) -> None:
        """Disconnect."""
        self._broker.close()

    def _initial(self) -> Positions:
        """Where the stream begins; decided once, in the file that Spark has it in."""
        path = self._context.folder / "0"
        if path.is_file():
            return positions_of(json.loads(path.read_text().split("\n", 1)[1]))
        bounds = self._broker.bounds(self._broker.partitions())
        positions = self._broker.resolved(self._options.start, bounds, is_start=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, f"{_VERSION}\n{json.dumps(as_offset(positions))}")
        return positions


def rows_now(options: dict[str, str], access: CatalogAccess, principal: Principal, *, executes: bool) -> Any:
    """What lies between two bounds, without a stream: the relation of ``spark.read.format("kafka")``.

    Args:
        options: Of the reader.
        access: Knows the server's folders.
        principal: Who reads.
        executes: Whether the rows are wanted, and not only their columns.
    """
    given = read_options(options, is_stream=False)
    settings = configuration(options, PathGuard(access, principal))
    require_brokers(options, access, principal)
    if not executes:
        return local_relation(schema_of(given).empty_table())
    folder = access.layout.run / "kafka"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        # The engine reads a file when it executes the plan; nobody hears when it is done.
        if old.suffix == ".parquet" and time.time() - old.stat().st_mtime > _KEPT_SECONDS:
            old.unlink(missing_ok=True)
    broker = Broker(given, settings)
    try:
        bounds = broker.bounds(broker.partitions())
        start = broker.resolved(given.start, bounds, is_start=True)
        end = broker.resolved(given.end, bounds, is_start=False)
        file = folder / f"{secrets.token_hex(8)}.parquet"
        broker.fetch(start, end, file)
    finally:
        broker.close()
    return _parquet(file)


def _parquet(file: Path) -> Any:
    relation = proto().Relation()
    relation.read.data_source.format = "parquet"
    relation.read.data_source.paths.append(str(file))
    return relation
