"""Looking at the tables of monitored schemas: their logs are read between two transactions, so that nobody waits for that."""

from boathouse.catalog.api import Privilege
from boathouse.db import Database
from boathouse.iam.api import Principal
from boathouse.kit.clock import now_ms
from boathouse.monitoring.scan import look_at
from boathouse.monitoring.schemas import SCHEMA
from boathouse.monitoring.service import QualityService
from boathouse.storage.layout import Layout


def look_at_schema(database: Database, layout: Layout, principal: Principal, schema_id: str) -> int:
    """Judge all tables of a schema and keep what was found; how many there were. Needs MANAGE on the schema."""
    with database.session() as session:
        service = QualityService(session, principal, layout)
        tables = service.tables(service.get(SCHEMA, schema_id, Privilege.MANAGE))
    now = now_ms()
    findings = [(table.id, look_at(table, now)) for table in tables]
    with database.session(write=True) as session:
        QualityService(session, principal, layout).record(findings, now)
    return len(findings)


def look_at_all(database: Database, layout: Layout, admin: Principal) -> int:
    """The same for every schema that has a monitor."""
    with database.session() as session:
        schemas = [row.schema_id for row in QualityService(session, admin, layout).monitors()]
    return sum(look_at_schema(database, layout, admin, schema_id) for schema_id in schemas)
