"""``boathouse init``: a new project from a template."""

from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console

from boathouse.cli import running
from boathouse.cli.errors import NotServed
from boathouse.cli.profile import Profiles, config_dir
from boathouse.cli.up import Root, fail, settings_from
from boathouse.errors import BoathouseError, InvalidParameterValue
from boathouse.storage.layout import Layout
from boathouse.templates import answers, rendering, schema, sources
from boathouse.templates.errors import AnswerInvalid
from boathouse.templates.language import Value

_errors = Console(stderr=True, highlight=False, soft_wrap=True)


def command(
    template: Annotated[
        str, typer.Argument(help="Name of a built-in template, a folder, or the address of a git repository")
    ] = sources.DEFAULT,
    output_dir: Annotated[Path, typer.Option(help="Folder that the project goes to")] = Path(),
    config_file: Annotated[Path | None, typer.Option(help="JSON file with the answers; nothing is asked then")] = None,
    template_dir: Annotated[str | None, typer.Option(help="Folder of the template in the repository")] = None,
    branch: Annotated[str | None, typer.Option(help="Branch of the repository")] = None,
    tag: Annotated[str | None, typer.Option(help="Tag of the repository")] = None,
    root: Root = None,
) -> None:
    """Make a new project from a template; existing files are never overwritten."""
    try:
        if branch is not None and tag is not None:
            raise InvalidParameterValue("--branch and --tag exclude each other.")
        given = None if config_file is None else answers.read(config_file)
        with sources.opened(template, version=branch or tag, folder=template_dir) as folder:
            _make(folder, output_dir, given, OfServer(root))
    except BoathouseError as error:
        raise fail(error) from None


def _make(folder: Path, output_dir: Path, given: dict[str, Value] | None, workspace: "OfServer") -> None:
    questions = schema.read(folder)
    renderer = rendering.Renderer(folder, workspace)
    if questions.welcome:
        typer.echo(renderer.say("welcome_message", questions.welcome, {}))
    for name in answers.unknown(questions, given or {}):
        known = ", ".join(one.name for one in questions.properties)
        _errors.print(
            f"[bold yellow]Warning[/]: the template does not ask for {name}, so it has no effect. It asks for: {known}."
        )
    values = answers.resolve(questions, given or {}, renderer.say, _ask if given is None else None, _say_why)
    rendering.write(renderer.files(values), output_dir)
    typer.echo(renderer.say("success_message", questions.success or "The project has been made.", values))


def _ask(one: schema.Property, question: str, default: Value) -> str:
    valid = f" ({', '.join(str(value) for value in one.enum)})" if one.enum else ""
    shown = {True: "yes", False: "no"}.get(default, default) if isinstance(default, bool) else default
    found: Any = typer.prompt(f"{question.rstrip()}{valid}", default=shown, type=str)
    return str(found)


def _say_why(error: AnswerInvalid) -> None:
    _errors.print(f"{error.why}", style="yellow")


class OfServer:
    """What templates ask about the server and the user: answered by the server of a lake, once one asks."""

    def __init__(self, root: Path | None) -> None:
        self._root = root

    def host(self) -> str:
        """The server's address."""
        return str(self._client.base_url).rstrip("/")

    def user_name(self) -> str:
        """Who the lake's token belongs to."""
        return str(self._me.get("userName") or self._me["applicationId"])

    def is_service_principal(self) -> bool:
        """Whether that is a service principal."""
        return "userName" not in self._me

    def default_catalog(self) -> str:
        """The catalog of names without one."""
        return str(self._get("/api/2.1/unity-catalog/current-metastore-assignment")["default_catalog_name"])

    def smallest_node_type(self) -> str:
        """The first kind of machine that the server has."""
        return str(self._get("/api/2.1/clusters/list-node-types")["node_types"][0]["node_type_id"])

    @cached_property
    def _me(self) -> dict[str, Any]:
        return self._get("/api/2.0/preview/scim/v2/Me")

    @cached_property
    def _client(self) -> httpx.Client:
        settings = settings_from(root=self._root)
        layout = Layout(settings.resolved_root)
        server = running.read(layout)
        token = Profiles(config_dir(settings.config_dir)).token(layout.root)
        if server is None or token is None:
            raise NotServed(str(layout.root))
        return httpx.Client(base_url=server.base_url, headers={"Authorization": f"Bearer {token}"}, timeout=10)

    def _get(self, path: str) -> dict[str, Any]:
        answer = self._client.get(path)
        if answer.is_error:
            raise BoathouseError(answer.json().get("message", answer.text))
        found: dict[str, Any] = answer.json()
        return found
