"""How each kind of flow is written: views anew, streams from where they were, once-flows once."""

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from pyspark.errors import PySparkException
from pyspark.sql.connect.dataframe import DataFrame

from boathouse.engine.gateway.sql.tokens import quote
from boathouse.pipelines.errors import FlowFailed
from boathouse.pipelines.events import Emit, Event, Level
from boathouse.pipelines.model import AutoCdc, Dataset, Kind, SnapshotCdc
from boathouse.pipelines.planning.cdc import END, SEQUENCE, START, Changes, any_changes, marked, ordering, storage_name
from boathouse.pipelines.planning.plan import Plan, PlannedDataset, PlannedFlow
from boathouse.pipelines.running.checkpoints import Checkpoints
from boathouse.pipelines.running.refresh import Refresher, Technique
from boathouse.pipelines.running.rows import Checked
from boathouse.pipelines.running.session import Session, Version
from boathouse.pipelines.running.snapshots import Snapshots, as_changes, mark_of
from boathouse.pipelines.running.state import State

_CONCURRENT = "[CONCURRENT_QUERY]"
_PREDECESSOR_SECONDS, _AGAIN_SECONDS = 300.0, 0.5
_RESET = "reset:"
"""Before the key of a table that is being emptied."""


_PRIVATE = "private:"
"""Before the key of a table that was private at the last update."""


def begins_anew(state: State, dataset: Dataset, key: str) -> bool:
    """Whether a dataset begins anew though nobody asked: it is another table than before, or its emptying did not end."""
    return state.get(_RESET + key) is not None or is_moved(state, dataset, key)


def is_moved(state: State, dataset: Dataset, key: str) -> bool:
    """Whether a dataset has become private since the last update, or is not private any more."""
    return (state.get(_PRIVATE + key) is not None) != dataset.is_private


