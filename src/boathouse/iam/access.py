"""Levels of permission as the API sends them, for every slice that gives them on objects of its own."""

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from boathouse.errors import InvalidParameterValue
from boathouse.iam.errors import PrincipalNotFound
from boathouse.iam.levels import Access, Levels
from boathouse.iam.principal import ACCOUNT_USERS, ADMINS, USERS, Principal
from boathouse.iam.service import IamService

_KINDS = ("user_name", "group_name", "service_principal_name")


class AccessBody(BaseModel):
    """A level of permission of one grantee."""

    user_name: str | None = None
    group_name: str | None = None
    service_principal_name: str | None = None
    permission_level: str


class AccessChange(BaseModel):
    """The body of a change of permissions."""

    access_control_list: list[AccessBody] = Field(default_factory=list[AccessBody])


def access_of(session: Session, levels: Levels, changes: Sequence[AccessBody]) -> list[Access]:
    """What the entries of an access list give to whom.

    Raises:
        InvalidParameterValue: If one names nobody, or no level; the message names its place.
        PrincipalNotFound: If there is no such grantee.
    """
    return [_access(session, levels, change, f"access_control_list[{index}]") for index, change in enumerate(changes)]


def _access(session: Session, levels: Levels, change: AccessBody, where: str) -> Access:
    kind = next((key for key in _KINDS if getattr(change, key)), None)
    if kind is None:
        raise InvalidParameterValue(f"{where} needs {', '.join(_KINDS[:-1])} or {_KINDS[-1]}.", field=where)
    if change.permission_level not in levels.names:
        field = f"{where}.permission_level"
        raise InvalidParameterValue(f"{field} is not valid. Valid: {', '.join(levels.names)}.", field=field)
    name = str(getattr(change, kind))
    grantee = IamService(session).grantee(name)
    if grantee is None:
        if kind != "group_name" or name != USERS:
            raise PrincipalNotFound(name)
        grantee = ACCOUNT_USERS
    return Access(grantee, kind, change.permission_level)


def told_access(object_id: str, object_type: str, access: Iterable[Access], inherited: Iterable[Access] = ()) -> dict[str, Any]:
    """Who may what on an object, and by something else than it, as the permissions API tells it: admins manage every one."""
    entries = [(one.kind, one.grantee, one.level, False) for one in access]
    entries += [(one.kind, one.grantee, one.level, True) for one in inherited]
    entries.append(("group_name", ADMINS, "CAN_MANAGE", True))
    return {
        "object_id": object_id,
        "object_type": object_type,
        "access_control_list": [
            {kind: grantee, "all_permissions": [{"permission_level": level, "inherited": is_inherited}]}
            for kind, grantee, level, is_inherited in entries
        ],
    }


def runner_of(session: Session, principal: Principal, asked: str | None, what: str) -> Principal:
    """With whose rights something runs: the asker's, or for an admin somebody else's.

    Args:
        session: A transaction.
        principal: Who asks.
        asked: The name of the one that it is to run as; None for the asker.
        what: Is to be run, for the message.

    Raises:
        InvalidParameterValue: If somebody else is asked for by who is no admin.
        PrincipalNotFound: If that is nobody.
    """
    if not asked or asked == principal.name:
        return principal
    if not principal.is_admin:
        message = f"run_as is {asked}. Only an admin may let {what} run as somebody else."
        raise InvalidParameterValue(message, field="run_as")
    return IamService(session).get_principal(asked)
