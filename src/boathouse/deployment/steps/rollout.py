"""The steps that bring a version to where it is used, a little of the traffic first, and back."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from boathouse.deployment.steps.errors import NotApproved, NotDeployed
from boathouse.deployment.steps.ledger import Ledger

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

UPDATE_SECONDS = 900
_LOOK_SECONDS = 2.0
_CHANCE, _EARLY_CHANCE = 0.05, 0.01
"""Below which the failures of a version are not thought to be chance: at the end, and before."""
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
        most_errors: The share of them that may fail (HTTP 5xx) before the traffic goes back; where requests of what was served before
            fail in the same time, so much larger than their share it may be.
        client: The server; by default the one that the environment names.

    Raises:
        NotApproved: If the version may not have the alias; nothing was changed.
        NotDeployed: If the version did not come to serve, too many requests failed, or the alias was refused in the end: what was
            served before is again.
        ValueError: If a number is not valid.
    """
    if not 1 <= canary_percent <= 100:
        message = f"canary_percent is {canary_percent}. Valid: 1 to 100."
        raise ValueError(message)
    ledger = Ledger(model, str(version), client)
    if alias is not None:
        _require_alias(ledger, alias, endpoint, model, str(version))
    if endpoint is None:
        if alias is not None:
            _point(model, alias, str(version))
        return
    served = _Endpoint(ledger.client, endpoint)
    before = _Before.of(served.config())
    facts = {"endpoint": endpoint, "before": before.shares}
    try:
        _roll_out(ledger, served, before, model, str(version), canary_percent, watch_seconds, least_requests, most_errors)
        if alias is not None:
            _point(model, alias, str(version))
    except Exception as error:
        reason = f"{error} {before.restore(served)}"
        ledger.note("deployment", endpoint, "failed", reason=reason, metrics=getattr(error, "figures", None), details=facts)
        message = f"Version {version} of {model} was taken back from endpoint '{endpoint}': {reason}"
        raise NotDeployed(message) from error
    ledger.note("deployment", endpoint, "done", details=facts)
    print(f"endpoint {endpoint} serves version {version}")  # noqa: T201 - the task's log


def _require_alias(ledger: Ledger, alias: str, endpoint: str | None, model: str, version: str) -> None:
    """Go on only if the version may have the alias, before anything is changed."""
    allowed, reason = ledger.may_have(alias)
    if allowed:
        return
    ledger.note("deployment", endpoint or alias, "failed", reason=reason, details={"alias": alias, "endpoint": endpoint})
    message = f"Version {version} of {model} is not deployed. {reason}"
    raise NotApproved(message)


def _point(model: str, alias: str, version: str) -> None:
    from mlflow import MlflowClient  # noqa: PLC0415 - loaded late

    MlflowClient(registry_uri="databricks-uc").set_registered_model_alias(model, alias, version)
    print(f"{model}@{alias} is version {version}")  # noqa: T201 - the task's log


@dataclass(frozen=True)
class _Before:
    """What an endpoint served, and with which shares.

    Attributes:
        entities: All.
        shares: By name, of those that had any.
    """

    entities: Sequence[Mapping[str, Any]]
    shares: Mapping[str, int]

    @staticmethod
    def of(config: Mapping[str, Any]) -> "_Before":
        routes = (config.get("traffic_config") or {}).get("routes") or []
        named = [(str(one.get("served_entity_name") or one.get("served_model_name")), one) for one in routes]
        shares = {name: int(one["traffic_percentage"]) for name, one in named if int(one["traffic_percentage"])}
        return _Before(list(config.get("served_entities") or []), shares)

    def restore(self, served: _Endpoint) -> str:
        """Have it serve so again; what came of it, for people."""
        now = _Before.of(served.config())
        if now.shares == self.shares:
            return "The endpoint serves what it served before."
        if not self.shares:
            return "The endpoint served nothing before, and serves on."
        try:
            served.serve([one for one in self.entities if one["name"] in self.shares], self.shares)
        except NotDeployed as error:
            return f"The traffic has not gone back: {error}"
        return f"The traffic went back to {', '.join(self.shares)}."


class _Failing(NotDeployed):
    """Too many requests of a canary have failed."""

    def __init__(self, message: str, figures: Mapping[str, float]) -> None:
        super().__init__(message)
        self.figures = figures


