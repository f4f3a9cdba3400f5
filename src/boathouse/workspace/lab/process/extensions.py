"""JupyterLab and its co-editing, with what is each user's own kept apart."""

from pathlib import Path
from typing import Any

from jupyter_server.auth.decorator import authorized, ws_authenticated
from jupyter_server.base.handlers import APIHandler, JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from jupyter_server_ydoc.app import YDocExtension
from jupyter_server_ydoc.handlers import DocSessionHandler, YDocWebSocketHandler
from jupyter_server_ydoc.utils import MessageType, decode_file_path, room_id_from_encoded_path
from jupyterlab.labapp import LabApp
from jupyterlab_server.settings_handler import SettingsHandler
from jupyterlab_server.workspaces_handler import WorkspacesHandler, WorkspacesManager
from tornado import web
from tornado.websocket import WebSocketHandler

from boathouse.workspace.lab.process.identity import asker

_OURS = Path(__file__).parents[1] / "extension"
"""What is built with the page: comments, and git folders."""
_SYNC_ASK = 0
"""Of messages of the kind sync: asks for what is new. The others bring something."""


def _own_folder(shared: str, what: str) -> Path:
    """The asker's folder beside a shared one."""
    return Path(shared).parent / "users" / asker.get().folder / what


class OwnSettings(SettingsHandler):
    """Each user's settings."""

    async def prepare(self) -> None:
        """Take the asker's folder."""
        await super().prepare()
        if self.current_user is not None:
            folder = _own_folder(self.settings_dir, "settings")
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.settings_dir = str(folder)


class OwnWorkspaces(WorkspacesHandler):
    """Each user's arrangements of the page."""

    async def prepare(self) -> None:
        """Take the asker's folder."""
        await super().prepare()
        if self.current_user is not None:
            self.manager = WorkspacesManager(str(_own_folder(str(self.manager.workspaces_dir), "workspaces")))


class Silence(WebSocketMixin, WebSocketHandler, JupyterHandler):  # pyright: ignore[reportIncompatibleMethodOverride] - as Jupyter has it
    """Jupyter's events tell everybody of everybody's files: here they tell nothing."""

    auth_resource = "events"

    @ws_authenticated
    async def get(self, *arguments: Any, **named: Any) -> None:
        """Let a page listen."""
        await WebSocketHandler.get(self, *arguments, **named)

    def on_message(self, message: Any) -> None:
        """What is said is not heard."""


class NoFormats(APIHandler):
    """Into what a notebook is converted: the page downloads."""

    auth_resource = "nbconvert"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Into nothing."""
        await self.finish("{}")


class OwnLab(LabApp):
    """JupyterLab."""

    name = "jupyterlab"
    extension_manager = "readonly"
    expose_app_in_browser = False
    extra_labextensions_path = [str(_OURS)]  # noqa: RUF012 - a trait's value

    def initialize_handlers(self) -> None:
        """Put the handlers that keep users apart in the place of the shared ones."""
        super().initialize_handlers()
        own = {SettingsHandler: OwnSettings, WorkspacesHandler: OwnWorkspaces}
        self.handlers = [(one[0], own.get(one[1], one[1]), *one[2:]) for one in self.handlers]
        self.handlers[:0] = [(r"/api/events/subscribe", Silence), (r"/api/nbconvert", NoFormats)]


class OwnSession(DocSessionHandler):
    """Which room a document has, for those who may read it."""

    def document_path(self) -> str | None:
        """Of the document."""
        return self.path_args[0] if self.path_args else None


class OwnRoom(YDocWebSocketHandler):
    """A room for those who may read its document; what others than its writers bring does not enter."""

    may_write = False

    def document_path(self) -> str | None:
        """Of the document."""
        _, _, file_id = decode_file_path(room_id_from_encoded_path(self.request.path))
        return self.settings["file_id_manager"].get_path(file_id)

    async def open(self, room_id: str) -> None:
        """Note what the one who comes may do."""
        path = self.document_path()
        contents: Any = self.contents_manager
        self.may_write = path is not None and await contents.may_write(path)
        await super().open(room_id)

    async def on_message(self, message: Any) -> None:
        """Take what may be brought."""
        if not self.may_write and isinstance(message, bytes) and message:
            brings = message[0] == MessageType.SYNC and message[1:2] != bytes([_SYNC_ASK])
            if brings or message[0] not in {MessageType.SYNC, MessageType.AWARENESS}:
                return
        await super().on_message(message)


class OwnDocuments(YDocExtension):
    """Co-editing."""

    name = "jupyter_server_ydoc"

    def initialize_handlers(self) -> None:
        """Rooms, and which room a document has; forks and the past of a document are not served."""
        super().initialize_handlers()
        own = {YDocWebSocketHandler: OwnRoom, DocSessionHandler: OwnSession}
        self.handlers = [(one[0], own[one[1]], *one[2:]) for one in self.handlers if one[1] in own]


def _jupyter_server_extension_points() -> list[dict[str, Any]]:  # pyright: ignore[reportUnusedFunction]
    """What Jupyter's server loads."""
    return [
        {"module": "boathouse.workspace.lab.process.extensions", "app": OwnLab},
        {"module": "boathouse.workspace.lab.process.extensions", "app": OwnDocuments},
    ]
