"""What a process imports that is started before there is anything to run: what every notebook needs.

Not Spark's client, pandas or MLflow: a notebook may install versions of these, and what is imported stays as it is.
"""

import importlib

from boathouse.kit.loading import loading

WAIT = "--wait"
"""The argument that asks for it."""
_MODULES = ("confinement", "notebook", "report", "script", "shims")


def prepare() -> None:
    """Import it."""
    with loading():
        for name in _MODULES:
            importlib.import_module(f"boathouse.workspace.runtime.{name}")
        # IPython imports it when a shell is made.
        importlib.import_module("IPython.core.completer")
