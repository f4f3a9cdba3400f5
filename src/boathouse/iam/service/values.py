"""Frozen values of the directory."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from boathouse.iam.principal import PrincipalKind

MemberKind: TypeAlias = Literal["user", "service_principal", "group"]


@dataclass(frozen=True)
class GroupRef:
    """A group that something is in; ``direct`` if not by another group."""

    id: str
    name: str
    direct: bool = True


@dataclass(frozen=True)
class Member:
    """Something in a group."""

    id: str
    name: str
    kind: MemberKind


@dataclass(frozen=True)
class Person:
    """A user or service principal; ``profile`` has name, emails, roles and entitlements as SCIM writes them."""

    id: str
    name: str
    kind: PrincipalKind
    display_name: str
    active: bool
    external_id: str | None
    profile: Mapping[str, Any]
    groups: tuple[GroupRef, ...] = ()


@dataclass(frozen=True)
class PersonChange:
    """What can be set on a user or service principal; ``active`` None leaves it."""

    display_name: str | None = None
    active: bool | None = None
    external_id: str | None = None
    profile: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class Group:
    """A group."""

    id: str
    name: str
    external_id: str | None
    profile: Mapping[str, Any]
    members: tuple[Member, ...] = ()
    groups: tuple[GroupRef, ...] = ()


@dataclass(frozen=True)
class GroupChange:
    """What can be set on a group; ``members`` are ids."""

    name: str
    external_id: str | None = None
    profile: Mapping[str, Any] = field(default_factory=dict[str, Any])
    members: tuple[str, ...] = ()


@dataclass(frozen=True)
class ListQuery:
    """Which part of a list: ``start`` counts from 1."""

    filter: str | None = None
    sort_by: str | None = None
    descending: bool = False
    start: int = 1
    count: int = 100
