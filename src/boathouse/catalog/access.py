"""Who may do what: ownership and grants, inherited downwards."""

from collections.abc import Sequence
from dataclasses import dataclass

from boathouse.catalog.errors import PrivilegeMissing
from boathouse.catalog.models import SecurableRow
from boathouse.catalog.privileges import Privilege, SecurableType
from boathouse.catalog.repository import CatalogRepository
from boathouse.iam.api import Principal


@dataclass(frozen=True)
class Held:
    """A privilege that a grantee holds on a securable, and the securable that it was granted on."""

    grantee: str
    privilege: Privilege
    granted_on: SecurableRow


class Access:
    """Decides for one principal in one transaction.

    An admin may do all. An owner of a securable may do all with it and with what is in it, but needs, like everybody,
    ``USE CATALOG`` and ``USE SCHEMA`` on the way to it. Grants on a container hold for its contents.
    """

    def __init__(self, rows: CatalogRepository, principal: Principal) -> None:
        self._rows = rows
        self._principal = principal
        self._names = {principal.name, *principal.groups}

    def chain(self, row: SecurableRow) -> list[SecurableRow]:
        """A securable and its containers, up to the metastore."""
        chain = [row]
        while chain[-1].parent_id is not None:
            parent = self._rows.by_id(chain[-1].parent_id)
            if parent is None:
                break
            chain.append(parent)
        return chain

    def owns(self, chain: Sequence[SecurableRow]) -> bool:
        """Whether the principal owns the first of a chain, by itself or by a container."""
        return self._principal.is_admin or any(row.owner in self._names for row in chain)

    def _granted(self, chain: Sequence[SecurableRow]) -> set[str]:
        return {grant.privilege for grant in self._rows.grants_on([row.id for row in chain], self._names)}

    def may(self, row: SecurableRow, privilege: Privilege) -> bool:
        """Whether the principal has a privilege on a securable and may reach it."""
        return self._missing(row, privilege) is None

    def require(self, row: SecurableRow, privilege: Privilege) -> None:
        """Go on only with the privilege.

        Raises:
            PrivilegeMissing: If the privilege, or the use of a container on the way, is missing.
        """
        missing = self._missing(row, privilege)
        if missing is not None:
            needed, on = missing
            raise PrivilegeMissing(self._principal.name, needed, SecurableType(on.type), on.full_name)

    def _missing(self, row: SecurableRow, privilege: Privilege) -> tuple[Privilege, SecurableRow] | None:
        chain = self.chain(row)
        if self._principal.is_admin:
            return None
        for position, container in reversed(list(enumerate(chain))):
            use = {SecurableType.CATALOG: Privilege.USE_CATALOG, SecurableType.SCHEMA: Privilege.USE_SCHEMA}.get(
                SecurableType(container.type)
            )
            if use is not None and position > 0 and not self._holds(chain[position:], use):
                return use, container
        return None if self._holds(chain, privilege) else (privilege, row)

    def _holds(self, chain: Sequence[SecurableRow], privilege: Privilege) -> bool:
        if self.owns(chain):
            return True
        granted = self._granted(chain)
        implied = privilege is not Privilege.MANAGE and Privilege.ALL_PRIVILEGES in granted
        return privilege in granted or implied

    def visible(self, container: SecurableRow, rows: Sequence[SecurableRow]) -> list[SecurableRow]:
        """Those of a container's securables that the principal may know of: it owns them, or holds some privilege."""
        chain = self.chain(container)
        if self.owns(chain):
            return list(rows)
        inherited = self._granted(chain) - {Privilege.USE_CATALOG, Privilege.CREATE_CATALOG}
        if container.type != SecurableType.CATALOG:
            inherited -= {Privilege.USE_SCHEMA, Privilege.CREATE_SCHEMA, Privilege.CREATE_TABLE}
            inherited -= {Privilege.CREATE_VOLUME, Privilege.CREATE_MODEL}
        if inherited:
            return list(rows)
        granted = {grant.securable_id for grant in self._rows.grants_to(self._names)}
        return [row for row in rows if row.id in granted or row.owner in self._names]

    def effective(self, row: SecurableRow) -> list[Held]:
        """All grants that hold on a securable, with where each was given."""
        chain = self.chain(row)
        by_id = {item.id: item for item in chain}
        return [
            Held(grant.grantee, Privilege(grant.privilege), by_id[grant.securable_id]) for grant in self._rows.grants_on(by_id)
        ]
