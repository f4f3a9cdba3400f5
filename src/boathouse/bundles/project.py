"""A project made ready for one target of one server: every value known, but for what deploying itself makes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

from boathouse.bundles import artifacts
from boathouse.bundles.access import can_permit
from boathouse.bundles.checking import Checker, Problems
from boathouse.bundles.client import Client
from boathouse.bundles.errors import BundleInvalid
from boathouse.bundles.files import LocalFile, local_file, local_files
from boathouse.bundles.git import git_info
from boathouse.bundles.kinds import KINDS, all_fields
from boathouse.bundles.loading import Selected, text_at
from boathouse.bundles.paths import Rewriter, Roots, sync_root
from boathouse.bundles.presets import User, applied, check_mode, presets_of
from boathouse.bundles.schema import Lock, Resources
from boathouse.bundles.substitution import Resolver, references
from boathouse.bundles.values import NOWHERE, Place, Value, placed, walk
from boathouse.bundles.values import Path as ValuePath
from boathouse.bundles.variables import Lookups, assigned, looked_up

_PATHS = {
    "root_path": "~/.bundle/${bundle.name}/${bundle.target}",
    "file_path": "${workspace.root_path}/files",
    "artifact_path": "${workspace.root_path}/artifacts",
    "resource_path": "${workspace.root_path}/resources",
    "state_path": "${workspace.root_path}/state",
}
_HOME = "/Workspace/Users"
_ROOTS = ("/Users/", "/Shared/", "/Repos/")


@dataclass(frozen=True)
class Resource:
    """A resource as the bundle wants it; references to what others get when they are made stand in it as they are written."""

    kind: str
    key: str
    body: Mapping[str, Any]
    at: Place
    prevent_destroy: bool = False

    @property
    def name(self) -> str:
        """``jobs.train``."""
        return f"{self.kind}.{self.key}"

    @property
    def refers_to(self) -> list[str]:
        """The resources that it refers to."""
        found = {
            f"{path[1]}.{path[2]}"
            for _, value in walk(placed(self.body))
            if isinstance(value.data, str)
            for path in references(value.data)
            if path[0] == "resources" and len(path) > 3
        }
        return sorted(found - {self.name})


def in_order(resources: Sequence[Resource]) -> list[Resource]:
    """What others refer to first; else catalogs before schemas, and so on.

    Raises:
        BundleInvalid: If resources refer to each other in a circle.
    """
    by_name = {one.name: one for one in resources}
    done: dict[str, Resource] = {}

    def visit(one: Resource, trail: tuple[str, ...]) -> None:
        if one.name in trail:
            circle = " -> ".join((*trail[trail.index(one.name) :], one.name))
            raise BundleInvalid([(one.at, f"resources refer to each other in a circle: {circle}.")])
        if one.name in done:
            return
        for name in one.refers_to:
            if name in by_name:
                visit(by_name[name], (*trail, one.name))
        done[one.name] = one

    for one in resources:
        visit(one, ())
    return list(done.values())


@dataclass(frozen=True)
class Project:
    """A project for one target of one server.

    Attributes:
        resources: In the order in which they are made.
        files: By their paths in the workspace.
        permissions: On its folder in the workspace.
        root: All of it, every value known.
    """

    folder: Path
    name: str
    target: str
    mode: str | None
    user: User
    workspace: Mapping[str, str]
    resources: tuple[Resource, ...]
    files: Mapping[str, LocalFile]
    permissions: tuple[Mapping[str, Any], ...]
    lock: Lock
    refuses_active_runs: bool
    root: Value = field(repr=False)


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    build: bool = False
    force: bool = False
    say: Callable[[str], None] = lambda _: None


def current_user(client: Client) -> User:
    """Who the token is of."""
    me = client.call("GET", "/api/2.0/preview/scim/v2/Me")
    name = str(me.get("userName") or me.get("applicationId") or "")
    is_principal = "@" not in name and any("ServicePrincipal" in str(one) for one in me.get("schemas") or ())
    return User(name, is_principal, str(me.get("displayName") or ""))


def prepare(selected: Selected, user: User, client: Client | None, options: Options, problems: Problems) -> Project:
    """Make a project ready.

    Args:
        selected: The project for a target.
        user: Who deploys.
        client: The server; without one, lookups are refused and kinds are not asked for.
        options: What the command line says.
        problems: Where warnings go.

    Raises:
        BundleInvalid: With everything that is wrong.
    """
    git = git_info(selected.folder)
    root = _with_facts(selected, user, asdict(git))
    root = root.with_field(
        "variables", assigned(root, selected.folder, selected.name, options.variables, selected.target.get("variables"))
    )
    root = _looked_up(root, client)
    root = _resolved(root, lambda path: path[0] == "resources")
    check_mode(selected, root, user, problems, branch=git.branch, force=options.force)
    root = applied(root, presets_of(selected, root, user), problems)
    problems.raise_errors()
    if options.build:
        artifacts.build(root, selected.folder, options.say)
    root, files = _with_paths(root, selected.folder, problems, is_built=options.build or not artifacts.are_built(root))
    resources = Checker(all_fields(), problems).checked(root.get("resources") or Value({}), Resources, ("resources",))
    problems.raise_errors()
    root = root.with_field("resources", resources)
    late = _late(resources)
    resources = Resolver(root, late).resolved(resources, ("resources",))
    resources = Checker(all_fields(), problems).checked(resources, Resources, ("resources",))
    found = in_order(_resources(resources))
    if client is not None:
        found = _served(found, client, problems)
    problems.raise_errors()
    paths = {key: text_at(root, "workspace", key) or "" for key in _PATHS}
    name = text_at(root, "bundle", "name") or ""
    root = root.with_field("resources", resources)
    return Project(
        selected.folder,
        name,
        selected.name,
        selected.mode,
        user,
        paths,
        tuple(found),
        files,
        _on_folder(root),
        *_deployment(root),
        root,
    )


def _with_facts(selected: Selected, user: User, git: Mapping[str, str]) -> Value:
    """With what the bundle is told: its target, who deploys, git, and paths that are not given."""
    root = selected.root
    bundle = (root.get("bundle") or Value({})).without("git")
    own = (root.get("bundle", "git") or Value({})).plain() or {}
    facts: dict[str, Any] = {
        "target": selected.name,
        "environment": selected.name,
        "mode": selected.mode,
        "git": {**git, **own},
    }
    bundle = Value({**placed(facts).fields, **bundle.fields}, bundle.at)
    workspace = root.get("workspace") or Value({})
    domain = user.name.partition("@")[0].replace(".", "-").lower()
    me = {
        "userName": user.name,
        "short_name": user.short_name,
        "domain_friendly_name": domain,
        "displayName": user.display_name,
    }
    given = {key: one for key, one in workspace.fields.items() if one.data is not None}
    told = {**placed({**_PATHS, "current_user": me}).fields, **given}
    told |= {key: _absolute(told[key], user) for key in _PATHS}
    return root.with_field("bundle", bundle).with_field("workspace", Value(told, workspace.at))


def _looked_up(root: Value, client: Client | None) -> Value:
    variables = root.fields["variables"]
    if client is None or not any(one.get("lookup") is not None for one in variables.fields.values()):
        return root
    resolver = Resolver(root)
    names = {
        key: one.with_field("lookup", resolver.resolved(one.fields["lookup"])) if one.get("lookup") is not None else one
        for key, one in variables.fields.items()
    }
    return root.with_field("variables", looked_up(Value(names, variables.at), Lookups(client)))


_RESOLVED = ("bundle", "workspace", "permissions", "presets", "resources", "run_as", "sync")


def _resolved(root: Value, later: Callable[[ValuePath], bool]) -> Value:
    """The parts in which references are looked for; commands of artifacts and scripts have ``${...}`` of their own."""
    resolver = Resolver(root, later)
    for part in _RESOLVED:
        value = root.get(part)
        if value is not None:
            root = root.with_field(part, resolver.resolved(value, (part,)))
    return root


def _absolute(path: Value, user: User) -> Value:
    """A path of the workspace with the user's folder for ~, under /Workspace."""
    text = str(path.data)
    if text == "~" or text.startswith("~/"):
        text = f"{_HOME}/{user.name}{text[1:]}"
    elif text.startswith(_ROOTS):
        text = f"/Workspace{text}"
    return Value(text.rstrip("/"), path.at)


