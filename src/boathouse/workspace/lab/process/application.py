"""Jupyter's server, set up so that it serves many and belongs to none."""

import threading
from typing import Any

from jupyter_client.provisioning.factory import KernelProvisionerFactory
from jupyter_server.serverapp import ServerApp
from traitlets.config import Config

from boathouse.kit.wire import Wire
from boathouse.workspace.lab.process.authorization import OwnOnly
from boathouse.workspace.lab.process.contents import WorkspaceContents
from boathouse.workspace.lab.process.identity import ServerIdentity
from boathouse.workspace.lab.process.kernels import Kernels, ServersKernel, Sessions, Specs
from boathouse.workspace.lab.process.page import page_config

_EXTENSIONS = {
    "boathouse.workspace.lab.process.extensions": True,
    "jupyter_server_fileid": True,
    **dict.fromkeys(
        ("jupyterlab", "jupyter_server_ydoc", "jupyter_lsp", "jupyter_server_terminals", "notebook_shim", "nbdime"), False
    ),
    **dict.fromkeys(
        ("jupyterlab_git", "notebook", "nbclassic", "voila", "jupyter_server_proxy", "jupyter_server_nbmodel"), False
    ),
}


class _Provisioners(KernelProvisionerFactory):
    """Knows ours, which needs no entry point."""

    def is_provisioner_available(self, kernel_spec: Any) -> bool:  # noqa: ARG002 - Jupyter's signature
        return True

    def create_provisioner_instance(self, kernel_id: str, kernel_spec: Any, parent: Any) -> ServersKernel:
        return ServersKernel(kernel_id=kernel_id, kernel_spec=kernel_spec, parent=parent)


class _Application(ServerApp):
    """Jupyter's server."""

    wire: Wire

    def init_signal(self) -> None:
        """The server ends it."""

    def _write_browser_open_files(self) -> None: ...

    def start_ioloop(self) -> None:
        """Tell where it listens, once it does: it is bound by the first thing that the loop does."""
        self.io_loop.add_callback(lambda: self.wire.send(port=self.port))
        super().start_ioloop()


def serve(told: dict[str, Any], wire: Wire) -> None:
    """Serve until the server says stop."""
    folder = told["folder"]
    config = Config()
    config.ServerApp.update(
        {
            "ip": "127.0.0.1",
            "port": 0,
            "port_retries": 0,
            "base_url": told["served_at"],
            "root_dir": folder,
            "open_browser": False,
            "allow_root": True,
            "allow_remote_access": True,
            "allow_unauthenticated_access": False,
            # The server's door has checked both: cookies and origins do not come this far.
            "disable_check_xsrf": True,
            "terminals_enabled": False,
            "quit_button": False,
            "log_level": "WARN",
            "identity_provider_class": ServerIdentity,
            "authorizer_class": OwnOnly,
            "contents_manager_class": WorkspaceContents,
            "kernel_manager_class": Kernels,
            "kernel_spec_manager_class": Specs,
            "session_manager_class": Sessions,
            "jpserver_extensions": dict(_EXTENSIONS),
            "websocket_compression_options": None,
            "tornado_settings": {"page_config_hook": page_config},
        }
    )
    config.ServerIdentity.update({"key": told["key"], "base_url": told["base_url"]})
    config.Kernels.update(
        {"default_kernel_name": "python3", "cull_idle_timeout": int(told["idle_seconds"]), "cull_interval": 30}
    )
    config.Specs.update({"ensure_native_kernel": False})
    config.BaseFileIdManager.db_path = ":memory:"
    config.OwnDocuments.update({"session_store_path": f"{folder}/runtime/sessions.json", "document_cleanup_delay": 30})
    KernelProvisionerFactory._instance = _Provisioners()  # noqa: SLF001 - a singleton  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]
    application: Any = _Application.instance(config=config)
    application.wire = wire
    application.initialize([])
    wire.listen()
    threading.Thread(target=_stop_when_told, args=(application, wire), name="stop", daemon=True).start()
    application.start()


def _stop_when_told(application: Any, wire: Wire) -> None:
    wire.stopping.wait()
    application.io_loop.add_callback(application.io_loop.stop)
