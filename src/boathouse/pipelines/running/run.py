"""Carrying a plan out: once the tables are ready, flows run as soon as what they read is there."""

import re
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

from pyspark.errors import PySparkException

from boathouse.engine.gateway.sql.tokens import parts_of, quote
from boathouse.pipelines.errors import DefinitionInvalid, FlowFailed, GraphInvalid
from boathouse.pipelines.events import Emit, Event, FlowState, Level, flow_progress
from boathouse.pipelines.model import Kind, SnapshotCdc
from boathouse.pipelines.planning.plan import Plan, PlannedDataset, PlannedFlow
from boathouse.pipelines.running.options import Options
from boathouse.pipelines.running.prepare import Preparation
from boathouse.pipelines.running.rows import Checked, checked
from boathouse.pipelines.running.session import Counted, Session, counts_of
from boathouse.pipelines.running.targets import Targets

_FATAL = ("EXPECTATION_VIOLATION",)
_NEW_COLUMNS = "[UNKNOWN_FIELD_EXCEPTION."
"""A stream's schema has grown: not the flow is to be tried again, but the update to be planned again."""


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
        self._preparation = Preparation(session, plan, options, targets, emit, self._selected, self._full())
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

    def prepare(self) -> None:
        """Make the tables of the selection ready.

        Raises:
            DefinitionInvalid: If a table is another pipeline's, or none of a pipeline's.
        """
        self._preparation.make_ready()

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
                self._start(threads, outcome, waiting, running)
                if not running:
                    continue
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    self._collect(outcome, running.pop(future), future)
        self._session.settle({})
        return outcome

    def _start(
        self,
        threads: ThreadPoolExecutor,
        outcome: Outcome,
        waiting: dict[str, PlannedFlow],
        running: "dict[Future[None], PlannedFlow]",
    ) -> None:
        """Start the flows that can be, or say why they never will be."""
        for flow in list(waiting.values()):
            if not self._may_start(flow, waiting, running.values()):
                continue
            del waiting[flow.name]
            if self._stopping.is_set():
                self._ended(outcome, flow, FlowState.STOPPED)
            elif (blocker := self._blocker(flow, outcome)) is not None:
                self._ended(outcome, flow, FlowState.SKIPPED, blocker)
            else:
                # The same as those of what runs already.
                self._session.settle(flow.flow.session_settings)
                running[threads.submit(self._attempts, flow)] = flow

    def _may_start(self, flow: PlannedFlow, waiting: Mapping[str, PlannedFlow], running: Collection[PlannedFlow]) -> bool:
        # Engines cannot copy a session with all that was registered in it, so flows whose settings differ take turns.
        if any(other.flow.session_settings != flow.flow.session_settings for other in running):
            return False
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
        quality = _violations(message, dataset)
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
        is_ready = self._preparation.keeps_changes(dataset, flow)
        versions = self._targets.write(flow, dataset, rules) if is_ready else []
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


def _violations(message: str, dataset: PlannedDataset) -> dict[str, Any] | None:
    """What an update that expectations have failed counted."""
    if "expectations failed: " not in message:
        return None
    told = message.split("expectations failed: ", 1)[1]
    counts: list[dict[str, Any]] = []
    for one in dataset.dataset.expectations:
        found = re.search(rf"(?:^|, ){re.escape(one.name)} \((?P<failed>\d+) of (?P<rows>\d+) rows\)", told)
        if found is not None:
            failed = int(found["failed"])
            passed = int(found["rows"]) - failed
            counts.append({"name": one.name, "dataset": dataset.full_name, "passed_records": passed, "failed_records": failed})
    return {"dropped_records": 0, "expectations": counts}
