"""Tables of a database that are asked for their rows."""

from collections.abc import Sequence

from boathouse.catalog.open_connection import OpenConnection
from boathouse.ingest.connectors.databases import DatabaseSource, SourceTable
from boathouse.ingest.connectors.definition import Definition, TableObject
from boathouse.ingest.connectors.errors import KeysMissing
from boathouse.ingest.connectors.extract import Extraction, Landed, query_based


class DatabaseReader:
    """Reads tables one by one.

    Args:
        connection: To the database.
        definition: What is brought.
        extraction: This one.
    """

    confirms = False

    def __init__(self, connection: OpenConnection, definition: Definition, extraction: Extraction) -> None:
        self._source = DatabaseSource(connection, definition.objects[0].database)
        self._extraction = extraction

    def tables(self, schema: str | None) -> list[str]:
        """Names of the tables of a schema."""
        return self._source.tables(schema)

    def check(self, one: TableObject) -> SourceTable:
        """Look at a table without reading it.

        Raises:
            KeysMissing: If it has no keys and needs them.
        """
        found = self._source.describe(one)
        if one.settings.merges and not found.keys:
            raise KeysMissing(one.source)
        return found

    def read(self, one: TableObject) -> Landed:
        """Bring what is new of a table."""
        found = self.check(one)
        return query_based(
            self._extraction,
            one,
            columns=found.columns,
            keys=found.keys,
            rows=lambda since: self._source.rows(one, found, since),
        )

    def begin(self, objects: Sequence[TableObject]) -> None:
        """Each is read by itself."""

    def confirm(self) -> None:
        """The source need not know."""

    def release(self) -> None:
        """The source keeps nothing."""

    def close(self) -> None:
        """Let the connections go."""
        self._source.close()
        self._extraction.landing.close()
