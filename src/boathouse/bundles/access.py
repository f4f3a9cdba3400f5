"""Permissions and grants of resources: as bundles write them, and as the server has them."""

from collections.abc import Mapping, Sequence
from typing import Any

from boathouse.bundles.calls import UC
from boathouse.bundles.client import Client, quoted
from boathouse.bundles.errors import CallRefused
from boathouse.bundles.kinds import Kind
from boathouse.bundles.presets import GRANTEES, User

_PERMISSIONS = "/api/2.0/permissions"
_ACLS = "/api/2.0/secrets/acls"
_OWNED = frozenset({"jobs", "pipelines"})
ACCESS = ("permissions", "grants")
"""The fields of a body that are no settings."""


def settings_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """A body without who may what."""
    return {key: value for key, value in body.items() if key not in ACCESS}


def can_permit(client: Client, kind: Kind) -> bool:
    """Whether the server has permissions for a kind."""
    return kind.name == "secret_scopes" or (kind.acl is not None and client.has("GET", f"{_PERMISSIONS}/{kind.acl[0]}/0"))


def seen_access(
    client: Client, kind: Kind, identifier: Any, answer: Mapping[str, Any], body: Mapping[str, Any]
) -> dict[str, Any]:
    """Who may what on a resource by the server, as far as the bundle says anything about it."""
    seen: dict[str, Any] = {}
    if body.get("permissions"):
        levels = _levels(client, kind, identifier, answer)
        seen["permissions"] = [{"who": who, "level": level} for who, level in sorted(levels.items())]
    if body.get("grants"):
        named = {str(one["principal"]) for one in body["grants"]}
        held = _grants(client, kind, identifier)
        seen["grants"] = [{"principal": one, "privileges": held[one]} for one in sorted(named) if one in held]
    return seen


def apply_access(
    client: Client,
    kind: Kind,
    identifier: Any,
    answer: Mapping[str, Any],
    body: Mapping[str, Any],
    old: Mapping[str, Any],
    user: User,
) -> None:
    """Give what the bundle says, and take away what it said before and does not say any more."""
    if body.get("permissions") or old.get("permissions"):
        if kind.name == "secret_scopes":
            _apply_acls(client, identifier, body.get("permissions") or (), old.get("permissions") or ())
        else:
            _apply_permissions(client, kind, identifier, answer, body.get("permissions") or (), user)
    if body.get("grants") or old.get("grants"):
        _apply_grants(client, kind, identifier, body.get("grants") or (), old.get("grants") or ())


# --------------------------------------------------------------------------------------------------------- permissions


def _path(kind: Kind, identifier: Any, answer: Mapping[str, Any]) -> str:
    name, field = kind.acl or ("", "")
    return f"{_PERMISSIONS}/{name}/{quoted(answer.get(field, identifier))}"


def _levels(client: Client, kind: Kind, identifier: Any, answer: Mapping[str, Any]) -> dict[str, str]:
    """The levels that are not inherited, by grantee."""
    if kind.name == "secret_scopes":
        found = client.find("GET", f"{_ACLS}/list", {"scope": identifier}) or {}
        return {f"principal {one['principal']}": str(one["permission"]) for one in found.get("items") or ()}
    levels: dict[str, str] = {}
    found = client.find("GET", _path(kind, identifier, answer)) or {}
    for entry in found.get("access_control_list") or ():
        who = next((f"{key} {entry[key]}" for key in GRANTEES if entry.get(key)), None)
        own = [str(one["permission_level"]) for one in entry.get("all_permissions") or () if not one.get("inherited")]
        if who is not None and own:
            levels[who] = own[0]
    return levels


def _apply_permissions(
    client: Client, kind: Kind, identifier: Any, answer: Mapping[str, Any], wanted: Sequence[Mapping[str, Any]], user: User
) -> None:
    entries = [
        {key: one[key] for key in GRANTEES if one.get(key)} | {"permission_level": one["level"]}
        for one in wanted
        if "level" in one
    ]
    mine = {"service_principal_name" if user.is_service_principal else "user_name": user.name}
    if kind.name in _OWNED:
        # What has an owner keeps it: the API wants it named.
        if not any(one["permission_level"] == "IS_OWNER" for one in entries):
            held = _levels(client, kind, identifier, answer)
            owner = next((who for who, level in held.items() if level == "IS_OWNER"), None)
            who = dict([owner.split(" ", 1)]) if owner is not None else mine
            entries = [one for one in entries if not who.items() <= one.items()]
            entries.append({**who, "permission_level": "IS_OWNER"})
    elif not any(mine.items() <= one.items() for one in entries):
        entries.append({**mine, "permission_level": "CAN_MANAGE"})
    client.call("PUT", _path(kind, identifier, answer), {"access_control_list": entries})


def _apply_acls(client: Client, scope: Any, wanted: Sequence[Mapping[str, Any]], old: Sequence[Mapping[str, Any]]) -> None:
    levels = {next(str(one[key]) for key in GRANTEES if one.get(key)): str(one["level"]) for one in wanted}
    for principal, level in levels.items():
        client.call("POST", f"{_ACLS}/put", {"scope": scope, "principal": principal, "permission": level})
    for one in old:
        principal = next(str(one[key]) for key in GRANTEES if one.get(key))
        if principal not in levels:
            _if_there(client, f"{_ACLS}/delete", {"scope": scope, "principal": principal})


def _if_there(client: Client, path: str, body: Mapping[str, Any]) -> None:
    try:
        client.call("POST", path, dict(body))
    except CallRefused as error:
        if not error.is_missing:
            raise


def apply_to_folder(client: Client, path: str, wanted: Sequence[Mapping[str, Any]]) -> None:
    """Give levels on a folder of the workspace, and no others but those that its folders above give."""
    found = client.call("GET", "/api/2.0/workspace/get-status", query={"path": path})
    entries = [{**{key: one[key] for key in GRANTEES if one.get(key)}, "permission_level": one["level"]} for one in wanted]
    client.call("PUT", f"{_PERMISSIONS}/directories/{quoted(found['object_id'])}", {"access_control_list": entries})


# -------------------------------------------------------------------------------------------------------------- grants


def _grants(client: Client, kind: Kind, identifier: Any) -> dict[str, list[str]]:
    found = client.find("GET", f"{UC}/permissions/{kind.grants}/{quoted(identifier)}") or {}
    return {str(one["principal"]): sorted(map(str, one["privileges"])) for one in found.get("privilege_assignments") or ()}


def _apply_grants(
    client: Client, kind: Kind, identifier: Any, wanted: Sequence[Mapping[str, Any]], old: Sequence[Mapping[str, Any]]
) -> None:
    """The principals that the bundle names have exactly what it says; what others have is not its business."""
    held = _grants(client, kind, identifier)
    privileges = {str(one["principal"]): {_privilege(text) for text in one.get("privileges") or ()} for one in wanted}
    changes: list[dict[str, Any]] = []
    for principal in dict.fromkeys((*privileges, *(str(one["principal"]) for one in old))):
        now, then = set(held.get(principal, ())), privileges.get(principal, set())
        if now != then:
            changes.append({"principal": principal, "add": sorted(then - now), "remove": sorted(now - then)})
    if changes:
        client.call("PATCH", f"{UC}/permissions/{kind.grants}/{quoted(identifier)}", {"changes": changes})


def _privilege(text: Any) -> str:
    return str(text).strip().upper().replace(" ", "_")
