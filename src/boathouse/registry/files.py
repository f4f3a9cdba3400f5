"""What of MLflow's files the Files API serves: versions under ``/Models``, runs and logged models under ``/WorkspaceInternal``."""

import re
from collections.abc import Callable
from pathlib import Path

from sqlalchemy.orm import Session

from boathouse.catalog.api import Privilege
from boathouse.errors import InvalidParameterValue
from boathouse.iam.api import Principal
from boathouse.registry import artifacts
from boathouse.registry.artifacts import ArtifactPath
from boathouse.registry.backend import MlflowBackend
from boathouse.registry.context import acting_as
from boathouse.registry.errors import our_errors
from boathouse.storage.layout import Layout

MODELS = "/Models"
INTERNAL = "/WorkspaceInternal"

_MODEL = re.compile(rf"{MODELS}/([^/]+)/([^/]+)/([^/]+)/(\d+)(?:/(.*))?")
_INTERNAL = re.compile(rf"{INTERNAL}/Mlflow/Artifacts/(\d+)/(Runs|LoggedModels)/([^/]+)(?:/(.*))?")


def artifact_path(path: str) -> ArtifactPath:
    """Which of MLflow's files a path of the Files API is.

    Raises:
        InvalidParameterValue: If it is none.
    """
    found = _MODEL.fullmatch(path)
    if found is not None:
        catalog, schema, model, version, rest = found.groups(default="")
        folder = f"{artifacts.VERSIONS}/{catalog.lower()}/{schema.lower()}/{model.lower()}/{int(version)}"
        return ArtifactPath.parse(f"{folder}/{rest}".rstrip("/"))
    found = _INTERNAL.fullmatch(path)
    if found is not None:
        experiment, kind, holder, rest = found.groups(default="")
        folder = f"{experiment}/{holder}" if kind == "Runs" else f"{experiment}/models/{holder}"
        return ArtifactPath.parse(f"{folder}/{rest}".rstrip("/"))
    message = (
        f"The path {path} is not valid: give {MODELS}/<catalog>/<schema>/<model>/<version>/<path> or "
        f"{INTERNAL}/Mlflow/Artifacts/<experiment>/<Runs|LoggedModels>/<id>/<path>."
    )
    raise InvalidParameterValue(message, field="path")


def files_resolver(backend: MlflowBackend) -> Callable[[Session, Principal, Layout, str, Privilege], Path]:
    """The resolver of the prefixes ``/Models`` and ``/WorkspaceInternal`` for the Files API.

    Args:
        backend: MLflow.

    Returns:
        A function of session, principal, layout, path and privilege (WRITE VOLUME to write, else to read) to the file. It raises
        ``PermissionDenied`` without EXECUTE (or MANAGE to write) on the model, or for another's run, ``VersionIsFinal`` for a
        write to a complete version, and ``PathOutsideRoot`` for a path that leaves its folder.
    """

    def resolve(session: Session, principal: Principal, layout: Layout, path: str, privilege: Privilege) -> Path:
        del session
        found, write = artifact_path(path), privilege is Privilege.WRITE_VOLUME
        loaded = backend.wait()
        with acting_as(principal), our_errors():
            if found.holder == "version":
                loaded.registry.require_version_file(found, write=write)
            else:
                loaded.tracking.require_artifact(found, write=write)
        return artifacts.local_path(layout, found)

    return resolve
