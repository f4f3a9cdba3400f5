"""``system.data_quality_monitoring.table_results``: what was found of tables, the newest first."""

import datetime as dt
from typing import Any

import pyarrow as pa

from boathouse.db import Database
from boathouse.iam.api import Principal
from boathouse.monitoring.repository import QualityRepository
from boathouse.monitoring.service import QualityService
from boathouse.storage.layout import Layout

NAME = "system.data_quality_monitoring.table_results"
_TIME = pa.timestamp("us", "UTC")
_TEXT = pa.string()


def _checked(value: pa.DataType, *names: str) -> pa.DataType:
    return pa.struct([("status", _TEXT), ("error_code", _TEXT), *((name, value) for name in names)])


_ROWS = _checked(pa.int64(), "last_value", "min_predicted_value", "max_predicted_value")
_COLUMNS = pa.schema(
    [
        ("event_time", _TIME),
        *((f"{kind}_name", _TEXT) for kind in ("catalog", "schema", "table")),
        *((f"{kind}_id", _TEXT) for kind in ("catalog", "schema", "table")),
        ("status", _TEXT),
        ("freshness", pa.struct([("status", _TEXT), ("commit_freshness", _checked(_TIME, "last_value", "predicted_value"))])),
        ("completeness", pa.struct([("status", _TEXT), ("total_row_count", _ROWS), ("daily_row_count", _ROWS)])),
    ]
)


class TableResults:
    """Makes the relation for who asks: rows of the tables that it may know of.

    Args:
        database: The metadata database.
        layout: The lake's folders.
    """

    def __init__(self, database: Database, layout: Layout) -> None:
        self._database = database
        self._layout = layout

    def rows(self, principal: Principal) -> pa.Table:
        """The relation."""
        with self._database.session() as session:
            catalog = QualityService(session, principal, self._layout).catalog
            visibility = catalog.access.visibility()
            found: list[dict[str, Any]] = []
            places: dict[str, dict[str, str]] = {}
            for row in QualityRepository(session).results():
                table = catalog.rows.by_id(row.table_id)
                if table is None or not visibility.shows(table):
                    continue
                if row.table_id not in places:
                    chain = catalog.access.chain(table)[:3]
                    kinds = zip(("table", "schema", "catalog"), chain, strict=True)
                    places[row.table_id] = {
                        key: value for kind, one in kinds for key, value in ((f"{kind}_name", one.name), (f"{kind}_id", one.id))
                    }
                freshness = {**row.freshness, "commit_freshness": _moments(row.freshness["commit_freshness"])}
                values = {"status": row.status, "freshness": freshness, "completeness": row.completeness}
                found.append({"event_time": _moment(row.event_time), **places[row.table_id], **values})
        return pa.Table.from_pylist(found, schema=_COLUMNS)


def _moments(values: dict[str, Any]) -> dict[str, Any]:
    return {key: _moment(value) if isinstance(value, int) else value for key, value in values.items()}


def _moment(milliseconds: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC)
