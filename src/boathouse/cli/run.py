"""``boathouse run``: run something of the workspace on the running server, and show what it says meanwhile."""

import time
from collections.abc import Iterator
from typing import Annotated, Any

import httpx
import typer

from boathouse.cli import running
from boathouse.cli.errors import NotServed
from boathouse.cli.profile import Profiles, config_dir
from boathouse.cli.up import Root, fail, settings_from
from boathouse.errors import BoathouseError, InvalidParameterValue
from boathouse.storage.layout import Layout

_SECONDS = 0.2
_SUBMIT, _GET = "/api/2.2/jobs/runs/submit", "/api/2.2/jobs/runs/get"
_OUTPUT, _CANCEL = "/api/2.2/jobs/runs/get-output", "/api/2.2/jobs/runs/cancel"
_OVER = frozenset({"TERMINATED", "INTERNAL_ERROR", "SKIPPED"})

app = typer.Typer(
    name="run",
    help="Run something of the workspace on the running server.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _commands() -> None:
    """Keeps ``notebook`` a command of its own while it is the only one."""


@app.command("notebook")
def notebook(
    path: Annotated[str, typer.Argument(help="The notebook in the workspace, e.g. /Users/me/train")],
    parameter: Annotated[
        list[str] | None, typer.Option("-p", "--parameter", help="name=value of a widget; may be repeated")
    ] = None,
    root: Root = None,
) -> None:
    """Run a notebook as you, show its log as it grows, and print what it exits with; an interrupt cancels it."""
    settings = settings_from(root=root)
    layout = Layout(settings.resolved_root)
    server = running.read(layout)
    token = Profiles(config_dir(settings.config_dir)).token(layout.root)
    if server is None or token is None:
        raise fail(NotServed(str(layout.root)))
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=server.base_url, headers=headers, timeout=60) as client:
        try:
            given = dict(_pair(one) for one in parameter or ())
            output = _run(client, path, given)
        except BoathouseError as error:
            raise fail(error) from None
    if output.get("error"):
        typer.echo(output["error"], err=True)
        raise typer.Exit(1)
    result = (output.get("notebook_output") or {}).get("result")
    if result is not None:
        typer.echo(result)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        message = f"-p {text} is not valid. Valid is name=value."
        raise InvalidParameterValue(message, field="parameter")
    return name, value


def _run(client: httpx.Client, path: str, parameters: dict[str, str]) -> dict[str, Any]:
    """The output of the run."""
    task = {"task_key": "notebook", "notebook_task": {"notebook_path": path, "base_parameters": parameters}}
    run_id = _answer(client.post(_SUBMIT, json={"run_name": path, "tasks": [task]}))["run_id"]
    shown, output = 0, dict[str, Any]()
    try:
        for output in _outputs(client, run_id):
            logs = str(output.get("logs") or "")
            # Of a long log the server tells the end alone.
            typer.echo(logs[min(shown, len(logs)) :], nl=False)
            shown = len(logs)
    except KeyboardInterrupt:
        client.post(_CANCEL, json={"run_id": run_id})
        raise
    return output


def _outputs(client: httpx.Client, run_id: int) -> Iterator[dict[str, Any]]:
    """The output of a run while it goes on, and at its end."""
    while True:
        run = _answer(client.get(_GET, params={"run_id": run_id}))
        is_over = run["state"]["life_cycle_state"] in _OVER
        yield _answer(client.get(_OUTPUT, params={"run_id": run["tasks"][0]["run_id"]}))
        if is_over:
            return
        time.sleep(_SECONDS)


def _answer(answer: httpx.Response) -> dict[str, Any]:
    if answer.is_error:
        raise BoathouseError(answer.json().get("message", answer.text))
    return answer.json()
