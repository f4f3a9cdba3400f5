"""Grants."""

from collections.abc import Iterable
from dataclasses import dataclass

from boathouse.catalog.access import Held
from boathouse.catalog.errors import NotGrantable
from boathouse.catalog.models import SecurableRow
from boathouse.catalog.privileges import GRANTABLE, Privilege, SecurableType
from boathouse.catalog.service.base import CatalogBase
from boathouse.iam.api import IamService


@dataclass(frozen=True)
class GrantChange:
    """Privileges to give to and take from one grantee, by their names."""

    grantee: str
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


class Grants(CatalogBase):
    """Grants on securables of every kind."""

    def get_grants(self, kind: SecurableType, full_name: str, grantee: str | None = None) -> dict[str, list[Privilege]]:
        """The privileges granted on a securable itself, by grantee; to see others' needs MANAGE."""
        row = self.reach(kind, full_name, None)
        everything = self.access.may_grant(row)
        mine = {self.principal.name, *self.principal.groups}
        grantee = self._asked_for(grantee)
        found: dict[str, list[Privilege]] = {}
        for grant in self.rows.grants_on([row.id], None if grantee is None else [grantee]):
            if everything or grant.grantee in mine:
                found.setdefault(grant.grantee, []).append(Privilege(grant.privilege))
        return found

    def get_effective_grants(self, kind: SecurableType, full_name: str, grantee: str | None = None) -> list[Held]:
        """The privileges that hold on a securable, with the securable that each was granted on."""
        row = self.reach(kind, full_name, None)
        everything = self.access.may_grant(row)
        mine = {self.principal.name, *self.principal.groups}
        grantee = self._asked_for(grantee)
        return [
            held
            for held in self.access.effective(row)
            if (everything or held.grantee in mine) and grantee in (None, held.grantee) and _reaches(held, row)
        ]

    def change_grants(self, kind: SecurableType, full_name: str, changes: Iterable[GrantChange]) -> None:
        """Give and take privileges; all of the changes or none.

        Raises:
            PrivilegeMissing: Without MANAGE (an owner has it); EXTERNAL USE SCHEMA needs it on the catalog.
            NotGrantable: If this kind of securable does not have the privilege.
            PrincipalNotFound: If the grantee is nobody.
        """
        row = self.find_row(kind, full_name)
        self.access.require_grant(row)
        for change in changes:
            grantee = self.grantee(change.grantee)
            for name in change.add:
                privilege = self._grantable(row, name)
                if privilege is Privilege.EXTERNAL_USE_SCHEMA and row.type == SecurableType.SCHEMA:
                    # Who may take data out of the server is for the catalog's owner to say, not for the schema's.
                    self.access.require_grant(self.access.chain(row)[1])
                self.rows.add_grant(row.id, grantee, privilege.value)
            for name in change.remove:
                self.rows.remove_grant(row.id, grantee, self._grantable(row, name).value)
        self.touch(row)

    def _asked_for(self, grantee: str | None) -> str | None:
        return None if grantee is None else IamService(self.session).grantee(grantee) or grantee

    def _grantable(self, row: SecurableRow, name: str) -> Privilege:
        kind = SecurableType(row.type)
        privilege = Privilege.parse(name)
        if privilege is None or privilege not in GRANTABLE[kind]:
            raise NotGrantable(name, kind)
        return privilege


def _reaches(held: Held, row: SecurableRow) -> bool:
    """Whether a privilege means something below: of those on the metastore only MANAGE does."""
    of_metastore = held.granted_on.type == SecurableType.METASTORE and row.type != SecurableType.METASTORE
    return not of_metastore or held.privilege is Privilege.MANAGE
