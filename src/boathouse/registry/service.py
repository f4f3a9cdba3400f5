"""The registry's use cases, for one principal. What they do to MLflow goes through the store that MLflow's own clients reach."""

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from boathouse.catalog.api import SecurableInfo
from boathouse.iam.api import Principal
from boathouse.registry import artifacts
from boathouse.registry.backend import MlflowBackend
from boathouse.registry.context import acting_as
from boathouse.registry.errors import our_errors
from boathouse.registry.governance import canonical
from boathouse.registry.info import ModelInfo, ModelVersionInfo, model_info, version_info

if TYPE_CHECKING:
    from boathouse.registry.registry_store import GovernedRegistryStore

PAGE_SIZE = 100


class ModelRegistry:
    """Registered models and their versions, as a principal may see and change them.

    Each method raises ``PermissionDenied`` without the privilege (EXECUTE to read, MANAGE to change, CREATE MODEL on the schema
    to create), ``NotFound`` for what does not exist, and ``MlflowNotLoaded`` where MLflow did not start.

    Args:
        backend: MLflow.
        principal: Who asks.
    """

    def __init__(self, backend: MlflowBackend, principal: Principal) -> None:
        self._backend = backend
        self._principal = principal

    @contextmanager
    def _store(self) -> Generator["GovernedRegistryStore"]:
        store = self._backend.wait().registry
        with acting_as(self._principal), our_errors():
            yield store

    # ------------------------------------------------------------------------------------------------------- models

    def create_model(
        self,
        name: str,
        *,
        description: str | None = None,
        tags: Mapping[str, str] | None = None,
        deployment_job_id: str | None = None,
    ) -> ModelInfo:
        """Make a model; each of its new versions starts the job, if one is given.

        Raises:
            ModelNameInvalid: If the name has not three levels.
            AlreadyExists: If it is there.
        """
        with self._store() as store:
            # Not before the store is there: two threads that import MLflow at once find it half loaded.
            from mlflow.entities.model_registry import RegisteredModelTag  # noqa: PLC0415 - loaded late

            entities = [RegisteredModelTag(key, value) for key, value in (tags or {}).items()]
            return model_info(store.create_registered_model(name, entities, description, deployment_job_id))

    def get_model(self, name: str) -> ModelInfo:
        """A model."""
        with self._store() as store:
            return model_info(store.get_registered_model(name))

    def list_models(self, max_results: int = PAGE_SIZE, page_token: str | None = None) -> tuple[list[ModelInfo], str | None]:
        """A page of the models that may be read, by name, and the token of the next; a page may be short."""
        with self._store() as store:
            found = store.search_registered_models(max_results=max_results, page_token=page_token or None)
            return [model_info(entity) for entity in found], found.token

    def all_models(self) -> Iterator[ModelInfo]:
        """All models that may be read, by name."""
        token: str | None = None
        while True:
            page, token = self.list_models(page_token=token)
            yield from page
            if not token:
                return

    def update_model(self, name: str, description: str | None, deployment_job_id: str | None = None) -> ModelInfo:
        """Change a model's description or deployment job; what is None stays, and the job "" is none."""
        with self._store() as store:
            return model_info(store.update_registered_model(name, description, deployment_job_id))

    def change_owner(self, name: str, owner: str) -> tuple[SecurableInfo, ModelInfo]:
        """Give a model to another principal or group; the model then, which may be no longer the giver's to read."""
        with self._store() as store:
            info, known = store.change_owner(name, owner)
            return info, model_info(known)

    def rename_model(self, name: str, new_name: str) -> ModelInfo:
        """Give a model another name in its schema: its versions, aliases, tags and grants stay."""
        with self._store() as store:
            return model_info(store.rename_registered_model(name, new_name))

    def delete_model(self, name: str) -> None:
        """Delete a model, its versions and their files."""
        with self._store() as store:
            store.delete_registered_model(name)

    def set_model_tag(self, name: str, key: str, value: str) -> None:
        """Set a model's tag."""
        with self._store() as store:
            from mlflow.entities.model_registry import RegisteredModelTag  # noqa: PLC0415 - loaded late

            store.set_registered_model_tag(name, RegisteredModelTag(key, value))

    def delete_model_tag(self, name: str, key: str) -> None:
        """Delete a model's tag."""
        with self._store() as store:
            store.delete_registered_model_tag(name, key)

    # ----------------------------------------------------------------------------------------------------- versions

    def create_pending_version(
        self,
        name: str,
        source: str,
        *,
        run_id: str | None = None,
        description: str | None = None,
        tags: Mapping[str, str] | None = None,
        model_id: str | None = None,
    ) -> ModelVersionInfo:
        """Make a version whose files are then written below ``/Models/...`` and completed with ``finalize_version``."""
        with self._store() as store:
            from mlflow.entities.model_registry import ModelVersionTag  # noqa: PLC0415 - loaded late

            entities = [ModelVersionTag(key, value) for key, value in (tags or {}).items()]
            made = store.create_pending_version(
                name, source, run_id=run_id, tags=entities, description=description, model_id=model_id
            )
            return version_info(made)

    def finalize_version(self, name: str, version: str) -> ModelVersionInfo:
        """Complete a version: its files change no more."""
        with self._store() as store:
            return version_info(store.finalize_version(name, version))

    def get_version(self, name: str, version: str) -> ModelVersionInfo:
        """A version."""
        with self._store() as store:
            return version_info(store.get_model_version(name, version))

    def list_versions(
        self, name: str, max_results: int = PAGE_SIZE, page_token: str | None = None
    ) -> tuple[list[ModelVersionInfo], str | None]:
        """A page of a model's versions, newest first, and the token of the next."""
        with self._store() as store:
            store.get_registered_model(name)
        return self.search_versions(f"name='{canonical(name)}'", max_results, page_token)

    def search_versions(
        self, query: str, max_results: int = PAGE_SIZE, page_token: str | None = None
    ) -> tuple[list[ModelVersionInfo], str | None]:
        """A page of the versions that may be read and fit MLflow's filter, newest first, and the token of the next."""
        with self._store() as store:
            found = store.search_model_versions(
                query or None, max_results, ["version_number DESC"], page_token=page_token or None
            )
            return [version_info(entity) for entity in found], found.token

    def update_version(self, name: str, version: str, description: str) -> ModelVersionInfo:
        """Change a version's description."""
        with self._store() as store:
            store.update_model_version(name, version, description)
            return version_info(store.get_model_version(name, version))

    def delete_version(self, name: str, version: str) -> None:
        """Delete a version and its files."""
        with self._store() as store:
            store.delete_model_version(name, version)

    def set_version_tag(self, name: str, version: str, key: str, value: str) -> None:
        """Set a version's tag; needs APPLY TAG. Those that begin with ``approval`` are decisions: see ``decide``."""
        with self._store() as store:
            from mlflow.entities.model_registry import ModelVersionTag  # noqa: PLC0415 - loaded late

            store.set_model_version_tag(name, version, ModelVersionTag(key, value))

    def decide(self, name: str, version: str, task: str, value: str, reason: str, *, by_policy: bool = False) -> None:
        """Set the tag of an approval task to ``approved``, ``rejected`` or ``pending``, and keep why.

        Args:
            name: Full name of the model.
            version: Which.
            task: Key of the approval task.
            value: The decision.
            reason: Why.
            by_policy: Whether the model's policy decides, and not the principal.

        Raises:
            PermissionDenied: Without APPLY TAG on the model, or if the model's policy wants somebody else to decide.
            InvalidParameterValue: If the policy wants a reason.
        """
        with self._store() as store:
            store.decide(name, version, task, value, reason, by_policy=by_policy)

    def delete_version_tag(self, name: str, version: str, key: str) -> None:
        """Delete a version's tag."""
        with self._store() as store:
            store.delete_model_version_tag(name, version, key)

    def version_folder(self, name: str, version: str) -> Path:
        """The folder of a version's files. Needs EXECUTE; nobody but the registry may write there."""
        with self._store() as store:
            found = store.get_model_version(name, version)
        return artifacts.version_folder(self._backend.layout, found.name, found.version)

    # ------------------------------------------------------------------------------------------------------ aliases

    def set_alias(self, name: str, alias: str, version: str) -> None:
        """Point an alias to a version.

        Raises:
            InvalidParameterValue: If the alias is ``champion`` and the version's approval is pending or rejected.
        """
        with self._store() as store:
            store.set_registered_model_alias(name, alias, version)

    def check_alias(self, name: str, alias: str, version: str) -> None:
        """Go on only if ``set_alias`` would point an alias to a version.

        Raises:
            InvalidParameterValue: If the version is not approved as the alias needs it.
        """
        with self._store() as store:
            store.check_alias(name, alias, version)

    def delete_alias(self, name: str, alias: str) -> None:
        """Delete an alias."""
        with self._store() as store:
            store.delete_registered_model_alias(name, alias)

    def get_version_by_alias(self, name: str, alias: str) -> ModelVersionInfo:
        """The version that an alias points to."""
        with self._store() as store:
            return version_info(store.get_model_version_by_alias(name, alias))
