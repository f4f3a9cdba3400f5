"""A query's operators with a memory: what they remember of each batch, written beside the checkpoint's offsets.

The state of a batch is written before the batch goes to its sink, as Delta tables of its own. It is worked out from the state of
the batch before, which is not touched; so a batch that is done again comes to the same. Where rows stay as they are once they are
there, a batch has a table of the new ones only, and the list of the batches whose tables hold the others.
"""

import datetime as dt
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.names.stream_reads import StreamReads
from boathouse.engine.streaming.checkpoint import write
from boathouse.engine.streaming.errors import StreamRefused
from boathouse.engine.streaming.runner import Runner
from boathouse.engine.streaming.state.assembled import assembled
from boathouse.engine.streaming.state.operator import (
    Operator,
    Watermarks,
    current,
    current_id,
    remembered,
    remembered_id,
    sql,
    union,
)
from boathouse.engine.streaming.state.shape import output_id
from boathouse.tables.api import row_count

_PARTS = "_parts"
_MOST_PARTS = 16
"""Tables that a state is read from at most; then it is written whole again, without what is forgotten."""
_FEW = 50_000
"""Rows that are written again sooner than a further table is read."""
_POLICY = "spark.sql.streaming.multipleWatermarkPolicy"


@dataclass(frozen=True)
class _Step:
    """One operator: where its state lies, and how far behind the watermark the rows can be that it gets."""

    operator: Operator
    folder: Path
    lag_ms: int

    def place(self, store: str, batch: int) -> Path:
        """Where the state of a batch lies."""
        return self.folder / store / str(batch)

    def parts(self, store: str, batch: int) -> list[int]:
        """The batches whose tables make up the state of a batch, the oldest first."""
        path = self.place(store, batch) / _PARTS
        try:
            return [int(one) for one in json.loads(path.read_text())]
        except FileNotFoundError:
            return [batch]
        except (ValueError, TypeError) as error:
            message = f"The file {path.name} of the state of batch {batch} is damaged. Use another checkpointLocation."
            raise StreamRefused(message) from error


