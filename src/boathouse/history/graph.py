"""Lineage as one graph around a thing, as far as the asker may know of what is in it.

The walk goes up from the thing to what it was made of and down to what was made of it, never down again from what lies above. What the
asker may not know of is told as one node without a name for each neighbour and side, with how many they are, and the walk ends there.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeAlias

from sqlalchemy.orm import Session

from boathouse.catalog.api import CatalogService, Privilege, SecurableNotFound, SecurableType
from boathouse.catalog.models import SecurableRow
from boathouse.errors import InvalidParameterValue, NotFound
from boathouse.history.links import ENDPOINT, FUNCTION, MODEL_VERSION, PATH, TABLE, Cause, Link, Links, Node
from boathouse.iam.api import Principal

Titles: TypeAlias = Callable[[Session, Principal, Sequence[str]], Mapping[str, str]]
"""Takes identifiers of one type, and gives what people call those that a principal may know of."""

Direction = Literal["upstream", "downstream", "both"]

GUARDED = frozenset({ENDPOINT, "dashboard", "alert", "dbsql_query"})
"""Types whose own permissions say who may know of them; of others an identifier tells nothing."""

MOST_CAUSES = 20
"""Causes of an edge that are told, the newest."""

_GONE = "GONE"
"""Kind of what is no more, or of which nobody knows more than its identifier."""

_SECURABLES = {TABLE: SecurableType.TABLE, FUNCTION: SecurableType.FUNCTION, MODEL_VERSION: SecurableType.MODEL}


@dataclass
class GraphNode:
    """Something in the graph.

    Attributes:
        node: What it is; None for what the asker may not know of.
        id: Its name in the graph.
        title: What people call it.
        kind: ``VIEW``, ``FEATURE_TABLE`` and so on, where that is more than its type.
        depth: Steps from the thing in the middle; less than 0 above it.
        hidden: How many things this stands for that the asker may not know of.
        more_upstream: Neighbours above it that are not in the graph, because of its bounds.
        more_downstream: The same below it.
    """

    node: Node | None
    id: str
    title: str
    kind: str | None
    depth: int
    hidden: int = 0
    more_upstream: int = 0
    more_downstream: int = 0


@dataclass
class GraphEdge:
    """That one node goes into another; causes newest first."""

    source: str
    target: str
    last_at: int
    times: int = 0
    table_version: int | None = None
    causes: dict[tuple[str, str], Cause] = field(default_factory=dict[tuple[str, str], Cause])


@dataclass
class Graph:
    """What is around a thing.

    Attributes:
        root: Identifier of the thing in the middle.
        nodes: By identifier.
        edges: By identifiers of source and target.
        titles: What people call the entities that caused edges, by type and identifier.
    """

    root: str
    nodes: dict[str, GraphNode]
    edges: dict[tuple[str, str], GraphEdge]
    titles: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])


class LineageGraph:
    """Walks lineage for one principal in one transaction.

    Args:
        catalog: As the principal sees it.
        titles: Knows the things of other slices, by type.
    """

    def __init__(self, catalog: CatalogService, titles: Mapping[str, Titles]) -> None:
        self._catalog = catalog
        self._titles = titles
        self._links = Links(catalog)
        self._visibility = catalog.access.visibility()
        self._known: dict[Node, tuple[str, str | None] | None] = {}
        self._masked: dict[str, set[Node]] = {}

    def around(self, asked: Node, direction: Direction, depth: int, most: int) -> Graph:
        """The graph around a thing.

        Args:
            asked: The thing.
            direction: Where to go from it.
            depth: Steps at most.
            most: Nodes at most; the nearest and newest.

        Raises:
            SecurableNotFound: If there is no such table, function or model, or the asker may not know of it.
            NotFound: The same for anything else.
            InvalidParameterValue: If its name is none of its type.
        """
        root = self._root(asked)
        self._learn([root], set())
        known = self._known[root]
        if known is None:
            raise _not_found(asked)
        graph = Graph(self._id(root), {self._id(root): GraphNode(root, self._id(root), *known, depth=0)}, {})
        if direction != "downstream":
            self._walk(graph, root, depth, most, upstream=True)
        if direction != "upstream":
            self._walk(graph, root, depth, most, upstream=False)
        if not graph.edges and known[1] == _GONE:
            raise _not_found(asked)
        self._name_causes(graph)
        return graph

    def _id(self, node: Node) -> str:
        """What a thing is called in the graph; where a volume's files really lie is told to nobody."""
        known = self._known.get(node) if node.type == PATH else None
        return f"{node.type}:{node.name if known is None else known[0]}"

    def _root(self, asked: Node) -> Node:
        match asked.type:
            case "table" | "function" | "model_version":
                return Node(asked.type, asked.name.lower())
            case "path" if asked.name.startswith("/Volumes/"):
                return Node(PATH, str(self._catalog.volume_path(asked.name.rstrip("/"), Privilege.READ_VOLUME)))
            case "path":
                return Node(PATH, asked.name.removeprefix("file://").rstrip("/") or "/")
            case _:
                return asked

    def _walk(self, graph: Graph, root: Node, depth: int, most: int, *, upstream: bool) -> None:
        frontier = [root]
        for step in range(depth + 1):
            links = self._links.of(frontier, upstream=upstream)
            if step == 0 and root.type == PATH and not upstream:
                links += self._links.below(root)
            sides = [(link.source, link.target) if upstream else (link.target, link.source) for link in links]
            own = {other for (other, _), link in zip(sides, links, strict=True) if link.is_own}
            self._learn([other for other, _ in sides], own)
            added: list[Node] = []
            left: dict[Node, set[Node]] = {}
            there = (step + 1) * (-1 if upstream else 1)
            for (other, near), link in zip(sides, links, strict=True):
                if self._id(other) not in graph.nodes and (step == depth or self._full(graph, most, other)):
                    left.setdefault(near, set()).add(other)
                    continue
                here = self._place(graph, other, near, there, upstream=upstream)
                if here == self._id(other) and graph.nodes[here].depth == there:
                    added.append(other)
                ends = (here, self._id(near)) if upstream else (self._id(near), here)
                _add(graph, *ends, link, hides=here != self._id(other))
            for near, others in left.items():
                node = graph.nodes[self._id(near)]
                node.more_upstream, node.more_downstream = (
                    (len(others), node.more_downstream) if upstream else (node.more_upstream, len(others))
                )
            frontier = [one for one in dict.fromkeys(added) if one.goes_on]
            if not frontier:
                return

    def _full(self, graph: Graph, most: int, other: Node) -> bool:
        return len(graph.nodes) >= most and self._known[other] is not None

    def _place(self, graph: Graph, other: Node, near: Node, depth: int, *, upstream: bool) -> str:
        """The identifier of a neighbour in the graph, to which it is added."""
        known, identifier = self._known[other], self._id(other)
        if known is not None:
            graph.nodes.setdefault(identifier, GraphNode(other, identifier, *known, depth=depth))
            return identifier
        identifier = f"hidden:{'up' if upstream else 'down'}:{self._id(near)}"
        hidden = graph.nodes.setdefault(identifier, GraphNode(None, identifier, "", None, depth))
        masked = self._masked.setdefault(identifier, set())
        masked.add(other)
        hidden.hidden = len(masked)
        return identifier

    # ------------------------------------------------------------------------------------------------ who may know what

    def _learn(self, nodes: Iterable[Node], own: set[Node]) -> None:
        """Find out what things are called, and whether the asker may know of them; ``own`` are ends of what it did itself."""
        new = [one for one in dict.fromkeys(nodes) if one not in self._known]
        for kind in sorted({one.type for one in new}):
            some = [one for one in new if one.type == kind]
            if kind in _SECURABLES:
                rows = self._catalog.rows.find_all(_SECURABLES[kind], map(_full_name, some))
                self._known |= {one: self._securable(one, rows.get(_full_name(one)), is_own=one in own) for one in some}
            elif kind == PATH:
                self._known |= {one: self._path(one, is_own=one in own) for one in some}
            else:
                told = self._told(kind, [one.name for one in some])
                unknown = None if kind in GUARDED and not self._catalog.principal.is_admin else ""
                for one in some:
                    title = told.get(one.name, unknown)
                    self._known[one] = None if title is None else (title or one.name, None if title else _GONE)

    def _told(self, kind: str, names: Sequence[str]) -> Mapping[str, str]:
        ask = self._titles.get(kind)
        return {} if ask is None else ask(self._catalog.session, self._catalog.principal, names)

    def _securable(self, node: Node, row: SecurableRow | None, *, is_own: bool) -> tuple[str, str | None] | None:
        if row is None:
            # What is gone is nobody's but the admins' and theirs who have used it.
            gone = is_own or self._catalog.principal.is_admin
            return (node.name, _GONE) if gone else None
        if not self._visibility.shows(row):
            return None
        kind = None
        if node.type == TABLE:
            has_key = any("primary_key_constraint" in one for one in row.details.get("constraints") or ())
            kind = "VIEW" if "VIEW" in (row.kind or "") else "FEATURE_TABLE" if has_key else None
        return node.name, kind

    def _path(self, node: Node, *, is_own: bool) -> tuple[str, str | None] | None:
        volume = self._catalog.volume_at(Path(node.name)) if node.name.startswith("/") else None
        if volume is None:
            return (node.name, None) if is_own or self._catalog.principal.is_admin else None
        row = self._catalog.rows.find(SecurableType.VOLUME, volume.full_name)
        if row is None or not self._visibility.shows(row):
            return None
        folder = volume.storage_location.removeprefix("file://").rstrip("/")
        return "/Volumes/" + volume.full_name.replace(".", "/") + node.name.removeprefix(folder), "VOLUME"

    def _name_causes(self, graph: Graph) -> None:
        wanted: dict[str, set[str]] = {}
        for edge in graph.edges.values():
            edge.causes = dict(sorted(edge.causes.items(), key=lambda item: -item[1].last_at)[:MOST_CAUSES])
            for kind, identifier in edge.causes:
                wanted.setdefault(kind, set()).add(identifier)
        for kind, identifiers in wanted.items():
            told = self._told(kind.lower(), sorted(identifiers))
            graph.titles |= {(kind, identifier): title for identifier, title in told.items()}


