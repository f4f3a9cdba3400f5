"""Makes a plan of declarations: every name is resolved and every schema checked before anything is executed."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter
from typing import Any

from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.sql.tokens import parts_of
from boathouse.pipelines.errors import DefinitionInvalid, GraphInvalid
from boathouse.pipelines.model import (
    INVALID_SNAPSHOT,
    AutoCdc,
    Column,
    Dataset,
    Declarations,
    Flow,
    Kind,
    Location,
    Relation,
    Snapshot,
    SnapshotCdc,
)
from boathouse.pipelines.planning.ahead import Ahead, over_nothing
from boathouse.pipelines.planning.cdc import END, START
from boathouse.pipelines.planning.checks import check_columns, check_expectations, check_flows, check_options
from boathouse.pipelines.planning.near import hint, line_of, missing_column, of_query
from boathouse.pipelines.planning.plan import Names, Plan, PlannedDataset, PlannedFlow, Schema, snapshot_type
from boathouse.pipelines.planning.relations import table, uses, with_schema_locations

Analysis = Callable[[Relation], Schema]
"""Asks the engine for the columns of a relation."""
Kept = Callable[[Dataset, str, str], str]
"""The checkpoint of a flow by its dataset, the key of that, and the flow's name."""


def _last(datasets: Mapping[str, Dataset], flows: Mapping[str, PlannedFlow]) -> Iterator[tuple[str, PlannedFlow]]:
    """The flows whose source has given no snapshot to the plan, waiting for all that does not wait for them: it may read any of it."""
    reads = {key: {one for flow in flows.values() if flow.target == key for one in flow.inputs} for key in datasets}
    for name, flow in flows.items():
        if flow.snapshot is not None or not isinstance(flow.flow.cdc, SnapshotCdc) or isinstance(flow.flow.cdc.source, str):
            continue
        above = {flow.target}
        while more := {key for key, read in reads.items() if key not in above and read & above}:
            above |= more
        reads[flow.target] |= datasets.keys() - above
        yield name, replace(flow, after=frozenset(datasets.keys() - above))


