"""The fields of a declaration of an HTTP API: what dlt's rest_api source takes, told by their places. Only a process of its own may import this."""

import difflib
import inspect
from collections.abc import Collection, Mapping
from typing import Any

from dlt.sources.rest_api.config_setup import PAGINATOR_MAP
from dlt.sources.rest_api.typing import (
    ClientConfig,
    Endpoint,
    EndpointResource,
    IncrementalConfig,
    IncrementalParamConfig,
    ResolveParamConfig,
    RESTAPIConfig,
)

from boathouse.ingest.connectors.errors import DefinitionFieldInvalid

_METHODS = ("GET", "POST")
_PARAMS = {"incremental": IncrementalParamConfig, "resolve": ResolveParamConfig}


def require_known(declared: Mapping[str, Any], field: str) -> None:
    """Go on only if a declaration has no field that is none.

    Args:
        declared: The declaration.
        field: Its place.

    Raises:
        DefinitionFieldInvalid: With the place of the first one, and what is valid there.
    """
    _require(declared, RESTAPIConfig.__annotations__, field)
    client = _object(declared.get("client") or {}, f"{field}.client")
    _require(client, ClientConfig.__annotations__, f"{field}.client")
    _require_paginator(client.get("paginator"), f"{field}.client.paginator")
    if declared.get("resource_defaults") is not None:
        _require_resource(declared["resource_defaults"], f"{field}.resource_defaults")
    for number, resource in enumerate(declared["resources"]):
        where = f"{field}.resources[{number}]"
        if isinstance(resource, str):
            continue
        _require_resource(resource, where)
        if not isinstance(resource.get("name"), str):
            raise DefinitionFieldInvalid(f"{where}.name", "is missing, or no text.")


def _require_resource(given: Any, where: str) -> None:
    resource = _object(given, where)
    _require(resource, EndpointResource.__annotations__, where)
    if resource.get("endpoint") is None or isinstance(resource["endpoint"], str):
        return
    at = f"{where}.endpoint"
    endpoint = _object(resource["endpoint"], at)
    _require(endpoint, Endpoint.__annotations__, at)
    if endpoint.get("method", "GET") not in _METHODS:
        raise DefinitionFieldInvalid(f"{at}.method", f"is {endpoint['method']}. Valid: {', '.join(_METHODS)}.")
    _require_paginator(endpoint.get("paginator"), f"{at}.paginator")
    if endpoint.get("incremental") is not None:
        _require(_object(endpoint["incremental"], f"{at}.incremental"), IncrementalConfig.__annotations__, f"{at}.incremental")
    for name, value in _object(endpoint.get("params") or {}, f"{at}.params").items():
        if isinstance(value, dict):
            place = f"{at}.params.{name}"
            kind = _chosen(value, _PARAMS, place)
            _require(value, {"type", *_PARAMS[kind].__annotations__}, place)


def _require_paginator(given: Any, where: str) -> None:
    if given is None:
        return
    if isinstance(given, str):
        _chosen({"type": given}, PAGINATOR_MAP, where, "")
        return
    paginator = _object(given, where)
    kind = _chosen(paginator, PAGINATOR_MAP, where)
    taken = inspect.signature(PAGINATOR_MAP[kind].__init__).parameters.values()
    names = {one.name for one in taken if one.kind not in {one.VAR_POSITIONAL, one.VAR_KEYWORD}}
    _require(paginator, {"type", *names - {"self"}}, where)


def _chosen(given: Mapping[str, Any], valid: Collection[str], where: str, last: str = ".type") -> str:
    kind = given.get("type")
    if not isinstance(kind, str) or kind not in valid:
        raise DefinitionFieldInvalid(f"{where}{last}", f"is {kind}. Valid: {', '.join(sorted(valid))}.")
    return kind


def _object(given: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(given, dict):
        raise DefinitionFieldInvalid(where, f"is {given!r}, where an object is needed.")
    return given


def _require(given: Mapping[str, Any], known: Collection[str], where: str) -> None:
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, 2)
            hint = f"Did you mean {' or '.join(near)}?" if near else f"Valid: {', '.join(sorted(known))}."
            raise DefinitionFieldInvalid(f"{where}.{name}", f"is no field. {hint}")
