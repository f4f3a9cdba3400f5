"""An ingestion pipeline, once rows have landed: its tables are declared like those of any other, and filled from the files."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from boathouse.engine.gateway.sql.tokens import quote
from boathouse.ingest.connectors.api import Landed, loaded_key
from boathouse.pipelines.events import Event, FlowState, UpdateState
from boathouse.pipelines.model import AutoCdc, Column, Dataset, Declarations, Flow, Kind, Location, Relation, SnapshotCdc
from boathouse.pipelines.planning.plan import ddl
from boathouse.pipelines.running.session import Session
from boathouse.pipelines.running.state import State
from boathouse.pipelines.running.update import Declare, Update


def ingest(update: Update, extracted: Mapping[str, Any], state: State) -> UpdateState:
    """Bring what has landed into its tables, and remember how much of it is there."""
    tables = [Landed(**one) for one in extracted["tables"]]
    by_name = {table.destination: table for table in tables}
    told = update.emit

    def emit(event: Event) -> None:
        if event.kind == "flow_progress" and event.details.get("status") == FlowState.COMPLETED.value:
            table = by_name[str(event.dataset)]
            state.set(loaded_key(table.destination), {"generation": table.generation, "batch": table.batch})
        told(event)

    anew = [table.destination for table in tables if not table.is_replaced and _is_new_generation(table, state)]
    chosen = tuple(dict.fromkeys([*update.options.full_refresh_selection, *anew]))
    refreshed = update.options.refresh_selection
    if not update.options.full_refresh and anew and not (refreshed or update.options.full_refresh_selection):
        # A selection leaves the rest out, and here it is only to say which tables are done anew.
        refreshed = tuple(by_name)
    update.options = replace(
        update.options,
        full_refresh_selection=() if update.options.full_refresh else chosen,
        refresh_selection=refreshed,
        failed=extracted["failed"],
    )
    update.emit = emit
    return update.run(declare_landed(update.session, tables))


def _is_new_generation(table: Landed, state: State) -> bool:
    loaded: Mapping[str, Any] | None = state.get(loaded_key(table.destination))
    return table.generation > 0 and (loaded is None or loaded["generation"] != table.generation)


def declare_landed(session: Session, tables: Sequence[Landed]) -> Declare:
    """What declares the tables of an ingestion."""

    @contextmanager
    def declare(into: Declarations) -> Generator[None]:
        for number, table in enumerate(tables):
            _declare(session, table, number, into)
        yield

    return declare


def _declare(session: Session, table: Landed, number: int, into: Declarations) -> None:
    location = Location(table.place)
    name = quote(table.destination.split("."))
    dataset = Dataset(
        name,
        Kind.MATERIALIZED_VIEW if table.is_replaced else Kind.STREAMING_TABLE,
        location,
        table.comment,
        cluster_by=tuple(table.clustering),
        properties=table.properties,
    )
    into.datasets.append(dataset)
    query = _query(session, table)
    if table.is_replaced or table.mode == "append":
        into.flows.append(Flow(name, name, location, query))
        return
    view = f"_landed_{number}"
    into.datasets.append(Dataset(view, Kind.TEMPORARY_VIEW, location))
    into.flows.append(Flow(view, view, location, query))
    if table.mode == "snapshot":
        into.flows.append(Flow(name, name, location, cdc=SnapshotCdc(view, tuple(table.keys), table.scd)))
        return
    cdc = AutoCdc(
        view,
        tuple(table.keys),
        quote((table.sequence or "",)),
        apply_as_deletes=table.deletes,
        apply_as_truncates=table.truncates,
        except_columns=tuple(table.hidden),
        scd_type=table.scd,
    )
    into.flows.append(Flow(name, name, location, cdc=cdc))


def _query(session: Session, table: Landed) -> Callable[[], Relation]:
    schema = ddl(tuple(Column(name, kind) for name, kind in table.columns))

    def relation() -> Relation:
        if table.mode == "snapshot":
            frame = session.spark.read.schema(schema).parquet(table.folder)
        else:
            stream = session.spark.readStream.format("cloudFiles").option("cloudFiles.format", "parquet")
            frame = stream.schema(schema).load(table.folder)
        if table.row_filter is not None:
            frame = frame.where(table.row_filter)
        return frame._plan.plan(session.client)  # noqa: SLF001 - the client has no other way to its message

    return relation
