"""The rules of dashboards: files of the workspace, which their permissions are, and what was published of them."""

import hashlib
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from boathouse.iam.api import IamService, Principal
from boathouse.kit.clock import now_ms
from boathouse.sql.dashboards.documents import Document, parsed
from boathouse.sql.errors import DashboardChanged, DashboardUnpublished, ObjectInvalid, ObjectNotFound
from boathouse.sql.models import DashboardRow
from boathouse.storage.layout import Layout
from boathouse.workspace.api import LEVELS, Kind, ObjectIdNotFound, ObjectInfo, PathInvalid, WorkspaceService, number_of

SUFFIX = ".lvdash.json"
TRASH_MS = 30 * 24 * 3_600_000
"""How long a dashboard stays in the trash."""
KIND = "dashboards"


@dataclass(frozen=True)
class Dashboard:
    """A dashboard; times in ms since the epoch.

    Attributes:
        id: What the API calls it by.
        path: Of its file; of one in the trash, where that was.
        text: What the file holds.
        warehouse_id: That was named for it.
        created_at: When it was made.
        updated_at: When the file was last changed.
        is_trashed: Whether it is in the trash.
        is_published: Whether it was published.
        refreshed_at: When a task has last executed it.
        level: The asker's level of permission.
    """

    id: str
    path: str
    text: str
    warehouse_id: str | None
    created_at: int
    updated_at: int
    is_trashed: bool
    is_published: bool
    refreshed_at: int | None
    level: str | None

    @property
    def name(self) -> str:
        """What people call it."""
        return name_of(self.path)

    @property
    def parent(self) -> str:
        """Its folder."""
        return self.path.rpartition("/")[0] or "/"

    @property
    def etag(self) -> str:
        """Changes with it."""
        return hashlib.blake2b(f"{self.path}|{self.warehouse_id}|{self.text}".encode(), digest_size=8).hexdigest()


@dataclass(frozen=True)
class Shown:
    """What somebody looks at.

    Attributes:
        dashboard: The dashboard.
        document: What it says, or what was published of it.
        name: What it is, or was published as.
        principal: As whom its queries are executed.
    """

    dashboard: Dashboard
    document: Document
    name: str
    principal: Principal


def name_of(path: str) -> str:
    """The name of a dashboard by its file's path."""
    return path.rpartition("/")[2].removesuffix(SUFFIX)


