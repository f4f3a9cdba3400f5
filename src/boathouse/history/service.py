"""Lineage and queries, for whoever asks."""

import base64
import binascii
import dataclasses
import json
from collections.abc import Sequence
from itertools import chain

from sqlalchemy.orm import Session

from boathouse.catalog.api import CatalogService, SecurableType
from boathouse.errors import InvalidParameterValue
from boathouse.history.authors import Author, authors
from boathouse.history.models import EdgeRow, QueryRow
from boathouse.history.repository import HistoryRepository, QueryFilter
from boathouse.history.schemas import ColumnLineage, ColumnNode, FileNode, Neighbour, TableLineage, TableNode, timestamp
from boathouse.storage.paths import from_url


def authors_of(session: Session, location: str, oldest: int) -> dict[tuple[int, int], Author]:
    """Who made the commits of a table from a version on, by version and time, as far as it is known."""
    return authors(HistoryRepository(session).claims(str(from_url(location)), oldest))


class HistoryService:
    """Reads history in one transaction.

    Args:
        catalog: The catalog as the asker sees it: nobody hears of a table by its lineage.
    """

    def __init__(self, catalog: CatalogService) -> None:
        self._catalog = catalog
        self._principal = catalog.principal
        self._rows = HistoryRepository(catalog.session)

    def table_lineage(self, table_name: str, *, entities: bool) -> TableLineage:
        """Where a table comes from and goes to, newest first.

        Args:
            table_name: Its full name.
            entities: Whether to name what caused it.

        Raises:
            SecurableNotFound: If there is no such table.
            PrivilegeMissing: If the asker may not know of it.
        """
        name = self._catalog.get_table(table_name).full_name
        edges = [edge for edge in self._rows.edges_of(name) if edge.source != edge.target]
        shown = self._shown(chain.from_iterable((edge.source, edge.target) for edge in edges))
        return TableLineage(
            upstreams=self._side([edge for edge in edges if edge.target == name], shown, upstream=True, entities=entities),
            downstreams=self._side([edge for edge in edges if edge.source == name], shown, upstream=False, entities=entities),
        )

    def _side(self, edges: Sequence[EdgeRow], shown: set[str], *, upstream: bool, entities: bool) -> list[Neighbour]:
        found: dict[str, Neighbour] = {}
        own = {edge.source if upstream else edge.target for edge in edges if self._own(edge.principal_id)}
        for edge in edges:
            other, kind = (edge.source, edge.source_kind) if upstream else (edge.target, edge.target_kind)
            if other or entities:
                node = found.setdefault(other, _neighbour(other, kind, edge.last_at, may=other in shown or other in own))
                may = not other or other in shown or self._own(edge.principal_id)
                if entities and may and edge.entity_id:
                    node.add_entity(edge.entity_type, edge.entity_id)
        return list(found.values())

    def column_lineage(self, table_name: str, column_name: str) -> ColumnLineage:
        """Where a column comes from and goes to, newest first.

        Raises:
            SecurableNotFound: If there is no such table.
            PrivilegeMissing: If the asker may not know of it.
            InvalidParameterValue: If it has no such column.
        """
        table = self._catalog.get_table(table_name)
        names = [str(column["name"]) for column in table.columns]
        if column_name.lower() not in {name.lower() for name in names}:
            message = f"The table {table.full_name} has no column '{column_name}'. Valid: {', '.join(names)}."
            raise InvalidParameterValue(message, field="column_name")
        edges = self._rows.columns_of(table.full_name, column_name)
        shown = self._shown(chain.from_iterable((edge.source, edge.target) for edge in edges))
        sides: dict[bool, list[ColumnNode]] = {True: [], False: []}
        for edge in edges:
            for upstream, mine, my_column, other in (
                (True, edge.target, edge.target_column, edge.source),
                (False, edge.source, edge.source_column, edge.target),
            ):
                if mine == table.full_name and my_column.lower() == column_name.lower():
                    may = other in shown or self._own(edge.principal_id)
                    node = ColumnNode.of(edge, upstream=upstream) if may else ColumnNode(has_permission=False)
                    sides[upstream].append(node)
        return ColumnLineage(upstream_cols=sides[True], downstream_cols=sides[False])

    def _own(self, principal_id: str) -> bool:
        """Whether the asker made an edge itself, or may know of all."""
        return self._principal.is_admin or principal_id == self._principal.id

    def _shown(self, names: "chain[str]") -> set[str]:
        """Which of some tables the asker may know of. Those that are gone are nobody's but the admins'."""
        visibility = self._catalog.access.visibility()
        rows = ((name, self._catalog.rows.find(SecurableType.TABLE, name)) for name in set(names) if name)
        return {name for name, row in rows if row is not None and visibility.shows(row)}

    def authors_of(self, location: str, oldest: int) -> dict[tuple[int, int], Author]:
        """Who made the commits of a table from a version on, by version and time, as far as it is known."""
        return authors_of(self._catalog.session, location, oldest)

    def queries(self, wanted: QueryFilter, limit: int, page_token: str | None) -> tuple[list[QueryRow], str | None]:
        """A page of queries, and the token of the next: the asker's own, for an admin everybody's.

        Raises:
            InvalidParameterValue: If the token is none.
        """
        if page_token:
            wanted = dataclasses.replace(wanted, after=_read_token(page_token))
        if not self._principal.is_admin:
            own = wanted.principal_ids is None or self._principal.id in wanted.principal_ids
            wanted = dataclasses.replace(wanted, principal_ids=[self._principal.id] if own else [])
        found = self._rows.queries(wanted, limit + 1)
        more = len(found) > limit
        page = found[:limit]
        return page, _token(page[-1]) if more and page else None


def _neighbour(name: str, kind: str, moment: int, *, may: bool) -> Neighbour:
    if not name:
        return Neighbour()
    parts = name.split(".")
    if kind == "PATH" or len(parts) != 3:
        file = FileNode(path=name, lineage_timestamp=timestamp(moment)) if may else FileNode(has_permission=False)
        return Neighbour(fileInfo=file)
    if not may:
        return Neighbour(tableInfo=TableNode(has_permission=False))
    catalog, schema, table = parts
    node = TableNode(name=table, catalog_name=catalog, schema_name=schema, table_type=kind, lineage_timestamp=timestamp(moment))
    return Neighbour(tableInfo=node)


def _token(row: QueryRow) -> str:
    return base64.urlsafe_b64encode(json.dumps([row.started_at, row.statement_id]).encode()).decode()


def _read_token(text: str) -> tuple[int, str]:
    try:
        found = json.loads(base64.urlsafe_b64decode(text.encode()))
    except (binascii.Error, ValueError, RecursionError):
        found = None
    match found:
        case [int(started), str(identifier)] if 0 <= started < 2**63:
            return started, identifier
        case _:
            message = "The field page_token is none of this list: use the next_page_token of the answer before."
            raise InvalidParameterValue(message, field="page_token")
