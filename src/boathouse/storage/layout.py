"""The folders under the lake's root."""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from boathouse.storage.errors import RootNotWritable
from boathouse.storage.online_stores import StoreUrls


@dataclass(frozen=True)
class Layout:
    """The folders of one lake.

    Attributes:
        root: Absolute path of the lake.
        secret_key: Keys that secrets are encrypted with, with commas; None for those of the key file.
        online_stores: Where online feature stores are that are not files of the lake.
    """

    root: Path
    secret_key: str | None = field(default=None, repr=False)
    online_stores: Mapping[str, StoreUrls] = field(default_factory=dict[str, StoreUrls], repr=False, compare=False)

    @property
    def metadata_db(self) -> Path:
        """The SQLite file of the metadata, unless a database URL is set."""
        return self.root / "metadata.db"

    @property
    def tables(self) -> Path:
        """Managed Delta tables."""
        return self.root / "tables"

    @property
    def volumes(self) -> Path:
        """Managed volumes."""
        return self.root / "volumes"

    @property
    def artifacts(self) -> Path:
        """MLflow's artifacts and model files."""
        return self.root / "artifacts"

    @property
    def workspace(self) -> Path:
        """Notebooks and files of the users."""
        return self.root / "workspace"

    @property
    def dbfs(self) -> Path:
        """The DBFS root: files of everybody, beside the volumes."""
        return self.root / "dbfs"

    @property
    def git(self) -> Path:
        """What git keeps of the workspace's git folders, where code of users cannot change it."""
        return self.root / "git"

    @property
    def environments(self) -> Path:
        """Packages that notebooks and tasks have installed, by principal."""
        return self.root / "environments"

    @property
    def training(self) -> Path:
        """The code of runs of MLflow."""
        return self.root / "training"

    @property
    def jupyter(self) -> Path:
        """JupyterLab's own files: settings of its users, and nothing of the workspace."""
        return self.root / "jupyter"

    @property
    def checkpoints(self) -> Path:
        """State of streams, pipelines and the inference logs' spools."""
        return self.root / "checkpoints"

    @property
    def online(self) -> Path:
        """The online feature stores."""
        return self.root / "online"

    @property
    def logs(self) -> Path:
        """Logs of the server and its child processes."""
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """Lock, process identifiers and sockets of the running server."""
        return self.root / "run"

    @property
    def key_file(self) -> Path:
        """The keys that secrets are encrypted with, one a line, the newest first; made at the first use."""
        return self.root / "secrets.key"

    def create(self) -> None:
        """Make every folder that is missing, readable by this user alone.

        Raises:
            RootNotWritable: If the root cannot be made or written.
        """
        folders = (
            self.root,
            self.tables,
            self.volumes,
            self.artifacts,
            self.workspace,
            self.dbfs,
            self.git,
            self.environments,
            self.training,
            self.jupyter,
            self.checkpoints,
            self.online,
            self.logs,
            self.run,
        )
        try:
            for folder in folders:
                folder.mkdir(mode=0o700, parents=folder == self.root, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.root):
                pass
        except OSError as error:
            raise RootNotWritable(self.root, error) from error


def is_under(path: Path, folder: Path) -> bool:
    """Whether a path, links resolved, lies in a folder or is the folder."""
    resolved, base = os.path.realpath(path), os.path.realpath(folder)
    return resolved == base or resolved.startswith(base.rstrip(os.sep) + os.sep)
