"""Before flows run: tables that are missing are made, and those that are done anew are emptied."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from pyspark.errors import PySparkException

from boathouse.engine.gateway.sql.tokens import literal, quote
from boathouse.pipelines.errors import DefinitionInvalid
from boathouse.pipelines.events import Emit, Event, Level, UpdateState, update_progress
from boathouse.pipelines.model import AutoCdc, Column, Kind, SnapshotCdc
from boathouse.pipelines.planning.cdc import END, SEQUENCE, START, marked, storage_name
from boathouse.pipelines.planning.plan import Plan, PlannedDataset, PlannedFlow, ddl, snapshot_type
from boathouse.pipelines.planning.relations import table, with_columns
from boathouse.pipelines.running.options import Options
from boathouse.pipelines.running.rows import QUARANTINE, checked
from boathouse.pipelines.running.session import Session
from boathouse.pipelines.running.snapshots import as_changes, last_version
from boathouse.pipelines.running.table_options import TableOptions
from boathouse.pipelines.running.targets import Targets, is_moved


@dataclass
class Preparation:
    """Makes the tables of a plan ready.

    Attributes:
        session: The engine.
        plan: What is to be done.
        options: How.
        targets: Knows which of them begin anew.
        emit: Takes the events.
        selected: Keys of the datasets that are brought up to date.
        renewed: Keys of those that are done anew.
    """

    session: Session
    plan: Plan
    options: Options
    targets: Targets
    emit: Emit
    selected: AbstractSet[str]
    renewed: AbstractSet[str]
    _table_options: TableOptions = field(init=False)

    def __post_init__(self) -> None:
        self._table_options = TableOptions(self.targets.state, self.plan.names, self._run)

    def make_ready(self) -> None:
        """Make the tables that are missing, and empty those that are done anew.

        Raises:
            DefinitionInvalid: If a table is another pipeline's, or none of a pipeline's.
        """
        if self.renewed:
            self.emit(update_progress(self.options.update_id, UpdateState.RESETTING))
        self.emit(update_progress(self.options.update_id, UpdateState.SETTING_UP_TABLES))
        for dataset in self.plan.datasets.values():
            if dataset.kind is Kind.TEMPORARY_VIEW:
                renewed = self.options.renews(dataset.key, self.plan.names) or self.targets.must_reset(dataset)
                with self.targets.resetting(dataset, really=renewed):
                    # It has no rows, but the schemas of the files that it reads.
                    pass
        for key in self.plan.datasets:
            if key in self.selected:
                self._prepare(self.plan.datasets[key])

    def _prepare(self, dataset: PlannedDataset) -> None:
        if not dataset.kind.is_table:
            return
        if dataset.name != dataset.declared_name:
            self._run(dataset, f"CREATE SCHEMA IF NOT EXISTS {quote(dataset.name[:2])}")
        moved = is_moved(self.targets.state, dataset.dataset, dataset.key)
        if moved:
            self._table_options.forget(dataset)
        there = self._own(dataset)
        reset = (dataset.key in self.renewed or self.targets.must_reset(dataset)) and dataset.kind is Kind.STREAMING_TABLE
        if there is None or moved or dataset.key in self.renewed:
            self.targets.compute_anew(dataset)
        with self.targets.resetting(dataset, really=reset):
            if there is None or reset:
                self._create(dataset, dataset.name, dataset.schema, replace=there is not None)
            self._table_options.settle(dataset, created=there is None)
            for number, flow in enumerate(self.plan.flows[name] for name in dataset.flows):
                if flow.flow.cdc is not None:
                    if there is not None and not reset:
                        self._widen(dataset, dataset.name, dataset.schema)
                    # All flows of a target bring their changes into one table.
                    self._prepare_changes(dataset, flow, flow.flow.cdc, reset=reset and number == 0)
        self._prepare_quarantine(dataset, reset=reset)
        if moved:
            self._tell_of_published(dataset)
        self.targets.settle(dataset)

    def _own(self, dataset: PlannedDataset) -> dict[str, str] | None:
        """The properties of a dataset's table; None where it is still to be made."""
        there = self.session.properties(dataset.quoted)
        if there is not None and there.get("pipelines.pipelineId") != self.options.pipeline_id:
            owner = there.get("pipelines.pipelineId")
            whose = f"of the pipeline {owner}" if owner else "not of a pipeline"
            message = f"{dataset.full_name} is there already and {whose}. Drop it, or choose another name."
            raise DefinitionInvalid("TABLE_ALREADY_EXISTS", message, dataset.dataset.location)
        return there

    def _prepare_quarantine(self, dataset: PlannedDataset, *, reset: bool) -> None:
        """The table that keeps the rows that expectations drop."""
        name = checked(dataset).quarantine
        if name is not None and (reset or self.session.properties(quote(name)) is None):
            columns = (*(Column(one.name, one.type) for one in dataset.schema), Column("_quarantine_reason", "STRING"))
            self._create(dataset, name, columns, replace=reset)
            self._table_options.protect(dataset, name)

    def _tell_of_published(self, dataset: PlannedDataset) -> None:
        """Of a table that was published before its dataset became private: it stays, as it may be all that others have."""
        if dataset.name == dataset.declared_name:
            return
        there = self.session.properties(quote(dataset.declared_name))
        if there is not None and there.get("pipelines.pipelineId") == self.options.pipeline_id:
            told = f"{dataset.full_name} is private now. The table that was published before stays as it is: drop it if nobody needs it."
            self.emit(Event("planning_information", told, Level.WARN, {}, dataset.full_name))

    def _prepare_changes(self, dataset: PlannedDataset, flow: PlannedFlow, cdc: AutoCdc | SnapshotCdc, *, reset: bool) -> None:
        """The table that keeps the changes of a target."""
        name = storage_name(dataset)
        there = self.session.properties(quote(name)) is not None
        if reset or not there:
            rows = self.session.nothing(flow.schema)
            if isinstance(cdc, SnapshotCdc):
                kind = snapshot_type(flow)
                if kind is None:
                    self._leave_for_later(dataset, flow, name, reset=reset, there=there)
                    return
                rows = with_columns(rows, {SEQUENCE: f"CAST(NULL AS {kind})"})
                cdc = as_changes(cdc)
            columns = self.session.analyse(marked(rows, cdc))
            self._create(dataset, name, columns, replace=there)
        else:
            kept = [Column(one.name, one.type) for one in dataset.schema if one.name not in {START, END}]
            self._widen(dataset, name, kept)

    def _leave_for_later(
        self, dataset: PlannedDataset, flow: PlannedFlow, name: tuple[str, ...], *, reset: bool, there: bool
    ) -> None:
        """The versions of snapshots have no type yet, so the table of their changes is made with the first one."""
        if not reset and last_version(self.targets.state, flow.name) is not None:
            message = f"The changes of {dataset.full_name}, {'.'.join(name)}, are gone, and there is no new snapshot. Do a full refresh."
            raise DefinitionInvalid("TABLE_OR_VIEW_NOT_FOUND", message, flow.flow.location)
        if there:
            self._run(dataset, f"DROP TABLE {quote(name)}")

    def keeps_changes(self, dataset: PlannedDataset, flow: PlannedFlow) -> bool:
        """Make what was left for later, if there is a first snapshot by now; whether a flow can be written."""
        cdc = flow.flow.cdc
        if not isinstance(cdc, SnapshotCdc) or isinstance(cdc.source, str) or flow.snapshot is not None:
            return True
        if self.session.properties(quote(storage_name(dataset))) is not None:
            return True
        first = cdc.source(None)
        if first is not None:
            columns = tuple(one for one in dataset.schema if one.name not in {START, END})
            self._prepare_changes(dataset, replace(flow, snapshot=first, schema=columns), cdc, reset=False)
        return first is not None

    def _widen(self, dataset: PlannedDataset, name: tuple[str, ...], schema: Sequence[Column]) -> None:
        """Give a target, or the table of its changes, the columns that these have come to have."""
        there = {column.name.lower() for column in self.session.analyse(table(name))}
        new = tuple(column for column in schema if column.name.lower() not in there)
        if new:
            self._run(dataset, f"ALTER TABLE {quote(name)} ADD COLUMNS ({ddl(new)})")

    def _create(self, dataset: PlannedDataset, name: tuple[str, ...], schema: Sequence[Column], *, replace: bool) -> None:
        declared = dataset.dataset
        own = name == dataset.name
        properties = {
            **({key: value for key, value in declared.properties.items() if key != QUARANTINE} if own else {}),
            "pipelines.pipelineId": self.options.pipeline_id,
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
            if self.session.table_id(quote(("delta", declared.path))) is not None:
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
            self.session.run(text)
        except PySparkException as error:
            condition = error.getCondition() or type(error).__name__
            raise DefinitionInvalid(condition, str(error).removeprefix(f"[{condition}] "), dataset.dataset.location) from error
