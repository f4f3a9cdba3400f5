"""The server that a bundle is deployed to: which one, with whose token, and calls of its REST API."""

import configparser
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from boathouse.bundles.errors import CallRefused, EndpointMissing, NotConnected

Body = Mapping[str, Any]
_RETRY_SECONDS = 30
_AUTH = (
    "auth_type",
    "client_id",
    "azure_client_id",
    "azure_environment",
    "azure_login_app_id",
    "azure_tenant_id",
    "azure_use_msi",
    "azure_workspace_resource_id",
    "google_service_account",
)
_SAME_HOSTS = {"localhost": "127.0.0.1", "[::1]": "127.0.0.1"}


@dataclass(frozen=True)
class Local:
    """The server of this machine that the other commands use: its address, its token, and the file of profiles."""

    host: str
    token: str


class Client:
    """Calls of the REST API.

    Args:
        config: Whose, and where: databricks-sdk's.
    """

    def __init__(self, config: Any) -> None:
        # The SDK takes more than a second to load, and every command loads this module.
        from databricks.sdk.core import ApiClient  # noqa: PLC0415

        self._api = ApiClient(config)
        self.host = str(config.host).rstrip("/")

    def call(self, method: str, path: str, body: Any = None, query: Body | None = None, **more: Any) -> dict[str, Any]:
        """Call and give the answer.

        Raises:
            EndpointMissing: If there is no such endpoint.
            CallRefused: If the server refuses.
            NotConnected: If it does not answer.
        """
        answer = self._do(method, path, query=dict(query) if query else None, body=body, **more)
        return answer if isinstance(answer, dict) else {}

    def _do(self, method: str, path: str, **given: Any) -> Any:
        from databricks.sdk.errors.base import DatabricksError  # noqa: PLC0415

        try:
            return self._api.do(method, path, **given)
        except DatabricksError as error:
            code = str(getattr(error, "error_code", "") or "INTERNAL_ERROR")
            kind = EndpointMissing if code == "ENDPOINT_NOT_FOUND" else CallRefused
            # The SDK adds how it was configured, which says nothing to who lacks a permission.
            text = str(error).partition(". Config: ")[0] if code == "PERMISSION_DENIED" else str(error)
            raise kind("", code, text) from error
        except (OSError, TimeoutError) as error:
            message = f"The server {self.host} does not answer: {error}"
            raise NotConnected(message) from error

    def find(self, method: str, path: str, query: Body | None = None) -> dict[str, Any] | None:
        """The answer, or None where there is no such thing."""
        try:
            return self.call(method, path, query=query)
        except CallRefused as error:
            if error.is_missing:
                return None
            raise

    def has(self, method: str, path: str) -> bool:
        """Whether there is such an endpoint. A POST has a list for a body, which none takes, so nothing happens."""
        try:
            self.call(method, path, body=[] if method == "POST" else None)
        except EndpointMissing:
            return False
        except CallRefused:
            return True
        return True

    def read_file(self, path: str) -> bytes | None:
        """A file of the workspace, or None."""
        query = {"path": path, "format": "AUTO", "direct_download": "true"}
        try:
            found = self._do("GET", "/api/2.0/workspace/export", query=query, raw=True)
        except CallRefused as error:
            if error.is_missing:
                return None
            raise CallRefused(path, error.error_code, error.message) from error
        with found["contents"] as stream:
            content: bytes = stream.read()
        return content

    def write_file(self, path: str, content: bytes, *, overwrite: bool = True) -> None:
        """Write a file or notebook of the workspace."""
        data = {"path": path, "format": "AUTO"} | ({"overwrite": "true"} if overwrite else {})
        try:
            self.call("POST", "/api/2.0/workspace/import", files={"content": content}, data=data)
        except CallRefused as error:
            raise CallRefused(path, error.error_code, error.message) from error

    def make_folder(self, path: str) -> None:
        """Make a folder of the workspace and those above it."""
        self.call("POST", "/api/2.0/workspace/mkdirs", {"path": path})

    def delete_file(self, path: str, *, recursive: bool = False) -> None:
        """Delete something of the workspace, if it is there."""
        try:
            self.call("POST", "/api/2.0/workspace/delete", {"path": path, "recursive": recursive})
        except CallRefused as error:
            if not error.is_missing:
                raise


