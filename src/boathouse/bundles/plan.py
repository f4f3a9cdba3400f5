"""What a deployment would do: the bundle, the record of the last deployment and the server compared. Nothing is changed."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from boathouse.bundles.access import seen_access
from boathouse.bundles.client import Client
from boathouse.bundles.diff import Change, changes
from boathouse.bundles.errors import BundleInvalid
from boathouse.bundles.files import FileChanges, compared, still_there
from boathouse.bundles.kinds import KINDS
from boathouse.bundles.project import Project, Resource
from boathouse.bundles.state import Deployed, State
from boathouse.bundles.substitution import Resolver, references
from boathouse.bundles.values import Place, Value, placed, walk

_AT_ONCE = 8
_CONTAINERS = frozenset({"catalogs", "schemas"})


class Action(StrEnum):
    """What is done with a resource."""

    CREATE = "create"
    UPDATE = "update"
    RECREATE = "recreate"
    DELETE = "delete"
    UNCHANGED = "unchanged"


@dataclass(frozen=True)
class Step:
    """What is done with one resource, and why.

    Attributes:
        resource: ``kind.key``.
        action: What is done.
        title: The name that people know it by.
        changes: What the bundle has changed.
        drift: What is different on the server from how the last deployment left it; deploying puts it back.
        reason: Why it is made anew.
        loses: What is lost with it.
        now: What the server says of it now, as far as it is compared.
    """

    resource: str
    action: Action
    title: str
    changes: tuple[Change, ...] = ()
    drift: tuple[Change, ...] = ()
    reason: str = ""
    loses: str = ""
    now: Mapping[str, Any] = field(repr=False, default_factory=dict[str, Any])

    @property
    def changed_fields(self) -> set[str]:
        """The fields of the body that the bundle has changed."""
        return {one.field for one in self.changes}

    @property
    def drifted_fields(self) -> set[str]:
        """The fields that somebody has changed on the server."""
        return {one.field for one in self.drift}

    def to_json(self) -> dict[str, Any]:
        """It as JSON, without what is empty."""
        return {key: one for key, one in asdict(self).items() if one not in ((), "") and key != "now"}


@dataclass(frozen=True)
class Found:
    """A resource that is on the server.

    Attributes:
        answer: What the server says of it.
        fields: What others can refer to: the answer's fields, the bundle's, and the identifier.
    """

    answer: Mapping[str, Any]
    fields: Mapping[str, Any]

    @classmethod
    def of(cls, identifier: Any, body: Mapping[str, Any], answer: Mapping[str, Any]) -> "Found":
        """From the server's answer."""
        return cls(answer, {**body, **answer, "id": identifier})


@dataclass(frozen=True)
class Plan:
    """What a deployment does, in its order: what goes, then what is made and changed."""

    steps: tuple[Step, ...]
    files: FileChanges
    permissions: tuple[Change, ...]
    serial: int
    found: Mapping[str, Found] = field(repr=False, default_factory=dict[str, Found])

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.files.upload or self.files.delete or self.permissions) and all(
            one.action is Action.UNCHANGED for one in self.steps
        )

    @property
    def losses(self) -> list[Step]:
        """The steps that destroy something."""
        return [one for one in self.steps if one.action in {Action.DELETE, Action.RECREATE}]

    def to_json(self) -> dict[str, Any]:
        """It as JSON."""
        return {
            "serial": self.serial,
            "resources": [step.to_json() for step in self.steps],
            "permissions": [asdict(one) for one in self.permissions],
            "files": {
                "upload": sorted(self.files.upload),
                "delete": list(self.files.delete),
                "unchanged": self.files.unchanged,
            },
        }


def made(body: Mapping[str, Any], found: Mapping[str, Found], at: Place) -> dict[str, Any]:
    """A body with what the server told of resources that are there already; other references stay."""
    known: dict[str, Any] = {}
    for name, one in found.items():
        kind, _, key = name.partition(".")
        known.setdefault(kind, {})[key] = one.fields

    def unknown(path: Sequence[str | int]) -> bool:
        return f"{path[1]}.{path[2]}" not in found

    root = Value({"resources": placed(known, at)}, at)
    resolved: dict[str, Any] = Resolver(root, unknown).resolved(placed(body, at)).plain()
    return resolved


def make_plan(project: Project, state: State, client: Client) -> Plan:
    """Compare a project with the record and the server.

    Raises:
        BundleInvalid: If what may not be destroyed would be.
    """
    resources = project.resources
    there = _found(state, client)
    wanted = {one.name for one in resources}
    steps: list[Step] = []
    for name in removal_order(state, lambda one: one not in wanted):
        deployed = state.resources[name]
        kind = KINDS[name.partition(".")[0]]
        if name in there:
            steps.append(Step(name, Action.DELETE, _title(kind.label, deployed.body), loses=kind.holds))
        else:
            steps.append(
                Step(name, Action.DELETE, _title(kind.label, deployed.body), reason="it is gone from the server already")
            )
    steps += _steps(resources, state, {name: one for name, one in there.items() if name in wanted}, client)
    on_folder = tuple(changes(state.permissions, [dict(one) for one in project.permissions], "permissions"))
    files = compared(project.files, still_there(client, state.files))
    return Plan(tuple(steps), files, on_folder, state.serial, there)


