"""Stages of versions, which MLflow keeps, with the lake's rules; see decision 30 for what they are beside aliases."""

from typing import Any

from mlflow.entities.model_registry.model_version_stages import ALL_STAGES, STAGE_ARCHIVED, STAGE_PRODUCTION, STAGE_STAGING
from mlflow.store.model_registry.dbmodels.models import SqlModelVersion

from boathouse.catalog.api import Privilege
from boathouse.registry.deployments import APPROVAL
from boathouse.registry.errors import ApprovalMissing, ArchivingRefused, StageInvalid, VersionPending, mlflow_errors
from boathouse.registry.governed_store import GovernedStore
from boathouse.registry.info import Activity
from boathouse.registry.older_webhooks import MOVED, events_of

READY = "READY"
_REFUSED = frozenset({"pending", "rejected"})
_ACTIVE = (STAGE_STAGING, STAGE_PRODUCTION)
_STAGES = {stage.lower(): stage for stage in ALL_STAGES}


def stage_name(text: str) -> str:
    """A stage as it is spelled.

    Raises:
        StageInvalid: If there is no such stage.
    """
    found = _STAGES.get(text.strip().lower())
    if found is None:
        raise StageInvalid(text, ALL_STAGES)
    return found


def require_not_refused(version: Any, what: str) -> None:
    """Go on only if no approval of a version waits or was rejected.

    Args:
        version: MLflow's entity.
        what: It is to do, for the message.

    Raises:
        ApprovalMissing: If one does, or was.
    """
    for key, value in version.tags.items():
        word = value.strip().lower()
        if key.lower().startswith(APPROVAL) and word in _REFUSED:
            raise ApprovalMissing(version.name, str(version.version), what, key, word)


class StagedStore(GovernedStore):
    """Moves versions between stages. That needs what an approval needs: APPLY TAG on the model, and what its policy asks for."""

    def transition_model_version_stage(self, name: Any, version: Any, stage: Any, archive_existing_versions: Any) -> Any:
        """Give a version a stage, as MLflow's own clients do."""
        self.transition(str(name), str(version), str(stage), archive=bool(archive_existing_versions), comment="")
        return self.get_model_version(name, version)

    def transition(
        self, name: str, version: str, stage: str, *, archive: bool, comment: str, of_request: bool = False
    ) -> Activity:
        """Give a version a stage, and keep who did it and why.

        Args:
            name: Of the model.
            version: Which.
            stage: The new one.
            archive: Whether all others that have it are archived.
            comment: Why.
            of_request: Whether requests for the stage are approved so.
        """
        with self._as(name, Privilege.APPLY_TAG) as full_name:
            target = stage_name(stage)
            if archive and target not in _ACTIVE:
                raise ArchivingRefused(target, _ACTIVE)
            known: Any = super().get_model_version(full_name, version)
            if of_request:
                self.activities.require_open(full_name, int(version), target)
            self._check(full_name, known, target, comment)
            archived = self._versions_in(full_name, target, int(version)) if archive else {}
            super().transition_model_version_stage(full_name, int(version), target, archive)
            done = self.activities.moved(
                full_name, int(version), (known.current_stage, target), comment, archived, approved=of_request
            )
            self._tell_moved(full_name, str(int(version)), known.current_stage, target)
            for number, before in archived.items():
                self._tell_moved(full_name, str(number), before, STAGE_ARCHIVED)
            return done

    def _tell_moved(self, name: str, version: str, source: str, target: str) -> None:
        text = f"Registered model '{name}' version {version} transitioned from {source} to {target}."
        self.hooks.tell(events_of(MOVED, target), name, text, version=version, from_stage=source, to_stage=target)

    def check_transition(self, name: str, version: str, stage: str) -> None:
        """Go on only if whoever acts could move a version to a stage, given a comment."""
        with self._as(name, Privilege.APPLY_TAG) as full_name:
            self._check(full_name, super().get_model_version(full_name, version), stage, None)

    def check_rejection(self, name: str, comment: str) -> None:
        """Go on only if whoever acts may reject a request, and says why where the model's policy asks for that."""
        with self._as(name, Privilege.APPLY_TAG) as full_name:
            self._deployments.check_rejection(full_name, comment)

    def require(self, name: str, privilege: Privilege) -> str:
        """The model's name in the catalog's spelling, if whoever acts has the privilege."""
        with self._as(name, privilege) as full_name:
            return full_name

    def _check(self, name: str, known: Any, target: str, comment: str | None) -> None:
        if target not in _ACTIVE:
            return
        if known.status != READY:
            raise VersionPending(name, str(known.version), target)
        if target == STAGE_PRODUCTION:
            require_not_refused(known, f"go to the stage '{target}'")
        self._deployments.check_transition(name, str(known.version), known.user_id or "", target, comment)

    def _versions_in(self, name: str, stage: str, but: int) -> dict[int, str]:
        with mlflow_errors(), self.ManagedSessionMaker() as session:
            rows: Any = session.query(SqlModelVersion.version).filter(
                SqlModelVersion.name == name, SqlModelVersion.current_stage == stage, SqlModelVersion.version != but
            )
            return {int(version): stage for (version,) in rows}