def quoted(name: Any) -> str:
    """A name as one part of a path."""
    return quote(str(name), safe="")


def connect(
    workspace: Mapping[str, Any], *, host: str | None, profile: str | None, local: Local | None, profiles: Path
) -> Client:
    """The client for a target's workspace; the arguments are those of ``server_for``.

    Raises:
        NotConnected: If it is not clear which server is meant, or there is no token for it.
    """
    from databricks.sdk.core import Config  # noqa: PLC0415

    given = server_for(workspace, host=host, profile=profile, local=local, profiles=profiles)
    try:
        return Client(Config(retry_timeout_seconds=_RETRY_SECONDS, **given))
    except ValueError as error:
        message = (
            f"There are no credentials for {given.get('host', 'a server')}: {error}. Start one with boathouse up, set DATABRICKS_HOST "
            "and DATABRICKS_TOKEN, or give workspace.host and a profile."
        )
        raise NotConnected(message) from error


def server_for(
    workspace: Mapping[str, Any], *, host: str | None, profile: str | None, local: Local | None, profiles: Path
) -> dict[str, Any]:
    """Which server is meant and how to sign in there, as databricks-sdk takes it; what is not named it finds itself.

    Args:
        workspace: The target's ``workspace``.
        host: What the command line says, which wins.
        profile: The same.
        local: The running server of this machine.
        profiles: The file of profiles that ``boathouse up`` keeps.

    Raises:
        NotConnected: If the target and the environment mean different servers.
    """
    wanted = _address(host or workspace.get("host"))
    named = profile or workspace.get("profile")
    environment = _address(os.environ.get("DATABRICKS_HOST"))
    if wanted and environment and host is None and not _same(wanted, environment):
        message = f"The target's workspace.host is {wanted}, but DATABRICKS_HOST is {environment}. Unset DATABRICKS_HOST, or say --host."
        raise NotConnected(message)
    given: dict[str, Any] = {key: workspace[key] for key in _AUTH if workspace.get(key) is not None}
    if wanted:
        given["host"] = wanted
    if named:
        return {**given, "profile": named}
    if environment and (not wanted or _same(wanted, environment)):
        return {"host": environment, **given}
    if local is not None and (not wanted or _same(wanted, local.host)):
        return {"host": local.host, "token": local.token, "auth_type": "pat"}
    if wanted:
        for file in (Path(os.environ.get("DATABRICKS_CONFIG_FILE") or Path.home() / ".databrickscfg"), profiles):
            section = _section(file, wanted)
            if section is not None:
                return {**given, "profile": section, "config_file": str(file)}
    return given


def _address(host: str | None) -> str | None:
    if not host:
        return None
    text = host if "://" in host else f"https://{host}"
    return text.rstrip("/")


def _same(one: str, other: str) -> bool:
    parts = [urlsplit(text) for text in (one, other)]
    hosts = [_SAME_HOSTS.get(part.netloc.rpartition(":")[0] or part.netloc, part.hostname) for part in parts]
    return hosts[0] == hosts[1] and parts[0].port == parts[1].port and parts[0].scheme == parts[1].scheme


def _section(file: Path, host: str) -> str | None:
    """The profile of a host."""
    found = configparser.ConfigParser(interpolation=None)
    try:
        found.read(file)
    except configparser.Error:
        return None
    names = [*found.sections(), *(["DEFAULT"] if found.defaults() else [])]
    for name in names:
        address = _address(found.get(name, "host", fallback=None))
        if address is not None and _same(address, host):
            return name
    return None
