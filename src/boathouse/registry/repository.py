"""Queries of what the registry keeps beside MLflow's tables."""

from collections.abc import Sequence

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from boathouse.registry.models import ModelActivityRow, RegistryWebhookRow


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
