"""The calls that make, read, change and delete resources, as functions that ``kinds`` puts together."""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from boathouse.bundles.client import Body, Client, quoted
from boathouse.bundles.errors import CallRefused

Create = Callable[[Client, Body], Any]
Read = Callable[[Client, Any], dict[str, Any] | None]
Update = Callable[[Client, Any, Body, Body], Any]
"""Takes the identifier, the new body and the old one; gives the identifier afterwards."""
Delete = Callable[[Client, Any], None]

UC = "/api/2.1/unity-catalog"
MLFLOW = "/api/2.0/mlflow"
NOTE = "mlflow.note.content"
"""The tag of MLflow that holds an experiment's description."""


def posted(path: str, identifier: str) -> Create:
    """Make by a POST; the identifier is a field of the answer, or else of the body."""

    def create(client: Client, body: Body) -> Any:
        answer = client.call("POST", path, dict(body))
        return answer.get(identifier, body.get(identifier))

    return create


def got(path: str, parameter: str | None = None, inside: str | None = None) -> Read:
    """Read by a GET, with the identifier in the path or as a parameter."""

    def read(client: Client, identifier: Any) -> dict[str, Any] | None:
        query = None if parameter is None else {parameter: identifier}
        found = client.find("GET", path.replace("{id}", quoted(identifier)), query)
        return found if found is None or inside is None else found.get(inside)

    return read


def replaced(method: str, path: str, wrap: Callable[[Any, Body], Body] = lambda _, body: body) -> Update:
    """Change by giving the whole body again."""

    def update(client: Client, identifier: Any, body: Body, _: Body) -> Any:
        client.call(method, path.replace("{id}", quoted(identifier)), dict(wrap(identifier, body)))
        return identifier

    return update


def deleted(method: str, path: str, parameter: str | None = None, query: Body | None = None) -> Delete:
    """Delete, with the identifier in the path or in the body; what is gone already is no error."""

    def delete(client: Client, identifier: Any) -> None:
        body = None if parameter is None else {parameter: identifier}
        try:
            client.call(method, path.replace("{id}", quoted(identifier)), body, query)
        except CallRefused as error:
            if not error.is_missing:
                raise

    return delete


def patched(path: str, fields: Iterable[str]) -> Update:
    """Change the fields of a securable that are different, its name last; the identifier is its full name."""

    def update(client: Client, identifier: Any, body: Body, old: Body) -> Any:
        changed = {field: _given(body, old, field) for field in fields if body.get(field) != old.get(field)}
        if body.get("name") != old.get("name"):
            changed["new_name"] = body["name"]
        if not changed:
            return identifier
        answer = client.call("PATCH", path.replace("{id}", quoted(identifier)), changed)
        return answer.get("full_name", answer.get("name", identifier))

    return update


def _given(body: Body, old: Body, field: str) -> Any:
    """A field's value; one that is gone is empty, as this is how the API takes a value away."""
    if body.get(field) is not None:
        return body[field]
    before = old.get(field)
    return type(before)() if isinstance(before, dict | list) else ""


# -------------------------------------------------------------------------------------------------------- experiments


def experiment_tags(body: Mapping[str, Any]) -> dict[str, str]:
    """The tags of an experiment, its description among them."""
    tags = {str(one["key"]): str(one.get("value", "")) for one in body.get("tags") or ()}
    return tags | ({NOTE: str(body["description"])} if body.get("description") else {})


def create_experiment(client: Client, body: Body) -> Any:
    """Make an experiment; one of the name that was deleted comes back."""
    found = client.find("GET", f"{MLFLOW}/experiments/get-by-name", {"experiment_name": body["name"]})
    before: dict[str, Any] = (found or {}).get("experiment", {})
    if before.get("lifecycle_stage") == "deleted":
        identifier = before["experiment_id"]
        client.call("POST", f"{MLFLOW}/experiments/restore", {"experiment_id": identifier})
        _tag_experiment(client, identifier, experiment_tags(body), {})
        return identifier
    tags = [{"key": key, "value": value} for key, value in experiment_tags(body).items()]
    sent = {"name": body["name"], "tags": tags} | {key: body[key] for key in ("artifact_location",) if key in body}
    return client.call("POST", f"{MLFLOW}/experiments/create", sent)["experiment_id"]


