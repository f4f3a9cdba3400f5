"""What one plan does, for the history: its text, what it reads, what it writes, and how its columns came to be."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from boathouse.catalog.api import TableInfo
from boathouse.engine.gateway.effects import Sources
from boathouse.engine.gateway.messages.protocol import sql_node
from boathouse.engine.gateway.names.visit import Visit
from boathouse.engine.gateway.paths.guard import Use
from boathouse.engine.gateway.session import EngineSession
from boathouse.engine.gateway.sql.statements import Statement, parse
from boathouse.engine.gateway.sql.tokens import parts_of
from boathouse.engine.gateway.traces.column_lineage import links
from boathouse.engine.gateway.writes.change import Change, nothing
from boathouse.history.api import AssetRef, ColumnLink, Commit, Entity, TableRef, redact_sql
from boathouse.storage.paths import from_url
from boathouse.tables.api import is_table, last_version

ENTITY_HEADER = "x-boathouse-entity"
_ENTITY = re.compile(r"(?P<type>[A-Z_]{1,40}):(?P<id>[^:\s]{1,200})(?::(?P<run>\S{1,200}))?")
_LONGEST = 10_000
_WRITES = ("INSERT", "UPDATE", "DELETE", "MERGE")


@dataclass
class Trace:
    """One plan.

    Attributes:
        text: Its SQL, or what a DataFrame asks for.
        kind: What kind of statement the SQL is, by its first word; ``SELECT`` for all queries, or ``DATAFRAME``.
        is_recorded: Whether it is a query of its own; not where the client only asks what a text is.
        reads: Tables, views and paths.
        target: What it writes, or None.
        asked: The endpoints that it asks and the model versions that it scores rows with.
        files: Name of a relation in the plan -> the table whose files it holds.
        queries: Gives the queries whose columns become the target's.
        places: Gives the folders of the Delta tables that it wrote, and their newest versions before.
        is_sure: Whether it makes a commit whatever the tables hold.
        has_rows: Whether it reads rows of what it names, and does not only give that a name.
        heads: Location of each table that is read through a view of the client's -> its version when the plan was looked at.
        claim: Records what it has committed; to be called once that is done, before the client hears of it.
        claim_commits: Records that some commits are the plan's, where they are known.
        session: In which the engine can explain them.
    """

    text: str
    kind: str
    session: EngineSession
    is_recorded: bool = True
    reads: tuple[TableRef, ...] = ()
    target: TableRef | None = None
    asked: tuple[AssetRef, ...] = ()
    files: dict[str, str] = field(default_factory=dict[str, str])
    queries: Callable[[], Sequence[Any]] = tuple
    places: Callable[[], Mapping[str, int]] = dict[str, int]
    is_sure: bool = True
    has_rows: bool = True
    heads: dict[str, int] = field(default_factory=dict[str, int])
    claim: Callable[[], None] = nothing
    claim_commits: Callable[[Sequence[Commit]], None] = lambda _: None

    def columns(self) -> tuple[ColumnLink, ...]:
        """Which columns of what was read each column of the target was made of; asks the engine, so it blocks."""
        if self.target is None:
            return ()
        found = [link for query in self.queries() if self.files for link in links(self.session.explain(query), self.files)]
        return tuple(
            ColumnLink(source_table=one.table, source_column=one.column, target_column=one.target)
            for one in dict.fromkeys(found)
        )


def begin(plan: Any, session: EngineSession) -> Trace:
    """What can be told before the plan is looked at: its own text."""
    relation = plan.root if plan.HasField("root") else None
    if relation is None:
        kind = plan.command.WhichOneof("command_type") or "command"
        if kind != "sql_command":
            return Trace(_command_text(plan.command, kind), "DATAFRAME", session)
        relation = plan.command.sql_command.input
        if not plan.command.sql_command.HasField("input"):
            return _of_sql(plan.command.sql_command.sql, session)
    node = _innermost_sql(relation)
    return (
        Trace(f"DataFrame: {relation.WhichOneof('rel_type')}", "DATAFRAME", session)
        if node is None
        else _of_sql(node.query, session)
    )


def _of_sql(text: str, session: EngineSession) -> Trace:
    return Trace(redact_sql(text[:_LONGEST]), _kind(parse(text)), session)


def _kind(statement: Statement) -> str:
    if statement.tokens and statement.tokens[0].is_word("EXPLAIN"):
        return "EXPLAIN"
    if statement.is_query or not statement.verb:
        return "SELECT"
    first = statement.verb[0]
    if first in {"WITH", "FROM"}:
        return next((token.value for token in statement.tokens if token.is_word(*_WRITES)), "INSERT")
    return "DESCRIBE" if first == "DESC" else first


def _command_text(command: Any, kind: str) -> str:
    match kind:
        case "write_operation":
            write = command.write_operation
            where = write.table.table_name if write.WhichOneof("save_type") == "table" else write.path
            return f"DataFrame: write to {where}"
        case "write_operation_v2":
            return f"DataFrame: write to {command.write_operation_v2.table_name}"
        case "write_stream_operation_start":
            start = command.write_stream_operation_start
            return f"DataFrame: stream to {start.table_name or start.path or start.format or 'foreachBatch'}"
        case _:
            return f"DataFrame: {kind}"


def _innermost_sql(relation: Any) -> Any | None:
    """The SQL that a chain of relations with one input each begins with."""
    while True:
        node = sql_node(relation)
        if node is not None:
            return node
        kind = relation.WhichOneof("rel_type")
        inner = getattr(relation, kind) if kind else None
        if inner is None or "input" not in inner.DESCRIPTOR.fields_by_name or not inner.HasField("input"):
            return None
        relation = inner.input


def target_of(plan: Any, visit: Visit) -> TableRef | None:
    """What a plan writes, as the client has asked for it."""
    if not plan.HasField("command"):
        return None
    command = plan.command
    match command.WhichOneof("command_type"):
        case "sql_command":
            node = sql_node(command.sql_command.input)
            statement = None if node is None else parse(node.query)
            if statement is None:
                return None
            if statement.create is not None:
                return _named(statement.create.name, visit)
            return _named(statement.targets[0], visit) if statement.targets else None
        case "write_operation":
            write = command.write_operation
            if write.WhichOneof("save_type") == "table":
                return _named(parts_of(write.table.table_name), visit)
            return _at(write.path, visit) if write.path else None
        case "write_operation_v2":
            return _named(parts_of(command.write_operation_v2.table_name), visit)
        case _:
            return None


def stream_target(table: str, path: str, visit: Visit) -> TableRef | None:
    """What a streaming query writes, as the client has asked for it."""
    if table:
        return _named(parts_of(table), visit)
    return _at(visit.guard.resolve(path, Use.WRITE), visit) if path else None


def finish(trace: Trace, plan: Any, visit: Visit, change: Change | None) -> None:
    """What is known once the plan is as the engine gets it."""
    effects, views = visit.effects, visit.session.names.views
    session_id = visit.session.request.session_id
    through = [views.get((session_id, name), Sources()) for name in sorted(effects.temporary)]
    sources = Sources(
        tables={name: table for one in (visit.resolver.reads, *(one.tables for one in through)) for name, table in one.items()},
        paths=tuple(dict.fromkeys(chain(visit.paths_read, visit.resolver.paths, *(one.paths for one in through)))),
        files={name: table for one in (visit.resolver.files, *(one.files for one in through)) for name, table in one.items()},
        asked=tuple(dict.fromkeys(chain(effects.asked, *(one.asked for one in through)))),
    )
    for name in effects.defined:
        views[session_id, name] = sources
    copied = [_ref(table) if table is not None else _at(str(from_url(place)), visit) for place, table in effects.copied]
    reads = [*map(_ref, sources.tables.values()), *(_at(path, visit) for path in sources.paths), *copied]
    trace.reads = tuple(dict.fromkeys(reads))
    trace.asked = sources.asked
    trace.files = dict(sources.files)
    reading = visit.session.reading
    trace.has_rows = not effects.defined and effects.view is None
    if reading.is_recorded and trace.has_rows:
        known = {name for name, _ in reading.versions}
        unknown = [
            one.path for one in trace.reads if one.path is not None and one.kind == "TABLE" and one.full_name not in known
        ]
        trace.heads.update({path: last_version(path) for path in unknown if is_table(path)})
    if effects.view is not None:
        trace.target = TableRef(full_name=effects.view, kind="VIEW")
    trace.queries = partial(_queries, trace, plan, visit, change)
    trace.places = partial(_places, trace, visit)
    # MERGE, UPDATE and DELETE may find nothing to change.
    trace.is_sure = not (change is not None and (change.queries or trace.kind == "DELETE"))


def _places(trace: Trace, visit: Visit) -> Mapping[str, int]:
    """The folders of the Delta tables that a plan has written, and their newest versions before."""
    places, target = dict(visit.effects.versions), trace.target
    location = None if target is None else target.path
    if target is not None and target.full_name is not None and location is None:
        location = visit.access.memory.at_present().location(visit.principal, target.full_name)
    if location:
        places.setdefault(str(from_url(location)), -1)
    return places


def _queries(trace: Trace, plan: Any, visit: Visit, change: Change | None) -> Sequence[Any]:
    """The queries whose columns become those of what a plan writes."""
    effects = visit.effects
    queries: list[Any] = []
    if effects.view is not None:
        queries.append(visit.resolver.relation(parts_of(effects.view)))
    for place, table in effects.copied:
        name = str(from_url(place)) if table is None else table.full_name
        source = "delta" if is_table(place) else "parquet"
        queries.append(visit.named(visit.resolver.files_of(name, from_url(place), source), "copied"))
    if queries:
        trace.files.update(visit.resolver.files)
        return queries
    if change is not None and change.queries:
        return change.queries
    if plan.HasField("command") and plan.command.WhichOneof("command_type") == "write_operation":
        return (plan.command.write_operation.input,)
    return ()


def entity_of(text: str | None) -> Entity | None:
    """What caused a query, from the header ``TYPE:id[:run]`` of the client; None where there is none or it is no such text."""
    match = _ENTITY.fullmatch(text or "")
    return None if match is None else Entity(type=match["type"], id=match["id"], run_id=match["run"])


def _ref(table: TableInfo) -> TableRef:
    return TableRef(full_name=table.full_name, path=table.storage_location or None, kind="VIEW" if table.is_view else "TABLE")


def _named(parts: tuple[str, ...], visit: Visit) -> TableRef | None:
    if len(parts) == 2 and "/" in parts[1]:
        return _at(parts[1], visit)
    full = visit.session.qualify(parts)
    return None if full is None else TableRef(full_name=".".join(full).lower())


def _at(path: str, visit: Visit) -> TableRef:
    """A path; if it is a table's, the table."""
    place = str(from_url(path)) if path.startswith("file:") else path
    securable = visit.access.securable_at(visit.principal, Path(place)) if place.startswith("/") else None
    return _ref(securable) if isinstance(securable, TableInfo) else TableRef(path=place, kind="PATH")