@dataclass
class Planner:
    """Makes a plan of declarations.

    Attributes:
        declarations: What the sources say.
        catalog: Default catalog.
        schema: Default schema.
        analyse: Asks the engine.
        nothing: The relation of no rows with some columns.
        under: Gives the engine's session, in a block, the settings of a flow.
        answering: In its block, what DataFrames are asked about themselves is asked of another relation than theirs.
        last_version: The version of the last snapshot that a flow has taken in, by its dataset, the key of that, and its name.
        kept: Tells where the inferred schemas of a flow's files are kept; None where they are not.
        private: Name of the schema of private tables; None where they stand among the others.
    """

    declarations: Declarations
    catalog: str
    schema: str
    analyse: Analysis
    nothing: Callable[[Schema], Relation]
    under: Callable[[Mapping[str, str]], AbstractContextManager[None]]
    answering: Callable[[Callable[[Relation], Relation]], AbstractContextManager[None]]
    last_version: Callable[[Dataset, str, str], Any]
    kept: Kept | None = None
    private: str | None = None
    faults: list[DefinitionInvalid] = field(default_factory=list[DefinitionInvalid])

    def plan(self) -> Plan:
        """Resolve and check everything.

        Raises:
            GraphInvalid: With all faults that were found.
        """
        local = frozenset(
            one.name.lower() for one in self.declarations.datasets if one.kind in {Kind.TEMPORARY_VIEW, Kind.SINK}
        )
        self._names = Names(self.catalog, self.schema, local)
        datasets = self._datasets()
        self._called: dict[int, PlannedFlow | DefinitionInvalid] = {}
        self._ahead = Ahead(self._names, datasets, lambda key: self._columns(key, datasets), self.nothing)
        flows = self._flows(datasets)
        flows |= _last(datasets, flows)
        self._stop()
        order = self._order(datasets, flows)
        self._stop()
        plan = self._typed(order, datasets, flows)
        self._stop()
        return plan

    def _stop(self) -> None:
        if self.faults:
            raise GraphInvalid(self.faults)

    def _fault(self, condition: str, message: str, location: Location) -> None:
        self.faults.append(DefinitionInvalid(condition, message, location))

    # --------------------------------------------------------------------------------------------------------- names

    def _datasets(self) -> dict[str, Dataset]:
        found: dict[str, Dataset] = {}
        for dataset in self.declarations.datasets:
            key = self._names.key(parts_of(dataset.name))
            if key in found:
                message = f"The dataset {dataset.name} is declared twice, first at {found[key].location}."
                self._fault("DUPLICATE_DATASET", message, dataset.location)
            found.setdefault(key, dataset)
        private: dict[str, Dataset] = {}
        for dataset in found.values() if self.private is not None else ():
            if dataset.is_private:
                first = private.setdefault(parts_of(dataset.name)[-1].lower(), dataset)
                if first is not dataset:
                    message = f"{dataset.name} and {first.name} are private, so they lie in one schema. Give one of them another last part."
                    self._fault("DUPLICATE_DATASET", message, dataset.location)
        if not found and not self.faults:
            self.faults.append(DefinitionInvalid("NO_TABLES_IN_PIPELINE", "The pipeline's sources declare no dataset."))
        return found

    def _flows(self, datasets: Mapping[str, Dataset]) -> dict[str, PlannedFlow]:
        found: dict[str, PlannedFlow] = {}
        for flow in self.declarations.flows:
            target, name = self._target_and_name(flow)
            if target not in datasets:
                message = f"The flow {flow.name} writes to {flow.target}, which the pipeline does not declare."
                self._fault("UNKNOWN_TARGET", message, flow.location)
                continue
            if name in found:
                message = f"The flow {flow.name} is declared twice, first at {found[name].flow.location}. Give it another name."
                self._fault("DUPLICATE_FLOW", message, flow.location)
                continue
            try:
                found[name] = self._resolved_once(flow, datasets)
            except DefinitionInvalid as fault:
                # The fault of a dataset whose columns others ask for is theirs too.
                if not any(one is fault for one in self.faults):
                    self.faults.append(fault)
        declared = {flow.target for flow in found.values()}
        failed = {self._names.key(parts_of(flow.target)) for flow in self.declarations.flows} - declared
        for key, dataset in datasets.items():
            if key not in declared | failed and dataset.kind is not Kind.SINK:
                self._fault("NO_FLOW", f"Nothing fills {dataset.name}: it has no query and no flow.", dataset.location)
        return found

    def _target_and_name(self, flow: Flow) -> tuple[str, str]:
        target, name = (self._names.key(parts_of(text)) for text in (flow.target, flow.name))
        return target, name if name == target else flow.name

    def _resolved_once(self, flow: Flow, datasets: Mapping[str, Dataset]) -> PlannedFlow:
        """A flow, whose function is called once, whoever asks for it first."""
        if id(flow) not in self._called:
            target, name = self._target_and_name(flow)
            try:
                self._called[id(flow)] = self._resolved(flow, name, target, datasets)
            except DefinitionInvalid as fault:
                self._called[id(flow)] = fault
        found = self._called[id(flow)]
        if isinstance(found, DefinitionInvalid):
            raise found
        return found

    def _columns(self, key: str, datasets: Mapping[str, Dataset]) -> Schema:
        """The columns of a dataset that is asked for while flows are still resolved."""
        own = [flow for flow in self.declarations.flows if self._target_and_name(flow)[0] == key]
        resolved = [self._resolved_once(flow, datasets) for flow in own]
        return self._schema(datasets[key], [self._flow(flow, datasets[key], self._ahead.of, set()) for flow in resolved])

    def _resolved(self, flow: Flow, name: str, target: str, datasets: Mapping[str, Dataset]) -> PlannedFlow:
        with self.under(flow.session_settings), self.answering(self._ahead.typed):
            relation = None if flow.query is None else flow.query()
        if relation is not None and (kept := self.kept) is not None:
            relation = with_schema_locations(relation, lambda: kept(datasets[target], target, name))
        streams = isinstance(flow.cdc, AutoCdc)
        names: list[tuple[str, ...]] = []
        snapshot: Snapshot | None = None
        unasked: DefinitionInvalid | None = None
        if flow.cdc is not None and isinstance(flow.cdc.source, str):
            names = [parts_of(flow.cdc.source)]
        elif isinstance(flow.cdc, SnapshotCdc) and not isinstance(flow.cdc.source, str):
            try:
                snapshot = flow.cdc.source(self.last_version(datasets[target], target, name))
            except DefinitionInvalid as fault:
                if fault.condition == INVALID_SNAPSHOT:
                    raise
                unasked = fault
        rows = relation if snapshot is None else snapshot.relation
        if rows is not None:
            found, streams = uses(rows)
            names = [use.name for use in found]
        keys = [self._names.key(one) for one in names]
        live = [one for one, key in zip(names, keys, strict=True) if one[0].upper() == "LIVE" and key not in datasets]
        if live:
            raise DefinitionInvalid("UNKNOWN_DATASET", f"{'.'.join(live[0])} is no dataset of this pipeline.", flow.location)
        inputs = tuple(dict.fromkeys(key for key in keys if key in datasets))
        external = tuple(
            dict.fromkeys(".".join(self._names.full(one)) for one, key in zip(names, keys, strict=True) if key not in datasets)
        )
        return PlannedFlow(flow, name, target, relation, inputs, external, streams, snapshot=snapshot, unasked=unasked)

    # --------------------------------------------------------------------------------------------------------- order

    def _order(self, datasets: Mapping[str, Dataset], flows: Mapping[str, PlannedFlow]) -> list[str]:
        reads: dict[str, set[str]] = {key: set() for key in datasets}
        for flow in flows.values():
            reads[flow.target] |= {*flow.inputs, *flow.after}
        try:
            return list(TopologicalSorter(reads).static_order())
        except CycleError as error:
            cycle: list[str] = error.args[1]
            text = " <- ".join(datasets[key].name for key in cycle)
            self._fault("CYCLIC_GRAPH", f"The datasets read each other in a circle: {text}.", datasets[cycle[0]].location)
            return []

    # --------------------------------------------------------------------------------------------------------- types

    def _typed(self, order: list[str], datasets: Mapping[str, Dataset], flows: Mapping[str, PlannedFlow]) -> Plan:
        planned: dict[str, PlannedDataset] = {}
        typed: dict[str, PlannedFlow] = {}
        streaming_views: set[str] = set()

        def of(key: str) -> Schema | None:
            return planned[key].schema if key in planned else None

        for key in order:
            dataset = datasets[key]
            own = [flow for flow in flows.values() if flow.target == key]
            if any(one not in planned for flow in own for one in flow.inputs):
                continue
            try:
                checked = [self._flow(flow, dataset, of, streaming_views) for flow in own]
                kind = dataset.kind or (
                    Kind.STREAMING_TABLE if any(one.is_streaming for one in checked) else Kind.MATERIALIZED_VIEW
                )
                check_flows(dataset, kind, checked)
                check_options(dataset, kind, checked)
                schema = self._schema(dataset, checked)
                check_columns(dataset, kind, schema)
                self._check_expectations(dataset, schema)
            except DefinitionInvalid as fault:
                self.faults.append(fault)
                continue
            if kind is Kind.TEMPORARY_VIEW and any(one.is_streaming for one in checked):
                streaming_views.add(key)
            typed.update({one.name: one for one in checked})
            name, declared = self._place(dataset), self._names.full(parts_of(dataset.name))
            planned[key] = PlannedDataset(dataset, key, name, declared, kind, schema, tuple(one.name for one in checked))
        return Plan(planned, typed, self._names)

    def _place(self, dataset: Dataset) -> tuple[str, ...]:
        """The full name of a dataset's table."""
        declared = self._names.full(parts_of(dataset.name))
        return (declared[0], self.private, declared[-1]) if dataset.is_private and self.private is not None else declared

    def _flow(
        self, flow: PlannedFlow, target: Dataset, of: Callable[[str], Schema | None], streaming_views: set[str]
    ) -> PlannedFlow:
        """A flow with its columns, which the engine finds over empty tables in the place of the pipeline's own."""
        is_streaming = flow.is_streaming or (flow.relation is not None and bool(streaming_views & set(flow.inputs)))
        cdc = flow.flow.cdc
        rows = flow.relation if flow.snapshot is None else flow.snapshot.relation
        if rows is None and cdc is not None and isinstance(cdc.source, str):
            rows = table(parts_of(cdc.source))
        if rows is None:
            return replace(flow, schema=self._expected(flow, target))
        relation = over_nothing(rows, self._names, of, self.nothing)
        try:
            with self.under(flow.flow.session_settings):
                schema = self.analyse(relation)
        except DefinitionInvalid as fault:
            if name := missing_column(fault):
                raise self._without(name, flow, target, of) from fault
            text = fault.message.removeprefix(f"[{fault.condition}] ")
            raise DefinitionInvalid(fault.condition, text, flow.flow.location) from fault
        return replace(flow, is_streaming=is_streaming, schema=schema)

    def _without(
        self, name: Sequence[str], flow: PlannedFlow, target: Dataset, of: Callable[[str], Schema | None]
    ) -> DefinitionInvalid:
        """That a flow's query names a column which is not there."""
        schemas = {key: of(key) or () for key in flow.inputs}
        for one in flow.external:
            with suppress(DefinitionInvalid):
                schemas[one] = self.analyse(table(parts_of(one)))
        columns = list(dict.fromkeys(column.name for schema in schemas.values() for column in schema))
        return of_query(target.name, name, list(schemas), columns, line_of(name, flow.relation, flow.flow.location))

    def _expected(self, flow: PlannedFlow, target: Dataset) -> Schema:
        """The columns of snapshots of which there is none yet: those that their target declares, else those that it has."""
        if target.columns and all(column.type is not None for column in target.columns):
            needed = (START, END) if flow.flow.cdc is not None and flow.flow.cdc.scd_type == 2 else ()
            missing = [name for name in needed if name not in {column.name for column in target.columns}]
            if missing:
                message = f"{target.name} keeps all states, but its schema has no {missing[0]}, of the type of its snapshots' versions."
                raise DefinitionInvalid("USER_SPECIFIED_AND_INFERRED_SCHEMA_NOT_COMPATIBLE", message, target.location)
            return tuple(Column(column.name, column.type) for column in target.columns)
        try:
            return self.analyse(table(self._place(target)))
        except DefinitionInvalid as fault:
            advice = f"so nobody knows the columns of {target.name}: give it a schema if its source can only answer once the update runs."
            if flow.unasked is not None:
                told = flow.unasked.message.partition(f"[{flow.unasked.condition}] ")[2]
                message = f"{told} The source of {flow.name} was asked for its first snapshot, {advice}"
                raise DefinitionInvalid(flow.unasked.condition, message, flow.unasked.location) from fault
            message = f"The source of {flow.name} answered None when it was asked for its first snapshot, {advice}"
            raise DefinitionInvalid("NO_SNAPSHOT", message, flow.flow.location) from fault

    def _schema(self, dataset: Dataset, flows: Sequence[PlannedFlow]) -> Schema:
        """The columns of a dataset: as declared, the types and what is missing from its flows."""
        found: dict[str, Column] = {}
        for flow in flows:
            given = self._result(flow)
            twice = [name for name, count in Counter(one.name.lower() for one in given).items() if count > 1]
            if twice and dataset.kind is not Kind.TEMPORARY_VIEW:
                message = f"The query of {dataset.name} has several columns with the name {twice[0]}. Give each its own."
                raise DefinitionInvalid("COLUMN_ALREADY_EXISTS", message, flow.flow.location)
            for column in given:
                found.setdefault(column.name.lower(), column)
        if not dataset.columns:
            return tuple(sorted(found.values(), key=lambda column: column.name in {START, END}))
        columns: list[Column] = []
        for column in dataset.columns:
            given = found.get(column.name.lower())
            if given is None and column.generated is None and found:
                message = f"{dataset.name} declares the column {column.name}, which its query does not have. Its query has: {', '.join(one.name for one in found.values())}."
                raise DefinitionInvalid("USER_SPECIFIED_AND_INFERRED_SCHEMA_NOT_COMPATIBLE", message, dataset.location)
            kind = column.type or (given.type if given is not None else None)
            columns.append(replace(column, type=kind))
        extra = [one.name for one in found.values() if one.name.lower() not in {column.name.lower() for column in columns}]
        if extra:
            message = f"The query of {dataset.name} has the column {extra[0]}, which {dataset.name} does not declare."
            raise DefinitionInvalid("USER_SPECIFIED_AND_INFERRED_SCHEMA_NOT_COMPATIBLE", message, dataset.location)
        return tuple(columns)

    def _result(self, flow: PlannedFlow) -> Schema:
        """The columns that a flow gives its target."""
        cdc = flow.flow.cdc
        if cdc is None:
            return flow.schema
        have = {column.name.lower(): column for column in flow.schema}
        chosen_columns = cdc.columns or () if isinstance(cdc, AutoCdc) else ()
        left_out = cdc.except_columns if isinstance(cdc, AutoCdc) else ()
        named = (
            *(("KEYS", cdc.keys), ("COLUMNS", chosen_columns), ("COLUMNS * EXCEPT", left_out)),
            *(("TRACK HISTORY ON", cdc.track or ()), ("TRACK HISTORY ON * EXCEPT", cdc.track_except)),
        )
        for field_name, names in named:
            missing = [name for name in names if name.lower() not in have]
            if missing:
                source = cdc.source if isinstance(cdc.source, str) else "its snapshot"
                message = f"{field_name} names {missing[0]}, which {source} does not have. It has: {', '.join(one.name for one in flow.schema)}."
                raise DefinitionInvalid("UNRESOLVED_COLUMN", message, flow.flow.location)
        if isinstance(cdc, SnapshotCdc):
            kind = snapshot_type(flow)
            return flow.schema if kind is None else self._states(cdc.scd_type, flow.schema, kind)
        chosen = flow.schema if cdc.columns is None else tuple(have[name.lower()] for name in cdc.columns)
        chosen = tuple(one for one in chosen if one.name.lower() not in {name.lower() for name in cdc.except_columns})
        missing = [key for key in cdc.keys if key.lower() not in {one.name.lower() for one in chosen}]
        if missing:
            message = f"COLUMNS leaves out {missing[0]}, which KEYS names: the target needs it to tell its rows apart."
            raise DefinitionInvalid("INVALID_ARGUMENT", message, flow.flow.location)
        sequence = self._clause("SEQUENCE BY", cdc.sequence_by, flow) or "BIGINT"
        for clause, text in (
            ("APPLY AS DELETE WHEN", cdc.apply_as_deletes),
            ("APPLY AS TRUNCATE WHEN", cdc.apply_as_truncates),
        ):
            kind = "boolean" if text is None else self._clause(clause, text, flow)
            if (kind or "").lower() not in {"boolean", "void"}:
                message = f"{clause} {text} is of type {kind}. It must be true or false."
                raise DefinitionInvalid("INVALID_ARGUMENT", message, flow.flow.location)
        return self._states(cdc.scd_type, chosen, sequence)

    def _clause(self, clause: str, text: str, flow: PlannedFlow) -> str | None:
        """The type of an expression over the columns of a flow."""
        try:
            return self.analyse(self._projection(flow.schema, [text]))[0].type
        except DefinitionInvalid as fault:
            missing = missing_column(fault)
            why = (
                f"its source has no column {'.'.join(missing)}. {hint(missing, [one.name for one in flow.schema])}"
                if missing
                else fault.message
            )
            raise DefinitionInvalid(fault.condition, f"{clause} {text}: {why}", flow.flow.location) from fault

    @staticmethod
    def _states(scd_type: int, columns: Schema, sequence: str) -> Schema:
        return (*columns, Column(START, sequence), Column(END, sequence)) if scd_type == 2 else tuple(columns)

    def _projection(self, schema: Schema, expressions: Sequence[str]) -> Relation:
        relation = proto().Relation()
        relation.project.input.CopyFrom(self.nothing(schema))
        for text in expressions:
            relation.project.expressions.add().expression_string.expression = text
        return relation

    def _check_expectations(self, dataset: Dataset, schema: Schema) -> None:
        known = check_expectations(dataset)
        if not known:
            return
        try:
            types = [column.type for column in self.analyse(self._projection(schema, list(known.values())))]
        except DefinitionInvalid as every:
            types = []
            for name, text in known.items():
                try:
                    types.append(self.analyse(self._projection(schema, [text]))[0].type)
                except DefinitionInvalid as fault:
                    missing = missing_column(fault)
                    why = (
                        f"it has no column {'.'.join(missing)}. {hint(missing, [one.name for one in schema])}"
                        if missing
                        else fault.message
                    )
                    message = f"The expectation {name} of {dataset.name}, {text}, is not valid: {why}"
                    raise DefinitionInvalid("INVALID_EXPECTATION", message, dataset.location) from every
        for (name, text), kind in zip(known.items(), types, strict=True):
            if (kind or "").lower() not in {"boolean", "void"}:
                message = f"The expectation {name} of {dataset.name}, {text}, is of type {kind}. It must be true or false."
                raise DefinitionInvalid("INVALID_EXPECTATION", message, dataset.location)