def read_experiment(client: Client, identifier: Any) -> dict[str, Any] | None:
    """An experiment, unless it was deleted."""
    found = client.find("GET", f"{MLFLOW}/experiments/get", {"experiment_id": identifier})
    experiment: dict[str, Any] = (found or {}).get("experiment", {})
    return experiment if experiment.get("lifecycle_stage") == "active" else None


def update_experiment(client: Client, identifier: Any, body: Body, old: Body) -> Any:
    """Give an experiment another name and other tags."""
    if body["name"] != old.get("name"):
        client.call("POST", f"{MLFLOW}/experiments/update", {"experiment_id": identifier, "new_name": body["name"]})
    _tag_experiment(client, identifier, experiment_tags(body), experiment_tags(old))
    return identifier


def _tag_experiment(client: Client, identifier: Any, tags: Mapping[str, str], old: Mapping[str, str]) -> None:
    for key, value in tags.items():
        body = {"experiment_id": identifier, "key": key, "value": value}
        client.call("POST", f"{MLFLOW}/experiments/set-experiment-tag", body)
    for key in old.keys() - tags.keys():
        client.call("POST", f"{MLFLOW}/experiments/delete-experiment-tag", {"experiment_id": identifier, "key": key})


def experiment_settings(answer: Body) -> dict[str, Any]:
    """What of an experiment is compared: its name, and the tags that people set."""
    tags = {str(one["key"]): one.get("value") for one in answer.get("tags") or ()}
    kept = [{"key": key, "value": value} for key, value in sorted(tags.items()) if not key.startswith("mlflow.")]
    return {"name": answer.get("name"), "description": tags.get(NOTE), "tags": kept}


# ------------------------------------------------------------------------------------------------------ secret scopes


def create_scope(client: Client, body: Body) -> Any:
    """Make a scope of secrets."""
    backend = body.get("backend_type", "DATABRICKS")
    vault = {"backend_azure_keyvault": body["keyvault_metadata"]} if "keyvault_metadata" in body else {}
    client.call("POST", "/api/2.0/secrets/scopes/create", {"scope": body["name"], "scope_backend_type": backend, **vault})
    return body["name"]


def read_scope(client: Client, identifier: Any) -> dict[str, Any] | None:
    """A scope of secrets."""
    found = client.call("GET", "/api/2.0/secrets/scopes/list").get("scopes") or ()
    return next((one for one in found if one["name"] == identifier), None)


# -------------------------------------------------------------------------------------------------- serving endpoints

_ENDPOINTS = "/api/2.0/serving-endpoints"
_PATIENCE = 600
_VOLATILE = frozenset({"state", "creator", "creation_timestamp", "start_time", "config_version", "served_models"})


def update_endpoint(client: Client, identifier: Any, body: Body, old: Body) -> Any:
    """Give an endpoint another configuration, inference table or other tags, each by its own call."""
    path = f"{_ENDPOINTS}/{quoted(identifier)}"
    # An endpoint takes one change at a time, and each until its model servers are ready.
    _endpoint_at_rest(client, identifier)
    if body.get("config") != old.get("config"):
        client.call("PUT", f"{path}/config", body.get("config") or {})
    if body.get("ai_gateway") != old.get("ai_gateway"):
        client.call("PUT", f"{path}/ai-gateway", body.get("ai_gateway") or {})
    if body.get("tags") != old.get("tags"):
        gone = {one["key"] for one in old.get("tags") or ()} - {one["key"] for one in body.get("tags") or ()}
        client.call("PATCH", f"{path}/tags", {"add_tags": body.get("tags") or [], "delete_tags": sorted(gone)})
    return identifier


def settle_endpoint(client: Client, identifier: Any) -> None:
    """Wait until an endpoint serves what it was given.

    Raises:
        CallRefused: If it does not come to.
    """
    answer = _endpoint_at_rest(client, identifier)
    state = _config_update(answer)
    if state == "IN_PROGRESS":
        raise CallRefused("", "TIMEOUT", f"Its model servers are not ready after {_PATIENCE} s.")
    if state in {"UPDATE_FAILED", "UPDATE_CANCELED"}:
        reason = answer["state"].get("config_update_message") or "the endpoint does not say why"
        kept = "It serves on what it served before" if answer.get("config") else "It serves nothing yet"
        raise CallRefused("", state, f"The model servers of its configuration did not come up: {reason} {kept}.")


def _endpoint_at_rest(client: Client, identifier: Any) -> Body:
    deadline = time.monotonic() + _PATIENCE
    while True:
        answer = client.call("GET", f"{_ENDPOINTS}/{quoted(identifier)}")
        if _config_update(answer) != "IN_PROGRESS" or time.monotonic() > deadline:
            return answer
        time.sleep(0.5)


