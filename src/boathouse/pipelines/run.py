"""Carrying a plan out: tables are made ready, then flows run as soon as what they read is there."""

import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

from pyspark.errors import PySparkException

from boathouse.engine.gateway.sql_tokens import literal, parts_of, quote
from boathouse.pipelines.cdc import END, SEQUENCE, START, marked, storage_name
from boathouse.pipelines.errors import DefinitionInvalid, FlowFailed, GraphInvalid
from boathouse.pipelines.events import Emit, Event, FlowState, Level, UpdateState, flow_progress, update_progress
from boathouse.pipelines.model import AutoCdc, Column, Kind, SnapshotCdc
from boathouse.pipelines.plan import Names, Plan, PlannedDataset, PlannedFlow, ddl, snapshot_type
from boathouse.pipelines.relations import table, with_columns
from boathouse.pipelines.rows import QUARANTINE, Checked, checked
from boathouse.pipelines.session import Counted, Session, counts_of
from boathouse.pipelines.snapshots import as_changes
from boathouse.pipelines.table_options import TableOptions
from boathouse.pipelines.targets import Targets

_VIOLATED = re.compile(r"(?P<name>[^,:]+?) \((?P<failed>\d+) of (?P<rows>\d+) rows\)")
_FATAL = ("EXPECTATION_VIOLATION",)
_NEW_COLUMNS = "[UNKNOWN_FIELD_EXCEPTION."
"""A stream's schema has grown: not the flow is to be tried again, but the update to be planned again."""


@dataclass(frozen=True)
class Options:
    """What an update is to do.

    Attributes:
        pipeline_id: Whose tables they are.
        update_id: Of the update.
        full_refresh: Whether everything is done anew.
        full_refresh_selection: Names of the datasets that are done anew.
        refresh_selection: Names of the datasets that are brought up to date; all if neither is given.
        validate_only: Whether to end once the plan is made.
        retries: How often a flow that failed is tried again.
        parallel: How many flows run at once.
        continuous: Whether to go on with what is new until the update is stopped.
        failed: Messages of what failed before, by the name of its table.
        interval: Seconds between two rounds of a continuous update.
        storage: Folder of the checkpoints, as the engine knows it; asked for when it is needed.
    """

    pipeline_id: str
    update_id: str
    full_refresh: bool = False
    full_refresh_selection: tuple[str, ...] = ()
    refresh_selection: tuple[str, ...] = ()
    validate_only: bool = False
    retries: int = 0
    parallel: int = 4
    continuous: bool = False
    failed: Mapping[str, str] = field(default_factory=dict[str, str])
    interval: float = 2.0
    storage: Callable[[], str] = str

    def renews(self, key: str, names: Names) -> bool:
        """Whether a dataset is done anew, by its key."""
        anew, chosen = (
            {names.key(parts_of(one)) for one in some} for some in (self.full_refresh_selection, self.refresh_selection)
        )
        return key in anew or (self.full_refresh and (key in chosen or not (anew or chosen)))


@dataclass
class Outcome:
    """How the flows of an update ended, by their names."""

    states: dict[str, FlowState] = field(default_factory=dict[str, FlowState])
    errors: dict[str, BaseException] = field(default_factory=dict[str, BaseException])

    @property
    def has_new_columns(self) -> bool:
        """Whether a flow failed since its files have columns that it did not know, and nothing failed for another reason."""
        return bool(self.errors) and all(_NEW_COLUMNS in str(error) for error in self.errors.values())

    def raise_first(self) -> None:
        """Raise the error of the first flow that failed, if one did."""
        for name, error in self.errors.items():
            message = getattr(error, "message", None) or str(error)
            raise FlowFailed(f"Flow '{name}' has failed: {message}") from error


