"""A pipeline that can be run: names resolved, the order known, every schema checked."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from boathouse.engine.gateway.sql.tokens import parts_of, quote
from boathouse.pipelines.errors import DefinitionInvalid
from boathouse.pipelines.model import (
    Column,
    Dataset,
    Flow,
    Kind,
    Relation,
    Snapshot,
)
from boathouse.pipelines.planning.relations import Use, enforced_in_view, rewritten, table
from boathouse.pipelines.source.sql_source import column_ddl
from boathouse.pipelines.source.versions import version_type

Schema = tuple[Column, ...]


@dataclass(frozen=True)
class PlannedFlow:
    """A flow with its names resolved.

    Attributes:
        flow: As declared.
        name: Unique in the pipeline.
        target: Key of its dataset.
        relation: Its rows, names as written; None for changes.
        inputs: Keys of the datasets of this pipeline that it reads.
        external: Full names of other tables that it reads.
        is_streaming: Whether it reads a stream.
        schema: Its columns.
        snapshot: The next one, where a function gives snapshots and has one.
        unasked: Why a function that gives snapshots could not answer while the plan was made; it is asked when the flow runs.
        after: Keys of the datasets that it waits for, though it is not known which of them it reads.
    """

    flow: Flow
    name: str
    target: str
    relation: Relation | None
    inputs: tuple[str, ...]
    external: tuple[str, ...]
    is_streaming: bool
    schema: Schema = ()
    snapshot: Snapshot | None = None
    unasked: DefinitionInvalid | None = None
    after: frozenset[str] = frozenset()


@dataclass(frozen=True)
class PlannedDataset:
    """A dataset with its names resolved.

    Attributes:
        dataset: As declared.
        key: Its full name in lower case; that of a view or sink has one part.
        name: The full name of its table.
        declared_name: Its full name for people; a private dataset's table has another one.
        kind: What it is.
        schema: Its columns: those declared, else those of its flows.
        flows: Names of the flows that fill it.
    """

    dataset: Dataset
    key: str
    name: tuple[str, ...]
    declared_name: tuple[str, ...]
    kind: Kind
    schema: Schema
    flows: tuple[str, ...]

    @property
    def full_name(self) -> str:
        """The name for people, with dots."""
        return ".".join(self.declared_name)

    @property
    def quoted(self) -> str:
        """The table's name for SQL."""
        return quote(self.name)


@dataclass(frozen=True)
class Plan:
    """A pipeline that can be run.

    Attributes:
        datasets: By key; each after those that it reads.
        flows: By name; each after the flows of what it reads.
    """

    datasets: Mapping[str, PlannedDataset]
    flows: Mapping[str, PlannedFlow]
    names: "Names"

    def relation(self, flow: PlannedFlow, tables: Mapping[tuple[str, ...], Relation] | None = None) -> Relation:
        """The rows of a flow as the engine can execute it: full names, views in their places.

        Args:
            flow: The flow.
            tables: What stands for some tables where they are no streams, by their full names.
        """
        if flow.relation is not None:
            return self.resolved(flow.relation, tables)
        source = None if flow.flow.cdc is None else flow.flow.cdc.source
        if not isinstance(source, str):
            raise TypeError(flow.name)
        return self.resolved(table(parts_of(source), is_stream=flow.is_streaming and not flow.flow.once), tables)

    def resolved(self, relation: Relation, tables: Mapping[tuple[str, ...], Relation] | None = None) -> Relation:
        """A relation whose names are written as in this pipeline, as the engine can execute it."""

        def meaning(use: Use) -> Relation | str:
            return self._meaning(use, tables or {})

        return rewritten(relation, meaning)

    def _meaning(self, use: Use, tables: Mapping[tuple[str, ...], Relation]) -> Relation | str:
        dataset = self.datasets.get(self.names.key(use.name))
        if dataset is not None and dataset.kind is Kind.TEMPORARY_VIEW:
            return enforced_in_view(dataset.dataset, self.relation(self.flows[dataset.flows[0]], tables))
        full = self.names.full(use.name) if dataset is None else dataset.name
        if full in tables and not use.is_stream:
            return tables[full]
        if dataset is None:
            return quote(full)
        return table(dataset.name, is_stream=True) if use.is_stream else dataset.quoted

    def upstream(self, flow: PlannedFlow) -> set[str]:
        """Keys of the tables that a flow reads, through views too, or may read."""
        found = set(flow.after)
        for key in flow.inputs:
            dataset = self.datasets[key]
            if dataset.kind is Kind.TEMPORARY_VIEW:
                found |= self.upstream(self.flows[dataset.flows[0]])
            else:
                found.add(key)
        return found

    def external(self, flow: PlannedFlow) -> set[str]:
        """Names of the tables of others that a flow reads, through views too."""
        found = set(flow.external)
        for key in flow.inputs:
            if self.datasets[key].kind is Kind.TEMPORARY_VIEW:
                found |= self.external(self.flows[self.datasets[key].flows[0]])
        return found

    def explain(self) -> Iterator[str]:
        """The plan for people, a dataset a line, in the order of execution."""
        for dataset in self.datasets.values():
            flows = [self.flows[name] for name in dataset.flows]
            read = sorted(
                {*(key for flow in flows for key in flow.inputs), *(name for flow in flows for name in flow.external)}
            )
            columns = ", ".join(f"{column.name} {column.type}" for column in dataset.schema)
            yield f"{dataset.kind.value} {dataset.full_name} ({columns}) <- {', '.join(read) or 'nothing'}"


@dataclass(frozen=True)
class Names:
    """What names mean in a pipeline.

    Attributes:
        catalog: Of names with one or two parts.
        schema: Of names with one part.
        local: Names of views and sinks, in lower case.
    """

    catalog: str
    schema: str
    local: frozenset[str] = frozenset()

    def full(self, name: Sequence[str]) -> tuple[str, ...]:
        """A name in three parts, or as it is for a view or sink."""
        parts = tuple(name)
        if len(parts) == 2 and parts[0].upper() == "LIVE":
            parts = parts[1:]
        if len(parts) == 1 and parts[0].lower() in self.local:
            return parts
        return ((self.catalog, self.schema) if len(parts) == 1 else (self.catalog,) if len(parts) == 2 else ()) + parts

    def key(self, name: Sequence[str]) -> str:
        """A full name in lower case."""
        return ".".join(self.full(name)).lower()


def snapshot_type(flow: PlannedFlow) -> str | None:
    """The type of the versions of a flow's snapshots; None where there is no new one to tell."""
    if flow.snapshot is not None:
        return version_type(flow.snapshot.version)
    cdc = flow.flow.cdc
    return "TIMESTAMP" if cdc is not None and isinstance(cdc.source, str) else None


def ddl(schema: Schema) -> str:
    """Columns as the list of a CREATE TABLE."""
    return ", ".join(column_ddl(column) for column in schema)