def _config_update(answer: Body) -> str:
    return str((answer.get("state") or {}).get("config_update"))


def endpoint_settings(answer: Body) -> dict[str, Any]:
    """What of an endpoint is compared: the configuration that it has or is about to have, and its tags."""
    pending = answer.get("pending_config") if _config_update(answer) == "IN_PROGRESS" else None
    config = pending or answer.get("config") or {}
    return {"config": _steady(config), "tags": answer.get("tags") or [], "ai_gateway": answer.get("ai_gateway")}


def _steady(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _steady(one) for key, one in value.items() if key not in _VOLATILE}
    return [_steady(one) for one in value] if isinstance(value, list) else value


# ---------------------------------------------------------------------------------------------------------- dashboards


def active(read: Read) -> Read:
    """What the server says of one that is not in the trash."""

    def look(client: Client, identifier: Any) -> dict[str, Any] | None:
        found = read(client, identifier)
        return found if found is None or found.get("lifecycle_state", "ACTIVE") == "ACTIVE" else None

    return look


def in_folder(create: Create) -> Create:
    """Make one after the folder that it is to be in."""

    def make(client: Client, body: Body) -> Any:
        if body.get("parent_path"):
            client.call("POST", "/api/2.0/workspace/mkdirs", {"path": body["parent_path"]})
        return create(client, body)

    return make


def create_dashboard(client: Client, body: Body) -> Any:
    """Make a dashboard and publish it."""
    sent = _dashboard(body)
    identifier = client.call("POST", "/api/2.0/lakeview/dashboards", sent)["dashboard_id"]
    _publish(client, identifier, body)
    return identifier


def update_dashboard(client: Client, identifier: Any, body: Body, _: Body) -> Any:
    """Change a dashboard and publish it again."""
    sent = {key: value for key, value in _dashboard(body).items() if key != "parent_path"}
    client.call("PATCH", f"/api/2.0/lakeview/dashboards/{quoted(identifier)}", sent)
    _publish(client, identifier, body)
    return identifier


def _dashboard(body: Body) -> dict[str, Any]:
    """A dashboard as the API takes it: its file is a text, which a bundle may have as what it means."""
    sent = {key: value for key, value in body.items() if key != "embed_credentials"}
    if not isinstance(sent.get("serialized_dashboard", ""), str):
        sent["serialized_dashboard"] = json.dumps(sent["serialized_dashboard"], indent=2)
    return sent


def dashboard_settings(answer: Body) -> dict[str, Any]:
    """What of a dashboard is compared."""
    return picked("display_name", "serialized_dashboard", "warehouse_id")(_dashboard(answer))


def alert_settings(answer: Body) -> dict[str, Any]:
    """What of an alert is compared: not what its last evaluation has found."""
    found = picked(
        "display_name", "query_text", "warehouse_id", "schedule", "parameters", "custom_summary", "custom_description"
    )(answer)
    evaluation = {
        key: one for key, one in (answer.get("evaluation") or {}).items() if key not in {"state", "last_evaluated_at"}
    }
    return {**found, "evaluation": evaluation}


def _publish(client: Client, identifier: Any, body: Body) -> None:
    sent = {"embed_credentials": bool(body.get("embed_credentials")), "warehouse_id": body.get("warehouse_id")}
    client.call("POST", f"/api/2.0/lakeview/dashboards/{quoted(identifier)}/published", sent)


# ------------------------------------------------------------------------------------------------------------ monitors


def create_monitor(client: Client, body: Body) -> Any:
    """Make a table's monitor."""
    table = body["table_name"]
    client.call("POST", f"{UC}/tables/{quoted(table)}/monitor", {key: one for key, one in body.items() if key != "table_name"})
    return table


def update_monitor(client: Client, identifier: Any, body: Body, _: Body) -> Any:
    """Give a table's monitor other settings."""
    sent = {key: one for key, one in body.items() if key not in {"table_name", "assets_dir"}}
    client.call("PUT", f"{UC}/tables/{quoted(identifier)}/monitor", sent)
    return identifier


def picked(*fields: str) -> Callable[[Body], dict[str, Any]]:
    """Some fields of an answer; what is null is as if it were not there."""
    return lambda answer: {field: answer[field] for field in fields if answer.get(field) is not None}
