"""A bundle on a server: what the commands do with it."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from boathouse.bundles.access import settings_of
from boathouse.bundles.checking import Problems
from boathouse.bundles.client import Client, Local, connect
from boathouse.bundles.deploy import Deployment, Say, destroy
from boathouse.bundles.errors import BundleInvalid
from boathouse.bundles.kinds import KINDS
from boathouse.bundles.loading import Selected, find_folder, load, select
from boathouse.bundles.plan import Plan, make_plan, seen
from boathouse.bundles.project import Options, Project, current_user, prepare
from boathouse.bundles.runs import key_of, refuse_active
from boathouse.bundles.state import Deployed, State, StateFile
from boathouse.bundles.values import Value
from boathouse.errors import InvalidParameterValue

Consent = Callable[[Plan], bool]


@dataclass(frozen=True)
class Where:
    """Which server, as far as it is not the bundle's to say."""

    host: str | None
    profile: str | None
    local: Local | None
    profiles: Path


class Bundle:
    """A project, a target of it, and the server that this is on."""

    def __init__(self, project: Project, client: Client) -> None:
        self.project = project
        self.client = client
        self._file = StateFile(client, project.workspace["state_path"], project.user.name)

    @property
    def state(self) -> State:
        """The record of the last deployment."""
        return self._file.read()

    def plan(self) -> Plan:
        """What a deployment would do."""
        return make_plan(self.project, self._file.read(), self.client)

    def deploy(self, consent: Consent, say: Say, *, force_lock: bool) -> Plan | None:
        """Deploy, if the plan is consented to; what was done, or None.

        Raises:
            DeploymentLocked: If somebody else deploys.
            CallRefused: If the server refuses something; what was done before stays, and is recorded.
        """
        with self._locked(force=force_lock):
            state = self._file.read()
            plan = make_plan(self.project, state, self.client)
            if plan.is_empty:
                return plan
            if not consent(plan):
                return None
            if self.project.refuses_active_runs:
                refuse_active(plan, state, self.client)
            Deployment(self.project, self.client, self._file, state, say).run(plan)
            return plan

    def destroy(self, consent: Callable[[State], bool], say: Say, *, force_lock: bool) -> bool:
        """Delete all that was deployed, if that is consented to; whether it was."""
        kept = [one for one in self.project.resources if one.prevent_destroy and one.name in self._file.read().resources]
        if kept:
            raise BundleInvalid([(one.at, f"resources.{one.name}: lifecycle.prevent_destroy forbids it.") for one in kept])
        with self._locked(force=force_lock):
            state = self._file.read()
            if not consent(state):
                return False
            destroy(self.project.workspace["root_path"], self.client, self._file, state, say)
        return True

    def bind(self, key: str, identifier: str, *, force_lock: bool) -> str:
        """Take something that is on the server already for a resource of the bundle; its full name.

        Raises:
            InvalidParameterValue: If the bundle has no such resource, or has it deployed already.
            CallRefused: If there is nothing of the identifier.
        """
        by_name = {one.name: one for one in self.project.resources}
        name = key_of(key, list(by_name), tuple(KINDS))
        kind, resource = KINDS[by_name[name].kind], by_name[name]
        with self._locked(force=force_lock):
            state = self._file.read()
            if name in state.resources:
                message = f"{name} is deployed already, as {state.resources[name].id}. Unbind it first."
                raise InvalidParameterValue(message, field="KEY")
            known: Any = kind.id_type(identifier) if kind.id_type is str or identifier.isdecimal() else None
            answer = None if known is None else kind.read(self.client, known)
            if answer is None:
                what = resource.kind.replace("_", " ")
                raise InvalidParameterValue(f"There is none of the {what} with the identifier {identifier}.", field="ID")
            there = {**answer, **kind.settings(answer)}
            # As if it had been deployed as it is: the next plan tells what the bundle has otherwise.
            body = {field: there[field] for field in settings_of(resource.body) if there.get(field) is not None}
            seen_now = seen(self.client, resource.kind, known, answer, body)
            resources = {**state.resources, name: Deployed(known, body, seen_now, resource.refers_to)}
            self._file.write(replace(state, resources=resources))
        return name

    def unbind(self, key: str, *, force_lock: bool) -> str:
        """Forget a resource, which stays on the server; its full name."""
        with self._locked(force=force_lock):
            state = self._file.read()
            name = key_of(key, list(state.resources), tuple(KINDS))
            self._file.write(replace(state, resources={one: it for one, it in state.resources.items() if one != name}))
        return name

    def _locked(self, *, force: bool) -> AbstractContextManager[None]:
        lock = self.project.lock
        return self._file.locked(force=force or lock.force) if lock.enabled else nullcontext()

    def summary(self) -> list[dict[str, Any]]:
        """The bundle's resources and those that are deployed: names, identifiers, addresses."""
        state = self._file.read()
        wanted = {one.name: one for one in self.project.resources}
        found: list[dict[str, Any]] = []
        for name in dict.fromkeys((*wanted, *state.resources)):
            kind = KINDS[name.partition(".")[0]]
            deployed = state.resources.get(name)
            body = wanted[name].body if name in wanted else state.resources[name].body
            one: dict[str, Any] = {"resource": name, "name": body.get(kind.label)}
            if deployed is not None:
                one["id"] = deployed.id
                if kind.page:
                    page = kind.page.format(id=deployed.id, path=str(deployed.id).replace(".", "/"))
                    one["url"] = f"{self.client.host}{page}"
            found.append(one)
        return found


def selected(start: Path, target: str | None, problems: Problems) -> Selected:
    """The project that a folder is in, for a target."""
    return select(load(find_folder(start), problems), target)


def open_bundle(chosen: Selected, where: Where, options: Options, problems: Problems) -> Bundle:
    """Make a project ready for the server of its target.

    Raises:
        BundleInvalid: With everything that is wrong with it.
        NotConnected: If there is no such server, or no token for it.
    """
    workspace = (chosen.root.get("workspace") or Value({})).plain()
    client = connect(workspace, host=where.host, profile=where.profile, local=where.local, profiles=where.profiles)
    user = current_user(client)
    return Bundle(prepare(chosen, user, client, options, problems), client)
