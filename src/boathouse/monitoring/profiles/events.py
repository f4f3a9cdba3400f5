"""What jobs hear of monitors: ``monitor.drift_detected``, once for each column, until it has been otherwise."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from boathouse.catalog.api import CatalogService, Privilege
from boathouse.iam.api import Principal
from boathouse.jobs.api import EVENT, Event
from boathouse.monitoring.profiles.findings import Finding
from boathouse.storage.layout import Layout

DRIFT_DETECTED = "monitor.drift_detected"


def drift_events(layout: Layout, table: str, drifted: Sequence[Finding]) -> list[Event]:
    """An event for each granularity and kind of comparison in which columns have drifted: for who may read the table."""

    def may_hear(session: Session, principal: Principal) -> object:
        return CatalogService(session, principal, layout).get_table(table, Privilege.SELECT)

    groups = dict.fromkeys((one.granularity, one.drift_type) for one in drifted)
    found: list[Event] = []
    for granularity, drift_type in groups:
        columns = [one.column_name for one in drifted if (one.granularity, one.drift_type) == (granularity, drift_type)]
        payload: dict[str, Any] = {
            "table": table,
            "granularity": granularity,
            "drift_type": drift_type,
            "columns": sorted(columns),
        }
        found.append(Event(EVENT, DRIFT_DETECTED, {"name": DRIFT_DETECTED, "payload": payload}, may_hear))
    return found
