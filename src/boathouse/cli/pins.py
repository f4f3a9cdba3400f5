"""``boathouse pins``: which versions of tables models hold, so that VACUUM keeps them."""

import datetime as dt
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.table import Table

from boathouse.cli import running
from boathouse.cli.errors import NotServed
from boathouse.cli.profile import Profiles, config_dir
from boathouse.cli.up import Root, fail, settings_from
from boathouse.errors import BoathouseError
from boathouse.storage.layout import Layout


def command(
    name: Annotated[str, typer.Argument(help="A table, catalog.schema.table, or a model, models:/catalog.schema.model/3")],
    root: Root = None,
) -> None:
    """Show what holds versions of a table, or what a model or one of its versions holds."""
    settings = settings_from(root=root)
    layout = Layout(settings.resolved_root)
    server = running.read(layout)
    token = Profiles(config_dir(settings.config_dir)).token(layout.root)
    if server is None or token is None:
        raise fail(NotServed(str(layout.root)))
    with httpx.Client(base_url=server.base_url, headers={"Authorization": f"Bearer {token}"}, timeout=60) as client:
        asked = _asked(name)
        pins = _told(client.get("/api/boathouse/v1/pins", params=asked))["pins"]
        if not pins and "model_version" in asked:
            # A version that holds nothing, or none.
            _told(client.get(f"/api/2.1/unity-catalog/models/{asked['model_name']}/versions/{asked['model_version']}"))
    _show(name, pins)


def _told(answer: httpx.Response) -> dict[str, Any]:
    """What the server has answered; its error ends the command."""
    told: dict[str, Any] = answer.json()
    if answer.is_error:
        error = BoathouseError(told.get("message", answer.text))
        error.error_code = told.get("error_code", error.error_code)
        raise fail(error)
    return told


def _asked(name: str) -> dict[str, str]:
    if not name.startswith("models:/"):
        return {"table_name": name}
    model, _, version = name.removeprefix("models:/").partition("/")
    return {"model_name": model} | ({"model_version": version} if version else {})


def _show(name: str, pins: list[dict[str, Any]]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    if not pins:
        console.print(f"Nothing is held: {name}")
        return
    grid = Table.grid(padding=(0, 2))
    grid.add_row("TABLE", "VERSION", "HELD BY", "SINCE (UTC)")
    for pin in pins:
        holder = "a model that you may not read" if pin["model"] is None else f"models:/{pin['model']}/{pin['model_version']}"
        since = dt.datetime.fromtimestamp(pin["pinned_at"] / 1000, dt.UTC)
        table = f"{pin['table']} (dropped)" if pin["is_dropped"] else pin["table"]
        grid.add_row(table, str(pin["table_version"]), holder, f"{since:%Y-%m-%d %H:%M}")
    console.print(grid)