def _add(graph: Graph, source: str, target: str, link: Link, *, hides: bool) -> None:
    edge = graph.edges.setdefault((source, target), GraphEdge(source, target, link.last_at))
    edge.last_at = max(edge.last_at, link.last_at)
    if hides:
        return
    edge.table_version = link.version if edge.table_version is None else edge.table_version
    cause = link.cause
    if cause is None:
        edge.times += link.times
        return
    key = (cause.type, cause.id)
    known = edge.causes.get(key)
    if known is None:
        edge.causes[key] = cause
    elif known != cause:
        last = max(known, cause, key=lambda one: one.last_at)
        edge.causes[key] = replace(last, times=known.times + cause.times)
    else:
        return
    edge.times += cause.times


def _full_name(node: Node) -> str:
    """Of a securable, in lower case; of a model's version the model's."""
    return (node.name.rpartition("/")[0] if node.type == MODEL_VERSION else node.name).lower()


def _not_found(asked: Node) -> Exception:
    if asked.type in _SECURABLES:
        return SecurableNotFound(_SECURABLES[asked.type], _full_name(asked) or asked.name)
    return NotFound(f"There is no {asked.type} '{asked.name}' that you may know of.")


def check(asked: Node) -> Node:
    """The same thing, if its name can be one.

    Raises:
        InvalidParameterValue: If it cannot.
    """
    model, _, version = asked.name.rpartition("/")
    if asked.type == MODEL_VERSION and not (version.isdigit() and len(model.split(".")) == 3):
        message = f"The field name is not valid: '{asked.name}' is no version of a model. Valid: catalog.schema.model/3."
        raise InvalidParameterValue(message, field="name")
    if asked.type in {TABLE, FUNCTION} and len(asked.name.split(".")) != 3:
        message = f"The field name is not valid: '{asked.name}' is no full name. Valid: catalog.schema.name."
        raise InvalidParameterValue(message, field="name")
    return asked
