"""The fields of a declaration of an HTTP API: what dlt's rest_api source takes, told by their places. Only a process of its own may import this."""

import difflib
import inspect
import types
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from dlt.common import jsonpath
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
_NEEDED = {"incremental": ("cursor_path",), "resolve": ("resource", "field")}
_PATHS = ("data_selector", "cursor_path", "next_url_path", "total_path", "has_more_path")
_FORMS: Mapping[Any, str] = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    dict: "an object",
    list: "a list",
}


def require_known(declared: Mapping[str, Any], field: str) -> None:
    """Go on only if a declaration has no field that is none.

    Args:
        declared: The declaration.
        field: Its place.

    Raises:
        DefinitionFieldInvalid: With the place of the first one, and what is valid there.
    """
    _require(declared, RESTAPIConfig, field)
    client = _object(declared.get("client") or {}, f"{field}.client")
    _require(client, ClientConfig, f"{field}.client")
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
    _require(resource, EndpointResource, where)
    if resource.get("endpoint") is None or isinstance(resource["endpoint"], str):
        return
    at = f"{where}.endpoint"
    endpoint = _object(resource["endpoint"], at)
    _require(endpoint, Endpoint, at)
    if endpoint.get("method", "GET") not in _METHODS:
        raise DefinitionFieldInvalid(f"{at}.method", f"is {endpoint['method']}. Valid: {', '.join(_METHODS)}.")
    _require_paginator(endpoint.get("paginator"), f"{at}.paginator")
    if endpoint.get("incremental") is not None:
        _require(_object(endpoint["incremental"], f"{at}.incremental"), IncrementalConfig, f"{at}.incremental")
        _require_there(endpoint["incremental"], ("cursor_path",), f"{at}.incremental")
    for name, value in _object(endpoint.get("params") or {}, f"{at}.params").items():
        if isinstance(value, dict):
            place = f"{at}.params.{name}"
            kind = _chosen(value, _PARAMS, place)
            _require(value, _PARAMS[kind], place, {"type": Any})
            _require_there(value, _NEEDED[kind], place)


def _require_paginator(given: Any, where: str) -> None:
    if given is None:
        return
    if isinstance(given, str):
        _chosen({"type": given}, PAGINATOR_MAP, where, "")
        return
    paginator = _object(given, where)
    kind = _chosen(paginator, PAGINATOR_MAP, where)
    taken = inspect.signature(PAGINATOR_MAP[kind].__init__).parameters.values()
    named = [one for one in taken if one.kind not in {one.VAR_POSITIONAL, one.VAR_KEYWORD} and one.name != "self"]
    hints = get_type_hints(PAGINATOR_MAP[kind].__init__)
    _require(paginator, None, where, {"type": Any, **{one.name: hints.get(one.name, Any) for one in named}})
    _require_there(paginator, [one.name for one in named if one.default is one.empty], where)


def _chosen(given: Mapping[str, Any], valid: Collection[str], where: str, last: str = ".type") -> str:
    kind = given.get("type")
    if not isinstance(kind, str) or kind not in valid:
        raise DefinitionFieldInvalid(f"{where}{last}", f"is {kind}. Valid: {', '.join(sorted(valid))}.")
    return kind


def _object(given: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(given, dict):
        raise DefinitionFieldInvalid(where, f"is {given!r}, where an object is needed.")
    return given


def _require(given: Mapping[str, Any], kind: Any, where: str, more: Mapping[str, Any] = types.MappingProxyType({})) -> None:
    """Go on only if an object has the fields of a kind, and more, alone, with values that these can have."""
    known = {**(get_type_hints(kind) if kind is not None else {}), **more}
    for name, value in given.items():
        at = f"{where}.{name}"
        if name not in known:
            near = difflib.get_close_matches(str(name), known, 2)
            hint = f"Did you mean {' or '.join(near)}?" if near else f"Valid: {', '.join(sorted(known))}."
            raise DefinitionFieldInvalid(at, f"is no field. {hint}")
        forms = list(_forms(known[name]))
        if value is not None and not any(_is_of(value, form) for form in forms):
            valid = sorted({_FORMS.get(one) or str(one) for one in forms})
            raise DefinitionFieldInvalid(at, f"is {value!r}. " + (f"Valid: {', '.join(valid)}." if valid else "Leave it out."))
        if name in _PATHS and isinstance(value, str):
            _require_path(value, at)


def _require_there(given: Mapping[str, Any], names: Sequence[str], where: str) -> None:
    for name in names:
        if given.get(name) is None:
            raise DefinitionFieldInvalid(f"{where}.{name}", "is missing.")


def _require_path(text: str, where: str) -> None:
    try:
        jsonpath.compile_path(text)
    except Exception as error:  # each of its parsers has its own
        raise DefinitionFieldInvalid(where, f"is {text!r}, which is no JSONPath: {' '.join(str(error).split())}.") from error


def _forms(annotation: Any) -> Iterator[Any]:
    """What text can give of a type: the keys of ``_FORMS``, values, or Any; nothing of types that only Python has."""
    origin = get_origin(annotation)
    if origin in {Union, types.UnionType}:
        for one in get_args(annotation):
            yield from _forms(one)
    elif origin is Literal:
        yield from get_args(annotation)
    elif annotation is Any or annotation in _FORMS:
        yield annotation
    elif hasattr(annotation, "__total__") or (isinstance(origin, type) and issubclass(origin, Mapping)):
        yield dict
    elif isinstance(origin, type) and issubclass(origin, Sequence):
        yield list


def _is_of(value: Any, form: Any) -> bool:
    if form is Any:
        return True
    if form is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(form, type):
        return isinstance(value, form) and (form is bool or not isinstance(value, bool))
    return bool(value == form)