class Stateful:
    """The operators of one query.

    Args:
        plan: The query's numbered plan.
        mode: Its output mode.
        folder: ``state`` of the checkpoint.
        runner: Executes plans.
        nothing: What stands for the plan's streams, without rows.
    """

    def __init__(self, plan: Any, mode: str, folder: Path, runner: Runner, nothing: Mapping[str, Any]) -> None:
        self._runner = runner
        self._grown: dict[Path, Any] = {}
        self._takes_most = (runner.session.setting(_POLICY) or "min").lower() == "max"

        def schema(relation: Any, known: Mapping[str, Any]) -> Any:
            return runner.session.schema(runner.governed(relation, StreamReads(known)))

        found = assembled(plan, mode, nothing, schema)
        self.plan = found.plan
        """The query's plan with references in the operators' places."""
        self._steps = [_Step(one, folder / str(index), lag) for index, (one, lag) in enumerate(found.operators)]
        self._marks = found.marks
        self._reached = [0] * len(self._marks)

    @property
    def has_watermark(self) -> bool:
        """Whether time goes on in it."""
        return bool(self._marks)

    def advance(self, batch: int, marks: Watermarks, rows: Mapping[str, Any]) -> dict[str, Any]:
        """Work out the state of a batch, and give what the operators hand on.

        Args:
            batch: Its number.
            marks: The watermarks that hold in it.
            rows: The new rows, by their references.
        """
        handed_on: dict[str, Any] = {}
        for index, step in enumerate(self._steps):
            own = Watermarks(max(0, marks.late - step.lag_ms), max(0, marks.evict - step.lag_ms))
            meant = {**rows, **handed_on}
            for store in step.operator.stores:
                if batch:
                    meant[remembered_id(store)] = self._before(step, store, batch, own.late)
                meant[current_id(store)] = self._advanced(step, store, batch, own, meant)
            states = {store: current(store) for store in step.operator.stores}
            handed_on[output_id(index)] = self._runner.governed(step.operator.output(own, states), StreamReads(meant))
        return handed_on

    def _advanced(self, step: _Step, store: str, batch: int, marks: Watermarks, meant: Mapping[str, Any]) -> Any:
        """Write the state of a batch; all of it as a relation."""
        place = step.place(store, batch)
        state = step.operator.advance(store, marks, first=batch == 0)
        if store not in step.operator.growing or not batch:
            self._write(state, meant, place)
            return _table(place)
        known = sql(f"SELECT {step.operator.growing[store]} FROM __known", {"__known": remembered(store)})  # noqa: S608
        parts = step.parts(store, batch - 1)
        if len(parts) >= _MOST_PARTS or (row_count(step.place(store, parts[0]).as_uri()) or 0) < _FEW:
            self._write(union(known, state), meant, place)
            return _table(place)
        self._write(state, meant, place)
        write(place / _PARTS, json.dumps([*parts, batch]))
        self._grown[place] = union(self._runner.governed(known, StreamReads(meant)), _table(place))
        return self._grown[place]

    def _write(self, state: Any, meant: Mapping[str, Any], place: Path) -> None:
        shutil.rmtree(place, ignore_errors=True)
        command = proto().Command()
        command.write_operation.source, command.write_operation.path = "delta", str(place)
        command.write_operation.mode = proto().WriteOperation.SAVE_MODE_APPEND
        command.write_operation.input.CopyFrom(self._runner.governed(state, StreamReads(meant)))
        self._runner.session.run(command)

    def _before(self, step: _Step, store: str, batch: int, late: int) -> Any:
        """What a batch is to know of those before."""
        places = [step.place(store, one) for one in step.parts(store, batch - 1)]
        missing = next((place for place in places if not (place / "_delta_log").is_dir()), None)
        if missing is not None:
            message = f"The checkpoint lacks the state of batch {missing.name}. Use another checkpointLocation."
            raise StreamRefused(message)
        state = union(*map(_table, places))
        return sql(f"SELECT * FROM __state WHERE {step.operator.kept(store, late)}", {"__state": state})  # noqa: S608

    def watermark(self, rows: Mapping[str, Any]) -> int:
        """The watermark that the rows so far come to, in ms since the epoch: as Spark says, 0 until all sides have had some."""
        for index, mark in enumerate(self._marks):
            query = sql(f"SELECT max(`{mark.column}`) AS latest FROM __rows", {"__rows": mark.rows})  # noqa: S608 - a name of the client's plan
            found = self._runner.rows(query, StreamReads(rows))
            latest = found.column(0)[0].as_py() if found.num_rows else None
            if isinstance(latest, dict):
                latest = latest.get("end")
            if isinstance(latest, dt.datetime):
                aware = latest if latest.tzinfo is not None else latest.replace(tzinfo=dt.UTC)
                self._reached[index] = max(self._reached[index], int(aware.timestamp() * 1000) - mark.delay_ms)
        return (max if self._takes_most else min)(self._reached, default=0)

    def committed(self, batch: int) -> None:
        """Forget the states from which no batch can begin any more."""
        for step in self._steps:
            for store in step.operator.stores:
                kept = {*step.parts(store, batch), *step.parts(store, max(0, batch - 1))}
                for place in (step.folder / store).glob("*"):
                    if place.name.isdigit() and int(place.name) < batch - 1 and int(place.name) not in kept:
                        shutil.rmtree(place, ignore_errors=True)

    def progress(self, batch: int) -> list[dict[str, Any]]:
        """What a query's progress tells of them."""
        return [self._progress(step, batch) for step in self._steps]

    def _progress(self, step: _Step, batch: int) -> dict[str, Any]:
        total = sum(self._rows(step, store, batch) for store in step.operator.stores)
        zeros = ("allUpdatesTimeMs", "allRemovalsTimeMs", "commitTimeMs", "memoryUsedBytes", "numRowsDroppedByWatermark")
        return {
            "operatorName": step.operator.name,
            "numRowsTotal": total,
            "numRowsUpdated": 0,
            "numRowsRemoved": 0,
            "numShufflePartitions": 1,
            "numStateStoreInstances": 1,
            **dict.fromkeys(zeros, 0),
        }

    def _rows(self, step: _Step, store: str, batch: int) -> int:
        """How many rows a state has; where it is in several tables, they are counted without those that are forgotten."""
        grown = self._grown.pop(step.place(store, batch), None)
        return row_count(step.place(store, batch).as_uri()) or 0 if grown is None else self._runner.count(grown)


def _table(place: Path) -> Any:
    relation = proto().Relation()
    relation.read.data_source.format = "delta"
    relation.read.data_source.paths.append(str(place))
    return relation
