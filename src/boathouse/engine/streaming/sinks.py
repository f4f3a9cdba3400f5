"""Where the rows of a query go."""

import uuid
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from boathouse.engine.gateway.messages.protocol import local_relation, proto
from boathouse.engine.gateway.names.stream_reads import StreamReads
from boathouse.engine.gateway.paths.guard import PathGuard, Use
from boathouse.engine.gateway.sql.path_names import is_path_name
from boathouse.engine.gateway.sql.tokens import parts_of
from boathouse.engine.gateway.writes.delta_target import load
from boathouse.engine.streaming.errors import StreamRefused
from boathouse.engine.streaming.foreach.host import FunctionProcess
from boathouse.engine.streaming.kafka.sink import KafkaSink
from boathouse.engine.streaming.reads import Readers
from boathouse.engine.streaming.runner import Runner
from boathouse.engine.streaming.sink import Sink
from boathouse.engine.streaming.spec import SinkKind, StreamSpec

_NOT_FOR_WRITER = frozenset({"checkpointlocation", "queryname", "path"})
_MOST_MEMORY = 128 * 1024**2
_CONSOLE_ROWS = 20
_CONSOLE_WIDTH = 20


class Functions(Protocol):
    """Starts the processes of functions."""

    @property
    def batches(self) -> MutableMapping[str, Any]:
        """By its identifier, the rows of a batch that a function has in its hands."""
        ...

    def start(self, function: bytes, runner: Runner) -> FunctionProcess:
        """A process for a pickled function."""
        ...


class DeltaSink(Sink):
    """A Delta table, by its name or its path. Each batch is one commit with the query's id and the batch's number.

    Args:
        spec: The query.
        query_id: Its identifier.
        runner: Executes its plans.
        readers: Knows the catalog.
    """

    def __init__(self, spec: StreamSpec, query_id: str, runner: Runner, readers: Readers) -> None:
        self._spec = spec
        self._query_id = query_id
        self._runner = runner
        self._readers = readers

    @property
    def description(self) -> str:
        """As Delta calls it."""
        return f"DeltaSink[{self._spec.target}]"

    def prepare(self, rows: Any, reads: StreamReads) -> None:
        """Create the table if there is none."""
        if self._is_there():
            return
        nothing = proto().Relation()
        nothing.limit.input.CopyFrom(rows)
        nothing.limit.limit = 0
        self._runner.command(self._write(nothing, proto().WriteOperation.SAVE_MODE_APPEND), reads)

    def write(self, batch: int, rows: Any, reads: StreamReads) -> int:
        """Append the rows, or in complete mode replace all that are there."""
        modes = proto().WriteOperation
        mode = modes.SAVE_MODE_OVERWRITE if self._spec.mode == "complete" else modes.SAVE_MODE_APPEND
        command = self._write(rows, mode)
        command.write_operation.options["txnAppId"] = self._query_id
        command.write_operation.options["txnVersion"] = str(batch)
        self._runner.command(command, reads)
        return -1

    def _write(self, rows: Any, mode: Any) -> Any:
        command = proto().Command()
        write = command.write_operation
        write.input.CopyFrom(rows)
        write.source = "delta"
        write.mode = mode
        if self._spec.table:
            write.table.table_name = self._spec.table
            write.table.save_method = proto().WriteOperation.SaveTable.TABLE_SAVE_METHOD_SAVE_AS_TABLE
        else:
            write.path = self._spec.path
        write.partitioning_columns.extend(self._spec.partition_by)
        write.options.update({key: value for key, value in self._spec.options.items() if key.lower() not in _NOT_FOR_WRITER})
        return command

    def _is_there(self) -> bool:
        if self._spec.table and not is_path_name(parts_of(self._spec.table)):
            name = self._runner.session.qualify(tuple(parts_of(self._spec.table)))
            if name is None:
                message = f"toTable takes the name of a table in up to three parts, not '{self._spec.table}'."
                raise StreamRefused(message)
            return self._readers.access.table(self._runner.principal, ".".join(name)) is not None
        path = parts_of(self._spec.table)[1] if self._spec.table else self._spec.path
        real = PathGuard(self._readers.access, self._runner.principal).resolve(path, Use.WRITE)
        return load(real, path) is not None