class Runner:
    """One update.

    Args:
        session: The engine.
        plan: What is to be done.
        options: How.
        targets: Knows how each kind of flow is written.
        emit: Takes the events.
        stopping: Is set when the update is to stop.
    """

    def __init__(
        self, session: Session, plan: Plan, options: Options, targets: Targets, emit: Emit, stopping: threading.Event
    ) -> None:
        self._session = session
        self._plan = plan
        self._options = options
        self._targets = targets
        self._emit = emit
        self._stopping = stopping
        self._locks: dict[str, threading.Lock] = {key: threading.Lock() for key in plan.datasets}
        self._selected = self._selection()
        self._renewed = self._full()
        self._table_options = TableOptions(targets.state, plan.names, self._run)
        self._quiet = False
        self._done_with: dict[str, dict[str, int]] = {}

    # ---------------------------------------------------------------------------------------------------- selection

    def _keys(self, names: Sequence[str], field_name: str) -> set[str]:
        keys = {self._plan.names.key(parts_of(name)): name for name in names}
        for key, name in keys.items():
            dataset = self._plan.datasets.get(key)
            if dataset is None or not (dataset.kind.is_table or dataset.kind is Kind.SINK):
                valid = ", ".join(one.full_name for one in self._plan.datasets.values() if one.kind.is_table)
                message = f"{field_name} names {name}, which is no table of this pipeline. It has: {valid}."
                raise GraphInvalid([DefinitionInvalid("UNKNOWN_DATASET", message)])
        return set(keys)

    def _selection(self) -> set[str]:
        chosen = self._keys(self._options.refresh_selection, "refresh_selection")
        anew = self._keys(self._options.full_refresh_selection, "full_refresh_selection")
        stored = {key for key, one in self._plan.datasets.items() if one.kind is not Kind.TEMPORARY_VIEW}
        return chosen | anew if chosen or anew else stored

    def _full(self) -> set[str]:
        anew = {key for key in self._selected if self._options.renews(key, self._plan.names)}
        kept = {key for key in anew if not self._plan.datasets[key].dataset.may_be_reset}
        for key in kept:
            name = self._plan.datasets[key].full_name
            self._emit(Event("flow_progress", f"{name} is not reset: pipelines.reset.allowed is false.", Level.WARN, {}, name))
        return anew - kept

    # ------------------------------------------------------------------------------------------------------- tables

    def prepare(self) -> None:
        """Make the tables that are missing, and empty those that are done anew.

        Raises:
            DefinitionInvalid: If a table is another pipeline's, or none of a pipeline's.
        """
        if self._renewed:
            self._emit(update_progress(self._options.update_id, UpdateState.RESETTING))
        self._emit(update_progress(self._options.update_id, UpdateState.SETTING_UP_TABLES))
        for dataset in self._plan.datasets.values():
            if dataset.kind is Kind.TEMPORARY_VIEW:
                renewed = self._options.renews(dataset.key, self._plan.names) or self._targets.must_reset(dataset)
                with self._targets.resetting(dataset, really=renewed):
                    # It has no rows, but the schemas of the files that it reads.
                    pass
        for key in self._plan.datasets:
            if key in self._selected:
                self._prepare(self._plan.datasets[key])

    def _prepare(self, dataset: PlannedDataset) -> None:
        if not dataset.kind.is_table:
            return
        there = self._session.properties(dataset.quoted)
        if there is not None and there.get("pipelines.pipelineId") != self._options.pipeline_id:
            owner = there.get("pipelines.pipelineId")
            whose = f"of the pipeline {owner}" if owner else "not of a pipeline"
            message = f"{dataset.full_name} is there already and {whose}. Drop it, or choose another name."
            raise DefinitionInvalid("TABLE_ALREADY_EXISTS", message, dataset.dataset.location)
        reset = (dataset.key in self._renewed or self._targets.must_reset(dataset)) and dataset.kind is Kind.STREAMING_TABLE
        if there is None or dataset.key in self._renewed:
            self._targets.compute_anew(dataset)
        with self._targets.resetting(dataset, really=reset):
            if there is None or reset:
                self._create(dataset, dataset.name, dataset.schema, replace=there is not None)
            self._table_options.settle(dataset, created=there is None)
            for flow in (self._plan.flows[name] for name in dataset.flows):
                if flow.flow.cdc is not None:
                    if there is not None and not reset:
                        self._widen(dataset, dataset.name, dataset.schema)
                    self._prepare_changes(dataset, flow, flow.flow.cdc, reset=reset)
        rules = checked(dataset)
        if rules.quarantine is not None:
            quoted = quote(rules.quarantine)
            if reset or self._session.properties(quoted) is None:
                columns = (*(Column(one.name, one.type) for one in dataset.schema), Column("_quarantine_reason", "STRING"))
                self._create(dataset, rules.quarantine, columns, replace=reset)
                self._table_options.protect(dataset, rules.quarantine)

    def _prepare_changes(self, dataset: PlannedDataset, flow: PlannedFlow, cdc: AutoCdc | SnapshotCdc, *, reset: bool) -> None:
        """The table that keeps the changes of a target."""
        name = storage_name(dataset)
        there = self._session.properties(quote(name)) is not None
        if reset or not there:
            rows = self._session.nothing(flow.schema)
            if isinstance(cdc, SnapshotCdc):
                if flow.snapshot is None and not isinstance(cdc.source, str):
                    message = f"The changes of {dataset.full_name}, {'.'.join(name)}, are gone, and there is no new snapshot. Do a full refresh."
                    raise DefinitionInvalid("TABLE_OR_VIEW_NOT_FOUND", message, flow.flow.location)
                rows = with_columns(rows, {SEQUENCE: f"CAST(NULL AS {snapshot_type(flow)})"})
                cdc = as_changes(cdc)
            columns = self._session.analyse(marked(rows, cdc))
            self._create(dataset, name, columns, replace=there)
        else:
            kept = [Column(one.name, one.type) for one in dataset.schema if one.name not in {START, END}]
            self._widen(dataset, name, kept)

    def _widen(self, dataset: PlannedDataset, name: tuple[str, ...], schema: Sequence[Column]) -> None:
        """Give a target, or the table of its changes, the columns that these have come to have."""
        there = {column.name.lower() for column in self._session.analyse(table(name))}
        new = tuple(column for column in schema if column.name.lower() not in there)
        if new:
            self._run(dataset, f"ALTER TABLE {quote(name)} ADD COLUMNS ({ddl(new)})")

    def _create(self, dataset: PlannedDataset, name: tuple[str, ...], schema: Sequence[Column], *, replace: bool) -> None:
        declared = dataset.dataset
        own = name == dataset.name
        properties = {
            **({key: value for key, value in declared.properties.items() if key != QUARANTINE} if own else {}),
            "pipelines.pipelineId": self._options.pipeline_id,
            "pipelines.type": dataset.kind.value if own else "INTERNAL",
        }
        if name == storage_name(dataset):
            properties["delta.enableChangeDataFeed"] = "true"
        verb = "CREATE OR REPLACE TABLE" if replace else "CREATE TABLE"
        text = f"{verb} {quote(name)} ({ddl(tuple(schema))}) USING delta"
        if declared.partition_by and own:
            text += f" PARTITIONED BY ({', '.join(quote((column,)) for column in declared.partition_by)})"
        if declared.cluster_by and own:
            text += f" CLUSTER BY ({', '.join(quote((column,)) for column in declared.cluster_by)})"
        if declared.path and own and not replace:
            if self._session.table_id(quote(("delta", declared.path))) is not None:
                message = (
                    f"{dataset.full_name} cannot lie at {declared.path}: a Delta table is there already. Name an empty folder."
                )
                raise DefinitionInvalid("INVALID_TABLE_PATH", message, declared.location)
            text += f" LOCATION {literal(declared.path)}"
        if declared.comment and own:
            text += f" COMMENT {literal(declared.comment)}"
        said = ", ".join(f"{literal(key)} = {literal(str(value))}" for key, value in properties.items())
        self._run(dataset, f"{text} TBLPROPERTIES ({said})")

    def _run(self, dataset: PlannedDataset, text: str) -> None:
        try:
            self._session.run(text)
        except PySparkException as error:
            condition = error.getCondition() or type(error).__name__
            raise DefinitionInvalid(condition, str(error).removeprefix(f"[{condition}] "), dataset.dataset.location) from error

    # -------------------------------------------------------------------------------------------------------- flows

    def run(self, *, quiet: bool = False) -> Outcome:
        """Run all flows of the selection; what one that failed does not touch goes on.

        Args:
            quiet: Whether to leave out views whose sources are as before, and to tell only of what changed.
        """
        self._quiet = quiet
        outcome = Outcome()
        waiting: dict[str, PlannedFlow] = {}
        for flow in self._plan.flows.values():
            dataset = self._plan.datasets[flow.target]
            if dataset.kind is Kind.TEMPORARY_VIEW:
                continue
            state = FlowState.QUEUED if flow.target in self._selected else FlowState.EXCLUDED
            outcome.states[flow.name] = state
            self._progress(flow, state)
            if state is FlowState.QUEUED:
                waiting[flow.name] = flow
        running: dict[Future[None], PlannedFlow] = {}
        with ThreadPoolExecutor(max(1, self._options.parallel), thread_name_prefix="flow") as threads:
            while waiting or running:
                for flow in [one for one in waiting.values() if self._may_start(one, waiting, running.values())]:
                    del waiting[flow.name]
                    if self._stopping.is_set():
                        self._ended(outcome, flow, FlowState.STOPPED)
                    elif (blocker := self._blocker(flow, outcome)) is not None:
                        self._ended(outcome, flow, FlowState.SKIPPED, blocker)
                    else:
                        running[threads.submit(self._attempts, flow)] = flow
                if not running:
                    continue
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    self._collect(outcome, running.pop(future), future)
        return outcome

    def _may_start(self, flow: PlannedFlow, waiting: Mapping[str, PlannedFlow], running: Any) -> bool:
        upstream = self._plan.upstream(flow) - {flow.target}
        return not any(other.target in upstream for other in (*waiting.values(), *running))

    def _blocker(self, flow: PlannedFlow, outcome: Outcome) -> str | None:
        """The flow whose failure keeps another from running."""
        upstream = self._plan.upstream(flow) - {flow.target}
        stopped = {FlowState.FAILED, FlowState.SKIPPED, FlowState.STOPPED}
        return next(
            (name for name, state in outcome.states.items() if state in stopped and self._plan.flows[name].target in upstream),
            None,
        )

    def _ended(self, outcome: Outcome, flow: PlannedFlow, state: FlowState, blocker: str | None = None) -> None:
        outcome.states[flow.name] = state
        name = self._plan.datasets[flow.target].full_name
        told = f"Flow '{flow.name}' was skipped because '{blocker}', which it reads, did not complete." if blocker else ""
        self._emit(flow_progress(flow.name, name, state, message=told))

    def _collect(self, outcome: Outcome, flow: PlannedFlow, future: "Future[None]") -> None:
        error = future.exception()
        if error is None:
            outcome.states[flow.name] = FlowState.COMPLETED
            return
        if self._stopping.is_set():
            self._ended(outcome, flow, FlowState.STOPPED)
            return
        outcome.states[flow.name] = FlowState.FAILED
        outcome.errors[flow.name] = error
        dataset = self._plan.datasets[flow.target]
        message = getattr(error, "message", None) or str(error)
        quality = _violations(message, dataset.full_name)
        condition = getattr(error, "condition", None) or _condition(error) or type(error).__name__
        located = DefinitionInvalid(condition, message.removeprefix(f"[{condition}] "), flow.flow.location)
        self._emit(
            flow_progress(
                flow.name,
                dataset.full_name,
                FlowState.FAILED,
                message=f"Flow '{flow.name}' has failed: {message}",
                quality=quality,
                error=located,
            )
        )

    def _attempts(self, flow: PlannedFlow) -> None:
        dataset = self._plan.datasets[flow.target]
        for attempt in range(self._options.retries + 1):
            try:
                with self._locks[flow.target]:
                    self._once(flow, dataset)
            except (PySparkException, FlowFailed) as error:
                hopeless = _condition(error) in _FATAL or _NEW_COLUMNS in str(error)
                final = attempt == self._options.retries or hopeless or self._stopping.is_set()
                if final:
                    raise
                told = f"Flow '{flow.name}' failed and is tried again ({attempt + 1} of {self._options.retries}): {error}"
                self._emit(Event("flow_progress", told, Level.WARN, {"status": "QUEUED"}, dataset.full_name, flow.name))
                self._stopping.wait(min(2.0**attempt, 30.0) * 0.2)
            else:
                return

    def _once(self, flow: PlannedFlow, dataset: PlannedDataset) -> None:
        inputs = self._inputs(flow) if self._options.continuous and _reads_all(flow, dataset) else None
        if inputs is not None and self._quiet and self._done_with.get(flow.name) == inputs:
            return
        self._progress(flow, FlowState.STARTING)
        rules = checked(dataset)
        self._progress(flow, FlowState.RUNNING)
        started = time.monotonic()
        versions = self._targets.write(flow, dataset, rules)
        if inputs is not None:
            self._done_with[flow.name] = inputs
        if versions or not self._quiet:
            self._completed(flow, dataset, rules, counts_of(versions), time.monotonic() - started)

    def _progress(self, flow: PlannedFlow, state: FlowState) -> None:
        if not self._quiet:
            self._emit(flow_progress(flow.name, self._plan.datasets[flow.target].full_name, state))

    def _inputs(self, flow: PlannedFlow) -> dict[str, int] | None:
        """The versions of all tables that a flow reads; None where one of them has none."""
        names = [self._plan.datasets[key].name for key in self._plan.upstream(flow)]
        names += [parts_of(name) for name in self._plan.external(flow)]
        try:
            return {".".join(name): self._session.version(quote(name)) for name in names}
        except PySparkException:
            return None

    def _completed(
        self,
        flow: PlannedFlow,
        dataset: PlannedDataset,
        rules: Checked,
        counted: Counted,
        seconds: float,
    ) -> None:
        written, dropped, counts = counted.written, counted.dropped, counted.expectations
        upserted, deleted = counted.upserted, counted.deleted
        quality: dict[str, Any] | None = None
        if rules.expectations:
            quality = {
                "dropped_records": dropped,
                "expectations": [
                    {
                        "name": one.name,
                        "dataset": dataset.full_name,
                        "passed_records": counts.get(one.name, (0, 0))[0],
                        "failed_records": counts.get(one.name, (0, 0))[1],
                    }
                    for one in rules.expectations
                ],
            }
        metrics = {"num_output_rows": written, "duration_ms": int(seconds * 1000)}
        if any(self._plan.flows[name].flow.cdc for name in dataset.flows):
            metrics |= {"num_upserted_rows": upserted, "num_deleted_rows": deleted}
        self._emit(
            flow_progress(
                flow.name,
                dataset.full_name,
                FlowState.COMPLETED,
                message=f"Flow '{flow.name}' has COMPLETED: {written} rows.",
                metrics=metrics,
                quality=quality,
            )
        )


def _reads_all(flow: PlannedFlow, dataset: PlannedDataset) -> bool:
    """Whether a flow reads tables as they are, so that there is nothing to do until one of them has a new version."""
    cdc = flow.flow.cdc
    return dataset.kind is Kind.MATERIALIZED_VIEW or (isinstance(cdc, SnapshotCdc) and isinstance(cdc.source, str))


def _condition(error: BaseException) -> str | None:
    return error.getCondition() if isinstance(error, PySparkException) else None


def _violations(message: str, dataset: str) -> dict[str, Any] | None:
    """What an update that expectations have failed counted."""
    if "expectations failed: " not in message:
        return None
    found = list(_VIOLATED.finditer(message.split("expectations failed: ", 1)[1]))
    return {
        "dropped_records": 0,
        "expectations": [
            {
                "name": one["name"].strip(),
                "dataset": dataset,
                "passed_records": int(one["rows"]) - int(one["failed"]),
                "failed_records": int(one["failed"]),
            }
            for one in found
        ],
    }
