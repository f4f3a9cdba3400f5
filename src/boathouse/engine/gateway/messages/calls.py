"""Calls without a plan that change something: what the audit is told of them."""

from typing import Any

from boathouse.engine.gateway.messages.protocol import proto
from boathouse.history.api import flatten_params

_MOST_KEYS = 50


def change_of(method: str, request: bytes) -> dict[str, str] | None:
    """What a call changes, without secrets; None for one that only asks."""
    match method:
        case "Config":
            return _config(proto().ConfigRequest.FromString(request).operation)
        case "Interrupt":
            asked = proto().InterruptRequest.FromString(request)
            return flatten_params({"operation_id": asked.operation_id or None, "tag": asked.operation_tag or None})
        case "ReleaseSession" | "CloneSession":
            return {}
        case _:
            return None


def _config(operation: Any) -> dict[str, str] | None:
    match operation.WhichOneof("op_type"):
        case "set":
            return flatten_params({"set": {pair.key: pair.value for pair in operation.set.pairs[:_MOST_KEYS]}})
        case "unset":
            return flatten_params({"unset": list(operation.unset.keys[:_MOST_KEYS])})
        case _:
            return None
