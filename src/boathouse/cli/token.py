"""``boathouse token``: print the token of a lake, or make one."""

from typing import Annotated

import httpx
import typer

from boathouse.cli import running
from boathouse.cli.errors import NotServed
from boathouse.cli.profile import Profiles, config_dir
from boathouse.cli.up import Root, fail, settings_from
from boathouse.errors import BoathouseError
from boathouse.storage.layout import Layout


def command(
    root: Root = None,
    days: Annotated[float | None, typer.Option(help="Make a new token that expires after so many days", min=0.0001)] = None,
    comment: Annotated[str, typer.Option(help="What the new token is for")] = "",
) -> None:
    """Print the token that is kept for a lake; with --days, make a new one that expires."""
    settings = settings_from(root=root)
    layout = Layout(settings.resolved_root)
    server = running.read(layout)
    kept = Profiles(config_dir(settings.config_dir)).token(layout.root)
    if server is None or kept is None:
        raise fail(NotServed(str(layout.root)))
    if days is None:
        typer.echo(kept)
        return
    answer = httpx.post(
        f"{server.base_url}/api/2.0/token/create",
        headers={"Authorization": f"Bearer {kept}"},
        json={"comment": comment, "lifetime_seconds": max(1, int(days * 86400))},
        timeout=10,
    )
    if answer.is_error:
        raise fail(BoathouseError(answer.json().get("message", answer.text)))
    typer.echo(answer.json()["token_value"])
