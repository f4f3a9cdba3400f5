"""The rules of data quality monitors: who may set them up, what they look at, and who sees what they found."""

import re
from collections.abc import Sequence

from sqlalchemy.orm import Session

from boathouse.catalog.api import CatalogService, Privilege, SecurableNotFound, SecurableType, TableInfo
from boathouse.errors import AlreadyExists, InvalidParameterValue, NotFound
from boathouse.iam.api import Principal
from boathouse.kit.clock import now_ms
from boathouse.monitoring.models import QualityMonitorRow, QualityResultRow
from boathouse.monitoring.prediction import DAY_MS
from boathouse.monitoring.repository import QualityRepository
from boathouse.monitoring.scan import Finding, is_monitored
from boathouse.monitoring.schemas import SCHEMA, MonitorBody
from boathouse.storage.layout import Layout

_KEPT_MS = 90 * DAY_MS
_MASK = re.compile(r"\*|anomaly_detection_config(\.excluded_table_full_names)?")


class QualityService:
    """Monitors for one principal in one transaction.

    Args:
        session: The transaction.
        principal: Who asks.
        layout: The lake's folders.
    """

    def __init__(self, session: Session, principal: Principal, layout: Layout) -> None:
        self.catalog = CatalogService(session, principal, layout)
        self._principal = principal
        self._rows = QualityRepository(session)

    # ---------------------------------------------------------------------------------------------------- monitors

    def create(self, body: MonitorBody) -> QualityMonitorRow:
        """Look at the tables of a schema from now on. Needs MANAGE on it.

        Raises:
            AlreadyExists: If it is looked at already.
        """
        if body.anomaly_detection_config is None:
            message = "anomaly_detection_config is missing: what a monitor of a schema does here is to detect anomalies."
            raise InvalidParameterValue(message, field="anomaly_detection_config")
        full_name = self.schema_of(body.object_type, body.object_id, Privilege.MANAGE)
        if self._rows.monitor(body.object_id) is not None:
            message = f"The schema {full_name} has a monitor already. Update it, or delete it first."
            raise AlreadyExists(message)
        row = QualityMonitorRow(
            schema_id=body.object_id,
            excluded=self._excluded(full_name, body),
            created_at=now_ms(),
            created_by=self._principal.name,
        )
        self._rows.add(row)
        return row

    def get(self, object_type: str, object_id: str, privilege: Privilege | None = None) -> QualityMonitorRow:
        """The monitor of a schema that the principal may know of."""
        full_name = self.schema_of(object_type, object_id, privilege)
        row = self._rows.monitor(object_id)
        if row is None:
            message = f"The schema {full_name} has no monitor."
            raise NotFound(message)
        return row

    def update(self, object_type: str, object_id: str, mask: str, body: MonitorBody) -> QualityMonitorRow:
        """Change which tables are left out. Needs MANAGE on the schema."""
        for path in mask.split(","):
            if not _MASK.fullmatch(path.strip()):
                message = f"update_mask names '{path}'. Valid: anomaly_detection_config, *."
                raise InvalidParameterValue(message, field="update_mask")
        row = self.get(object_type, object_id, Privilege.MANAGE)
        row.excluded = self._excluded(self.schema_of(object_type, object_id, None), body)
        return row

    def delete(self, object_type: str, object_id: str) -> None:
        """Look no more. Needs MANAGE on the schema."""
        self._rows.remove(self.get(object_type, object_id, Privilege.MANAGE))

    def monitors(self) -> list[QualityMonitorRow]:
        """The monitors of the schemas that the principal may know of."""
        visibility = self.catalog.access.visibility()
        found = ((row, self.catalog.rows.by_id(row.schema_id)) for row in self._rows.monitors())
        return [row for row, schema in found if schema is not None and visibility.shows(schema)]

    def schema_of(self, object_type: str, object_id: str, privilege: Privilege | None) -> str:
        """The full name of the schema with an identifier, if the principal has a privilege on it, or may know of it.

        Raises:
            SecurableNotFound: If there is none.
        """
        if object_type != SCHEMA:
            message = f"object_type '{object_type[:100]}' is not valid here. Valid: {SCHEMA}, table."
            raise InvalidParameterValue(message, field="object_type")
        row = self.catalog.rows.by_id(object_id)
        if row is None or row.type != SecurableType.SCHEMA:
            raise SecurableNotFound(SecurableType.SCHEMA, object_id)
        return self.catalog.reach(SecurableType.SCHEMA, row.full_name, privilege).full_name

    @staticmethod
    def _excluded(schema: str, body: MonitorBody) -> list[str]:
        config = body.anomaly_detection_config
        names = [] if config is None else [name.lower() for name in config.excluded_table_full_names]
        for name in names:
            if name.rpartition(".")[0] != schema:
                message = (
                    f"excluded_table_full_names has '{name}', which is no table's full name in {schema}: {schema}.<table>."
                )
                raise InvalidParameterValue(message, field="anomaly_detection_config.excluded_table_full_names")
        return names

    # ----------------------------------------------------------------------------------------------------- results

    def tables(self, monitor: QualityMonitorRow) -> list[TableInfo]:
        """The tables that a monitor looks at, of those that the principal may know of."""
        catalog, schema = self.schema_of(SCHEMA, monitor.schema_id, None).split(".")
        tables = self.catalog.list_tables(catalog, schema, live=False)
        return [one for one in tables if is_monitored(one) and one.full_name not in monitor.excluded]

    def record(self, findings: Sequence[tuple[str, Finding]], now: int) -> None:
        """Keep what was found of some tables, by their identifiers, for 90 days."""
        for table_id, found in findings:
            if self.catalog.rows.by_id(table_id) is None:
                continue
            values = {"freshness": dict(found.freshness), "completeness": dict(found.completeness)}
            self._rows.add(QualityResultRow(table_id=table_id, event_time=now, status=found.status.value, **values))
        self._rows.forget_before(now - _KEPT_MS)

    def health(self, full_name: str) -> tuple[bool, QualityResultRow | None]:
        """Whether a table that the principal may know of is looked at, and what was found the last time."""
        table = self.catalog.get_table(full_name)
        parent = self.catalog.find_row(SecurableType.SCHEMA, table.full_name.rpartition(".")[0])
        monitor = self._rows.monitor(parent.id)
        if monitor is None or not is_monitored(table) or table.full_name in monitor.excluded:
            return False, None
        return True, self._rows.latest([table.id]).get(table.id)
