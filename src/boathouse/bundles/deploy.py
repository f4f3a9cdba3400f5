"""A plan carried out, each step recorded as soon as it is done, so that a deployment that fails can be repeated."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from boathouse.bundles.access import ACCESS, apply_access, apply_to_folder, settings_of
from boathouse.bundles.client import Client
from boathouse.bundles.errors import BundleInvalid, CallRefused
from boathouse.bundles.files import carry_out
from boathouse.bundles.kinds import KINDS
from boathouse.bundles.plan import Action, Found, Plan, Step, made, removal_order, seen, unresolved
from boathouse.bundles.project import Project, Resource
from boathouse.bundles.state import Deployed, State, StateFile

Say = Callable[[str], None]
_DONE = {Action.CREATE: "Created", Action.UPDATE: "Updated", Action.RECREATE: "Recreated", Action.DELETE: "Deleted"}


_HINT = " It is none of this deployment's: take it over with boathouse bundle bind KEY ID, or choose another name."


class Deployment:
    """Carries out plans.

    Args:
        project: What is deployed.
        client: Where to.
        file: The record.
        state: What it says.
        say: Tells what is done.
    """

    def __init__(self, project: Project, client: Client, file: StateFile, state: State, say: Say) -> None:
        self._project = project
        self._client = client
        self._file = file
        self._state = state
        self._say = say

    def run(self, plan: Plan) -> State:
        """Do what a plan says.

        Raises:
            CallRefused: If the server refuses a step; those before it stay, and are recorded.
        """
        if plan.files.upload or plan.files.delete:
            self._say(f"Uploading {len(plan.files.upload)} files to {self._project.workspace['file_path']} ...")
            carry_out(self._client, plan.files, self._keep_files)
        if plan.permissions:
            wanted = [dict(one) for one in self._project.permissions]
            apply_to_folder(self._client, self._project.workspace["root_path"], wanted)
            self._state = self._file.write(replace(self._state, permissions=wanted))
        found = dict(plan.found)
        by_name = {one.name: one for one in self._project.resources}
        for step in plan.steps:
            if step.action is Action.UNCHANGED:
                continue
            try:
                if step.action is Action.DELETE:
                    self._delete(step.resource)
                    found.pop(step.resource, None)
                else:
                    found[step.resource] = self._apply(step, by_name[step.resource], found)
            except CallRefused as error:
                what = f"{step.action.value.removesuffix('e')}ing resources.{step.resource}"
                hint = _HINT if step.action is Action.CREATE and error.error_code.endswith("ALREADY_EXISTS") else ""
                raise CallRefused(what, error.error_code, f"{error.message}{hint}") from error
            self._say(f"{_DONE[step.action]} {step.resource}" + (f"  {step.title}" if step.title else ""))
        return self._state

    def _keep_files(self, files: dict[str, str]) -> None:
        self._state = self._file.write(replace(self._state, files=files))

    def _record(self, name: str, deployed: Deployed | None) -> None:
        resources = {key: one for key, one in self._state.resources.items() if key != name}
        if deployed is not None:
            resources[name] = deployed
        self._state = self._file.write(replace(self._state, resources=resources))

    def _delete(self, name: str) -> None:
        deployed = self._state.resources[name]
        KINDS[name.partition(".")[0]].delete(self._client, deployed.id)
        self._record(name, None)

    def _apply(self, step: Step, one: Resource, found: Mapping[str, Found]) -> Found:
        """Make or change a resource; what is there afterwards."""
        kind = KINDS[one.kind]
        body = made(one.body, {name: other for name, other in found.items() if name != one.name}, one.at)
        left = unresolved(body)
        if left:
            raise BundleInvalid([(one.at, f"${{{left[0]}}} is nothing that the server tells of that resource.")])
        settings = settings_of(body)
        before = self._state.resources.get(one.name)
        if step.action is Action.RECREATE and before is not None:
            self._delete(one.name)
            before = None
        if step.action is Action.CREATE:
            before = None
        if before is None:
            identifier = kind.create(self._client, settings)
            # Recorded at once: if what follows fails, the next deployment must know that it is there.
            self._record(one.name, Deployed(identifier, {**settings}, None, one.refers_to))
            old: Mapping[str, Any] = {}
        else:
            old = before.body
            identifier = before.id
            if before.seen is None and kind.settle is not None:
                # It was made, and has not come to be what it was made to be.
                identifier = kind.update(self._client, identifier, settings, {})
            elif step.changed_fields - {*ACCESS} or step.drifted_fields - {*ACCESS}:
                there = {field: step.now.get(field) for field in step.drifted_fields}
                identifier = kind.update(self._client, identifier, settings, {**settings_of(old), **there})
            if identifier != before.id:
                access = {field: old[field] for field in ACCESS if field in old}
                self._record(one.name, Deployed(identifier, {**settings, **access}, None, one.refers_to))
        if kind.settle is not None:
            kind.settle(self._client, identifier)
        answer = kind.read(self._client, identifier) or {}
        apply_access(self._client, kind, identifier, answer, body, old, self._project.user)
        self._record(
            one.name, Deployed(identifier, body, seen(self._client, one.kind, identifier, answer, body), one.refers_to)
        )
        return Found.of(identifier, body, answer)


def destroy(root_path: str, client: Client, file: StateFile, state: State, say: Say) -> None:
    """Delete all that was deployed, then its files and the record of it.

    Args:
        root_path: The target's ``workspace.root_path``.
        client: The server.
        file: The record.
        state: What it says.
        say: Tells what is done.
    """
    for name in removal_order(state):
        deployed = state.resources[name]
        try:
            KINDS[name.partition(".")[0]].delete(client, deployed.id)
        except CallRefused as error:
            raise CallRefused(f"deleting resources.{name}", error.error_code, error.message) from error
        state = file.write(replace(state, resources={key: one for key, one in state.resources.items() if key != name}))
        say(f"Deleted {name}")
    for path in state.files:
        if not path.startswith(f"{root_path}/"):
            client.delete_file(path)
    client.delete_file(root_path, recursive=True)
    say(f"Deleted {root_path}")
