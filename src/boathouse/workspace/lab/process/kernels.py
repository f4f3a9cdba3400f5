"""Kernels and sessions: each is one principal's, and is started and ended by the server in its name."""

from contextlib import suppress
from typing import Any

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager, NoSuchKernel
from jupyter_client.provisioning.provisioner_base import KernelProvisionerBase
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from jupyter_server.services.sessions.sessionmanager import SessionManager
from tornado.web import HTTPError

from boathouse.workspace.lab.process.contents import workspace_path
from boathouse.workspace.lab.process.identity import Asker, asker
from boathouse.workspace.tree import JUPYTER

_KERNELS = "/api/boathouse/v1/lab/kernels"
_SIGNAL_INTERRUPT = 2
_LANGUAGES = {"python3": ("python", "Python"), "sql": ("sql", "SQL")}
_GONE = -9


class Specs(KernelSpecManager):
    """The kernels that are offered: those of the runtime."""

    def find_kernel_specs(self) -> dict[str, str]:
        """Their names; they have no files."""
        return dict.fromkeys(_LANGUAGES, "")

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """One of them."""
        if kernel_name not in _LANGUAGES:
            raise NoSuchKernel(kernel_name)
        language, shown = _LANGUAGES[kernel_name]
        return KernelSpec(
            argv=["-"],
            display_name=shown,
            language=language,
            interrupt_mode="signal",
            metadata={"supported_encryption": "curve"},
        )

    def get_all_specs(self) -> dict[str, Any]:
        """All of them."""
        return {name: {"resource_dir": "", "spec": self.get_kernel_spec(name).to_dict()} for name in _LANGUAGES}


class ServersKernel(KernelProvisionerBase):
    """A kernel's process, which is the server's."""

    def __init__(self, **named: Any) -> None:
        super().__init__(**named)
        self.owner: Asker = asker.get()
        self._id: str | None = None
        self._code: int | None = None

    @property
    def has_process(self) -> bool:
        """Whether there is one."""
        return self._id is not None

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """The environment of this process is none of the kernel's."""
        return {"cmd": [], "cwd": kwargs.get("cwd")}

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Have the server start it; in the place of one before it, it is spoken to in the same way."""
        del cmd
        path = str(kwargs.get("cwd") or "")
        manager: Any = self.parent
        language = _LANGUAGES[manager.kernel_name][0]
        body: dict[str, Any] = {"language": language}
        if path.endswith(JUPYTER):
            body["path"] = workspace_path(path)
        if self.connection_info:
            body["connection"] = {key: _text(value) for key, value in self.connection_info.items()}
        told = await self.owner.server.ask("POST", _KERNELS, body=body)
        self._id, self._code = told["kernel_id"], None
        self.connection_info = told["connection"]
        return {**told["connection"], "key": told["connection"]["key"].encode()}

    async def poll(self) -> int | None:
        """How it has ended; None while it runs."""
        if self._id is None or self._code is not None:
            return self._code
        try:
            self._code = (await self.owner.server.ask("GET", f"{_KERNELS}/{self._id}"))["exit_status"]
        except HTTPError as error:
            if error.status_code != 404:
                return None
            self._code = _GONE
        return self._code

    async def wait(self) -> int | None:
        """Its end; the server answers once it is there."""
        await self.kill()
        return self._code

    async def send_signal(self, signum: int) -> None:
        """Interrupt it; any other signal ends it."""
        if signum == 0 or self._id is None:
            return
        if signum == _SIGNAL_INTERRUPT:
            await self.owner.server.ask("POST", f"{_KERNELS}/{self._id}/interrupt")
        else:
            await self.kill()

    async def kill(self, restart: bool = False) -> None:
        """End it."""
        del restart
        if self._id is not None and self._code is None:
            with suppress(HTTPError):
                await self.owner.server.ask("DELETE", f"{_KERNELS}/{self._id}")
            self._code = _GONE

    async def terminate(self, restart: bool = False) -> None:
        """End it."""
        await self.kill(restart)

    async def cleanup(self, restart: bool = False) -> None:
        """Nothing is left."""


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


class Kernels(AsyncMappingKernelManager):
    """The kernels of all, of which each sees its own."""

    def owner_of(self, kernel_id: str) -> Asker | None:
        """Whose a kernel is."""
        kernel: Any = self._kernels.get(kernel_id)
        return getattr(getattr(kernel, "provisioner", None), "owner", None)

    def is_own(self, kernel_id: str) -> bool:
        """Whether a kernel is the asker's."""
        return self.owner_of(kernel_id) is asker.get()

    def cwd_for_path(self, path: str, **kwargs: Any) -> str:
        """The provisioner is told the notebook in the place of a folder: kernels know where theirs are."""
        del kwargs
        return path

    def list_kernels(self) -> list[dict[str, Any]]:
        """Those of the asker."""
        return [one for one in super().list_kernels() if self.is_own(one["id"])]


class Sessions(SessionManager):
    """Which notebook has which kernel: for each user its own, also where several edit one."""

    async def list_sessions(self) -> list[dict[str, Any]]:
        """Those of the asker."""
        kernels: Any = self.kernel_manager
        return [one for one in await super().list_sessions() if kernels.is_own(one["kernel"]["id"])]

    async def session_exists(self, path: str) -> bool:
        """Whether the asker has one for a notebook."""
        return any(one["path"] == path for one in await self.list_sessions())

    async def get_session(self, **kwargs: Any) -> dict[str, Any]:
        """One of the asker's."""
        named = {"session_id": "id"}
        for one in await self.list_sessions():
            facts = {**one, "kernel_id": one["kernel"]["id"]}
            if all(facts.get(named.get(key, key)) == value for key, value in kwargs.items()):
                return one
        asked = ", ".join(f"{key}={value!r}" for key, value in kwargs.items())
        raise HTTPError(404, f"Session not found: {asked}")
