"""``boathouse status``: whether a lake is served, and where."""

from typing import Annotated

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

console = Console(highlight=False, soft_wrap=True)


def command(
    root: Root = None,
    link: Annotated[bool, typer.Option("--link", help="Print a new one-time sign-in link only")] = False,
) -> None:
    """Tell whether a lake is served, where, and what runs in it."""
    settings = settings_from(root=root)
    layout = Layout(settings.resolved_root)
    server = running.read(layout)
    if server is None:
        raise fail(NotServed(str(layout.root)))
    token = Profiles(config_dir(settings.config_dir)).token(layout.root) or ""
    client = httpx.Client(base_url=server.base_url, headers={"Authorization": f"Bearer {token}"}, timeout=10)
    try:
        with client:
            if link:
                typer.echo(_ask(client, "POST", "/api/boathouse/v1/sign-in-links")["url"])
                return
            _show(client, server, layout)
    except httpx.HTTPError as error:
        raise fail(BoathouseError(f"The server at {server.base_url} does not answer: {error}")) from error


def _ask(client: httpx.Client, method: str, path: str) -> dict[str, str]:
    answer = client.request(method, path)
    if answer.is_error:
        body = answer.json()
        raise fail(BoathouseError(f"{body.get('error_code')}: {body.get('message')}"))
    found: dict[str, str] = answer.json()
    return found


def _show(client: httpx.Client, server: running.Running, layout: Layout) -> None:
    health = _ask(client, "GET", "/health")
    grid = Table.grid(padding=(0, 2))
    grid.add_row("server", f"{health['status']}, version {server.version}, process {server.pid}")
    grid.add_row("page", server.base_url)
    grid.add_row("spark", server.spark_remote)
    grid.add_row("lake", str(layout.root))
    console.print(grid)
    home = client.get("/api/boathouse/v1/home")
    if home.is_success:
        for stage in home.json()["stages"]:
            rows = "" if stage["rows"] is None else f"{stage['rows']:,} rows"
            console.print(f"  {stage['label']:<12}{stage['detail']:<24}{rows}")