def _with_paths(root: Value, folder: Path, problems: Problems, *, is_built: bool) -> tuple[Value, dict[str, LocalFile]]:
    sync = root.get("sync") or Value({})
    paths = list((sync.get("paths") or Value([])).entries)
    top = sync_root(folder, paths)
    workspace = root.fields["workspace"]
    remote = str(workspace.fields["file_path"].data)
    roots = Roots(folder, top, remote, str(workspace.fields["artifact_path"].data))
    rewriter = Rewriter(roots, problems, is_built=is_built)
    root = root.with_field("resources", rewriter.rewritten(root.get("resources") or Value({})))
    places: list[Path] = []
    for name, artifact in (root.get("artifacts") or Value({})).fields.items():
        for one in (artifact.get("files") or Value([])).entries:
            source = one.get("source")
            if source is None:
                problems.error(one.at, f"artifacts.{name}.files: an entry needs source.")
            else:
                rewriter.upload(source)
    for one in paths or [Value(".", NOWHERE)]:
        place = (folder / PurePosixPath(one.at.file).parent / str(one.data)).resolve()
        if place.exists():
            places.append(place)
        else:
            problems.error(one.at, f"sync.paths: {one.data} is not there.")
    problems.raise_errors()
    include, exclude = (
        [_pattern(str(one.data), folder.relative_to(top)) for one in (sync.get(key) or Value([])).entries]
        for key in ("include", "exclude")
    )
    files = local_files(top.resolve(), remote, places, include, exclude)
    return root, files | {path: local_file(file) for file, path in rewriter.wheels.items()}


