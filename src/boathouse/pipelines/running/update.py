"""One update from sources to tables: declare, plan, run."""

import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from pyspark.errors import PySparkException

from boathouse.engine.gateway.sql.tokens import quote
from boathouse.errors import BoathouseError
from boathouse.pipelines.errors import DefinitionInvalid, FlowFailed, GraphInvalid
from boathouse.pipelines.events import Emit, Event, FlowState, Level, UpdateState, update_progress
from boathouse.pipelines.model import Dataset, Declarations, Kind
from boathouse.pipelines.planning.plan import Names, Plan, PlannedDataset
from boathouse.pipelines.planning.planner import Planner
from boathouse.pipelines.running.checkpoints import Checkpoints
from boathouse.pipelines.running.options import Options
from boathouse.pipelines.running.run import Outcome, Runner
from boathouse.pipelines.running.session import Session, refused
from boathouse.pipelines.running.snapshots import last_version
from boathouse.pipelines.running.state import State
from boathouse.pipelines.running.stream_checks import refused_streams
from boathouse.pipelines.running.targets import Targets, begins_anew
from boathouse.pipelines.source.python_source import Registry, declaring, run_python
from boathouse.pipelines.source.sources import SourceFile, pieces

Declare = Callable[[Declarations], AbstractContextManager[None]]
"""Puts into some declarations what a pipeline consists of; in its context their queries can be asked for."""
_MOST_PLANS = 10
"""Of one update: each time that files bring new columns, it is planned again."""


@dataclass
class Update:
    """One update.

    Attributes:
        session: The engine.
        catalog: Default catalog.
        schema: Default schema.
        options: What is to be done.
        state: What the pipeline remembers.
        emit: Takes the events.
        stopping: Is set when it is to stop.
    """

    session: Session
    catalog: str
    schema: str
    options: Options
    state: State
    emit: Emit
    stopping: threading.Event = field(default_factory=threading.Event)

    def run(self, declare: Declare) -> UpdateState:
        """Do it, and tell how it ended; every error is an event."""
        try:
            self._tell(UpdateState.INITIALIZING)
            for _ in range(_MOST_PLANS - 1):
                outcome = self._attempt(declare)
                if self.stopping.is_set() or not outcome.has_new_columns:
                    return self._end(outcome)
                told = (
                    f"Update {self.options.update_id[:6]} is planned again: its sources have columns that its tables had not."
                )
                self.emit(Event("update_progress", told, Level.WARN, {"state": UpdateState.INITIALIZING.value}))
                # What was to be made anew has been.
                self.options = replace(self.options, full_refresh=False, full_refresh_selection=())
            return self._end(self._attempt(declare))
        except GraphInvalid as error:
            for fault in error.faults:
                self.emit(update_progress(self.options.update_id, UpdateState.FAILED, error=fault))
            return UpdateState.FAILED
        except (BoathouseError, PySparkException) as error:
            told = refused(error) if isinstance(error, PySparkException) else error
            self.emit(update_progress(self.options.update_id, UpdateState.FAILED, error=told))
            return UpdateState.FAILED

    def _attempt(self, declare: Declare) -> Outcome:
        plan = self.plan(declare)
        return Outcome() if self.options.validate_only else self._execute(plan)

    def plan(self, declare: Declare) -> Plan:
        """Declare and plan.

        Raises:
            GraphInvalid: If the pipeline cannot be run.
        """
        declarations = Declarations()
        try:
            self._use()
            with self.session.lazy_queries(), declare(declarations):
                planner = Planner(
                    declarations,
                    self.catalog,
                    self.schema,
                    self.session.analyse,
                    self.session.nothing,
                    self.session.under,
                    self.session.answering,
                    self._last_version,
                    # A plan that is not carried out leaves nothing behind.
                    None if self.options.validate_only else self._kept,
                    self.options.private,
                )
                plan = planner.plan()
        except DefinitionInvalid as fault:
            raise GraphInvalid([fault]) from fault
        if self.options.heeded is not None and (refused := list(refused_streams(self.session, plan))):
            raise GraphInvalid(refused)
        for dataset in plan.datasets.values():
            self._define(plan, dataset)
        for told in _ignored(plan, self.options.heeded):
            self.emit(Event("planning_information", told, Level.WARN))
        return plan

    def _begins_anew(self, dataset: Dataset, target: str) -> bool:
        """Whether a dataset will be emptied before its flows run."""
        asked = dataset.may_be_reset and self.options.renews(target, Names(self.catalog, self.schema))
        return dataset.kind is not Kind.SINK and (asked or begins_anew(self.state, dataset, target))

    def _last_version(self, dataset: Dataset, target: str, flow: str) -> Any:
        """The version of the snapshot that a flow has taken in last: none if it begins anew."""
        return None if self._begins_anew(dataset, target) else last_version(self.state, flow)

    def _kept(self, dataset: Dataset, target: str, flow: str) -> str:
        """The checkpoint that a flow will have: another one if it begins anew."""
        renewed = self._begins_anew(dataset, target)
        return Checkpoints(self.state, self.options.storage).folder(target, flow, renewed=renewed)

    def _use(self) -> None:
        """Make the pipeline's schema the current one; it is made where it is missing."""
        self.session.run(f"USE CATALOG {quote((self.catalog,))}")
        try:
            self.session.run(f"USE SCHEMA {quote((self.schema,))}")
        except PySparkException as error:
            # The engine's own words, for a statement that the gateway leaves to it.
            if error.getCondition() != "SCHEMA_NOT_FOUND" and "Schema not found" not in str(error):
                raise
            self._make_schema()
            self.session.run(f"USE SCHEMA {quote((self.schema,))}")

    def _make_schema(self) -> None:
        try:
            self.session.run(f"CREATE SCHEMA {quote((self.catalog, self.schema))}")
        except PySparkException as error:
            if error.getCondition() != "INSUFFICIENT_PERMISSIONS":
                raise
            message = (
                f"The schema {self.catalog}.{self.schema} is not there, or whom the pipeline runs as may not use it. Give them USE SCHEMA on it, or "
                f"CREATE SCHEMA on the catalog {self.catalog}."
            )
            raise DefinitionInvalid("SCHEMA_NOT_FOUND", message) from error

    def _execute(self, plan: Plan) -> Outcome:
        targets = Targets(self.session, plan, self.state, self.options.storage, self.emit)
        runner = Runner(self.session, plan, self.options, targets, self.emit, self.stopping)
        watcher = threading.Thread(target=lambda: self.stopping.wait() and targets.stop(), daemon=True)
        watcher.start()
        runner.prepare()
        self._tell(UpdateState.RUNNING)
        outcome = runner.run()
        while self.options.continuous and not outcome.errors and not self.stopping.wait(self.options.interval):
            outcome = runner.run(quiet=True)
        return self._with_failures(outcome)

    def _with_failures(self, outcome: Outcome) -> Outcome:
        """How an update ended, with what had failed before it."""
        for name, message in self.options.failed.items():
            outcome.states[name] = FlowState.FAILED
            outcome.errors[name] = FlowFailed(message)
        return outcome

    def _end(self, outcome: Outcome) -> UpdateState:
        if self.stopping.is_set():
            return self._tell(UpdateState.CANCELED)
        if not outcome.errors:
            return self._tell(UpdateState.COMPLETED)
        try:
            outcome.raise_first()
        except BoathouseError as error:
            self.emit(update_progress(self.options.update_id, UpdateState.FAILED, error=error))
        return UpdateState.FAILED

    def _tell(self, state: UpdateState) -> UpdateState:
        self.emit(update_progress(self.options.update_id, state))
        return state

    def _define(self, plan: Plan, dataset: PlannedDataset) -> None:
        """Tell of a dataset and its flows."""
        schema = [{"name": column.name, "type": column.type} for column in dataset.schema]
        details: dict[str, Any] = {
            "dataset_type": dataset.kind.value,
            "is_private": dataset.dataset.is_private,
            "num_flows": len(dataset.flows),
            "schema": schema,
            "expectations": [vars(one) for one in dataset.dataset.expectations],
            "comment": dataset.dataset.comment,
            "source_code_location": str(dataset.dataset.location),
        }
        kind = "sink_definition" if dataset.kind is Kind.SINK else "dataset_definition"
        self.emit(
            Event(
                kind, f"Dataset '{dataset.full_name}' defined as {dataset.kind.value}.", Level.INFO, details, dataset.full_name
            )
        )
        for name in dataset.flows:
            flow = plan.flows[name]
            inputs = [*(plan.datasets[key].full_name for key in flow.inputs), *flow.external]
            told: dict[str, Any] = {
                "output_dataset": dataset.full_name,
                "input_datasets": inputs,
                "flow_type": "AUTO_CDC" if flow.flow.cdc else "STREAMING" if flow.is_streaming else "COMPLETE",
                "once": flow.flow.once,
                "schema": [{"name": column.name, "type": column.type} for column in flow.schema],
                "source_code_location": str(flow.flow.location),
            }
            self.emit(Event("flow_definition", f"Flow '{name}' defined.", Level.INFO, told, dataset.full_name, name))