class Targets:
    """Writes flows.

    Args:
        session: The engine.
        plan: The pipeline.
        state: What it remembers.
        storage: The folder of checkpoints, as the engine knows it; asked for when it is needed.
        emit: Takes the events.
    """

    def __init__(self, session: Session, plan: Plan, state: State, storage: Callable[[], str], emit: Emit) -> None:
        self._session = session
        self._plan = plan
        self.state = state
        self._checkpoints = Checkpoints(state, storage)
        self._emit = emit
        self._queries: list[Any] = []
        self._stopped = False

    @contextmanager
    def resetting(self, dataset: PlannedDataset, *, really: bool) -> Generator[None]:
        """Around the emptying of a table: its flows begin anew, even where the process ends between the two."""
        mark = _RESET + dataset.key
        if not really:
            yield
            return
        self.state.set(mark, "begun")
        yield
        for name in dataset.flows:
            self._checkpoints.begin_anew(name)
            self.state.set(f"once:{name}", None)
            self.state.set(f"cdc:{name}", None)
            self.state.set(mark_of(name), None)
        self.state.set(mark, None)

    def must_reset(self, dataset: PlannedDataset) -> bool:
        """Whether a dataset begins anew though nobody asked."""
        return begins_anew(self.state, dataset.dataset, dataset.key)

    def settle(self, dataset: PlannedDataset) -> None:
        """Remember which table a dataset has."""
        if is_moved(self.state, dataset.dataset, dataset.key):
            self.state.set(_PRIVATE + dataset.key, "yes" if dataset.dataset.is_private else None)

    def compute_anew(self, dataset: PlannedDataset) -> None:
        """Have the next refresh of a view compute all of it."""
        for name in dataset.flows:
            self.state.set(f"refresh:{name}", None)

    def stop(self) -> None:
        """Stop the streams that run, and begin with no further snapshot."""
        self._stopped = True
        for query in list(self._queries):
            query.stop()

    def write(self, flow: PlannedFlow, dataset: PlannedDataset, rules: Checked) -> list[Version]:
        """Bring what is new of a flow into its target; the versions that a table has come to have."""
        before = self._session.version(dataset.quoted) if dataset.kind.is_table else -1
        if flow.flow.cdc is None and dataset.kind is Kind.MATERIALIZED_VIEW:
            return self._refresh(flow, dataset, rules, before)
        if flow.flow.cdc is not None:
            self._change(flow, dataset, flow.flow.cdc)
        else:
            frame = self._session.frame(rules.flagged(self._plan.relation(flow)))
            if flow.flow.once:
                self._append_once(flow, dataset, frame, rules)
            else:
                self._stream(flow, dataset, frame, rules.options if dataset.kind.is_table else {})
        return self._session.versions(dataset.quoted, before) if dataset.kind.is_table else []

    def _refresh(self, flow: PlannedFlow, dataset: PlannedDataset, rules: Checked, before: int) -> list[Version]:
        """Bring a materialized view up to date."""
        refresher = Refresher(self._session, self._plan, flow, dataset, rules, before)
        mark = f"refresh:{flow.name}"
        refresh = refresher.decide(self.state.get(mark))
        why = "" if refresh.issue is None else f" ({refresh.issue[1]})"
        told = f"Flow '{flow.name}' was planned to be executed as {refresh.technique}{why}."
        self._emit(Event("planning_information", told, Level.INFO, refresh.details, dataset.full_name, flow.name))
        if refresh.technique is Technique.NO_OP:
            return []
        if refresh.technique is Technique.GROUP_AGGREGATE:
            refresher.merge(refresh)
        else:
            self._put(dataset, self._session.frame(rules.flagged(refresh.relation)), rules, refresh.technique)
        versions = self._session.versions(dataset.quoted, before)
        # Somebody else's commit between the two would be taken for this one's.
        known = refresh.remember if len(versions) <= 1 else None
        self.state.set(mark, None if known is None else {**known, "target": versions[-1].number if versions else before})
        return versions

    @staticmethod
    def _put(dataset: PlannedDataset, frame: DataFrame, rules: Checked, technique: Technique) -> None:
        writer = frame.write.format("delta").options(**rules.options)
        if technique is Technique.APPEND_ONLY:
            writer.mode("append").saveAsTable(dataset.quoted)
            return
        writer = writer.mode("overwrite")
        if not dataset.dataset.columns:
            writer = writer.option("overwriteSchema", "true")
            if dataset.dataset.partition_by:
                writer = writer.partitionBy(*dataset.dataset.partition_by)
            if dataset.dataset.cluster_by:
                writer = writer.clusterBy(*dataset.dataset.cluster_by)
        writer.saveAsTable(dataset.quoted)

    def _append_once(self, flow: PlannedFlow, dataset: PlannedDataset, frame: DataFrame, rules: Checked) -> None:
        if self.state.get(f"once:{flow.name}") is not None:
            return
        table, options, form = (dataset.quoted, rules.options, "delta") if dataset.kind.is_table else _sink(dataset)
        writer = frame.write.format(form).mode("append").options(**options)
        if form.lower() == "delta":
            # The identifier makes a second writing of the same rows, after a crash, none at all.
            identifier = f"pipelines.once.{flow.name}.{self._checkpoints.generation(flow.name)}"
            writer = writer.option("txnAppId", identifier).option("txnVersion", "0")
        writer.save() if table is None else writer.saveAsTable(table)
        self.state.set(f"once:{flow.name}", "done")

    def _stream(self, flow: PlannedFlow, dataset: PlannedDataset, frame: DataFrame, options: Mapping[str, str]) -> None:
        if dataset.kind.is_table:
            self._start(flow, frame, dataset.quoted, options)
            return
        table, more, form = _sink(dataset)
        self._start(flow, frame, table, more, form)

    def _start(
        self, flow: PlannedFlow, frame: DataFrame, table: str | None, options: Mapping[str, str], form: str = "delta"
    ) -> None:
        """Write what a stream has now, to a table or to where the options say."""
        checkpoint = self._checkpoints.folder(flow.target, flow.name)
        writer = frame.writeStream.format(form).outputMode("append").trigger(availableNow=True).queryName(flow.name)
        writer = writer.option("checkpointLocation", checkpoint).options(**options)
        query = self._begun(writer.start if table is None else partial(writer.option("mergeSchema", "true").toTable, table))
        self._queries.append(query)
        try:
            query.awaitTermination()
            error = query.exception()
        finally:
            self._queries.remove(query)
        if error is not None:
            raise FlowFailed(str(error))

    def _begun(self, start: Callable[[], Any]) -> Any:
        """The query of a stream. What an update that was killed had begun is waited for: the server brings it to its end, and this goes on from there."""
        deadline = time.monotonic() + _PREDECESSOR_SECONDS
        while True:
            try:
                return start()
            except PySparkException as error:
                if _CONCURRENT not in str(error) or self._stopped or time.monotonic() > deadline:
                    raise
            time.sleep(_AGAIN_SECONDS)

    def _change(self, flow: PlannedFlow, dataset: PlannedDataset, cdc: AutoCdc | SnapshotCdc) -> None:
        if isinstance(cdc, SnapshotCdc):
            self._take_snapshots(flow, dataset, cdc)
            return
        storage = storage_name(dataset)
        frame = self._session.frame(marked(self._plan.relation(flow), cdc))
        if flow.flow.once:
            writer = frame.write.format("delta").mode("append").option("mergeSchema", "true")
            writer = writer.option("txnAppId", f"pipelines.once.{flow.name}.{self._checkpoints.generation(flow.name)}")
            writer.option("txnVersion", "0").saveAsTable(quote(storage))
        else:
            self._start(flow, frame, quote(storage), {})
        self._apply(dataset, cdc)

    def _take_snapshots(self, flow: PlannedFlow, dataset: PlannedDataset, cdc: SnapshotCdc) -> None:
        """Add what differs in each new snapshot to the changes, and apply it before the next is looked at."""
        changes = as_changes(cdc)
        if self._session.run(any_changes(dataset)):
            # An earlier try may have ended before what it added was applied.
            self._apply(dataset, changes)
        snapshots = Snapshots(self._session, self._plan, flow, dataset, cdc, self.state)
        for snapshot in snapshots.new():
            frame = self._session.frame(snapshots.difference(snapshot))
            writer = frame.write.format("delta").mode("append").option("mergeSchema", "true")
            writer.saveAsTable(quote(storage_name(dataset)))
            self._apply(dataset, changes)
            if self._stopped:
                return

    def _apply(self, dataset: PlannedDataset, cdc: AutoCdc) -> None:
        """Bring the states of what the changes since the last time are about into the target."""
        storage = storage_name(dataset)
        # Whichever flow a change came by, it is applied with all others of the target.
        mark = f"cdc:{dataset.flows[0]}"
        newest, applied = self._session.version(quote(storage)), self.state.get(mark)
        if applied == newest:
            return
        every = (self._plan.flows[name].flow.cdc for name in dataset.flows)
        truncates = [one.apply_as_truncates for one in every if isinstance(one, AutoCdc) and one.apply_as_truncates]
        cdc = replace(cdc, apply_as_truncates=truncates[0] if truncates else None)
        columns = tuple(one.name for one in dataset.schema if one.name not in {START, END})
        kind = self._session.spark.table(quote(storage)).schema[SEQUENCE].dataType
        changes = Changes(cdc, dataset.name, storage, columns, ordering(kind))
        since = None if applied is None else int(applied) + 1
        if since is not None and cdc.apply_as_truncates is not None and self._session.run(changes.truncated(since)):
            since = None
        self._session.run(changes.merge(since))
        # Before this, the next update computes the same states once more.
        self.state.set(mark, newest)


def _sink(dataset: PlannedDataset) -> tuple[str | None, Mapping[str, str], str]:
    """The table that a sink writes to, if it is one by name, its other options, and its format."""
    sink = dataset.dataset
    more = {key: value for key, value in sink.options.items() if key != "tableName"}
    return sink.options.get("tableName"), more, sink.format or "delta"
