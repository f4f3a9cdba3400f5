"""Who may do what: ownership and grants, inherited downwards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from boathouse.catalog.errors import PrivilegeMissing, ServersOwn
from boathouse.catalog.models import GrantRow, SecurableRow
from boathouse.catalog.private import own_schema, schema_with
from boathouse.catalog.privileges import NOT_IMPLIED, NOT_OWNED, READING, SHOWING, SYSTEM, Privilege, SecurableType
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
    ``USE CATALOG`` and ``USE SCHEMA`` on the way to it. Grants on a container hold for its contents. What is private to a
    pipeline is that pipeline's alone: no right of anybody else's opens it.
    """

    def __init__(self, rows: CatalogRepository, principal: Principal) -> None:
        self._rows = rows
        self._principal = principal
        self._names = {principal.name, *principal.groups}
        self._private = own_schema(principal)

    def is_own(self, full_name: str) -> bool:
        """Whether a securable is private to the pipeline that the principal acts for."""
        return self._private is not None and schema_with(full_name) == self._private

    def hides(self, full_name: str) -> bool:
        """Whether a securable is private to another pipeline."""
        return schema_with(full_name) is not None and not self.is_own(full_name)

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
        return not _is_locked(row, privilege) and self._missing(row, privilege) is None

    def may_grant(self, row: SecurableRow) -> bool:
        """Whether the principal may give and take others' privileges on a securable: with MANAGE, on the server's own too."""
        return self._missing(row, Privilege.MANAGE) is None

    def require(self, row: SecurableRow, privilege: Privilege) -> None:
        """Go on only with the privilege.

        Raises:
            PrivilegeMissing: If the privilege, or the use of a container on the way, is missing.
            ServersOwn: If it would change what the server itself records.
        """
        self._require(row, privilege)
        if _is_locked(row, privilege):
            raise ServersOwn(SecurableType(row.type), row.full_name)

    def require_grant(self, row: SecurableRow) -> None:
        """Go on only if the principal may give and take others' privileges on a securable.

        Raises:
            PrivilegeMissing: Without MANAGE.
        """
        self._require(row, Privilege.MANAGE)

    def _require(self, row: SecurableRow, privilege: Privilege) -> None:
        missing = self._missing(row, privilege)
        if missing is not None:
            needed, on = missing
            raise PrivilegeMissing(self._principal.name, needed, SecurableType(on.type), on.full_name)

    def _missing(self, row: SecurableRow, privilege: Privilege) -> tuple[Privilege, SecurableRow] | None:
        if schema_with(row.full_name) is not None:
            return None if self.is_own(row.full_name) else (privilege, row)
        if self._principal.is_admin:
            return None
        chain = self.chain(row)
        for position, container in reversed(list(enumerate(chain))):
            use = {SecurableType.CATALOG: Privilege.USE_CATALOG, SecurableType.SCHEMA: Privilege.USE_SCHEMA}.get(
                SecurableType(container.type)
            )
            if use is not None and position > 0 and not self._holds(chain[position:], use):
                return use, container
        return None if self._holds(chain, privilege) else (privilege, row)

    def _holds(self, chain: Sequence[SecurableRow], privilege: Privilege) -> bool:
        if self.owns(chain[1:] if privilege in NOT_OWNED else chain):
            return True
        granted = self._granted(chain)
        implied = privilege not in NOT_IMPLIED and Privilege.ALL_PRIVILEGES in granted
        return privilege in granted or implied

    def visible(self, container: SecurableRow, rows: Sequence[SecurableRow], *, browse: bool = True) -> list[SecurableRow]:
        """Those of a container's securables that the principal may know of: it owns them, or holds some privilege.

        What lies in a schema also needs the use of schema and catalog, unless BROWSE holds on it.

        Args:
            container: What they lie in.
            rows: The securables.
            browse: Whether BROWSE is enough.
        """
        chain = self.chain(container)
        rows = [row for row in rows if not self.hides(row.full_name)]
        if self.owns(chain) or self.is_own(container.full_name):
            return rows
        enough = set(Privilege) if browse else set(Privilege) - {Privilege.BROWSE}
        if self.missing_use(container) is not None:
            enough &= {Privilege.BROWSE}
        inherited = self._granted(chain) & enough
        shown = {row.id for row in rows if inherited & SHOWING[SecurableType(row.type)]}
        if len(shown) == len(rows):
            return rows
        shown |= {grant.securable_id for grant in self._rows.grants_to(self._names) if grant.privilege in enough}
        owned = self._names if Privilege.SELECT in enough else set[str]()
        return [row for row in rows if row.id in shown or row.owner in owned]

    def missing_use(self, container: SecurableRow) -> tuple[Privilege, SecurableRow] | None:
        """The use of a catalog or schema that the principal lacks to know of what lies in a schema; None where it lacks none."""
        if container.type != SecurableType.SCHEMA:
            return None
        schema = self.chain(container)
        catalog = schema[1:]
        uses = ((catalog, Privilege.USE_CATALOG), (schema, Privilege.USE_SCHEMA))
        return next(((use, chain[0]) for chain, use in uses if not self._holds(chain, use)), None)

    def browse_only(self, container: SecurableRow, rows: Sequence[SecurableRow]) -> set[str]:
        """Identifiers of those that the principal may know of by BROWSE alone."""
        return {row.id for row in rows} - {row.id for row in self.visible(container, rows, browse=False)}

    def visibility(self) -> "Visibility":
        """The same rule, for many securables of many containers."""
        grants = self._rows.grants_to(self._names)
        containers = self._rows.containers()
        hidden = frozenset(row.id for row in containers.values() if self.hides(row.full_name))
        return Visibility(self._names, is_admin=self._principal.is_admin, grants=grants, containers=containers, hidden=hidden)

    def effective(self, row: SecurableRow) -> list[Held]:
        """All grants that hold on a securable, with where each was given."""
        chain = self.chain(row)
        by_id = {item.id: item for item in chain}
        return [
            Held(grant.grantee, Privilege(grant.privilege), by_id[grant.securable_id]) for grant in self._rows.grants_on(by_id)
        ]


