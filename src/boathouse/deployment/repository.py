"""Queries of deployment."""

from collections.abc import Iterable, Sequence

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from boathouse.deployment.models import DeploymentEventRow, ModelDeploymentRow, VersionDeploymentRow


class DeploymentRepository:
    """What deployment keeps, in one transaction; models by the identifiers of their securables."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, row: ModelDeploymentRow | VersionDeploymentRow | DeploymentEventRow) -> None:
        """Insert a row."""
        self._session.add(row)
        self._session.flush()

    def deployment(self, model_id: str) -> ModelDeploymentRow | None:
        """A model's job and policy."""
        return self._session.get(ModelDeploymentRow, model_id)

    def deployments(self, model_ids: Iterable[str]) -> Sequence[ModelDeploymentRow]:
        """Those of several models."""
        return self._session.scalars(select(ModelDeploymentRow).where(ModelDeploymentRow.model_id.in_(list(model_ids)))).all()

    def version(self, model_id: str, version: int, *, lock: bool = False) -> VersionDeploymentRow | None:
        """A version."""
        return self._session.get(VersionDeploymentRow, (model_id, version), with_for_update=lock)

    def versions(self, keys: Iterable[tuple[str, int]]) -> Sequence[VersionDeploymentRow]:
        """Several versions."""
        columns = tuple_(VersionDeploymentRow.model_id, VersionDeploymentRow.version)
        return self._session.scalars(select(VersionDeploymentRow).where(columns.in_(list(keys)))).all()

    def events(self, model_id: str, *, version: int | None = None, step: str | None = None) -> Sequence[DeploymentEventRow]:
        """What was found, decided and done, the oldest first: with a model, one of its versions, or one kind of step."""
        query = select(DeploymentEventRow).where(DeploymentEventRow.model_id == model_id)
        if version is not None:
            query = query.where(DeploymentEventRow.version == version)
        if step is not None:
            query = query.where(DeploymentEventRow.step == step)
        return self._session.scalars(query.order_by(DeploymentEventRow.id)).all()
