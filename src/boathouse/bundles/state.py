"""The record of a deployment: a file in the workspace, which everybody who deploys the target reads and writes, and its lock."""

import datetime as dt
import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from boathouse.bundles.client import Client
from boathouse.bundles.errors import CallRefused, DeploymentLocked, StateUnreadable
from boathouse.kit.clock import now_ms
from boathouse.kit.ids import new_id

_VERSION = 1
_FILE, _LOCK = "deployment.json", "deploy.lock"


@dataclass(frozen=True)
class Deployed:
    """A resource as it was deployed.

    Attributes:
        id: The server's identifier.
        body: What was asked for.
        seen: What the server said right after; None if the deployment broke off before that.
        depends_on: The resources that the body refers to.
    """

    id: Any
    body: dict[str, Any]
    seen: dict[str, Any] | None
    depends_on: list[str] = field(default_factory=list[str])


@dataclass(frozen=True)
class State:
    """All that a deployment made.

    Attributes:
        lineage: Of the first deployment; another one's record is never written over it.
        serial: Grows with every write.
        resources: By ``kind.key``.
        files: Hashes by paths in the workspace.
        permissions: On the folder of the deployment.
        by: Who deployed last.
        at: When, in ms since the epoch.
    """

    lineage: str = ""
    serial: int = 0
    resources: dict[str, Deployed] = field(default_factory=dict[str, Deployed])
    files: dict[str, str] = field(default_factory=dict[str, str])
    permissions: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    by: str = ""
    at: int = 0


class StateFile:
    """Reads and writes the record.

    Args:
        client: The server.
        folder: The target's ``workspace.state_path``.
        user: Who deploys.
    """

    def __init__(self, client: Client, folder: str, user: str) -> None:
        self._client = client
        self._folder = folder
        self._user = user

    @property
    def path(self) -> str:
        """Where it is."""
        return f"{self._folder}/{_FILE}"

    def read(self) -> State:
        """The record, or an empty one.

        Raises:
            StateUnreadable: If the file is none that this version understands.
        """
        content = self._client.read_file(self.path)
        if content is None:
            return State()
        try:
            found = json.loads(content)
            if found.pop("version") != _VERSION:
                raise StateUnreadable(self.path, "it was written by a newer version.")
            resources = {key: Deployed(**one) for key, one in found.pop("resources").items()}
            return State(resources=resources, **found)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StateUnreadable(self.path, str(error)) from error

    def write(self, state: State) -> State:
        """Write the record with the next serial."""
        state = replace(state, lineage=state.lineage or new_id(), serial=state.serial + 1, by=self._user, at=now_ms())
        text = json.dumps({"version": _VERSION, **asdict(state)}, indent=1, sort_keys=True)
        self._client.write_file(self.path, text.encode())
        return state

    @contextmanager
    def locked(self, *, force: bool) -> Generator[None]:
        """Have the target for as long as the block runs.

        Raises:
            DeploymentLocked: If somebody else has it.
        """
        path = f"{self._folder}/{_LOCK}"
        own = json.dumps({"id": new_id(), "user": self._user, "since": now_ms()})
        self._client.make_folder(self._folder)
        try:
            self._client.write_file(path, own.encode(), overwrite=force)
        except CallRefused as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            raise self._held(path) from None
        # Two that came at the same moment see here whose it is.
        if self._client.read_file(path) != own.encode():
            raise self._held(path)
        try:
            yield
        finally:
            if self._client.read_file(path) == own.encode():
                self._client.delete_file(path)

    def _held(self, path: str) -> DeploymentLocked:
        try:
            found = json.loads(self._client.read_file(path) or b"{}")
        except ValueError:
            found = {}
        return DeploymentLocked(str(found.get("user", "Somebody")), _moment(found.get("since")), path)


def _moment(time_ms: Any) -> str:
    if not isinstance(time_ms, int):
        return "some time"
    return dt.datetime.fromtimestamp(time_ms / 1000, dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
