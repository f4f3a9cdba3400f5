"""Takes what happened without holding anybody up, and brings it to the database, the system tables and the OpenLineage address."""

from boathouse.db import Database
from boathouse.history.records import AuditEvent, LineageRecord, QueryRecord
from boathouse.storage.layout import Layout


class Recorder:
    """Records audit events, queries and lineage in the background."""

    def __init__(self, database: Database, layout: Layout, *, openlineage_url: str | None = None) -> None:
        self._database = database
        self._layout = layout
        self._url = openlineage_url

    def start(self) -> None:
        """Begin to write."""

    def stop(self) -> None:
        """Write and export what is left, then end."""

    def audit(self, event: AuditEvent) -> None:
        """Record a call."""

    def query(self, record: QueryRecord) -> None:
        """Record a query that ended."""

    def lineage(self, record: LineageRecord) -> None:
        """Record what a statement read and wrote."""

    def flush(self) -> None:
        """Wait until all recorded so far is in the system tables."""

    def sync_table(self, full_name: str) -> None:
        """Bring one of the system tables up to date; nothing for any other name."""
