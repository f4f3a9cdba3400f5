"""Rows to Kafka: at least once, as Spark documents it for its own sink."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from boathouse.engine.gateway.messages.protocol import nullable_schema, proto
from boathouse.engine.gateway.names.stream_reads import StreamReads
from boathouse.engine.gateway.paths.guard import PathGuard
from boathouse.engine.streaming.kafka.client import configuration, require_brokers
from boathouse.engine.streaming.kafka.sending import Sender
from boathouse.engine.streaming.reads import Readers
from boathouse.engine.streaming.runner import Runner
from boathouse.engine.streaming.sink import Sink


class KafkaSink(Sink):
    """A topic, or those that the rows name.

    The engine writes a batch to files of the server's; from there it goes to the brokers. A batch that is done again is sent again.

    Args:
        options: Of the writer.
        runner: Executes the query's plans.
        readers: Knows the catalog and the paths.
        scratch: A folder of the server's own.
    """

    def __init__(self, options: Mapping[str, str], runner: Runner, readers: Readers, scratch: Path) -> None:
        self._given = options
        self._runner = runner
        self._readers = readers
        self._scratch = scratch
        self._sender = Sender(options, configuration(options, PathGuard(readers.access, runner.principal)))
        self._require_allowed()

    @property
    def description(self) -> str:
        """As Spark calls it."""
        return "KafkaSink"

    def prepare(self, rows: Any, reads: StreamReads) -> None:
        """Look at the columns."""
        schema = self._runner.session.schema(self._runner.governed(rows, reads))
        self._sender.require_columns(nullable_schema(schema)[0])

    def write(self, batch: int, rows: Any, reads: StreamReads) -> int:
        """Send the rows, and wait until the brokers have them."""
        self._require_allowed()
        place = self._scratch / str(batch)
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        command = proto().Command()
        command.write_operation.source, command.write_operation.path = "parquet", str(place)
        command.write_operation.mode = proto().WriteOperation.SAVE_MODE_OVERWRITE
        command.write_operation.input.CopyFrom(self._runner.governed(rows, reads))
        self._runner.session.run(command)
        try:
            return self._sender.send(place)
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def stop(self) -> None:
        """Send no more rows."""
        self._sender.stop()

    def _require_allowed(self) -> None:
        require_brokers(self._given, self._readers.access, self._runner.principal)
