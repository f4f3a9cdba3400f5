"""``boathouse bundle``: a project's ``databricks.yml`` checked, compared, deployed, run and taken away again."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console

from boathouse.bundles.api import Bundle, Where, open_bundle, selected
from boathouse.bundles.checking import Problems
from boathouse.bundles.client import Local
from boathouse.bundles.json_schema import json_schema
from boathouse.bundles.kinds import all_fields
from boathouse.bundles.plan import Action, Plan, Step
from boathouse.bundles.project import Options
from boathouse.bundles.runs import key_of, run_job, run_pipeline
from boathouse.bundles.state import State
from boathouse.cli import running
from boathouse.cli.profile import Profiles, config_dir
from boathouse.cli.up import Root, fail, settings_from
from boathouse.errors import BoathouseError, InvalidParameterValue
from boathouse.storage.layout import Layout

app = typer.Typer(
    name="bundle",
    help="Deploy a project's databricks.yml to a server.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Target = Annotated[str | None, typer.Option("-t", "--target", help="Which target [default: the one that is the default]")]
Variables = Annotated[list[str] | None, typer.Option("--var", help="name=value of a variable; may be repeated")]
Folder = Annotated[Path | None, typer.Option("--project", help="Folder of the project [default: this one or one above]")]
Host = Annotated[str | None, typer.Option("--host", help="The server, instead of the target's workspace.host")]
Profile = Annotated[str | None, typer.Option("-p", "--profile", help="Profile of the server in ~/.databrickscfg")]
Output = Annotated[Literal["text", "json"], typer.Option("-o", "--output", help="How to tell it")]
Approve = Annotated[bool, typer.Option("--auto-approve", help="Do not ask")]
Force = Annotated[bool, typer.Option("--force", help="Deploy from another git branch than the target's too")]
ForceLock = Annotated[bool, typer.Option("--force-lock", help="Take the lock of a deployment that was broken off")]

_MARKS = {
    Action.CREATE: "[green]+[/]",
    Action.UPDATE: "[yellow]~[/]",
    Action.RECREATE: "[red]±[/]",
    Action.DELETE: "[red]-[/]",
}
_console = Console(soft_wrap=True, highlight=False)
_MOST = 300
_NOTHING = "Nothing to do: all is as the bundle says."


@contextmanager
def _told() -> Generator[None]:
    """Errors as messages."""
    try:
        yield
    except BoathouseError as error:
        error.message = error.message.replace("[", "\\[")
        raise fail(error) from None


def _open(
    target: str | None,
    variables: list[str] | None,
    folder: Path | None,
    host: str | None,
    profile: str | None,
    root: Path | None,
    **options: Any,
) -> Bundle:
    problems = Problems()
    try:
        chosen = selected(folder or Path.cwd(), target, problems)
        settings = settings_from(root=root)
        layout = Layout(settings.resolved_root)
        server = running.read(layout)
        profiles = Profiles(config_dir(settings.config_dir))
        token = profiles.token(layout.root)
        local = Local(server.base_url, token) if server is not None and token is not None else None
        given = dict(_pair(one, "--var") for one in variables or ())
        where = Where(host, profile, local, profiles.path)
        return open_bundle(chosen, where, Options(given, say=_say_aside, **options), problems)
    finally:
        _warn(problems)


def _warn(problems: Problems) -> None:
    for at, text in problems.warnings:
        typer.echo(f"Warning: {at}: {text}", err=True)
    problems.warnings.clear()


def _pair(text: str, option: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        message = f"{option} {text} is not valid. Valid is name=value."
        raise InvalidParameterValue(message, field=option)
    return name, value


def _say_aside(text: str) -> None:
    typer.echo(text, err=True)


@app.command("validate")
def validate(
    target: Target = None,
    var: Variables = None,
    project: Folder = None,
    host: Host = None,
    profile: Profile = None,
    output: Output = "text",
    force: Force = False,
    root: Root = None,
) -> None:
    """Check a bundle, and tell what it is for a target once every value is known; nothing is changed."""
    with _told():
        bundle = _open(target, var, project, host, profile, root, force=force)
    if output == "json":
        typer.echo(json.dumps(bundle.project.root.plain(), indent=2))
        return
    found = bundle.project
    typer.echo(f"Name: {found.name}\nTarget: {found.target}\nServer: {bundle.client.host}\nUser: {found.user.name}")
    typer.echo(
        f"Path: {found.workspace['root_path']}\nResources: {len(found.resources)}, files: {len(found.files)}\nThe bundle is valid."
    )


@app.command("plan")
def plan(
    target: Target = None,
    var: Variables = None,
    project: Folder = None,
    host: Host = None,
    profile: Profile = None,
    output: Output = "text",
    force: Force = False,
    root: Root = None,
) -> None:
    """Tell what a deployment would do, field by field, and what has been changed on the server since the last one."""
    with _told():
        bundle = _open(target, var, project, host, profile, root, force=force, build=True)
        found = bundle.plan()
    if output == "json":
        typer.echo(json.dumps(found.to_json(), indent=2))
    else:
        _show(bundle, found)


def _show(bundle: Bundle, found: Plan) -> None:
    project = bundle.project
    _console.print(f"Bundle {project.name}, target {project.target}, {bundle.client.host}", markup=False)
    for step in found.steps:
        if step.action is not Action.UNCHANGED:
            _show_step(step)
    files = found.files
    if files.upload or files.delete:
        _console.print(f"  files: {len(files.upload)} to upload, {len(files.delete)} to delete, {files.unchanged} unchanged")
    for change in found.permissions:
        _console.print(f"  folder: {change.path}: {_short(change.old)} → {_short(change.new)}", markup=False)
    counts = {action: sum(one.action is action for one in found.steps) for action in Action}
    told = ", ".join(f"{count} to {action}" for action, count in counts.items() if action is not Action.UNCHANGED and count)
    _console.print(_NOTHING if found.is_empty else f"Plan: {told or 'no resource changes'}")


def _show_step(step: Step) -> None:
    _console.print(f"  {_MARKS[step.action]} [bold]{step.resource}[/]", end="")
    why = f" ({step.reason})" if step.reason else ""
    _console.print(f"  {step.action}  {step.title}{why}", markup=False)
    if step.loses and step.action in {Action.DELETE, Action.RECREATE}:
        _console.print(f"      [red]loses {step.loses}[/]")
    for change in step.changes:
        _console.print(f"      {change.path}: {_short(change.old)} → {_short(change.new)}", markup=False)
    for change in step.drift:
        text = f"      changed on the server: {change.path}: {_short(change.old)} → {_short(change.new)}; is put back"
        _console.print(text, markup=False)


def _short(value: Any) -> str:
    text = "none" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MOST else f"{text[:_MOST]}…"


@app.command("deploy")
def deploy(
    target: Target = None,
    var: Variables = None,
    project: Folder = None,
    host: Host = None,
    profile: Profile = None,
    auto_approve: Approve = False,
    force: Force = False,
    force_lock: ForceLock = False,
    root: Root = None,
) -> None:
    """Upload the project's files and make, change and delete its resources, so that the server is as the bundle says."""

    def consent(found: Plan) -> bool:
        _show(bundle, found)
        lost = [one for one in found.losses if one.loses and not one.reason.startswith("it is gone")]
        return auto_approve or not lost or _confirmed("This loses data. Go on?")

    with _told():
        bundle = _open(target, var, project, host, profile, root, force=force, build=True)
        done = bundle.deploy(consent, typer.echo, force_lock=force_lock)
    if done is None:
        typer.echo("Not deployed.")
        raise typer.Exit(1)
    typer.echo(_NOTHING if done.is_empty else "Deployed.")