def _roll_out(
    ledger: Ledger,
    served: _Endpoint,
    before: _Before,
    model: str,
    version: str,
    percent: int,
    seconds: float,
    least: int,
    most_errors: float,
) -> None:
    """Give a version all of an endpoint's traffic, at first a share.

    Raises:
        NotDeployed: If it does not come to serve, or fails where others do not; the endpoint may serve something else than before.
    """
    mine = next(
        (one for one in before.entities if one["entity_name"] == model.lower() and str(one["entity_version"]) == version), None
    )
    old = [one for one in before.entities if one is not mine and before.shares.get(one["name"], 0)]
    pattern = next((one for one in before.entities if one["entity_name"] == model.lower()), None)
    entity = mine or {
        **(_settings(pattern) if pattern is not None else {"workload_size": "Small", "scale_to_zero_enabled": False}),
        "name": f"{model.rpartition('.')[2]}-{version}",
        "entity_name": model,
        "entity_version": version,
    }
    if old and percent < 100:
        shares = {str(one["name"]): before.shares[one["name"]] for one in old}
        served.serve([*old, entity], split(shares, entity["name"], percent))
        counted = watch(served.counts, entity["name"], list(shares), seconds, least, most_errors)
        figures = {**counted.figures(), "percent": float(percent), "most_errors": most_errors}
        if counted.is_worse(most_errors, least):
            raise _Failing(counted.told(), figures)
        facts = {"endpoint": served.name, "before": before.shares}
        reason = counted.told() if counted.failed else ""
        ledger.note("deployment", f"{served.name}: canary", "passed", reason=reason, metrics=figures, details=facts)
    served.serve([entity], {entity["name"]: 100})


def split(shares: Mapping[str, int], name: str, percent: int) -> dict[str, int]:
    """The shares of who serves already, made smaller so that a new one gets its percent; they add up to 100."""
    rest, total = 100 - percent, sum(shares.values())
    smaller = {one: share * rest // total for one, share in shares.items()}
    first = max(smaller, key=lambda one: smaller[one])
    smaller[first] += rest - sum(smaller.values())
    return {**smaller, name: percent}


@dataclass(frozen=True)
class Counted:
    """Requests of a new version and, in the same time, of what the endpoint serves besides; failed ones are HTTP 5xx.

    Attributes:
        requests: Of the version.
        failed: Of these.
        others: Requests of the others.
        others_failed: Of these.
    """

    requests: int
    failed: int
    others: int = 0
    others_failed: int = 0

    def is_worse(self, most_errors: float, least: int) -> bool:
        """Whether more failed than may, and the others do not fail as well.

        Requests that the others fail on too, a row without a value for one, are not the version's fault: where some of theirs failed,
        its share has to be larger by more than ``most_errors``, and by more than chance if there were ``least`` requests.
        """
        if self.failed <= self.requests * most_errors:
            return False
        if not self.others_failed:
            return True
        theirs = self.others_failed / self.others
        return self.failed / self.requests - theirs > most_errors and (self.requests < least or self.chance() < _CHANCE)

    def chance(self) -> float:
        """How probable so many failures of the version are if it fails as the others do (Fisher's exact test, one-sided)."""
        from scipy.stats import fisher_exact  # noqa: PLC0415 - loaded late

        table = [[self.failed, self.requests - self.failed], [self.others_failed, self.others - self.others_failed]]
        found: Any = fisher_exact(table, alternative="greater")
        return float(found.pvalue)

    def figures(self) -> dict[str, float]:
        """What is kept."""
        return {name: float(value) for name, value in asdict(self).items()}

    def told(self) -> str:
        """For people."""
        beside = f", and {self.others_failed} of {self.others} of the others in the same time" if self.others else ""
        return f"{self.failed} of {self.requests} requests failed{beside}."


def watch(
    counts: Callable[[], Mapping[str, tuple[int, int]]],
    name: str,
    others: Sequence[str],
    seconds: float,
    least: int,
    most_errors: float,
) -> Counted:
    """Look at a served entity until it has had enough requests, is clearly worse than the others, or time is up."""
    began = counts()
    deadline = time.monotonic() + seconds
    while True:
        counted = Counted(*_since(began, now := counts(), [name]), *_since(began, now, others))
        # Looked at often, chance has many occasions; so it ends early only where there is hardly any.
        is_hopeless = counted.failed > least * most_errors and counted.chance() < _EARLY_CHANCE
        if counted.requests >= least or is_hopeless or time.monotonic() >= deadline:
            return counted
        time.sleep(min(_LOOK_SECONDS, max(0.0, deadline - time.monotonic())))


def _since(began: Mapping[str, tuple[int, int]], now: Mapping[str, tuple[int, int]], names: Sequence[str]) -> tuple[int, int]:
    """Requests, and how many of them failed, of some served entities together."""
    new = [[now.get(one, (0, 0))[place] - began.get(one, (0, 0))[place] for one in names] for place in (0, 1)]
    return sum(new[0]), sum(new[1])


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
        left = Ledger(model, str(came), client)
        try:
            _roll_out(ledger, served, _Before.of(served.config()), model, str(went), 100, 0, 0, 0)
        except NotDeployed as error:
            left.note("rollback", endpoint, "failed", reason=str(error), details={"to": went})
            raise
        ledger.note("deployment", endpoint, "done", details={"endpoint": endpoint})
        left.note("rollback", endpoint, "done", reason=reason, details={"to": went})
    return went