def _is_locked(row: SecurableRow, privilege: Privilege) -> bool:
    """Whether nobody may have a privilege on a securable, because it is the server's own: all but those to read it."""
    if privilege in READING:
        return False
    is_catalog = row.type == SecurableType.CATALOG and row.full_name == SYSTEM
    return is_catalog or row.full_name.startswith(f"{SYSTEM}.")


@dataclass(frozen=True)
class Place:
    """What decides who may know of a securable: where it lies, its kind and its owner."""

    id: str
    parent_id: str | None
    type: str
    owner: str


class Visibility:
    """Which securables a principal may know of, decided without a query for each.

    Args:
        names: Of the principal and its groups.
        is_admin: Whether it may know of everything.
        grants: All that was granted to these names.
        containers: The metastore, all catalogs and all schemas, by identifier.
        hidden: Identifiers of the schemas that are private to pipelines that the principal does not act for.
    """

    def __init__(
        self,
        names: set[str],
        *,
        is_admin: bool,
        grants: Sequence[GrantRow],
        containers: Mapping[str, SecurableRow],
        hidden: frozenset[str],
    ) -> None:
        self._hidden = hidden
        self._names = names
        self._is_admin = is_admin
        self._containers = containers
        self._granted: dict[str, set[str]] = {}
        for grant in grants:
            self._granted.setdefault(grant.securable_id, set()).add(grant.privilege)
        self._known: dict[str | None, tuple[bool, set[str]]] = {None: (is_admin, set())}

    def _within(self, container_id: str | None) -> tuple[bool, set[str]]:
        """Whether the principal owns a container, by itself or by what it lies in, and the privileges that hold in it."""
        known = self._known.get(container_id)
        if known is None:
            container = self._containers.get(container_id or "")
            above = self._within(container.parent_id) if container is not None else (False, set[str]())
            owned = above[0] or (container is not None and container.owner in self._names)
            known = (owned, above[1] | self._granted.get(container_id or "", set()))
            self._known[container_id] = known
        return known

    def shows(self, place: Place | SecurableRow) -> bool:
        """Whether the principal may know of a securable."""
        if place.id in self._hidden or place.parent_id in self._hidden:
            return False
        owned, inherited = self._within(place.parent_id)
        if owned:
            return True
        here = self._granted.get(place.id, set[str]())
        if not self._enters(place.parent_id, inherited):
            return Privilege.BROWSE in inherited or Privilege.BROWSE in here
        return place.owner in self._names or bool(here) or bool(inherited & SHOWING.get(SecurableType(place.type), frozenset()))

    def _enters(self, container_id: str | None, held: set[str]) -> bool:
        """Whether the principal may use a schema that it does not own, with its catalog."""
        container = self._containers.get(container_id or "")
        if container is None or container.type != SecurableType.SCHEMA:
            return True
        owns_catalog, above = self._within(container.parent_id)
        in_catalog = owns_catalog or bool({Privilege.USE_CATALOG, Privilege.ALL_PRIVILEGES} & above)
        return in_catalog and bool({Privilege.USE_SCHEMA, Privilege.ALL_PRIVILEGES} & held)
