"""The commands. Each lies in a module of its own, which is imported when it is asked for: some need much of the server."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from boathouse import __version__

COMMANDS: Mapping[str, str] = {
    "up": "Serve a lake: REST API, page, MLflow and Spark Connect in one process tree. Ctrl-C stops it.",
    "status": "Tell whether a lake is served, where, and what runs in it.",
    "doctor": "Check ports, disk, versions, folder rights, database and tables, and say what to do. Ends with 1 where something is bad.",
    "token": "Print the token that is kept for a lake; with --days, make a new one that expires.",
    "init": "Make a new project from a template; existing files are never overwritten.",
    "ship": "Make a project from a bare notebook: show what each cell becomes, ask, and write it.",
    "demo": "Run the whole loop on real flights: files, tables, features, model, endpoint, drift, alert. Then serve it.",
    "pins": "Show what holds versions of a table, or what a model or one of its versions holds.",
    "reproduce": "Train a model version again from its pinned tables in its locked environment, and compare the metrics.",
    "run": "Run something of the workspace on the running server.",
    "bundle": "Deploy a project's databricks.yml to a server.",
}
"""The name of each command, which is its module's, and the first line of its help."""


class _Commands(TyperGroup):
    """Imports a command when it is run; the list of them needs none."""

    _lists = False

    def list_commands(self, ctx: Any) -> list[str]:
        return [*COMMANDS, *super().list_commands(ctx)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        return _command(cmd_name, _nothing) if self._lists else _imported(cmd_name)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        self._lists = True
        super().format_help(ctx, formatter)


def _imported(name: str) -> Any:
    module: Any = import_module(f"boathouse.cli.{name}")
    group = getattr(module, "app", None)
    return _command(name, module.command) if group is None else typer.main.get_command(group)


def _command(name: str, does: Callable[..., None]) -> Any:
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    alone.command(name, help=COMMANDS[name] if does is _nothing else None)(does)
    return typer.main.get_command(alone)


def _nothing() -> None:
    """Stands for a command in the list."""


app = typer.Typer(
    name="boathouse",
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback()
def _group() -> None:
    """An open, self-hosted lakehouse MLOps platform: raw files to monitored models, on your machine first."""


@app.command("version")
def version() -> None:
    """Print the version."""
    typer.echo(__version__)
