"""The steps that bring a version to where it is used, a little of the traffic first, and back."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from boathouse.deployment.steps.errors import NotDeployed
from boathouse.deployment.steps.ledger import Ledger

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

UPDATE_SECONDS = 900
_LOOK_SECONDS = 2.0
_COUNT = re.compile(r"^request_count_total\{([^}]*)\} ([0-9.e+]+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


class _Endpoint:
    """A serving endpoint, by its REST API."""

    def __init__(self, client: "WorkspaceClient", name: str) -> None:
        self._api = client.api_client
        self._path = f"/api/2.0/serving-endpoints/{quote(name, safe='')}"
        self.name = name

    def config(self) -> dict[str, Any]:
        """What it serves now."""
        found: Any = self._api.do("GET", self._path)
        return dict(found.get("config") or {})

    def serve(self, entities: Sequence[Mapping[str, Any]], shares: Mapping[str, int]) -> None:
        """Give it other entities and shares, and wait until they serve.

        Raises:
            NotDeployed: If they do not come to.
        """
        routes = [{"served_model_name": name, "traffic_percentage": share} for name, share in shares.items()]
        body = {"served_entities": [_settings(one) for one in entities], "traffic_config": {"routes": routes}}
        self._api.do("PUT", f"{self._path}/config", body=body)
        deadline = time.monotonic() + UPDATE_SECONDS
        while True:
            found: Any = self._api.do("GET", self._path)
            state = found["state"]
            if state["config_update"] == "NOT_UPDATING":
                return
            if state["config_update"] == "UPDATE_FAILED" or time.monotonic() > deadline:
                message = f"Endpoint '{self.name}' keeps what it served: {(found.get('pending_config') or {}).get('message') or state}"
                raise NotDeployed(message)
            time.sleep(0.2)

    def counts(self) -> dict[str, tuple[int, int]]:
        """Requests and how many of them the server is to blame for, by served entity, since the endpoint has started."""
        answer: Any = self._api.do("GET", f"{self._path}/metrics", raw=True, headers={"Accept": "text/plain"})
        text = answer["contents"].read().decode()
        found: dict[str, tuple[int, int]] = {}
        for labels, count in _COUNT.findall(text):
            known = dict(_LABEL.findall(labels))
            all_of, failed = found.get(known["served_entity_name"], (0, 0))
            number = int(float(count))
            found[known["served_entity_name"]] = (all_of + number, failed + (number if known["status"] >= "500" else 0))
        return found


_SETTINGS = ("name", "entity_name", "entity_version", "workload_size", "scale_to_zero_enabled", "environment_vars")


def _settings(entity: Mapping[str, Any]) -> dict[str, Any]:
    return {key: entity[key] for key in _SETTINGS if key in entity}


def deploy(
    model: str,
    version: str | int,
    *,
    alias: str | None = "champion",
    endpoint: str | None = None,
    canary_percent: int = 10,
    watch_seconds: float = 600,
    least_requests: int = 50,
    most_errors: float = 0.01,
    client: "WorkspaceClient | None" = None,
) -> None:
    """Bring a version to where it is used: to an endpoint, first with a share of its traffic, and then to the alias.

    Args:
        model: Full name of the model.
        version: Which.
        alias: That points to the version at the end; None for none.
        endpoint: That serves the version; None for none.
        canary_percent: The share of the traffic that the version gets at first; 100 gives it all at once.
        watch_seconds: How long it is looked at for; it goes on earlier once there are ``least_requests``.
        least_requests: So many requests of the version are enough. Of fewer at the end, what there is counts.
        most_errors: The share of them that may fail (HTTP 5xx) before the traffic goes back.
        client: The server; by default the one that the environment names.

    Raises:
        NotDeployed: If the version did not come to serve, or too many requests failed: what was served before is again.
        ValueError: If a number is not valid.
    """
    from mlflow import MlflowClient  # noqa: PLC0415 - loaded late

    if not 1 <= canary_percent <= 100:
        message = f"canary_percent is {canary_percent}. Valid: 1 to 100."
        raise ValueError(message)
    ledger = Ledger(model, str(version), client)
    if endpoint is not None:
        served = _Endpoint(ledger.client, endpoint)
        _roll_out(ledger, served, model, str(version), canary_percent, watch_seconds, least_requests, most_errors)
    if alias is not None:
        MlflowClient(registry_uri="databricks-uc").set_registered_model_alias(model, alias, str(version))
        print(f"{model}@{alias} is version {version}")  # noqa: T201 - the task's log


def _roll_out(
    ledger: Ledger, served: _Endpoint, model: str, version: str, percent: int, seconds: float, least: int, most_errors: float
) -> None:
    config = served.config()
    before: list[dict[str, Any]] = list(config.get("served_entities") or [])
    routes = (config.get("traffic_config") or {}).get("routes") or []
    shares = {
        str(one.get("served_entity_name") or one.get("served_model_name")): int(one["traffic_percentage"]) for one in routes
    }
    mine = next((one for one in before if one["entity_name"] == model.lower() and str(one["entity_version"]) == version), None)
    old = [one for one in before if one is not mine and shares.get(one["name"], 0)]
    pattern = next((one for one in before if one["entity_name"] == model.lower()), None)
    entity = mine or {
        **(_settings(pattern) if pattern is not None else {"workload_size": "Small", "scale_to_zero_enabled": False}),
        "name": f"{model.rpartition('.')[2]}-{version}",
        "entity_name": model,
        "entity_version": version,
    }
    facts = {"endpoint": served.name, "before": {name: share for name, share in shares.items() if share}}
    if old and percent < 100:
        try:
            served.serve([*old, entity], split({one["name"]: shares[one["name"]] for one in old}, entity["name"], percent))
            counted = watch(served.counts, entity["name"], seconds, least, most_errors)
        except NotDeployed as error:
            ledger.note("deployment", served.name, "failed", reason=str(error), details=facts)
            raise
        requests, failed = counted
        figures = {"requests": float(requests), "failed": float(failed), "percent": float(percent), "most_errors": most_errors}
        if failed > requests * most_errors:
            served.serve(old, {one["name"]: shares[one["name"]] for one in old})
            reason = f"{failed} of {requests} requests failed, so the traffic went back to {', '.join(facts['before'])}."
            ledger.note("deployment", served.name, "failed", reason=reason, metrics=figures, details=facts)
            message = f"Version {version} of {model} was taken back from endpoint '{served.name}': {reason}"
            raise NotDeployed(message)
        ledger.note("deployment", f"{served.name}: canary", "passed", metrics=figures, details=facts)
    try:
        served.serve([entity], {entity["name"]: 100})
    except NotDeployed as error:
        ledger.note("deployment", served.name, "failed", reason=str(error), details=facts)
        raise
    ledger.note("deployment", served.name, "done", details=facts)
    print(f"endpoint {served.name} serves version {version}")  # noqa: T201 - the task's log


def split(shares: Mapping[str, int], name: str, percent: int) -> dict[str, int]:
    """The shares of who serves already, made smaller so that a new one gets its percent; they add up to 100."""
    rest, total = 100 - percent, sum(shares.values())
    smaller = {one: share * rest // total for one, share in shares.items()}
    first = max(smaller, key=lambda one: smaller[one])
    smaller[first] += rest - sum(smaller.values())
    return {**smaller, name: percent}


def watch(
    counts: Callable[[], Mapping[str, tuple[int, int]]], name: str, seconds: float, least: int, most_errors: float
) -> tuple[int, int]:
    """Look at a served entity until it has had enough requests, too many have failed for any that may follow, or time is up."""
    all_before, failed_before = counts().get(name, (0, 0))
    deadline = time.monotonic() + seconds
    while True:
        all_now, failed_now = counts().get(name, (0, 0))
        requests, failed = all_now - all_before, failed_now - failed_before
        if requests >= least or failed > least * most_errors or time.monotonic() >= deadline:
            return requests, failed
        time.sleep(min(_LOOK_SECONDS, max(0.0, deadline - time.monotonic())))


def roll_back(
    model: str, *, alias: str = "champion", endpoint: str | None = None, reason: str, client: "WorkspaceClient | None" = None
) -> int:
    """Go back to the version before: the alias, and the endpoint's traffic with it.

    Args:
        model: Full name of the model.
        alias: That goes back.
        endpoint: That serves the version before again; None for none.
        reason: Why, which is kept.
        client: The server; by default the one that the environment names.

    Returns:
        The version that is used now.

    Raises:
        NotDeployed: If the endpoint does not come to serve it.
    """
    came, went = Ledger(model, "0", client).roll_back(alias, reason)
    print(f"{model}@{alias} is version {went} again, not {came}")  # noqa: T201 - the task's log
    if endpoint is not None:
        ledger = Ledger(model, str(went), client)
        served = _Endpoint(ledger.client, endpoint)
        _roll_out(ledger, served, model, str(went), 100, 0, 0, 0)
        Ledger(model, str(came), client).note("rollback", endpoint, "done", reason=reason, details={"to": went})
    return went
