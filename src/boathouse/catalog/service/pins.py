"""Versions of tables that model versions were trained on: VACUUM keeps their files until the model version is deleted."""

from collections.abc import Iterable
from dataclasses import dataclass

from boathouse.catalog.errors import SecurableNotFound
from boathouse.catalog.models import PinRow
from boathouse.catalog.privileges import Privilege, SecurableType
from boathouse.catalog.service.base import CatalogBase
from boathouse.errors import PermissionDenied
from boathouse.kit.clock import now_ms


@dataclass(frozen=True)
class Pin:
    """A version of a table that something holds.

    Attributes:
        table: Full name of the table; of one that is gone, the name that it had.
        table_version: The version of the table.
        model: Full name of the model that holds it; None for one that the asker may not read.
        model_version: The version of the model; None with it.
        pinned_at: Since when, in ms since the epoch.
        is_dropped: Whether the table was dropped. Its files stay for seven days from then.
    """

    table: str
    table_version: int
    model: str | None
    model_version: int | None
    pinned_at: int
    is_dropped: bool


class Pins(CatalogBase):
    """What holds versions of tables."""

    def pin(self, model: str, version: int, tables: Iterable[tuple[str, str, int]]) -> list[str]:
        """Let a model version hold versions of tables, given by identifier, full name and version; the tables new to that."""
        new: list[str] = []
        for table_id, full_name, table_version in tables:
            if not self.rows.pinned_versions(table_id):
                new.append(full_name)
            self.rows.pin(
                PinRow(
                    model=model,
                    model_version=version,
                    table_id=table_id,
                    table_version=table_version,
                    full_name=full_name,
                    pinned_at=now_ms(),
                )
            )
        return new

    def release(self, model: str, version: int) -> None:
        """A model version is gone and holds nothing any more."""
        self.rows.release(model, version)

    def pinned_versions(self, table_id: str) -> list[int]:
        """The versions of a table that are held."""
        return self.rows.pinned_versions(table_id)

    def pins_of_table(self, full_name: str) -> list[Pin]:
        """What holds versions of a table, the oldest version first. Needs SELECT on the table."""
        row = self.reach(SecurableType.TABLE, full_name, Privilege.SELECT)
        return self._pins(self.rows.pins(table_id=row.id))

    def pins_of_model(self, full_name: str, version: int | None = None) -> list[Pin]:
        """What a model's versions hold, or one of them. Needs EXECUTE on the model."""
        row = self.reach(SecurableType.MODEL, full_name, Privilege.EXECUTE)
        return self._pins(self.rows.pins(model=row.full_name, version=version))

    def _pins(self, rows: Iterable[PinRow]) -> list[Pin]:
        readable: dict[str, bool] = {}
        found: list[Pin] = []
        for row in rows:
            if row.model not in readable:
                readable[row.model] = self._may_read(row.model)
            table = self.rows.by_id(row.table_id)
            is_readable = readable[row.model]
            found.append(
                Pin(
                    table=row.full_name if table is None else table.full_name,
                    table_version=row.table_version,
                    model=row.model if is_readable else None,
                    model_version=row.model_version if is_readable else None,
                    pinned_at=row.pinned_at,
                    is_dropped=table is None,
                )
            )
        return found

    def _may_read(self, model: str) -> bool:
        try:
            self.reach(SecurableType.MODEL, model, Privilege.EXECUTE)
        except (SecurableNotFound, PermissionDenied):
            return False
        return True
