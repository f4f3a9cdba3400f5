"""One step of lineage: what goes into some things, or out of them, from the edges that were recorded and from feature specs."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import get_args

from boathouse.catalog.api import FEATURE_SPEC, CatalogService, FunctionInfo
from boathouse.history.models import EdgeRow
from boathouse.history.records import TableKind
from boathouse.history.repository import HistoryRepository
from boathouse.history.rows import asset_key

TABLE, PATH, FUNCTION, MODEL_VERSION, ENDPOINT = "table", "path", "function", "model_version", "endpoint"
MOST_EDGES = 5_000
"""Recorded edges that one step looks at, the newest."""

_TABLE_KINDS = frozenset(get_args(TableKind)) - {"PATH"}
_BATCH = 300
"""Things that one query asks for."""
_DASHBOARDS = {"dashboard_v3": "dashboard", "dbsql_dashboard": "dashboard"}


@dataclass(frozen=True)
class Node:
    """Something with lineage.

    Attributes:
        type: ``table`` (views too), ``path``, ``function``, ``model_version``, ``endpoint``; of what only reads or only writes the type
            of the entity: ``dashboard``, ``alert``, ``job``, ``notebook``, ``pipeline``, ``query`` and any other that a client names.
        name: Its full name, of a path its place, of a model version ``catalog.schema.model/3``, of an entity its identifier.
    """

    type: str
    name: str

    @property
    def goes_on(self) -> bool:
        """Whether what goes in comes out again: a job that reads one table and writes another need not have made one of the other."""
        return self.type in {TABLE, PATH, FUNCTION, MODEL_VERSION, ENDPOINT}


@dataclass(frozen=True)
class Cause:
    """What made a link: an entity, ``RUN`` with an MLflow run's identifier, or ``QUERY`` with a statement's.

    Attributes:
        type: What it is.
        id: Its identifier; empty for a statement of somebody else.
        run_id: Of the entity's run.
        last_at: When it was last seen, ms since the epoch.
        times: How often.
    """

    type: str
    id: str
    run_id: str | None
    last_at: int
    times: int


@dataclass(frozen=True)
class Link:
    """That something goes into something else.

    Attributes:
        source: What.
        target: Into what.
        cause: By what; None for what a feature spec says.
        last_at: When it was last seen, ms since the epoch.
        times: How often; 0 for what a feature spec says.
        version: Of the source, where that is a table and it is known.
        is_own: Whether the asker has made it.
    """

    source: Node
    target: Node
    cause: Cause | None
    last_at: int
    times: int
    version: int | None = None
    is_own: bool = False


class Links:
    """Looks links up for one principal.

    Args:
        catalog: As the principal sees it.
    """

    def __init__(self, catalog: CatalogService) -> None:
        self._catalog = catalog
        self._principal = catalog.principal
        self._rows = HistoryRepository(catalog.session)

    def of(self, nodes: Sequence[Node], *, upstream: bool) -> list[Link]:
        """What goes into some things, or out of them; nothing from a thing to itself."""
        found: list[Link] = []
        for start in range(0, len(nodes), _BATCH):
            some = nodes[start : start + _BATCH]
            keys = [_key(one) for one in some if one.goes_on]
            rows = (self._rows.edges_to if upstream else self._rows.edges_from)(keys, MOST_EDGES) if keys else []
            ends = {(kind, one.name) for one in some if not one.goes_on for kind in _entity_types(one.type)}
            rows += self._rows.edges_by(sorted(ends | _versions(some)), MOST_EDGES) if ends or _versions(some) else []
            found += [link for row in rows if (link := self._link(row)) is not None]
        wanted = set(nodes)
        found += [link for one in self._of_specs.values() for link in one]
        mine = [link for link in found if (link.target if upstream else link.source) in wanted and link.source != link.target]
        return _telling(dict.fromkeys(mine))

    def below(self, folder: Node) -> list[Link]:
        """What goes out of the paths below a folder, as if it went out of the folder."""
        links = [link for row in self._rows.edges_below(folder.name, MOST_EDGES) if (link := self._link(row)) is not None]
        return [Link(folder, link.target, link.cause, link.last_at, link.times, None, link.is_own) for link in links]

    def _link(self, row: EdgeRow) -> Link | None:
        own = self._principal.is_admin or row.principal_id == self._principal.id
        source, target = _node(row.source, row.source_kind), _node(row.target, row.target_kind)
        entity = None if not row.entity_id else Node(_entity_type(row.entity_type), row.entity_id)
        if source is None or target is None:
            if entity is None or (source is None and target is None):
                return None
            # A model version is what a run has made of a table; any other entity has read or written it itself.
            trained = entity.type == MODEL_VERSION and target is None
            entity = Node(MODEL_VERSION, entity.name.lower()) if trained else entity
            kind, identifier = ("RUN", row.entity_run_id or "") if trained else (row.entity_type, row.entity_id)
        elif entity is None:
            kind, identifier = ("QUERY", (row.statement_id or "") if own else "") if row.statement_id else ("", "")
        else:
            kind, identifier = row.entity_type, row.entity_id
        run_id = row.entity_run_id if kind != "RUN" else None
        cause = Cause(kind, identifier, run_id, row.last_at, row.times) if kind else None
        first, last = source or entity, target or entity
        return (
            None if first is None or last is None else Link(first, last, cause, row.last_at, row.times, row.source_version, own)
        )

    @cached_property
    def _of_specs(self) -> Mapping[str, list[Link]]:
        """What goes into each feature spec that the principal may know of."""
        specs = (one for one in self._catalog.all_functions() if one.language == FEATURE_SPEC)
        return {one.full_name: list(_spec_links(one)) for one in specs}


def _telling(links: Iterable[Link]) -> list[Link]:
    """Links without those of an entity alone to a table that other links say more of: a job that makes a table first, and fills it then."""
    some = list(links)
    said = {
        (end, _entity_type(link.cause.type), link.cause.id)
        for link in some
        if link.cause is not None and link.source.goes_on and link.target.goes_on
        for end in (link.source, link.target)
    }
    return [
        link
        for link in some
        if (link.source.goes_on or (link.target, link.source.type, link.source.name) not in said)
        and (link.target.goes_on or (link.source, link.target.type, link.target.name) not in said)
    ]


def _spec_links(spec: FunctionInfo) -> Iterable[Link]:
    try:
        body = json.loads(spec.body)
        sources = [Node(TABLE, str(one["table"]).lower()) for one in body.get("lookups", [])]
        sources += [Node(FUNCTION, str(one["udf"]).lower()) for one in body.get("functions", [])]
    except (ValueError, KeyError, TypeError, AttributeError):
        return
    for source in sources:
        yield Link(source, Node(FUNCTION, spec.full_name), None, spec.updated_at, 0)


def _key(node: Node) -> str:
    return node.name if node.type in {TABLE, PATH} else asset_key(node.type, node.name)


def _node(key: str, kind: str) -> Node | None:
    """What an edge calls something; None where it has nothing at this end."""
    if not key:
        return None
    if kind in _TABLE_KINDS and "/" not in key:
        return Node(TABLE, key)
    # Of files that a stream has read it was once said that they are a table.
    return Node(PATH, key) if kind == "PATH" or kind in _TABLE_KINDS else Node(kind.lower(), key.split(":", 1)[1])


def _versions(nodes: Sequence[Node]) -> set[tuple[str, str]]:
    return {("MODEL_VERSION", one.name) for one in nodes if one.type == MODEL_VERSION}


def _entity_type(kind: str) -> str:
    return _DASHBOARDS.get(kind.lower(), kind.lower())


def _entity_types(kind: str) -> list[str]:
    return [kind.upper(), *(name.upper() for name, shown in _DASHBOARDS.items() if shown == kind)]
