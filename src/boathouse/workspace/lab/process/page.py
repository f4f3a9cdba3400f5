"""What JupyterLab's page is told: whose it is, and what of it is left out."""

from typing import Any

from boathouse.workspace.lab.process.identity import asker

_DISABLED = (
    # would tell everybody who is where, or ask for the past of documents
    "@jupyter/collaboration-extension:rtcGlobalAwareness",
    "@jupyter/collaboration-extension:rtcPanel",
    "@jupyter/collaboration-extension:shared-link",
    "@jupyter/docprovider-extension:statusBarTimeline",
    # would run what an output brings
    "@jupyterlab/javascript-extension:factory",
    # speak of what is not served
    "@jupyterlab/apputils-extension:announcements",
    "@jupyterlab/extensionmanager-extension",
    "@jupyterlab/filebrowser-extension:share-file",
    "@jupyterlab/fileeditor-extension:language-server",
    "@jupyterlab/lsp-extension",
    "@jupyterlab/notebook-extension:export",
    "@jupyterlab/notebook-extension:language-server",
    "@jupyterlab/notebook-extension:trust-status",
    "@jupyterlab/terminal-extension",
)


def page_config(handler: Any, config: dict[str, Any]) -> dict[str, Any]:
    """The page's configuration for who asks: it begins in the asker's folder."""
    del handler
    disabled = [*config.get("disabledExtensions", ()), *_DISABLED]
    return {
        # Folders of this machine are no business of the page's.
        **{key: value for key, value in config.items() if not key.endswith(("Dir", "labextensionsPath", "LabextensionsPath"))},
        "buildAvailable": False,
        "buildCheck": False,
        "disabledExtensions": list(dict.fromkeys(disabled)),
        "preferredPath": f"/Users/{asker.get().name}",
        "serverRoot": "",
    }