class MemorySink(Sink):
    """A temporary view of the session with all rows so far."""

    def __init__(self, spec: StreamSpec, runner: Runner) -> None:
        self._spec = spec
        self._runner = runner
        self._rows: pa.Table | None = None

    @property
    def description(self) -> str:
        """As Spark calls it."""
        return "MemorySink"

    def prepare(self, rows: Any, reads: StreamReads) -> None:
        """Make the view, without rows."""
        nothing = proto().Relation()
        nothing.limit.input.CopyFrom(rows)
        nothing.limit.limit = 0
        self._view(nothing, reads)

    def write(self, batch: int, rows: Any, reads: StreamReads) -> int:
        """Add the rows to the view's, or in complete mode put them in their place."""
        del batch
        new = self._runner.rows(rows, reads)
        if self._spec.mode != "complete" and self._rows is not None:
            new, count = pa.concat_tables([self._rows, new]) if new.num_columns else self._rows, new.num_rows
        else:
            count = new.num_rows
        if new.nbytes > _MOST_MEMORY:
            message = (
                f"The memory sink '{self._spec.name}' would hold more than {_MOST_MEMORY // 1024**2} MiB. It is for trying things out: "
                "write the stream to a table."
            )
            raise StreamRefused(message)
        if new.num_columns:
            self._rows = new
            self._view(local_relation(new), reads)
        return count

    def _view(self, rows: Any, reads: StreamReads) -> None:
        command = proto().Command()
        command.create_dataframe_view.name = self._spec.name or ""
        command.create_dataframe_view.replace = True
        command.create_dataframe_view.input.CopyFrom(rows)
        self._runner.command(command, reads)


class ConsoleSink(Sink):
    """The log of the principal's engine, where what its functions print goes too: a client has no console of the server.

    Args:
        spec: The query.
        runner: Executes its plans.
        log: The file.
    """

    def __init__(self, spec: StreamSpec, runner: Runner, log: Path) -> None:
        self._runner = runner
        self._log = log
        given = {key.lower(): value for key, value in spec.options.items()}
        self._rows = int(given.get("numrows", _CONSOLE_ROWS))
        self._width = _CONSOLE_WIDTH if given.get("truncate", "true").lower() == "true" else 0

    @property
    def description(self) -> str:
        """As Spark calls it."""
        return "ConsoleSink"

    def prepare(self, rows: Any, reads: StreamReads) -> None:
        """Nothing has to be there."""

    def write(self, batch: int, rows: Any, reads: StreamReads) -> int:
        """Print the first rows."""
        shown = proto().Relation()
        shown.show_string.input.CopyFrom(rows)
        shown.show_string.num_rows = self._rows
        shown.show_string.truncate = self._width
        text = self._runner.rows(shown, reads).column(0)[0].as_py()
        line = "-" * 43
        with self._log.open("a", encoding="utf-8") as log:
            log.write(f"{line}\nBatch: {batch}\n{line}\n{text}\n")
        return -1


class NoopSink(Sink):
    """Nowhere: the rows are computed and dropped."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    @property
    def description(self) -> str:
        """As Spark calls it."""
        return "NoOpTable"

    def prepare(self, rows: Any, reads: StreamReads) -> None:
        """Nothing has to be there."""

    def write(self, batch: int, rows: Any, reads: StreamReads) -> int:
        """Compute the rows."""
        del batch
        command = proto().Command()
        command.write_operation.input.CopyFrom(rows)
        command.write_operation.source = "noop"
        command.write_operation.mode = proto().WriteOperation.SAVE_MODE_APPEND
        self._runner.command(command, reads)
        return -1


class ForeachBatchSink(Sink):
    """A function of the client's that gets each batch as a DataFrame.

    Args:
        runner: Executes the query's plans.
        process: In which the function runs.
        batches: Where the gateway finds the rows of a batch that a plan of the function refers to.
    """

    def __init__(self, runner: Runner, process: FunctionProcess, batches: MutableMapping[str, Any]) -> None:
        self._runner = runner
        self._process = process
        self._batches = batches

    @property
    def description(self) -> str:
        """As Spark calls it."""
        return "ForeachBatchSink"

    def prepare(self, rows: Any, reads: StreamReads) -> None:
        """Nothing has to be there."""

    def write(self, batch: int, rows: Any, reads: StreamReads) -> int:
        """Call the function."""
        reference = str(uuid.uuid4())
        self._batches[reference] = self._runner.governed(rows, reads)
        try:
            self._process.run(batch, reference)
        finally:
            del self._batches[reference]
        return -1

    def stop(self) -> None:
        """Break the function off."""
        self._process.close()

    def close(self) -> None:
        """End the function's process."""
        self._process.close()


def sink_of(spec: StreamSpec, query_id: str, runner: Runner, readers: Readers, functions: Functions, scratch: Path) -> Sink:
    """Where the rows of a query go; with a folder of the server's own for what is on its way."""
    match spec.sink:
        case SinkKind.DELTA:
            return DeltaSink(spec, query_id, runner, readers)
        case SinkKind.MEMORY:
            return MemorySink(spec, runner)
        case SinkKind.CONSOLE:
            return ConsoleSink(spec, runner, readers.access.layout.logs / f"engine-{runner.principal.id}.log")
        case SinkKind.NOOP:
            return NoopSink(runner)
        case SinkKind.KAFKA:
            return KafkaSink(spec.options, runner, readers, scratch)
        case SinkKind.FOREACH_BATCH:
            return ForeachBatchSink(runner, functions.start(spec.function, runner), functions.batches)
