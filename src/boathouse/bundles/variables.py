"""The values of a bundle's variables: from the command line, the environment, a file, the target, or their defaults, in this order."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeAlias

from boathouse.bundles.checking import Problems
from boathouse.bundles.client import Client
from boathouse.bundles.errors import BundleInvalid, CallRefused, EndpointMissing
from boathouse.bundles.schema import Lookup, Variable
from boathouse.bundles.values import Place, Value, placed

Find: TypeAlias = Callable[[str, str, Place], Any]
"""Takes a kind of lookup, a name, and where it stands; gives the identifier."""
OVERRIDES = "variable-overrides.json"
_DEFINITION = {one.name for one in fields(Variable)}
_LOOKUPS = [one.name for one in fields(Lookup)]


def assigned(root: Value, folder: Path, target: str, given: Mapping[str, str], target_values: Value | None) -> Value:
    """The variables, each with ``value`` or ``lookup``.

    Args:
        root: The bundle.
        folder: Where it is.
        target: Which one.
        given: Of the command line.
        target_values: The target's ``variables``.

    Raises:
        BundleInvalid: If a variable has no value, or one is given that is not defined.
    """
    defined = root.get("variables") or Value({})
    problems = Problems()
    from_file, file = _overrides(folder, target)
    for names, at in ((given, Place("--var")), (from_file, Place(file)), *_of_target(target_values)):
        for name in names:
            if name not in defined.fields:
                problems.error(at, _unknown(name, defined))
    found: dict[str, Value] = {}
    for name, one in defined.fields.items():
        definition, value = _of_target_value(one, (target_values or Value({})).get(name))
        environment = os.environ.get(f"BUNDLE_VAR_{name}")
        kind = definition.get("type")
        is_complex = kind is not None and kind.data == "complex"
        if name in given or environment is not None:
            place = Place("--var" if name in given else f"BUNDLE_VAR_{name}")
            if is_complex:
                problems.error(place, f"the variable '{name}' is complex; give it in .databricks/bundle/{target}/{OVERRIDES}.")
            value = Value(given.get(name, environment), place)
        elif name in from_file:
            value = placed(from_file[name], Place(file))
        lookup = definition.get("lookup")
        if value is not None:
            found[name] = definition.without("lookup", "default").with_field("value", value)
        elif lookup is not None and lookup.data is not None:
            found[name] = definition
        else:
            where = f"--var {name}=..., BUNDLE_VAR_{name}, a default, or variables of the target {target}"
            problems.error(one.at, f"the variable '{name}' has no value. Give it one with {where}.")
    problems.raise_errors()
    return Value(found, defined.at)


def _of_target(target_values: Value | None) -> list[tuple[Mapping[str, Any], Place]]:
    return [({name: one}, one.at) for name, one in (target_values or Value({})).fields.items()]


def _unknown(name: str, defined: Value) -> str:
    valid = ", ".join(defined.fields) or "none are defined"
    return f"the variable '{name}' is not defined. Valid: {valid}."


def _of_target_value(definition: Value, value: Value | None) -> tuple[Value, Value | None]:
    """The definition as the target changes it, and its value or default."""
    if not isinstance(definition.data, dict):
        definition = Value({}, definition.at)
    if value is not None and isinstance(value.data, dict) and value.fields.keys() <= _DEFINITION:
        if value.get("lookup") is not None or value.get("default") is not None:
            definition = definition.without("lookup", "default")
        definition = Value({**definition.fields, **value.fields}, definition.at)
        value = None
    if value is None:
        value = definition.get("default")
    return definition, value


def _overrides(folder: Path, target: str) -> tuple[dict[str, Any], str]:
    file = folder / ".databricks" / "bundle" / target / OVERRIDES
    shown = str(file.relative_to(folder))
    try:
        found = json.loads(file.read_text())
    except FileNotFoundError:
        return {}, shown
    except ValueError as error:
        raise BundleInvalid([(Place(shown), f"is no valid JSON: {error}")]) from None
    if not isinstance(found, dict):
        raise BundleInvalid([(Place(shown), "has to be an object of variables and their values.")])
    return found, shown


def looked_up(variables: Value, find: Find) -> Value:
    """The variables with the identifiers that their lookups find."""
    found = dict(variables.fields)
    for name, one in variables.fields.items():
        lookup = one.get("lookup")
        if lookup is None:
            continue
        asked = {kind: wanted for kind, wanted in lookup.fields.items() if wanted.data is not None}
        if len(asked) != 1:
            raise BundleInvalid([(lookup.at, f"the lookup of '{name}' needs exactly one of {', '.join(_LOOKUPS)}.")])
        [(kind, wanted)] = asked.items()
        found[name] = one.with_field("value", Value(find(kind, str(wanted.data), wanted.at), wanted.at))
    return Value(found, variables.at)


_MOST = 10
_SCIM = "/api/2.0/preview/scim/v2"
_LISTS = {
    "alert": ("/api/2.0/alerts", "alerts", "display_name", "id"),
    "cluster": ("/api/2.1/clusters/list", "clusters", "cluster_name", "cluster_id"),
    "cluster_policy": ("/api/2.0/policies/clusters/list", "policies", "name", "policy_id"),
    "dashboard": ("/api/2.0/lakeview/dashboards", "dashboards", "display_name", "dashboard_id"),
    "instance_pool": ("/api/2.0/instance-pools/list", "instance_pools", "instance_pool_name", "instance_pool_id"),
    "job": ("/api/2.2/jobs/list", "jobs", "settings.name", "job_id"),
    "metastore": ("/api/2.1/unity-catalog/metastores", "metastores", "name", "metastore_id"),
    "notification_destination": ("/api/2.0/notification-destinations", "results", "display_name", "id"),
    "pipeline": ("/api/2.0/pipelines", "statuses", "name", "pipeline_id"),
    "query": ("/api/2.0/sql/queries", "results", "display_name", "id"),
    "service_principal": (f"{_SCIM}/ServicePrincipals", "Resources", "displayName", "applicationId"),
    "warehouse": ("/api/2.0/sql/warehouses", "warehouses", "name", "id"),
}
"""Where each kind is listed, under which field, and the fields of name and identifier."""


class Lookups:
    """Finds identifiers by names.

    Args:
        client: The server.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    def __call__(self, kind: str, name: str, at: Place) -> Any:
        """The identifier of the one of a kind that has a name.

        Raises:
            BundleInvalid: If there is none, or more than one, or the server has no such kind.
        """
        path, field, named, identifier = _LISTS[kind]
        what = kind.replace("_", " ")
        try:
            listed = self._all(path, field, kind, name)
        except EndpointMissing:
            message = f"this server has no {what} to look up; give the variable a value for this target."
            raise BundleInvalid([(at, message)]) from None
        except CallRefused as error:
            raise BundleInvalid([(at, f"the lookup of the {what} '{name}' failed: {error.message}")]) from error
        found = [one[identifier] for one in listed if _at(one, named) == name]
        if len(found) == 1:
            return str(found[0])
        told = f"there are {len(found)}" if found else "there is no"
        names = sorted({str(_at(one, named)) for one in listed})[:_MOST]
        valid = f" Valid: {', '.join(names)}." if names and not found else ""
        raise BundleInvalid([(at, f"{told} {what} of the name '{name}'.{valid}")])

    def _all(self, path: str, field: str, kind: str, name: str) -> list[dict[str, Any]]:
        query: dict[str, Any] = {"name": name} if kind == "job" else {}
        found: list[dict[str, Any]] = []
        while True:
            answer = self._client.call("GET", path, query=query)
            found += answer.get(field) or []
            token = answer.get("next_page_token")
            if not token:
                return found
            query = {**query, "page_token": token}


def _at(one: Any, path: str) -> Any:
    for part in path.split("."):
        one = one.get(part) if isinstance(one, dict) else None
    return one
