"""A query's operator with a memory: what it remembers of each batch, written beside the checkpoint's offsets.

The state of a batch is written before the batch goes to its sink, as a Delta table of its own. It is worked out from the state of
the batch before, which is not touched; so a batch that is done again comes to the same.
"""

import datetime as dt
import shutil
from pathlib import Path
from typing import Any

from boathouse.engine.gateway.protocol import proto
from boathouse.engine.gateway.spark_types import Struct, from_message
from boathouse.engine.gateway.stream_reads import StreamReads
from boathouse.engine.streaming.errors import StreamRefused
from boathouse.engine.streaming.runner import Runner
from boathouse.engine.streaming.state.aggregate import Aggregate
from boathouse.engine.streaming.state.deduplicate import Deduplicate
from boathouse.engine.streaming.state.operator import STATE, Operator, Watermarks, sql
from boathouse.engine.streaming.state.shape import OUTPUT, Shape
from boathouse.tables.api import row_count


class Stateful:
    """The operator of one query.

    Args:
        shape: The query's plan.
        mode: Its output mode.
        folder: ``state/0`` of the checkpoint.
        runner: Executes plans.
        reads: Puts something of the same columns in the place of the plan's streams.
    """

    def __init__(self, shape: Shape, mode: str, folder: Path, runner: Runner, reads: StreamReads) -> None:
        self._shape = shape
        self._folder = folder
        self._runner = runner
        output = from_message(runner.session.schema(runner.governed(shape.node, reads)))
        if not isinstance(output, Struct):
            raise TypeError
        made = Aggregate if shape.node.WhichOneof("rel_type") == "aggregate" else Deduplicate
        self._operator: Operator = made(shape.node, output, shape.watermark, mode)

    @property
    def plan(self) -> Any:
        """The query's plan with a reference in the operator's place."""
        return self._shape.above

    @property
    def has_watermark(self) -> bool:
        """Whether time goes on in it."""
        return self._shape.watermark is not None

    def advance(self, batch: int, marks: Watermarks, reads: StreamReads) -> dict[str, Any]:
        """Work out the state of a batch, and give what the operator hands on.

        Args:
            batch: Its number.
            marks: The watermarks that hold in it.
            reads: Knows the new rows and what was remembered.
        """
        place = self._folder / str(batch)
        shutil.rmtree(place, ignore_errors=True)
        state = self._runner.governed(self._operator.advance(marks, first=batch == 0), reads)
        command = proto().Command()
        command.write_operation.source, command.write_operation.path = "delta", str(place)
        command.write_operation.mode = proto().WriteOperation.SAVE_MODE_APPEND
        command.write_operation.input.CopyFrom(state)
        self._runner.session.run(command)
        return {OUTPUT: self._operator.output(marks, _table(place))}

    def before(self, batch: int, late: int) -> dict[str, Any]:
        """What a batch is to know of those before.

        Raises:
            StreamRefused: If the checkpoint does not have it.
        """
        if batch == 0:
            return {}
        place = self._folder / str(batch - 1)
        if not (place / "_delta_log").is_dir():
            message = f"The checkpoint lacks the state of batch {batch - 1}. Use another checkpointLocation."
            raise StreamRefused(message)
        return {STATE: sql(f"SELECT * FROM __state WHERE {self._operator.kept(late)}", {"__state": _table(place)})}  # noqa: S608

    def watermark(self, reads: StreamReads) -> int | None:
        """The watermark that the new rows of a batch come to, in ms since the epoch; None where there are none."""
        mark = self._shape.watermark
        if mark is None:
            return None
        query = sql(f"SELECT max(`{mark.column}`) AS latest FROM __rows", {"__rows": mark.rows})  # noqa: S608 - a name of the client's plan
        found = self._runner.rows(query, reads)
        latest = found.column(0)[0].as_py() if found.num_rows else None
        if not isinstance(latest, dt.datetime):
            return None
        aware = latest if latest.tzinfo is not None else latest.replace(tzinfo=dt.UTC)
        return int(aware.timestamp() * 1000) - mark.delay_ms

    def committed(self, batch: int) -> None:
        """Forget the states from which no batch can begin any more."""
        for place in self._folder.glob("*"):
            if place.name.isdigit() and int(place.name) < batch - 1:
                shutil.rmtree(place, ignore_errors=True)

    def progress(self, batch: int) -> dict[str, Any]:
        """What a query's progress tells of it."""
        total = row_count((self._folder / str(batch)).as_uri()) or 0
        zeros = ("allUpdatesTimeMs", "allRemovalsTimeMs", "commitTimeMs", "memoryUsedBytes", "numRowsDroppedByWatermark")
        return {
            "operatorName": self._operator.name,
            "numRowsTotal": total,
            "numRowsUpdated": 0,
            "numRowsRemoved": 0,
            "numShufflePartitions": 1,
            "numStateStoreInstances": 1,
            **dict.fromkeys(zeros, 0),
        }


def _table(place: Path) -> Any:
    relation = proto().Relation()
    relation.read.data_source.format = "delta"
    relation.read.data_source.paths.append(str(place))
    return relation
