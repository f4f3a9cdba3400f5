"""MLflow's model registry with the lake's rules: three-level names, privileges, approvals, and files that are the version's own."""

import re
import shutil
from contextlib import suppress
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from mlflow.entities.model_registry import ModelVersionDeploymentJobState, ModelVersionTag
from mlflow.entities.model_registry.model_version_status import ModelVersionStatus
from mlflow.exceptions import MlflowException
from mlflow.prompt.constants import IS_PROMPT_TAG_KEY
from mlflow.store.artifact.utils.models import _parse_model_uri  # pyright: ignore[reportPrivateUsage]
from mlflow.store.entities.paged_list import PagedList

from boathouse.catalog.api import Privilege, SecurableInfo
from boathouse.errors import BoathouseError, NotFound
from boathouse.kit.clock import now_ms
from boathouse.registry import artifacts
from boathouse.registry.context import acting_principal
from boathouse.registry.deployments import APPROVAL, Connection, Decision
from boathouse.registry.errors import (
    SourceInvalid,
    VersionIsFinal,
    VersionServed,
    mlflow_errors,
)
from boathouse.registry.governance import canonical
from boathouse.registry.info import ModelChange
from boathouse.registry.older_webhooks import MODEL_CREATED, TAG_SET, VERSION_CREATED
from boathouse.registry.signatures import require_signature
from boathouse.registry.specs import feature_spec
from boathouse.registry.stages import StagedStore, require_not_refused
from boathouse.registry.webhooks import ALIAS, CREATED, DELETED, MODEL, SET, TAG, VERSION

GATED_ALIAS = "champion"
_VERSION = re.compile(r"models:/+[^/]+/\d+")


