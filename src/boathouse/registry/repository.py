"""Queries of what the registry keeps beside MLflow's tables."""

from collections.abc import Iterable, Sequence

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from boathouse.iam.api import Access
from boathouse.registry.models import ExperimentPermissionRow, ModelActivityRow, RegistryWebhookRow


class ActivityRepository:
    """Activities of model versions, in one transaction; models by the identifiers of their securables."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, row: ModelActivityRow) -> ModelActivityRow:
        """Insert a row."""
        self._session.add(row)
        self._session.flush()
        return row

    def get(self, activity_id: int) -> ModelActivityRow | None:
        """One of them."""
        return self._session.get(ModelActivityRow, activity_id)

    def delete(self, row: ModelActivityRow) -> None:
        """Forget one."""
        self._session.delete(row)

    def of_version(self, model_id: str, version: int) -> Sequence[ModelActivityRow]:
        """All of a version, the oldest first."""
        query = select(ModelActivityRow).where(ModelActivityRow.model_id == model_id, ModelActivityRow.version == version)
        return self._session.scalars(query.order_by(ModelActivityRow.id)).all()

    def open_requests(self, model_id: str, version: int, to_stage: str | None = None) -> Sequence[ModelActivityRow]:
        """Requests of a version, for one stage or all, that nobody has decided yet, the oldest first."""
        query = select(ModelActivityRow).where(
            ModelActivityRow.model_id == model_id, ModelActivityRow.version == version, ModelActivityRow.is_open
        )
        if to_stage is not None:
            query = query.where(ModelActivityRow.to_stage == to_stage)
        return self._session.scalars(query.order_by(ModelActivityRow.id)).all()

    def rename_principal(self, old: str, new: str) -> None:
        """Activities of a principal bear its new name."""
        self._session.execute(update(ModelActivityRow).where(ModelActivityRow.principal == old).values(principal=new))


class ExperimentRepository:
    """Permissions on experiments, in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def all_access(self) -> dict[int, list[Access]]:
        """Who may what on each experiment that has permissions of its own."""
        found: dict[int, list[Access]] = {}
        for row in self._session.scalars(select(ExperimentPermissionRow)):
            found.setdefault(row.experiment_id, []).append(Access(row.grantee, row.kind, row.level))
        return found

    def access(self, experiment_id: int) -> list[Access]:
        """Who may what on an experiment by its own permissions, by grantee."""
        query = select(ExperimentPermissionRow).where(ExperimentPermissionRow.experiment_id == experiment_id)
        rows = self._session.scalars(query.order_by(ExperimentPermissionRow.grantee))
        return [Access(row.grantee, row.kind, row.level) for row in rows]

    def set_access(self, experiment_id: int, access: Iterable[Access]) -> None:
        """Say who may what on an experiment."""
        self._session.execute(delete(ExperimentPermissionRow).where(ExperimentPermissionRow.experiment_id == experiment_id))
        for one in access:
            row = ExperimentPermissionRow(experiment_id=experiment_id, grantee=one.grantee, kind=one.kind, level=one.level)
            self._session.add(row)
        self._session.flush()

    def rename_principal(self, old: str, new: str) -> None:
        """A principal has a new name."""
        theirs = update(ExperimentPermissionRow).where(ExperimentPermissionRow.grantee == old)
        self._session.execute(theirs.values(grantee=new))

    def forget_principal(self, name: str) -> None:
        """A principal is gone."""
        self._session.execute(delete(ExperimentPermissionRow).where(ExperimentPermissionRow.grantee == name))


class WebhookRepository:
    """Webhooks of the older registry, in one transaction; models by the identifiers of their securables."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, row: RegistryWebhookRow) -> RegistryWebhookRow:
        """Insert a row."""
        self._session.add(row)
        self._session.flush()
        return row

    def get(self, webhook_id: str) -> RegistryWebhookRow | None:
        """One of them."""
        return self._session.get(RegistryWebhookRow, webhook_id)

    def delete(self, row: RegistryWebhookRow) -> None:
        """Forget one."""
        self._session.delete(row)

    def all(self) -> Sequence[RegistryWebhookRow]:
        """All of them, the oldest first."""
        return self._session.scalars(
            select(RegistryWebhookRow).order_by(RegistryWebhookRow.created_at, RegistryWebhookRow.id)
        ).all()

    def that_hear(self, model_id: str | None) -> Sequence[RegistryWebhookRow]:
        """Active ones that hear of a model."""
        query = select(RegistryWebhookRow).where(
            RegistryWebhookRow.status == "ACTIVE",
            or_(RegistryWebhookRow.model_id.is_(None), RegistryWebhookRow.model_id == model_id),
        )
        return self._session.scalars(query).all()
