"""What endpoints take and give, for queries that ask them."""

from collections.abc import Mapping
from typing import Any

from boathouse.engine.api import EndpointShape
from boathouse.iam.api import Principal
from boathouse.serving.errors import EndpointNotReady
from boathouse.serving.lineage import asset_of
from boathouse.serving.running import Running
from boathouse.serving.runtime import Serving

_TYPES = {
    "boolean": "BOOLEAN",
    "integer": "INT",
    "long": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "string": "STRING",
    "binary": "BINARY",
    "datetime": "TIMESTAMP",
}
_TENSORS = {
    "bool": "BOOLEAN",
    "int8": "INT",
    "int16": "INT",
    "int32": "INT",
    "int64": "BIGINT",
    "uint8": "INT",
    "uint16": "INT",
    "uint32": "BIGINT",
    "float16": "FLOAT",
    "float32": "FLOAT",
    "float64": "DOUBLE",
    "str": "STRING",
    "object": "STRING",
}


class EndpointShapes:
    """Knows the running endpoints. Safe for threads.

    Args:
        serving: The endpoints.
    """

    def __init__(self, serving: Serving) -> None:
        self._serving = serving

    def __call__(self, principal: Principal, name: str) -> EndpointShape:
        """What an endpoint takes and gives: its served entity with the largest share of the traffic.

        Raises:
            EndpointNotFound: If there is none that the principal may know of.
            EndpointPermissionMissing: If the principal may not query it.
            EndpointNotReady: If none of its model servers has started; it says how to wait for one that is about to.
        """
        if not self._serving.begun.is_set():
            raise EndpointNotReady(name, "the server is starting.", self._begun)
        running = self._serving.find(name)
        running.record.require(principal, "CAN_QUERY")
        facts = _facts(running)
        columns = tuple(facts.get("request_columns") or ())
        optional = {str(one.get("name")) for one in facts.get("inputs") or () if one.get("required") is False}
        required = tuple(name for name in columns if name not in optional)
        config = running.record.config
        entities = config.entities if config is not None else ()
        asked = tuple(asset_of(one) for one in entities if config is not None and config.routes.get(one.name))
        return EndpointShape(running.record.name, columns, required, returns(facts.get("outputs")), asked)

    async def _begun(self) -> None:
        await self._serving.begun.wait()


def _facts(running: Running) -> dict[str, Any]:
    config = running.record.config
    routes = config.routes if config is not None else {}
    for name in sorted(routes, key=lambda one: -routes[one]):
        model = running.models.get(name)
        if model is not None and model.facts:
            return model.facts
    reason = running.record.update_message or running.reasons or "its first model server is starting."
    raise EndpointNotReady(running.record.name, reason, running.wait if running.is_coming else None)


def returns(outputs: list[Mapping[str, Any]] | None) -> str | None:
    """Spark's type of an answer by the outputs of a model's signature; None where they do not say."""
    kinds = [(str(one.get("name") or ""), _type(one)) for one in outputs or ()]
    if not kinds or any(kind is None for _, kind in kinds):
        return None
    if len(kinds) == 1:
        return kinds[0][1]
    if not all(name for name, _ in kinds):
        return None
    fields = ", ".join(f"`{name.replace('`', '``')}`: {kind}" for name, kind in kinds)
    return f"STRUCT<{fields}>"


def _type(told: Mapping[str, Any]) -> str | None:
    """Spark's type of a column as MLflow describes it."""
    kind = told.get("type")
    if kind == "tensor":
        spec = told["tensor-spec"]
        base, depth = _TENSORS.get(spec["dtype"]), len(spec["shape"]) - 1
        return None if base is None else "ARRAY<" * depth + base + ">" * depth
    if kind == "array" and isinstance(told.get("items"), Mapping):
        inner = _type(told["items"])
        return None if inner is None else f"ARRAY<{inner}>"
    if kind == "object" and isinstance(told.get("properties"), Mapping):
        fields = [(str(name), _type(one)) for name, one in told["properties"].items()]
        if any(inner is None for _, inner in fields):
            return None
        return f"STRUCT<{', '.join(f'`{name}`: {inner}' for name, inner in fields)}>"
    return _TYPES.get(str(kind))