class DashboardService:
    """Dashboards for one principal in one transaction.

    Args:
        session: The transaction.
        principal: Who asks.
        layout: The lake's folders.
    """

    def __init__(self, session: Session, principal: Principal, layout: Layout) -> None:
        self._session = session
        self._principal = principal
        self._workspace = WorkspaceService(session, principal, layout)

    # ----------------------------------------------------------------------------------------------------- looking

    def get(self, dashboard_id: str, level: str = "CAN_READ") -> Dashboard:
        """A dashboard, one in the trash too.

        Raises:
            ObjectNotFound: If there is none, or none that the asker may know of.
            ObjectPermissionMissing: If the asker's level is lower.
        """
        trashed = self._trashed(dashboard_id)
        if trashed is not None:
            return trashed
        try:
            return self._told(self._workspace.named(KIND, dashboard_id, level))
        except ObjectIdNotFound as error:
            raise ObjectNotFound("dashboard", dashboard_id) from error

    def active(self, dashboard_id: str, level: str = "CAN_READ") -> Dashboard:
        """A dashboard that is not in the trash."""
        found = self.get(dashboard_id, level)
        if found.is_trashed:
            raise ObjectInvalid("dashboard_id", f"is of a dashboard in the trash, '{found.name}'.")
        return found

    def listed(self, *, trashed: bool) -> list[Dashboard]:
        """The dashboards that the asker may know of, the oldest first."""
        found = [self._told(one) for one in self._workspace.of_kind(Kind.DASHBOARD)]
        if trashed:
            rows = self._session.scalars(select(DashboardRow).where(DashboardRow.trashed.is_not(None)))
            found += [one for one in map(self._told_trashed, rows) if one.level is not None]
        return sorted(found, key=lambda one: one.id)

    def _row(self, object_id: int) -> DashboardRow | None:
        return self._session.get(DashboardRow, object_id)

    def _told(self, info: ObjectInfo) -> Dashboard:
        row = self._row(info.object_id)
        return Dashboard(
            id=info.resource_id,
            path=info.path,
            text=self._workspace.locate(info.path).read_text(encoding="utf-8", errors="replace"),
            warehouse_id=None if row is None else row.warehouse_id,
            created_at=info.created_at,
            updated_at=info.modified_at,
            is_trashed=False,
            is_published=row is not None and row.published is not None,
            refreshed_at=None if row is None else row.refreshed_at,
            level=info.level,
        )

    def _trashed(self, dashboard_id: str) -> Dashboard | None:
        number = number_of(Kind.DASHBOARD, dashboard_id)
        row = None if number is None else self._row(number)
        if row is None or row.trashed is None:
            return None
        found = self._told_trashed(row)
        return found if found.level is not None else None

    def _told_trashed(self, row: DashboardRow) -> Dashboard:
        held: dict[str, Any] = row.trashed or {}
        return Dashboard(
            id=str(held["id"]),
            path=str(held["path"]),
            text=str(held["text"]),
            warehouse_id=row.warehouse_id,
            created_at=int(held["created_at"]),
            updated_at=int(held["at"]),
            is_trashed=True,
            is_published=False,
            refreshed_at=row.refreshed_at,
            level=self._workspace.level(str(held["path"])),
        )

    def shown(self, dashboard_id: str, *, published: bool) -> Shown:
        """What the asker looks at, and as whom its queries are executed: the asker, or who has published it with credentials.

        Raises:
            DashboardUnpublished: If it was not published, and the asker wants what was.
        """
        found = self.active(dashboard_id)
        if not published:
            return Shown(found, parsed(found.text), found.name, self._principal)
        held = self.published(dashboard_id)
        principal = self._principal
        if held["embed_credentials"]:
            principal = IamService(self._session).get_principal(str(held["publisher_id"]))
        return Shown(found, parsed(str(held["text"])), str(held["display_name"]), principal)

    def published(self, dashboard_id: str) -> dict[str, Any]:
        """What was published of a dashboard.

        Raises:
            DashboardUnpublished: If nothing was.
        """
        self.active(dashboard_id)
        row = self._row(self._number(dashboard_id))
        if row is None or row.published is None:
            raise DashboardUnpublished(dashboard_id)
        return row.published

    def _number(self, dashboard_id: str) -> int:
        number = number_of(Kind.DASHBOARD, dashboard_id)
        if number is None:
            raise ObjectNotFound("dashboard", dashboard_id)
        return number

    # ---------------------------------------------------------------------------------------------------- changing

    def _kept(self, dashboard_id: str) -> DashboardRow:
        number = self._number(dashboard_id)
        row = self._row(number)
        if row is None:
            row = DashboardRow(object_id=number, warehouse_id=None, published=None, trashed=None, refreshed_at=None)
            self._session.add(row)
        return row

    def create(self, name: str, parent: str | None, text: str, warehouse_id: str | None) -> Dashboard:
        """Make a dashboard, a file in a folder of the workspace.

        Raises:
            ObjectInvalid: If it is not valid.
            ObjectExists: If the folder has a file of the name.
        """
        parsed(text)
        folder = self._workspace.require_folder(parent or self._workspace.home_path)
        path = _path(folder, name)
        self._workspace.write(path, text.encode(), "AUTO", None, overwrite=False)
        found = self._told(self._workspace.get(path))
        if warehouse_id:
            self._kept(found.id).warehouse_id = warehouse_id
        return self.get(found.id)

    def update(
        self, dashboard_id: str, name: str | None, text: str | None, warehouse_id: str | None, etag: str | None
    ) -> Dashboard:
        """Change a dashboard; what is not given stays.

        Raises:
            DashboardChanged: If its etag is not the one that the asker has seen.
            ObjectInvalid: If it is not valid.
        """
        found = self.active(dashboard_id, "CAN_EDIT")
        if etag and etag != found.etag:
            raise DashboardChanged(dashboard_id, found.etag)
        if text is not None and text != found.text:
            parsed(text)
            self._workspace.write(found.path, text.encode(), "AUTO", None, overwrite=True)
        if warehouse_id is not None:
            self._kept(dashboard_id).warehouse_id = warehouse_id or None
        if name and name != found.name:
            self._workspace.move(found.path, _path(found.parent, name))
        return self.get(dashboard_id)

    def publish(self, dashboard_id: str, warehouse_id: str | None, *, embed_credentials: bool) -> dict[str, Any]:
        """Publish a dashboard as it is now; with credentials, its queries are executed as the asker from then on."""
        found = self.active(dashboard_id, "CAN_EDIT")
        parsed(found.text)
        row = self._kept(dashboard_id)
        held: dict[str, Any] = {
            "display_name": found.name,
            "text": found.text,
            "warehouse_id": warehouse_id or found.warehouse_id,
            "embed_credentials": embed_credentials,
            "publisher_id": self._principal.id,
            "at": now_ms(),
        }
        row.published = held
        return held

    def unpublish(self, dashboard_id: str) -> None:
        """Take back what was published."""
        self.active(dashboard_id, "CAN_EDIT")
        self.published(dashboard_id)
        self._kept(dashboard_id).published = None

    def trash(self, dashboard_id: str) -> None:
        """Put a dashboard into the trash, where it is forgotten after 30 days."""
        found = self.get(dashboard_id, "CAN_MANAGE")
        if not found.is_trashed:
            row = self._kept(dashboard_id)
            self._workspace.set_aside(found.path)
            kept = {"id": found.id, "path": found.path, "text": found.text, "created_at": found.created_at, "at": now_ms()}
            row.published, row.trashed = None, kept
        self.forget_trashed(now_ms())

    def forget_trashed(self, now: int) -> None:
        """Forget what has been in the trash for its time."""
        for old in self._session.scalars(select(DashboardRow).where(DashboardRow.trashed.is_not(None))):
            if old.trashed is not None and int(old.trashed["at"]) < now - TRASH_MS:
                self._workspace.forget_aside(old.object_id)

    def restore(self, dashboard_id: str) -> Dashboard:
        """Take a dashboard out of the trash."""
        found = self.get(dashboard_id)
        row = self._row(self._number(dashboard_id))
        if row is None or row.trashed is None:
            raise ObjectInvalid("dashboard_id", f"is of a dashboard that is in no trash, '{found.name}'.")
        row.trashed = None
        self._session.flush()
        return self._told(self._workspace.bring_back(row.object_id, found.path, found.text.encode()))

    def refreshed(self, dashboard_id: str) -> None:
        """Note that a dashboard was executed."""
        self._kept(dashboard_id).refreshed_at = now_ms()

    def may_edit(self, found: Dashboard) -> bool:
        """Whether the asker may change a dashboard."""
        return LEVELS.reaches(found.level, "CAN_EDIT")


def _path(folder: str, name: str) -> str:
    if not name or "/" in name:
        raise ObjectInvalid("display_name", f"is '{name}'. It is the name of a file, so it needs something, and no /.")
    path = f"{folder.rstrip('/')}/{name}{SUFFIX}"
    if not name.isprintable():
        raise PathInvalid("display_name", name, "it has characters that cannot be printed.")
    return path
