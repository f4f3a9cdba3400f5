"""Where MLflow's files lie in the lake, under which names clients know them, and who may touch them.

``artifacts/<experiment>/<run>/artifacts/...``            a run's, written by its user, read by everybody
``artifacts/<experiment>/models/<model>/artifacts/...``   a logged model's, the same
``artifacts/<experiment>/traces/<trace>/artifacts/...``   a trace's
``artifacts/registered-models/<c>/<s>/<m>/<version>/...`` a version's own copy, which changes no more; read with EXECUTE
"""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias
from urllib.parse import unquote, urlsplit

from boathouse.errors import InvalidParameterValue
from boathouse.registry.errors import SourceInvalid
from boathouse.storage.errors import PathOutsideRoot
from boathouse.storage.layout import Layout
from boathouse.storage.paths import resolve_under

SCHEME = "mlflow-artifacts:/"
MLMODEL = "MLmodel"
"""The file by which a folder is a model."""
DATABRICKS = "dbfs:/databricks/mlflow-tracking/"
"""How clients with the tracking URI ``databricks`` know a run's artifacts."""

VERSIONS = "registered-models"

Holder: TypeAlias = Literal["run", "model", "trace", "version"]

_PATHS: tuple[tuple[Holder, re.Pattern[str]], ...] = (
    ("version", re.compile(rf"{VERSIONS}/(?P<id>[^/]+/[^/]+/[^/]+/\d+)(/|$)")),
    ("model", re.compile(r"(?P<experiment>\d+)/models/(?P<id>m-[0-9a-f]{32})(/|$)")),
    ("trace", re.compile(r"(?P<experiment>\d+)/traces/(?P<id>[\w-]+)(/|$)")),
    ("run", re.compile(r"(?P<experiment>\d+)/(?P<id>[0-9a-f]{32})(/|$)")),
)


@dataclass(frozen=True)
class ArtifactPath:
    """A path below the artifacts' folder.

    Attributes:
        holder: Whose file it is.
        holder_id: The run's, logged model's or trace's id, or ``catalog/schema/model/version``.
        path: Relative to the artifacts' folder.
    """

    holder: Holder
    holder_id: str
    path: str

    @property
    def model_version(self) -> tuple[str, str]:
        """Name and number of the version that holds the file."""
        catalog, schema, model, version = self.holder_id.split("/")
        return f"{catalog}.{schema}.{model}", version

    @classmethod
    def parse(cls, path: str) -> "ArtifactPath":
        """Whose a path is.

        Raises:
            PathOutsideRoot: If it has parts that lead elsewhere.
            InvalidParameterValue: If it is nobody's.
        """
        text = path
        while (decoded := unquote(text)) != text:
            text = decoded
        parts = text.split("/")
        if "\0" in text or "\\" in text or text.startswith("/") or ".." in parts or "." in parts:
            raise PathOutsideRoot(path)
        plain = "/".join(part for part in parts if part)
        for holder, pattern in _PATHS:
            match = pattern.match(plain)
            if match is not None:
                return cls(holder, match["id"], "/".join(part for part in path.split("/") if part))
        message = f"The artifact path {path!r} is not valid: it has to lie in a run, a logged model or a model version."
        raise InvalidParameterValue(message)


def model_folder(layout: Layout, name: str) -> Path:
    """The folder of the files of a model's versions."""
    return layout.artifacts.joinpath(VERSIONS, *name.split("."))


def version_folder(layout: Layout, name: str, version: str | int) -> Path:
    """The folder of a version's files."""
    return model_folder(layout, name) / str(int(version))


def version_uri(name: str, version: str | int) -> str:
    """The URI from which clients download a version."""
    return f"{SCHEME}{VERSIONS}/{name.replace('.', '/')}/{int(version)}"


def path_of_uri(uri: str) -> ArtifactPath:
    """The path behind an artifact URI of this server.

    Raises:
        SourceInvalid: If it is no URI of this server.
        PathOutsideRoot: If it has parts that lead elsewhere.
    """
    parts = urlsplit(uri)
    if parts.scheme != "mlflow-artifacts" or parts.netloc or parts.query or parts.fragment:
        raise SourceInvalid(uri)
    return ArtifactPath.parse(parts.path.lstrip("/"))


def local_path(layout: Layout, path: ArtifactPath) -> Path:
    """The file or folder of a path, links resolved and kept under the artifacts' folder."""
    return resolve_under(layout.artifacts, path.path)


def require_model(folder: Path) -> None:
    """Go on only if a folder holds a model.

    Raises:
        InvalidParameterValue: If it does not.
    """
    if not (folder / MLMODEL).is_file():
        message = "The source holds no model (it has no file MLmodel): log one with mlflow.<flavor>.log_model first."
        raise InvalidParameterValue(message)


def copy_version(source: Path, target: Path) -> None:
    """Copy a model's files to its version, whole or not at all. Links are not followed."""
    partial = target.with_name(f".{target.name}.copying")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.rmtree(target, ignore_errors=True)
    partial.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copytree(source, partial, symlinks=True)
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


_TO_DATABRICKS = re.compile(rb"mlflow-artifacts:/(\d+)(/models/(?=m-))?")
_FROM_DATABRICKS = re.compile(rb"dbfs:/databricks/mlflow-tracking/(\d+)(/logged_models/)?")


def to_databricks(body: bytes) -> bytes:
    """A JSON body with artifact URIs as clients with the tracking URI ``databricks`` understand them."""
    return _TO_DATABRICKS.sub(lambda m: DATABRICKS.encode() + m[1] + (b"/logged_models/" if m[2] else b""), body)


def from_databricks(body: bytes) -> bytes:
    """The same the other way round."""
    return _FROM_DATABRICKS.sub(lambda m: SCHEME.encode() + m[1] + (b"/models/" if m[2] else b""), body)