def _ignored(plan: Plan, heeded: Sequence[str] | None) -> Iterator[str]:
    """What is declared and changes nothing here, or not yet, in words."""
    for name, flow in plan.flows.items():
        if flow.unasked is not None:
            yield f"The source of the flow {name} is asked when the flow runs, after all others: at planning it failed. {flow.unasked.message}"
        settings = sorted(flow.flow.session_settings)
        if settings and plan.datasets[flow.target].kind is Kind.TEMPORARY_VIEW:
            yield f"The settings {', '.join(settings)} of the view {name} are not applied: it is read with those of the flows that read it."
            continue
        unknown = [] if heeded is None else [key for key in settings if not _heeds(heeded, key)]
        if unknown:
            yield f"The settings {', '.join(unknown)} of the flow {name} change nothing: the engine does not know them."


def _heeds(heeded: Sequence[str], key: str) -> bool:
    return any(key.startswith(one) if one.endswith(".") else key == one for one in heeded)


def declare_sources(
    session: Session, sources: Sequence[SourceFile], configuration: Mapping[str, str], dbutils: Any = None
) -> Declare:
    """What puts the declarations of some files into others; their Python knows ``spark``, and ``dbutils`` where that is given."""
    given = {"spark": session.spark} if dbutils is None else {"spark": session.spark, "dbutils": dbutils}

    @contextmanager
    def declare(into: Declarations) -> Generator[None]:
        for key, value in configuration.items():
            session.spark.conf.set(key, value)
        registry = Registry(into, session.client, configuration)
        faults: list[DefinitionInvalid] = []
        with declaring(registry, session.spark):
            for source in sources:
                try:
                    run_python(source.path, pieces(source), registry, given)
                except DefinitionInvalid as fault:
                    faults.append(fault)
            if faults:
                raise GraphInvalid(faults)
            yield

    return declare