def _confirmed(question: str) -> bool:
    try:
        return typer.confirm(question, default=False)
    except typer.Abort:
        typer.echo("\nNobody answered. Where nobody can, say --auto-approve.")
        return False


@app.command("run")
def run(
    key: Annotated[str, typer.Argument(help="Key of a job or pipeline of the bundle, or kind and key: jobs.train")],
    target: Target = None,
    params: Annotated[
        list[str] | None, typer.Option("--params", help="name=value of the run's parameters, with commas; may be repeated")
    ] = None,
    only: Annotated[list[str] | None, typer.Option("--only", help="Run this task alone; may be repeated")] = None,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Do not wait for its end")] = False,
    notebook_params: Annotated[
        list[str] | None, typer.Option("--notebook-params", help="name=value of the notebooks' widgets; may be repeated")
    ] = None,
    refresh: Annotated[
        list[str] | None, typer.Option("--refresh", help="Of a pipeline: this table alone; may be repeated")
    ] = None,
    full_refresh: Annotated[
        list[str] | None, typer.Option("--full-refresh", help="Of a pipeline: this table anew; may be repeated")
    ] = None,
    validate_only: Annotated[bool, typer.Option("--validate-only", help="Of a pipeline: only check it")] = False,
    full_refresh_all: Annotated[bool, typer.Option("--full-refresh-all", help="Of a pipeline: all its tables anew")] = False,
    var: Variables = None,
    project: Folder = None,
    host: Host = None,
    profile: Profile = None,
    root: Root = None,
) -> None:
    """Run a job or pipeline as it was deployed last, and tell its state until it ends; the status is 1 if it fails."""
    with _told():
        given = dict(_pair(one, "--params") for text in params or () for one in text.split(","))
        bundle = _open(target, var, project, host, profile, root, force=True)
        deployed = bundle.state.resources
        name = key_of(key, list(deployed))
        identifier = deployed[name].id
        if name.startswith("jobs."):
            widgets = dict(_pair(one, "--notebook-params") for one in notebook_params or ())
            more = {"job_parameters": given, "notebook_params": widgets, "only": only}
            succeeded = run_job(bundle.client, identifier, more, typer.echo, wait=not no_wait)
        else:
            options: dict[str, Any] = {"full_refresh": full_refresh_all, "validate_only": validate_only, "cause": "USER_ACTION"}
            more = {"parameters": given, "refresh_selection": refresh, "full_refresh_selection": full_refresh}
            options |= {field: value for field, value in more.items() if value}
            succeeded = run_pipeline(bundle.client, identifier, options, typer.echo, wait=not no_wait)
    if not succeeded:
        raise typer.Exit(1)