def _pattern(text: str, folder: PurePath) -> str:
    """A pattern of the project as one of the folder that is uploaded, which may be above it."""
    if folder == PurePath():
        return text
    negated, rest = ("!", text[1:]) if text.startswith("!") else ("", text)
    anywhere = "" if "/" in rest.rstrip("/") else "**/"
    return f"{negated}/{folder.as_posix()}/{anywhere}{rest.removeprefix('/').removeprefix('./')}"


def _deployment(root: Value) -> tuple[Lock, bool]:
    found = (root.get("bundle", "deployment") or Value({})).plain()
    lock = found.get("lock") or {}
    return Lock(lock.get("enabled", True), lock.get("force", False)), bool(found.get("fail_on_active_runs"))


def _on_folder(root: Value) -> tuple[dict[str, Any], ...]:
    levels = {"CAN_VIEW": "CAN_READ"}
    entries = (root.get("permissions") or Value([])).plain()
    return tuple({**one, "level": levels.get(one["level"], one["level"])} for one in entries)


def _late(resources: Value) -> Callable[[ValuePath], bool]:
    """Which references wait for the deployment: those to fields of a resource that the bundle does not give."""

    def late(path: ValuePath) -> bool:
        return path[0] == "resources" and len(path) > 3 and bool(resources.get(*path[1:3])) and resources.get(*path[1:]) is None

    return late


def _resources(resources: Value) -> list[Resource]:
    found: list[Resource] = []
    for kind in KINDS:
        for key, one in (resources.get(kind) or Value({})).fields.items():
            prevent = one.get("lifecycle", "prevent_destroy")
            body = one.without("lifecycle").plain()
            found.append(Resource(kind, key, body, one.at, prevent is not None and prevent.data is True))
    return found


def _served(resources: Sequence[Resource], client: Client, problems: Problems) -> list[Resource]:
    """The resources without permissions where the server has none; kinds that it does not have are errors."""
    _refuse_unserved(resources, client, problems)
    permitted: dict[str, bool] = {}
    found: list[Resource] = []
    for one in resources:
        if one.body.get("permissions") and one.kind not in permitted:
            permitted[one.kind] = can_permit(client, KINDS[one.kind])
        if not one.body.get("permissions") or permitted[one.kind]:
            found.append(one)
            continue
        what = one.kind.replace("_", " ")
        message = f"resources.{one.name}: this server has no permissions on {what}, so those of the bundle are left out."
        problems.warn(one.at, message)
        found.append(replace(one, body={key: value for key, value in one.body.items() if key != "permissions"}))
    return found


def _refuse_unserved(resources: Sequence[Resource], client: Client, problems: Problems) -> None:
    served: dict[str, bool] = {}
    for one in resources:
        if one.kind not in served:
            served[one.kind] = KINDS[one.kind].is_served(client, one.body)
        if not served[one.kind]:
            message = (
                f"resources.{one.name}: the server {client.host} has no {one.kind.replace('_', ' ')}. Take it out, or keep it in "
                "the resources of a target whose server has them."
            )
            hint = " Models are registered_models here, with catalog_name and schema_name." if one.kind == "models" else ""
            problems.error(one.at, message + hint)
