"""Every query on principals, groups and their memberships."""

from collections.abc import Iterable, Sequence

from sqlalchemy import CTE, ColumnElement, bindparam, delete, func, select, text
from sqlalchemy.orm import Session

from boathouse.iam.models import ExternalIdentityRow, GroupRow, MembershipRow, NestedGroupRow, PrincipalRow
from boathouse.iam.principal import ADMINS
from boathouse.kit.ids import new_id

_PRINCIPAL = "principal"


class IamRepository:
    """Principals and groups in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def lock(self) -> None:
        """Let one transaction at a time change who is who; SQLite's writers queue anyway."""
        if self._session.get_bind().dialect.name == "postgresql":
            self._session.execute(text("SELECT pg_advisory_xact_lock(815916)"))

    def add(self, row: PrincipalRow | GroupRow | ExternalIdentityRow) -> None:
        """Insert a row."""
        self._session.add(row)
        self._session.flush()

    def flush(self) -> None:
        """Send what was changed."""
        self._session.flush()

    # ---- principals

    def principal(self, principal_id: str) -> PrincipalRow | None:
        """The principal with an identifier."""
        return self._session.get(PrincipalRow, principal_id)

    def principal_by_name(self, name: str) -> PrincipalRow | None:
        """The principal with a name."""
        return self._session.scalar(select(PrincipalRow).where(PrincipalRow.name == name))

    def active_names(self, principal_ids: Iterable[str]) -> dict[str, str]:
        """Names by id of those that are there and active."""
        query = select(PrincipalRow.id, PrincipalRow.name).where(PrincipalRow.active, PrincipalRow.id.in_(list(principal_ids)))
        return {row.id: row.name for row in self._session.execute(query)}

    def users_like(self, name: str) -> list[PrincipalRow]:
        """The users with a name in any case."""
        query = select(PrincipalRow).where(PrincipalRow.kind == "user", func.lower(PrincipalRow.name) == name.lower())
        return list(self._session.scalars(query))

    def principals(
        self,
        kind: str,
        condition: ColumnElement[bool] | None = None,
        order: Sequence[ColumnElement[object]] = (),
        start: int = 0,
        count: int | None = None,
    ) -> list[PrincipalRow]:
        """Principals of a kind, by name where no order is given."""
        query = select(PrincipalRow).where(PrincipalRow.kind == kind)
        if condition is not None:
            query = query.where(condition)
        query = query.order_by(*(order or (PrincipalRow.name,)), PrincipalRow.id).offset(start).limit(count)
        return list(self._session.scalars(query))

    def count_principals(self, kind: str, condition: ColumnElement[bool] | None = None) -> int:
        """How many there are."""
        query = select(func.count()).select_from(PrincipalRow).where(PrincipalRow.kind == kind)
        return self._session.scalar(query if condition is None else query.where(condition)) or 0

    def delete_principal(self, principal_id: str) -> None:
        """Delete a principal with its memberships and credentials."""
        self._session.execute(delete(PrincipalRow).where(PrincipalRow.id == principal_id))

    # ---- groups

    def group(self, group_id: str) -> GroupRow | None:
        """The group with an identifier."""
        return self._session.get(GroupRow, group_id)

    def group_by_name(self, name: str) -> GroupRow | None:
        """The group with a name."""
        return self._session.scalar(select(GroupRow).where(GroupRow.name == name))

    def group_exists(self, name: str) -> bool:
        """Whether a group has this name."""
        return self._session.scalar(select(GroupRow.id).where(GroupRow.name == name)) is not None

    def groups_like(self, name: str) -> list[str]:
        """Names of the groups with a name in any case."""
        return list(self._session.scalars(select(GroupRow.name).where(func.lower(GroupRow.name) == name.lower())))

    def groups(
        self,
        condition: ColumnElement[bool] | None = None,
        order: Sequence[ColumnElement[object]] = (),
        start: int = 0,
        count: int | None = None,
    ) -> list[GroupRow]:
        """Groups, by name where no order is given."""
        query = select(GroupRow)
        if condition is not None:
            query = query.where(condition)
        query = query.order_by(*(order or (GroupRow.name,)), GroupRow.id).offset(start).limit(count)
        return list(self._session.scalars(query))

    def count_groups(self, condition: ColumnElement[bool] | None = None) -> int:
        """How many there are."""
        query = select(func.count()).select_from(GroupRow)
        return self._session.scalar(query if condition is None else query.where(condition)) or 0

    def delete_group(self, group_id: str) -> None:
        """Delete a group; its members stay."""
        self._session.execute(delete(GroupRow).where(GroupRow.id == group_id))

    # ---- who is in what

    def groups_of(self, principal_id: str) -> frozenset[str]:
        """Names of the groups that a principal is in, by other groups too."""
        return frozenset(self._session.scalars(_NAMES_ABOVE, {_PRINCIPAL: principal_id}))

    def all_groups_of(self, principal_id: str) -> list[tuple[str, str]]:
        """The same as pairs of id and name, by name."""
        return [(row.id, row.name) for row in self._session.execute(_GROUPS_ABOVE, {_PRINCIPAL: principal_id})]

    def direct_groups_of(self, principal_ids: Iterable[str]) -> dict[str, list[tuple[str, str]]]:
        """The groups that principals are in themselves, as pairs of id and name."""
        query = (
            select(MembershipRow.principal_id, GroupRow.id, GroupRow.name)
            .join(GroupRow, GroupRow.id == MembershipRow.group_id)
            .where(MembershipRow.principal_id.in_(list(principal_ids)))
            .order_by(GroupRow.name)
        )
        return _grouped((key, group_id, name) for key, group_id, name in self._session.execute(query))

    def parents_of(self, group_ids: Iterable[str]) -> dict[str, list[tuple[str, str]]]:
        """The groups that groups are in themselves, as pairs of id and name."""
        query = (
            select(NestedGroupRow.member_id, GroupRow.id, GroupRow.name)
            .join(GroupRow, GroupRow.id == NestedGroupRow.group_id)
            .where(NestedGroupRow.member_id.in_(list(group_ids)))
            .order_by(GroupRow.name)
        )
        return _grouped((key, group_id, name) for key, group_id, name in self._session.execute(query))

    def principals_in(self, group_id: str) -> list[PrincipalRow]:
        """The principals that a group has itself, by name."""
        query = select(PrincipalRow).join(MembershipRow).where(MembershipRow.group_id == group_id)
        return list(self._session.scalars(query.order_by(PrincipalRow.name)))

    def groups_in(self, group_id: str) -> list[GroupRow]:
        """The groups that a group has itself, by name."""
        query = select(GroupRow).join(NestedGroupRow, NestedGroupRow.member_id == GroupRow.id)
        return list(self._session.scalars(query.where(NestedGroupRow.group_id == group_id).order_by(GroupRow.name)))

    def is_below(self, group_id: str, ancestor_id: str) -> bool:
        """Whether a group is in another one, by others too."""
        below = self._below(ancestor_id)
        return self._session.scalar(select(below.c.group_id).where(below.c.group_id == group_id)) is not None

    def active_admins(self) -> list[PrincipalRow]:
        """Who may administer, the oldest first."""
        admins = self._session.scalar(select(GroupRow.id).where(GroupRow.name == ADMINS))
        if admins is None:
            return []
        below = self._below(admins)
        members = select(MembershipRow.principal_id).join(below, MembershipRow.group_id == below.c.group_id)
        query = select(PrincipalRow).where(PrincipalRow.active, PrincipalRow.id.in_(members))
        return list(self._session.scalars(query.order_by(PrincipalRow.created_at, PrincipalRow.id)))

    def join_group(self, name: str, principal_id: str, source: str = "direct") -> None:
        """Put a principal into a group, which is made if it is missing."""
        group_id = self._session.scalar(select(GroupRow.id).where(GroupRow.name == name))
        if group_id is None:
            group_id = new_id()
            self.add(GroupRow(id=group_id, name=name, profile={}))
        self.add_member(group_id, principal_id, source)

    def add_member(self, group_id: str, principal_id: str, source: str = "direct") -> None:
        """Put a principal into a group; one that a person put there stays so."""
        row = self._session.get(MembershipRow, (group_id, principal_id))
        if row is None:
            self._session.add(MembershipRow(group_id=group_id, principal_id=principal_id, source=source))
        elif source == "direct":
            row.source = source
        self._session.flush()

    def remove_member(self, group_id: str, principal_id: str) -> None:
        """Take a principal out of a group."""
        here = (MembershipRow.group_id == group_id, MembershipRow.principal_id == principal_id)
        self._session.execute(delete(MembershipRow).where(*here))

    def nest(self, group_id: str, member_id: str) -> None:
        """Put a group into a group."""
        if self._session.get(NestedGroupRow, (group_id, member_id)) is None:
            self._session.add(NestedGroupRow(group_id=group_id, member_id=member_id))
            self._session.flush()

    def unnest(self, group_id: str, member_id: str) -> None:
        """Take a group out of a group."""
        here = (NestedGroupRow.group_id == group_id, NestedGroupRow.member_id == member_id)
        self._session.execute(delete(NestedGroupRow).where(*here))

    def memberships(self, principal_id: str, source: str) -> dict[str, str]:
        """Ids of the groups that a principal is in itself from a source, by the groups' names."""
        query = select(GroupRow.name, GroupRow.id).join(MembershipRow)
        query = query.where(MembershipRow.principal_id == principal_id, MembershipRow.source == source)
        return {row.name: row.id for row in self._session.execute(query)}

    def _below(self, group_id: str) -> CTE:
        below = select(GroupRow.id.label("group_id")).where(GroupRow.id == group_id).cte("below", recursive=True)
        return below.union(select(NestedGroupRow.member_id).join(below, NestedGroupRow.group_id == below.c.group_id))

    # ---- external identities

    def identity(self, issuer: str, subject: str) -> ExternalIdentityRow | None:
        """Who a provider's subject is here."""
        return self._session.get(ExternalIdentityRow, (issuer, subject))

    def identities_of(self, principal_id: str) -> list[ExternalIdentityRow]:
        """A principal's identities elsewhere."""
        return list(self._session.scalars(select(ExternalIdentityRow).where(ExternalIdentityRow.principal_id == principal_id)))


def _above() -> CTE:
    """The groups that a principal is in, by other groups too."""
    query = select(MembershipRow.group_id).where(MembershipRow.principal_id == bindparam(_PRINCIPAL))
    above = query.cte("above", recursive=True)
    return above.union(select(NestedGroupRow.group_id).join(above, NestedGroupRow.member_id == above.c.group_id))


# Asked with many requests, and dearer to build than to ask.
_NAMES_ABOVE = select(GroupRow.name).join(found := _above(), GroupRow.id == found.c.group_id)
_GROUPS_ABOVE = (
    select(GroupRow.id, GroupRow.name).join(found := _above(), GroupRow.id == found.c.group_id).order_by(GroupRow.name)
)


def _grouped(rows: Iterable[tuple[str, str, str]]) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for key, group_id, name in rows:
        found.setdefault(key, []).append((group_id, name))
    return found
