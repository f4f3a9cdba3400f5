"""What is said of model versions and their stages, and asked for: kept beside MLflow, which keeps the stage itself."""

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager

from boathouse.catalog.api import CatalogService, SecurableType
from boathouse.db.database import Database
from boathouse.kit.clock import now_ms
from boathouse.kit.ids import number_in
from boathouse.registry.context import acting_principal
from boathouse.registry.errors import CommentNotFound, ModelNotFound, RequestExists, RequestNotFound
from boathouse.registry.info import Activity
from boathouse.registry.models import ModelActivityRow
from boathouse.registry.repository import ActivityRepository
from boathouse.storage.layout import Layout

COMMENT, REQUEST = "NEW_COMMENT", "REQUESTED_TRANSITION"
APPLIED, APPROVED, REJECTED, CANCELLED = "APPLIED_TRANSITION", "APPROVED_REQUEST", "REJECTED_REQUEST", "CANCELLED_REQUEST"
SYSTEM = "SYSTEM_TRANSITION"


class Activities:
    """Keeps activities of versions, by whoever acts. Whether one may, those who call have asked; models by their full names.

    Args:
        database: The metadata database.
        layout: The lake's folders.
    """

    def __init__(self, database: Database, layout: Layout) -> None:
        self._database = database
        self._layout = layout

    @contextmanager
    def _kept(self, *, write: bool = False) -> Generator["_Kept"]:
        with self._database.session(write=write) as session:
            yield _Kept(ActivityRepository(session), CatalogService(session, acting_principal(), self._layout))

    def of_version(self, model: str, version: int) -> list[Activity]:
        """All of a version, the oldest first."""
        with self._kept() as kept:
            return [activity_value(row) for row in kept.rows.of_version(kept.id_of(model), version)]

    def open_requests(self, model: str, version: int) -> list[Activity]:
        """A version's requests that nobody has decided yet, the oldest first."""
        with self._kept() as kept:
            return [activity_value(row) for row in kept.rows.open_requests(kept.id_of(model), version)]

    def require_open(self, model: str, version: int, stage: str) -> None:
        """Go on only if somebody asks for a stage.

        Raises:
            RequestNotFound: If nobody does.
        """
        with self._kept() as kept:
            if not kept.rows.open_requests(kept.id_of(model), version, stage):
                raise RequestNotFound(model, version, stage)

    def moved(
        self, model: str, version: int, stages: tuple[str, str], comment: str, archived: Mapping[int, str], *, approved: bool
    ) -> Activity:
        """A version has another stage.

        Args:
            model: Full name of the model.
            version: Which.
            stages: From which and to which.
            comment: Why.
            archived: Versions that were archived for it, and their stages before.
            approved: Whether requests were approved by it; they are open no more.
        """
        source, target = stages
        with self._kept(write=True) as kept:
            model_id = kept.id_of(model)
            if approved:
                _close(kept.rows.open_requests(model_id, version, target))
            made = kept.note(model_id, version, APPROVED if approved else APPLIED, source, target, comment)
            for number, before in archived.items():
                kept.note(
                    model_id, number, SYSTEM, before, "Archived", "", f"Archived when version {version} moved to {target}."
                )
            return activity_value(made)

    def ask(self, model: str, version: int, stages: tuple[str, str], comment: str) -> Activity:
        """Ask for a stage.

        Raises:
            RequestExists: If the one who acts has done so already.
        """
        source, target = stages
        with self._kept(write=True) as kept:
            model_id = kept.id_of(model)
            if any(row.principal_id == acting_principal().id for row in kept.rows.open_requests(model_id, version, target)):
                raise RequestExists(model, version, target)
            return activity_value(kept.note(model_id, version, REQUEST, source, target, comment, is_open=True))

    def close(
        self, model: str, version: int, stages: tuple[str, str], kind: str, comment: str, creator: str | None
    ) -> Activity:
        """Requests for a stage, of one who made them or of all, are open no more.

        Raises:
            RequestNotFound: If there are none.
        """
        source, target = stages
        with self._kept(write=True) as kept:
            model_id = kept.id_of(model)
            found = [row for row in kept.rows.open_requests(model_id, version, target) if creator in {None, row.principal}]
            if not found:
                raise RequestNotFound(model, version, target, creator)
            _close(found)
            return activity_value(kept.note(model_id, version, kind, source, target, comment))

    def say(self, model: str, version: int, comment: str) -> Activity:
        """Comment on a version."""
        with self._kept(write=True) as kept:
            return activity_value(kept.note(kept.id_of(model), version, COMMENT, "", "", comment))

    def comment(self, comment_id: str) -> tuple[str, Activity]:
        """A comment, and the model that it is about.

        Raises:
            CommentNotFound: If there is none.
        """
        with self._kept() as kept:
            row = kept.comment(comment_id)
            model = kept.catalog.rows.by_id(row.model_id)
            if model is None:
                raise CommentNotFound(comment_id)
            return model.full_name, activity_value(row)

    def change_comment(self, comment_id: str, text: str) -> Activity:
        """Say something else.

        Raises:
            CommentNotFound: If it is gone.
        """
        with self._kept(write=True) as kept:
            row = kept.comment(comment_id)
            row.comment, row.updated_at = text, now_ms()
            return activity_value(row)

    def delete_comment(self, comment_id: str) -> None:
        """Forget a comment.

        Raises:
            CommentNotFound: If it is gone.
        """
        with self._kept(write=True) as kept:
            kept.rows.delete(kept.comment(comment_id))


class _Kept:
    """What is kept, in one transaction."""

    def __init__(self, rows: ActivityRepository, catalog: CatalogService) -> None:
        self.rows = rows
        self.catalog = catalog

    def id_of(self, model: str) -> str:
        row = self.catalog.rows.find(SecurableType.MODEL, model)
        if row is None:
            raise ModelNotFound(model)
        return row.id

    def comment(self, comment_id: str) -> ModelActivityRow:
        number = number_in(comment_id)
        row = None if number is None else self.rows.get(number)
        if row is None or row.kind != COMMENT:
            raise CommentNotFound(comment_id)
        return row

    def note(
        self,
        model_id: str,
        version: int,
        kind: str,
        from_stage: str,
        to_stage: str,
        comment: str,
        system_comment: str = "",
        *,
        is_open: bool = False,
    ) -> ModelActivityRow:
        now = now_ms()
        return self.rows.add(
            ModelActivityRow(
                model_id=model_id,
                version=version,
                kind=kind,
                from_stage=from_stage,
                to_stage=to_stage,
                comment=comment,
                system_comment=system_comment,
                is_open=is_open,
                principal=acting_principal().name,
                principal_id=acting_principal().id,
                created_at=now,
                updated_at=now,
            )
        )


def _close(rows: Iterable[ModelActivityRow]) -> None:
    for row in rows:
        row.is_open, row.updated_at = False, now_ms()


def activity_value(row: ModelActivityRow) -> Activity:
    """The value of a row."""
    return Activity(
        id=str(row.id),
        version=row.version,
        kind=row.kind,
        from_stage=row.from_stage,
        to_stage=row.to_stage,
        comment=row.comment,
        system_comment=row.system_comment,
        is_open=row.is_open,
        user=row.principal,
        user_id=row.principal_id,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
