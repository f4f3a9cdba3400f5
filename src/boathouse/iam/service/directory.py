"""The rules of users, service principals and groups.

Reading is everybody's. Whoever changes something is an admin; the endpoints see to that.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast
from uuid import uuid4

from sqlalchemy import ColumnElement, event
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from boathouse.errors import InvalidParameterValue
from boathouse.iam.errors import (
    BuiltInGroup,
    LastAdmin,
    PrincipalExists,
    PrincipalNotFound,
    ScimInvalid,
    StillReferenced,
)
from boathouse.iam.models import GroupRow, PrincipalRow
from boathouse.iam.principal import ACCOUNT_USERS, ADMINS, PrincipalKind
from boathouse.iam.references import NameReferences
from boathouse.iam.repository import IamRepository
from boathouse.iam.scim_filter import parse, to_sql
from boathouse.iam.service.values import Group, GroupChange, GroupRef, ListQuery, Member, MemberKind, Person, PersonChange
from boathouse.kit.clock import now_ms
from boathouse.kit.ids import new_id

Columns = Mapping[str, Any]

_PERSON: dict[str, Any] = {
    "id": PrincipalRow.id,
    "displayname": PrincipalRow.display_name,
    "externalid": PrincipalRow.external_id,
    "active": PrincipalRow.active,
}
_GROUP: dict[str, Any] = {"id": GroupRow.id, "displayname": GroupRow.name, "externalid": GroupRow.external_id}
_PEOPLE: dict[PrincipalKind, Columns] = {
    "user": {**_PERSON, "username": PrincipalRow.name},
    "service_principal": {**_PERSON, "applicationid": PrincipalRow.name},
}


class Directory:
    """Users, service principals and groups in one transaction; ``begin`` comes before a change.

    Args:
        session: The transaction.
        references: What other slices keep by names.
        on_change: Called once the transaction is committed, if anybody's rights changed.
    """

    def __init__(
        self, session: Session, references: Sequence[NameReferences] = (), on_change: Callable[[], None] | None = None
    ) -> None:
        self._session = session
        self._rows = IamRepository(session)
        self._references = references
        self._on_change = on_change

    def begin(self) -> None:
        """Before anything is read that a change depends on: one change at a time."""
        self._rows.lock()
        if self._on_change is not None:
            on_change, self._on_change = self._on_change, None
            event.listen(self._session, "after_commit", lambda _session: on_change(), once=True)

    # ---- users and service principals

    def people(self, kind: PrincipalKind, query: ListQuery) -> tuple[int, list[Person]]:
        """How many there are, and a page of them with the groups that they are in themselves."""
        condition, order = _selection(query, _PEOPLE[kind])
        total = self._rows.count_principals(kind, condition)
        rows = self._rows.principals(kind, condition, order, query.start - 1, query.count)
        groups = self._rows.direct_groups_of(row.id for row in rows)
        return total, [_person(row, [GroupRef(*pair) for pair in groups.get(row.id, ())]) for row in rows]

    def person(self, principal_id: str, kind: PrincipalKind | None = None) -> Person:
        """One by id, with all groups.

        Raises:
            PrincipalNotFound: If there is none of this kind.
        """
        row = self._row(principal_id, kind)
        direct = {group_id for group_id, _ in self._rows.direct_groups_of([row.id]).get(row.id, ())}
        every = self._rows.all_groups_of(row.id)
        return _person(row, [GroupRef(group_id, name, group_id in direct) for group_id, name in every])

    def create_person(self, kind: PrincipalKind, name: str | None, change: PersonChange, groups: Sequence[str] = ()) -> Person:
        """Make one; a service principal without a name gets a UUID.

        Groups are given by id or name; with a name that none has, one is made.

        Raises:
            PrincipalExists: If the name is taken, by a group too.
        """
        name = _sound_name(name or str(uuid4()))
        if self._is_taken(name) or (kind == "user" and self._rows.users_like(name)):
            raise PrincipalExists(name)
        row = PrincipalRow(
            id=new_id(),
            name=name,
            kind=kind,
            display_name=change.display_name or name,
            active=change.active is not False,
            created_at=now_ms(),
            external_id=change.external_id,
            profile=dict(change.profile),
        )
        self._add(row)
        for group in dict.fromkeys(groups):
            if self._rows.group(group) is not None:
                self._rows.add_member(group, row.id)
                continue
            if self._rows.group_by_name(group) is None and self._is_taken(group):
                raise PrincipalExists(group)
            self._rows.join_group(_sound_name(group), row.id)
        return self.person(row.id)

    def replace_person(self, kind: PrincipalKind, principal_id: str, change: PersonChange, name: str | None = None) -> Person:
        """Set what can be set; grants and what it owns follow a user's new name. None leaves the name as it is.

        Raises:
            LastAdmin: If nobody could administer then.
            PrincipalExists: If the name is taken, by a group too.
        """
        row = self._row(principal_id, kind)
        if kind == "user" and name is not None and _sound_name(name) != row.name:
            if any(one.id != row.id for one in self._rows.users_like(name)):
                raise PrincipalExists(name)
            self._rename(row, name)
        row.display_name = change.display_name or row.name
        row.external_id = change.external_id
        row.profile = dict(change.profile)
        if change.active is not None:
            row.active = change.active
        self._rows.flush()
        self._keep_an_admin()
        return self.person(row.id)

    def delete_person(self, kind: PrincipalKind, principal_id: str) -> None:
        """Delete one with its credentials, memberships and grants.

        Raises:
            LastAdmin: If nobody could administer then.
            StillReferenced: If it owns something.
        """
        row = self._row(principal_id, kind)
        name = row.name
        self._release(name)
        self._rows.delete_principal(row.id)
        self._keep_an_admin()

    # ---- groups

    def groups(self, query: ListQuery) -> tuple[int, list[Group]]:
        """How many there are, and a page of them."""
        condition, order = _selection(query, _GROUP)
        rows = self._rows.groups(condition, order, query.start - 1, query.count)
        return self._rows.count_groups(condition), [self._group(row) for row in rows]

    def group(self, group_id: str) -> Group:
        """One by id.

        Raises:
            PrincipalNotFound: If there is none.
        """
        return self._group(self._group_row(group_id))

    def has_group(self, group_id: str) -> bool:
        """Whether a group has this id."""
        return self._rows.group(group_id) is not None

    def create_group(self, change: GroupChange) -> Group:
        """Make a group.

        Raises:
            PrincipalExists: If the name is taken, by a user too.
        """
        name = _sound_name(change.name)
        if self._is_taken(name):
            raise PrincipalExists(name)
        row = GroupRow(id=new_id(), name=name, external_id=change.external_id, profile=dict(change.profile))
        self._add(row)
        self._set_members(row, change.members)
        return self._group(row)

    def replace_group(self, group_id: str, change: GroupChange) -> Group:
        """Set name, members and the rest; grants and what it owns follow a new name.

        Raises:
            BuiltInGroup: If the name of a built-in group would change.
            LastAdmin: If nobody could administer then.
        """
        row = self._group_row(group_id)
        name = _sound_name(change.name)
        if name != row.name:
            self._rename(row, name)
        row.external_id = change.external_id
        row.profile = dict(change.profile)
        self._set_members(row, change.members)
        self._keep_an_admin()
        return self._group(row)

    def delete_group(self, group_id: str) -> None:
        """Delete a group and its grants; its members stay.

        Raises:
            BuiltInGroup: If it is one.
            StillReferenced: If it owns something.
        """
        row = self._group_row(group_id)
        if row.name == ADMINS:
            raise BuiltInGroup(row.name)
        self._release(row.name)
        self._rows.delete_group(row.id)
        self._keep_an_admin()

    # ---- within

    def _row(self, principal_id: str, kind: PrincipalKind | None) -> PrincipalRow:
        row = self._rows.principal(principal_id)
        if row is None or (kind is not None and row.kind != kind):
            raise PrincipalNotFound(principal_id)
        return row

    def _group_row(self, group_id: str) -> GroupRow:
        row = self._rows.group(group_id)
        if row is None:
            raise PrincipalNotFound(group_id)
        return row

    def _is_taken(self, name: str) -> bool:
        return name == ACCOUNT_USERS or self._rows.principal_by_name(name) is not None or self._rows.group_exists(name)

    def _add(self, row: PrincipalRow | GroupRow) -> None:
        try:
            self._rows.add(row)
        except IntegrityError as error:
            raise PrincipalExists(row.name) from error

    def _rename(self, row: PrincipalRow | GroupRow, name: str) -> None:
        if ADMINS in {row.name, name}:
            raise BuiltInGroup(ADMINS)
        if self._is_taken(name):
            raise PrincipalExists(name)
        old, row.name = row.name, name
        self._rows.flush()
        for references in self._references:
            references.renamed(self._session, old, name)

    def _release(self, name: str) -> None:
        held = [text for references in self._references for text in references.held_by(self._session, name)]
        if held:
            raise StillReferenced(name, held)
        for references in self._references:
            references.deleted(self._session, name)

    def _keep_an_admin(self) -> None:
        if not self._rows.active_admins():
            raise LastAdmin

    def _set_members(self, row: GroupRow, wanted: Sequence[str]) -> None:
        principals = {member.id for member in self._rows.principals_in(row.id)}
        nested = {member.id for member in self._rows.groups_in(row.id)}
        for gone in principals - set(wanted):
            self._rows.remove_member(row.id, gone)
        for gone in nested - set(wanted):
            self._rows.unnest(row.id, gone)
        for new in dict.fromkeys(wanted):
            if new in principals or new in nested:
                continue
            if self._rows.principal(new) is not None:
                self._rows.add_member(row.id, new)
            elif self._rows.group(new) is not None:
                self._nest(row, new)
            else:
                message = f"The member '{new}' does not exist: give the id of a user, service principal or group."
                raise ScimInvalid("invalidValue", message, "members")

    def _nest(self, row: GroupRow, member_id: str) -> None:
        if self._rows.is_below(row.id, member_id):
            message = f"The group '{row.name}' cannot have the member '{member_id}': that is itself or a group that has it."
            raise ScimInvalid("invalidValue", message, "members")
        self._rows.nest(row.id, member_id)

    def _group(self, row: GroupRow) -> Group:
        principals = [
            Member(one.id, one.display_name, cast("MemberKind", one.kind)) for one in self._rows.principals_in(row.id)
        ]
        nested = [Member(one.id, one.name, "group") for one in self._rows.groups_in(row.id)]
        parents = self._rows.parents_of([row.id]).get(row.id, ())
        return Group(
            row.id,
            row.name,
            row.external_id,
            row.profile,
            (*principals, *nested),
            tuple(GroupRef(*pair) for pair in parents),
        )


def _person(row: PrincipalRow, groups: Sequence[GroupRef]) -> Person:
    kind = cast("PrincipalKind", row.kind)
    everybody = GroupRef(ACCOUNT_USERS, ACCOUNT_USERS)
    return Person(row.id, row.name, kind, row.display_name, row.active, row.external_id, row.profile, (*groups, everybody))


def _selection(query: ListQuery, columns: Columns) -> tuple[ColumnElement[bool] | None, list[ColumnElement[Any]]]:
    condition = to_sql(parse(query.filter), columns) if query.filter else None
    if not query.sort_by:
        return condition, []
    column = columns.get(query.sort_by.lower())
    if column is None:
        raise ScimInvalid("invalidValue", f"sortBy '{query.sort_by}' is not valid. Valid: {', '.join(columns)}.", "sortBy")
    return condition, [column.desc() if query.descending else column.asc()]


def _sound_name(name: str) -> str:
    if not name.strip() or name != name.strip() or not name.isprintable() or len(name) > 255:
        message = f"The name {name!r} is not valid: 1 to 255 printable characters without space at its ends."
        raise InvalidParameterValue(message, field="name")
    return name