def _steps(resources: Sequence[Resource], state: State, known: dict[str, Found], client: Client) -> list[Step]:
    steps: list[Step] = []
    emptied: dict[str, str] = {}
    for one in resources:
        before = state.resources.get(one.name)
        step = _step(one, before, known, client)
        above = next((name for name, path in emptied.items() if before and str(before.id).startswith(path)), None)
        if above is not None and step.action in {Action.UNCHANGED, Action.UPDATE}:
            step = replace(step, action=Action.RECREATE, reason=f"goes with {above}", loses=KINDS[one.kind].holds)
        if step.action is Action.RECREATE and one.prevent_destroy:
            message = f"resources.{one.name} would be made anew ({step.reason}), and lifecycle.prevent_destroy forbids it."
            raise BundleInvalid([(one.at, message)])
        if step.action is Action.RECREATE and one.kind in _CONTAINERS and before is not None:
            emptied[one.name] = f"{before.id}."
        # What others refer to is known once it is there: of what is made, and of securables with another name.
        renamed = KINDS[one.kind].grants is not None and "name" in step.changed_fields
        if step.action in {Action.CREATE, Action.RECREATE} or renamed:
            known.pop(one.name, None)
        steps.append(step)
    return steps


def _found(state: State, client: Client) -> dict[str, Found]:
    """What of all that was deployed is on the server."""

    def read(name: str) -> Found | None:
        deployed = state.resources[name]
        answer = KINDS[name.partition(".")[0]].read(client, deployed.id)
        return None if answer is None else Found.of(deployed.id, deployed.body, answer)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = dict(zip(state.resources, pool.map(read, state.resources), strict=True))
    return {name: one for name, one in found.items() if one is not None}


def removal_order(state: State, is_wanted: Any = lambda _: True) -> list[str]:
    """What was deployed, what refers to others first."""
    order: dict[str, None] = {}
    begun: set[str] = set()

    def visit(name: str) -> None:
        if name in begun or name not in state.resources:
            return
        begun.add(name)
        for other, deployed in state.resources.items():
            if name in deployed.depends_on:
                visit(other)
        order[name] = None

    places = {kind: at for at, kind in enumerate(KINDS)}
    for name in sorted(state.resources, key=lambda one: -places[one.partition(".")[0]]):
        visit(name)
    return [name for name in order if is_wanted(name)]


def _title(label: str, body: Mapping[str, Any]) -> str:
    return str(body.get(label, ""))


def _step(one: Resource, before: Deployed | None, known: Mapping[str, Found], client: Client) -> Step:
    kind = KINDS[one.kind]
    title = _title(kind.label, one.body)
    if before is None:
        return Step(one.name, Action.CREATE, title)
    if one.name not in known:
        return Step(one.name, Action.CREATE, title, reason="it is gone from the server")
    body = made(one.body, {name: found for name, found in known.items() if name != one.name}, one.at)
    changed = tuple(changes(before.body, body))
    now = seen(client, one.kind, before.id, known[one.name].answer, before.body)
    drift = () if before.seen is None else tuple(changes(before.seen, now))
    fixed = sorted({change.field for change in changed} & kind.fixed)
    if fixed:
        reason = f"{', '.join(fixed)} cannot be changed"
        return Step(one.name, Action.RECREATE, title, changed, drift, reason, kind.holds)
    if before.seen is None:
        return Step(one.name, Action.UPDATE, title, changed, drift, "the last deployment broke off there", now=now)
    action = Action.UPDATE if changed or drift else Action.UNCHANGED
    return Step(one.name, action, title, changed, drift, now=now)


def seen(client: Client, kind: str, identifier: Any, answer: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    """What the server says of a resource, as far as it is compared."""
    found = KINDS[kind]
    settings = {key: value for key, value in found.settings(answer).items() if value not in (None, "", [], {})}
    if "run_as" not in body:
        # Whom it runs as is then nobody's to put back.
        settings.pop("run_as", None)
    return {**settings, **seen_access(client, found, identifier, answer, body)}


def unresolved(body: Mapping[str, Any]) -> list[str]:
    """References that stand in a body still."""
    texts = [value.data for _, value in walk(placed(body)) if isinstance(value.data, str)]
    return [".".join(map(str, path)) for text in texts for path in references(text) if path[0] == "resources"]