class GovernedRegistryStore(StagedStore):
    """Registered models, their versions, aliases and tags; ``GovernedStore`` says what it is made of.

    Reading needs EXECUTE on the model, changing needs MANAGE (or its owner), a new version CREATE MODEL VERSION, a new model
    CREATE MODEL on the schema. Each version has its own copy of its files.
    """

    # ------------------------------------------------------------------------------------------------------- models

    def create_registered_model(
        self, name: Any, tags: Any = None, description: Any = None, deployment_job_id: Any = None
    ) -> Any:
        """Make a model and its securable."""
        made: list[Any] = []

        def create() -> None:
            self._change(full_name, None)  # what is left where MLflow's tables were written and the catalog's were not
            made.append(
                super(GovernedRegistryStore, self).create_registered_model(full_name, tags, description, deployment_job_id)
            )

        with mlflow_errors():
            full_name = canonical(name)
            if deployment_job_id:
                self._deployments.check_job(str(deployment_job_id))
            self._governance.register(full_name, description or None, create, self._change)
            if deployment_job_id:
                self._deployments.connect(full_name, str(deployment_job_id))
        self._tell(ModelChange("MODEL_CREATED", full_name))
        given = {one.key: one.value for one in tags or ()}
        self.told(MODEL, CREATED, name=full_name, tags=given, description=description or None)
        self.hooks.tell((MODEL_CREATED,), full_name, f"{acting_principal().name} has created the model '{full_name}'.")
        return self._connected(made)[0]

    def update_registered_model(self, name: Any, description: Any, deployment_job_id: Any = None) -> Any:
        """Change a model's description or deployment job; what is None stays, and the job "" is none."""
        with self._as(name, Privilege.MANAGE) as full_name:
            if deployment_job_id is not None:
                self._deployments.connect(full_name, str(deployment_job_id))
            if description is None:
                return self._connected([super().get_registered_model(full_name)])[0]
            self._governance.update(full_name, comment=description)
            return self._connected([super().update_registered_model(full_name, description)])[0]

    def _connected(self, models: list[Any]) -> list[Any]:
        """Models with their deployment jobs."""
        found = self._deployments.connections([model.name for model in models])
        for model in models:
            known = found.get(model.name, Connection())
            # The entity has no other way in.
            model._deployment_job_id, model._deployment_job_state = known.job_id, known.state  # noqa: SLF001
        return models

    def _deployed(self, versions: list[Any]) -> list[Any]:
        """Versions with what their deployment jobs do."""
        found = self._deployments.of_versions([(version.name, str(version.version)) for version in versions])
        for version in versions:
            known = found.get((version.name, str(version.version)))
            if known is not None:
                version._deployment_job_state = ModelVersionDeploymentJobState(  # noqa: SLF001
                    known.job_id, known.run_id, known.job_state, known.run_state, known.current_task_name
                )
        return versions

    def change_owner(self, name: str, owner: str) -> tuple[SecurableInfo, Any]:
        """Give a model to another principal or group; the model then, which may be no longer the giver's to read."""
        with self._as(name, Privilege.MANAGE) as full_name:
            known = self._connected([super().get_registered_model(full_name)])[0]
            return self._governance.update(full_name, owner=owner), known

    def rename_registered_model(self, name: Any, new_name: Any) -> Any:
        """Give a model another name in its schema."""
        with self._as(name, Privilege.MANAGE) as full_name:
            renamed = self._governance.rename(full_name, new_name)
            self.follow()
            return self._connected([super().get_registered_model(renamed)])[0]

    def delete_registered_model(self, name: Any) -> Any:
        """Delete a model, its versions and their files, unless an endpoint serves one."""
        with self._as(name, Privilege.MANAGE) as full_name:
            self._require_unused(full_name, None)
            self._governance.delete(full_name)
            self.follow()

    def _require_unused(self, name: str, version: str | None) -> None:
        endpoints = self._served(acting_principal(), name, version)
        if endpoints:
            raise VersionServed(name, version, endpoints)

    def get_registered_model(self, name: Any) -> Any:
        """A model."""
        with self._as(name, Privilege.EXECUTE) as full_name:
            return self._connected([super().get_registered_model(full_name)])[0]

    def search_registered_models(
        self, filter_string: Any = None, max_results: Any = None, order_by: Any = None, page_token: Any = None
    ) -> Any:
        """The models that the principal may read; a page may be short."""
        arguments = {} if max_results is None else {"max_results": max_results}
        with mlflow_errors():
            self.follow()
        found = super().search_registered_models(filter_string, order_by=order_by, page_token=page_token, **arguments)
        with mlflow_errors():
            readable = self._governance.readable(model.name for model in found)
            return PagedList(self._connected([model for model in found if model.name in readable]), found.token)

    def get_latest_versions(self, name: Any, stages: Any = None) -> Any:
        """The newest version of each stage."""
        with self._as(name, Privilege.EXECUTE) as full_name:
            return super().get_latest_versions(full_name, stages)

    def set_registered_model_tag(self, name: Any, tag: Any) -> Any:
        """Set a model's tag."""
        with self._as(name, Privilege.MANAGE) as full_name:
            return super().set_registered_model_tag(full_name, tag)

    def delete_registered_model_tag(self, name: Any, key: Any) -> Any:
        """Delete a model's tag."""
        with self._as(name, Privilege.MANAGE) as full_name:
            return super().delete_registered_model_tag(full_name, key)

    # ----------------------------------------------------------------------------------------------------- versions

    def create_model_version(
        self,
        name: Any,
        source: Any,
        run_id: Any = None,
        tags: Any = None,
        run_link: Any = None,
        description: Any = None,
        local_model_path: Any = None,
        model_id: Any = None,
    ) -> Any:
        """Make a version with a copy of the source's files."""
        del local_model_path
        with self._as(name, Privilege.CREATE_MODEL_VERSION) as full_name:
            if any(tag.key == IS_PROMPT_TAG_KEY and str(tag.value).lower() == "true" for tag in tags or []):
                return super().create_model_version(full_name, source, run_id or None, tags, run_link, description)
            path, found_run = self._source(source, model_id)
            folder = artifacts.local_path(self._layout, path)
            artifacts.require_model(folder)
            require_signature(folder)
            tags = _without_decisions(source, tags)
            version = self._new_version(full_name, source, run_id or found_run, tags, run_link, description)
            try:
                artifacts.copy_version(folder, artifacts.version_folder(self._layout, full_name, version))
            except BaseException:
                self._drop_version(full_name, version)
                raise
            return self._ready(full_name, version)

    def create_pending_version(
        self, name: str, source: str, *, run_id: str | None, tags: Any, description: str | None, model_id: str | None
    ) -> Any:
        """Make a version whose files the client uploads, and then finalizes."""
        with self._as(name, Privilege.CREATE_MODEL_VERSION) as full_name:
            known = f"models:/{model_id}" if model_id else source
            tags = _without_decisions(source, tags)
            version = self._new_version(full_name, known, run_id, tags, None, description)
            shutil.rmtree(artifacts.version_folder(self._layout, full_name, version), ignore_errors=True)
            return super().get_model_version(full_name, version)

    def finalize_version(self, name: str, version: str) -> Any:
        """Make a version complete: its files change no more."""
        with self._as(name, Privilege.CREATE_MODEL_VERSION) as full_name:
            self._require_own(full_name, version)
            folder = artifacts.version_folder(self._layout, full_name, version)
            if not (folder / artifacts.MLMODEL).is_file():
                message = (
                    f"Version {version} of '{full_name}' has no file MLmodel yet: upload the model's files, then finalize it."
                )
                raise NotFound(message)
            require_signature(folder)
            return self._ready(full_name, version)

    def _require_own(self, name: str, version: str) -> Any:
        """A version that is not complete yet, if the principal has begun it or has MANAGE."""
        made: Any = super().get_model_version(name, version)
        if (made.user_id or "") != acting_principal().name:
            self._governance.require(name, Privilege.MANAGE)
        return made

    def _ready(self, name: str, version: str) -> Any:
        """Make a version complete, and tell what it was trained on."""
        self._set_status(name, version, ModelVersionStatus.READY)
        made: Any = super().get_model_version(name, version)
        self._tell(ModelChange("MODEL_VERSION_READY", name, version))
        self.told(
            VERSION,
            CREATED,
            name=name,
            version=str(version),
            source=made.source,
            run_id=made.run_id or None,
            tags=dict(made.tags),
            description=made.description or None,
        )
        text = f"{acting_principal().name} has created version {version} of the model '{name}'."
        self.hooks.tell((VERSION_CREATED,), name, text, version=str(version))
        sources: list[str] = []
        if made.run_id:
            # A run that is gone, or not the principal's to see, tells of no inputs.
            with suppress(MlflowException, BoathouseError):
                inputs: Any = self._tracking.get_run(made.run_id).inputs
                sources = [one.dataset.source for one in inputs.dataset_inputs]
        with suppress(BoathouseError):
            spec = feature_spec(artifacts.version_folder(self._layout, name, version))
            self._lineage.trained(name, version, made.run_id or None, sources, spec)
        self._deployments.version_ready(name, version)
        return self._deployed([made])[0]

    def _new_version(self, name: str, source: str, run_id: str | None, tags: Any, run_link: Any, description: Any) -> str:
        words = [
            Decision(name, "", acting_principal().name, tag.key, str(tag.value))
            for tag in tags or ()
            if tag.key.lower().startswith(APPROVAL)
        ]
        if words:
            self._governance.require(name, Privilege.APPLY_TAG)
        for word in words:
            self._deployments.check_decision(word)
        # MLflow looks a source models:/... up with a client of its own; ours is known already, so it gets another here.
        made: Any = super().create_model_version(name, artifacts.SCHEME, run_id or None, tags, run_link, description)
        version = str(made.version)
        with self.ManagedSessionMaker(read_only=False) as session:
            row: Any = self._get_sql_model_version(session, name, int(version))
            row.source = source
            row.storage_location = artifacts.version_uri(name, version)
            row.status = ModelVersionStatus.to_string(ModelVersionStatus.PENDING_REGISTRATION)
            row.user_id = acting_principal().name
        for word in words:
            self._deployments.decided(replace(word, version=version))
        return version

    def _set_status(self, name: str, version: str, status: int) -> None:
        with self.ManagedSessionMaker(read_only=False) as session:
            row: Any = self._get_sql_model_version(session, name, int(version))
            row.status = ModelVersionStatus.to_string(status)
            row.last_updated_time = now_ms()

    def _drop_version(self, name: str, version: str) -> None:
        with self.ManagedSessionMaker(read_only=False) as session:
            session.delete(self._get_sql_model_version(session, name, int(version)))

    def _source(self, source: str, model_id: str | None) -> tuple[artifacts.ArtifactPath, str | None]:
        """Where a source's files lie, and of which run they are."""
        scheme = urlsplit(source).scheme
        if scheme == "models":
            parsed = _parse_model_uri(source)
            if parsed.model_id is not None:
                model = self._tracking.get_logged_model(parsed.model_id)
                return artifacts.path_of_uri(model.artifact_location), model.source_run_id
            if parsed.name is None or parsed.version is None:
                raise SourceInvalid(source)
            return artifacts.path_of_uri(self.get_model_version_download_uri(parsed.name, parsed.version)), None
        if scheme == "runs":
            run_id, _, rest = urlsplit(source).path.lstrip("/").partition("/")
            root: Any = self._tracking.get_run(run_id).info.artifact_uri
            return artifacts.path_of_uri(f"{root}/{rest}" if rest else root), run_id
        path = artifacts.path_of_uri(source)
        if path.holder == "version":
            self._governance.require(path.model_version[0], Privilege.EXECUTE)
        else:
            self._tracking.require_artifact(path, write=False)
        run = self._tracking.get_logged_model(model_id).source_run_id if model_id else None
        return path, run

    def update_model_version(self, name: Any, version: Any, description: Any = None) -> Any:
        """Change a version's description."""
        with self._as(name, Privilege.MANAGE) as full_name:
            return super().update_model_version(full_name, version, description)

    def delete_model_version(self, name: Any, version: Any) -> Any:
        """Delete a version and its files, unless an endpoint serves it."""
        with self._as(name, Privilege.MANAGE) as full_name:
            self._require_unused(full_name, str(version))
            super().delete_model_version(full_name, version)
            self._lineage.released(full_name, version)
            shutil.rmtree(artifacts.version_folder(self._layout, full_name, version), ignore_errors=True)

    def get_model_version(self, name: Any, version: Any) -> Any:
        """A version."""
        with self._as(name, Privilege.EXECUTE) as full_name:
            return self._deployed([super().get_model_version(full_name, version)])[0]

    def get_model_version_download_uri(self, name: Any, version: Any) -> Any:
        """Where a version's files are downloaded."""
        with self._as(name, Privilege.EXECUTE) as full_name:
            return super().get_model_version_download_uri(full_name, version)

    def search_model_versions(
        self, filter_string: Any = None, max_results: Any = None, order_by: Any = None, page_token: Any = None
    ) -> Any:
        """The versions of models that the principal may read; a page may be short."""
        arguments = {} if max_results is None else {"max_results": max_results}
        with mlflow_errors():
            self.follow()
        found = super().search_model_versions(filter_string, order_by=order_by, page_token=page_token, **arguments)
        with mlflow_errors():
            readable = self._governance.readable(version.name for version in found)
            return PagedList(self._deployed([version for version in found if version.name in readable]), found.token)

    def set_model_version_tag(self, name: Any, version: Any, tag: Any) -> Any:
        """Set a version's tag; those that begin with ``approval`` are decisions."""
        self._tag(name, version, str(tag.key), str(tag.value), "")

    def decide(self, name: str, version: str, task: str, value: str, reason: str, *, by_policy: bool = False) -> None:
        """Set the tag of an approval task, and say why."""
        self._tag(name, version, task, value, reason, by_policy=by_policy)

    def delete_model_version_tag(self, name: Any, version: Any, key: Any) -> Any:
        """Delete a version's tag."""
        self._tag(name, version, str(key), None, "")

    def _tag(self, name: Any, version: Any, key: str, value: str | None, reason: str, *, by_policy: bool = False) -> None:
        with self._as(name, Privilege.APPLY_TAG) as full_name:
            decision: Decision | None = None
            if key.lower().startswith(APPROVAL):
                author: str = super().get_model_version(full_name, version).user_id or ""
                decision = Decision(full_name, str(version), author, key, value, reason, by_policy)
                self._deployments.check_decision(decision)
            tag = {"name": full_name, "version": str(version), "key": key}
            if value is None:
                super().delete_model_version_tag(full_name, version, key)
                self.told(TAG, DELETED, **tag)
            else:
                super().set_model_version_tag(full_name, version, ModelVersionTag(key, value))
                self.told(TAG, SET, **tag, value=value)
                text = f"{acting_principal().name} has set the tag {key} of version {version} of the model '{full_name}'."
                self.hooks.tell((TAG_SET,), full_name, text, version=str(version), key=key, value=value)
            if decision is not None:
                self._deployments.decided(decision)

    # ------------------------------------------------------------------------------------------------------ aliases

    def set_registered_model_alias(self, name: Any, alias: Any, version: Any) -> Any:
        """Point an alias to a version; the champion must not be rejected, or wait for an approval."""
        with self._as(name, Privilege.MANAGE) as full_name:
            self._require_alias(full_name, str(alias), version)
            previous = self._points_to(full_name, str(alias))
            super().set_registered_model_alias(full_name, alias, version)
            self._deployments.alias_set(full_name, str(alias), str(version), previous)
            self._tell(ModelChange("MODEL_ALIAS_SET", full_name, str(version), str(alias)))
            self.told(ALIAS, CREATED, name=full_name, alias=str(alias), version=str(version))

    def check_alias(self, name: str, alias: str, version: str) -> None:
        """Go on only if ``set_registered_model_alias`` would."""
        with self._as(name, Privilege.MANAGE) as full_name:
            self._require_alias(full_name, alias, version)

    def _require_alias(self, full_name: str, alias: str, version: Any) -> None:
        known = super().get_model_version(full_name, version)
        if alias.lower() == GATED_ALIAS:
            require_not_refused(known, f"get the alias '{alias}'")
        self._deployments.check_alias(full_name, str(version), alias)

    def _points_to(self, full_name: str, alias: str) -> str | None:
        aliases: dict[str, Any] = super().get_registered_model(full_name).aliases
        return str(aliases[alias]) if alias in aliases else None

    def delete_registered_model_alias(self, name: Any, alias: Any) -> Any:
        """Delete an alias."""
        with self._as(name, Privilege.MANAGE) as full_name:
            previous = self._points_to(full_name, str(alias))
            super().delete_registered_model_alias(full_name, alias)
            self._deployments.alias_set(full_name, str(alias), None, previous)
            self.told(ALIAS, DELETED, name=full_name, alias=str(alias))

    def get_model_version_by_alias(self, name: Any, alias: Any) -> Any:
        """The version that an alias points to."""
        with self._as(name, Privilege.EXECUTE) as full_name:
            return super().get_model_version_by_alias(full_name, alias)

    # ------------------------------------------------------------------------------------------------------- files

    def require_version_file(self, path: artifacts.ArtifactPath, *, write: bool) -> None:
        """Go on only if the principal may read (or still write) a version's file.

        Raises:
            NotFound: If there is no such version.
            VersionIsFinal: If the version is complete and the file would change.
        """
        name, version = path.model_version
        with self._as(name, Privilege.CREATE_MODEL_VERSION if write else Privilege.EXECUTE) as full_name:
            if not write:
                # One whose files are there exists.
                if not artifacts.version_folder(self._layout, full_name, version).is_dir():
                    super().get_model_version(full_name, version)
                return
            made = self._require_own(full_name, version)
            if made.status == ModelVersionStatus.to_string(ModelVersionStatus.READY):
                raise VersionIsFinal(full_name, version)


def _without_decisions(source: str, tags: Any) -> Any:
    """The tags of a new version. Of a copy of another version those that decide about that one are left out, which ``copy_model_version`` sends along."""
    if _VERSION.fullmatch(source) is None:
        return tags
    return [tag for tag in tags or () if not tag.key.lower().startswith(APPROVAL)]