@app.command("summary")
def summary(
    target: Target = None,
    var: Variables = None,
    project: Folder = None,
    host: Host = None,
    profile: Profile = None,
    output: Output = "text",
    root: Root = None,
) -> None:
    """Tell a bundle's resources with their identifiers and pages."""
    with _told():
        bundle = _open(target, var, project, host, profile, root, force=True)
        state = bundle.state
        found = bundle.summary()
    told = bundle.project
    if output == "json":
        facts = {"name": told.name, "target": told.target, "host": bundle.client.host, "serial": state.serial}
        typer.echo(json.dumps({**facts, "workspace": dict(told.workspace), "resources": found}, indent=2))
        return
    typer.echo(f"Name: {told.name}\nTarget: {told.target}\nServer: {bundle.client.host}\nPath: {told.workspace['root_path']}")
    for one in found:
        typer.echo(f"  {one['resource']}  {one['name'] or ''}\n    {one.get('url') or one.get('id') or 'not deployed'}")


@app.command("bind")
def bind(
    key: Annotated[str, typer.Argument(help="Key of a resource of the bundle, or kind and key: jobs.train")],
    identifier: Annotated[str, typer.Argument(metavar="ID", help="Of what is on the server: a job's number, a full name ...")],
    target: Target = None,
    var: Variables = None,
    project: Folder = None,
    host: Host = None,
    profile: Profile = None,
    force_lock: ForceLock = False,
    root: Root = None,
) -> None:
    """Take something that is on the server already for a resource of the bundle; the next deployment changes it."""
    with _told():
        bundle = _open(target, var, project, host, profile, root, force=True)
        name = bundle.bind(key, identifier, force_lock=force_lock)
    typer.echo(f"{name} is {identifier} from now on. What deploying changes of it: boathouse bundle plan")


@app.command("unbind")
def unbind(
    key: Annotated[str, typer.Argument(help="Key of a resource that is deployed, or kind and key: jobs.train")],
    target: Target = None,
    var: Variables = None,
    project: Folder = None,
    host: Host = None,
    profile: Profile = None,
    force_lock: ForceLock = False,
    root: Root = None,
) -> None:
    """Forget a resource, which stays on the server as it is."""
    with _told():
        bundle = _open(target, var, project, host, profile, root, force=True)
        name = bundle.unbind(key, force_lock=force_lock)
    typer.echo(f"{name} is not this deployment's any more.")


@app.command("schema")
def schema() -> None:
    """Print a JSON Schema of databricks.yml, by which editors complete and check it."""
    typer.echo(json.dumps(json_schema(all_fields()), indent=1))


@app.command("destroy")
def destroy(
    target: Target = None,
    var: Variables = None,
    project: Folder = None,
    host: Host = None,
    profile: Profile = None,
    auto_approve: Approve = False,
    force_lock: ForceLock = False,
    root: Root = None,
) -> None:
    """Delete everything that was deployed to a target, with its files."""

    def consent(state: State) -> bool:
        typer.echo(f"To be deleted from {bundle.client.host}:")
        for name in state.resources:
            typer.echo(f"  {name}")
        typer.echo(f"  {bundle.project.workspace['root_path']} with {len(state.files)} files")
        return auto_approve or _confirmed("Go on?")

    with _told():
        bundle = _open(target, var, project, host, profile, root, force=True)
        done = bundle.destroy(consent, typer.echo, force_lock=force_lock)
    if not done:
        typer.echo("Nothing was deleted.")
        raise typer.Exit(1)
