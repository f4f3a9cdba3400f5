"""Every query on serving endpoints."""

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from boathouse.serving.models import EndpointPermissionRow, EndpointRow


class ServingRepository:
    """Endpoints and their permissions in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def by_name(self, name: str) -> EndpointRow | None:
        """The endpoint with a name."""
        return self._session.scalar(select(EndpointRow).where(EndpointRow.name == name))

    def by_id(self, endpoint_id: str) -> EndpointRow | None:
        """The endpoint with an identifier."""
        return self._session.get(EndpointRow, endpoint_id)

    def all(self) -> list[EndpointRow]:
        """All endpoints, by name."""
        return list(self._session.scalars(select(EndpointRow).order_by(EndpointRow.name)))

    def add(self, row: EndpointRow | EndpointPermissionRow) -> None:
        """Insert a row."""
        self._session.add(row)
        self._session.flush()

    def remove(self, row: EndpointRow) -> None:
        """Delete an endpoint with its permissions."""
        self._session.delete(row)
        self._session.flush()

    def permissions(self, endpoint_id: str) -> list[EndpointPermissionRow]:
        """The permissions on an endpoint, by grantee."""
        query = select(EndpointPermissionRow).where(EndpointPermissionRow.endpoint_id == endpoint_id)
        return list(self._session.scalars(query.order_by(EndpointPermissionRow.grantee)))

    def created_by(self, name: str) -> list[EndpointRow]:
        """The endpoints that a principal made, by name."""
        return list(self._session.scalars(select(EndpointRow).where(EndpointRow.creator == name).order_by(EndpointRow.name)))

    def rename_principal(self, old: str, new: str) -> None:
        """Let creators and permissions follow a principal's new name."""
        self._session.execute(update(EndpointRow).where(EndpointRow.creator == old).values(creator=new))
        renamed = update(EndpointPermissionRow).where(EndpointPermissionRow.grantee == old).values(grantee=new)
        self._session.execute(renamed)

    def remove_permissions_of(self, name: str) -> None:
        """Take away all that a principal may do with endpoints."""
        self._session.execute(delete(EndpointPermissionRow).where(EndpointPermissionRow.grantee == name))

    def clear_permissions(self, endpoint_id: str, grantee: str | None = None) -> None:
        """Delete the permissions on an endpoint, of one grantee or all."""
        query = delete(EndpointPermissionRow).where(EndpointPermissionRow.endpoint_id == endpoint_id)
        if grantee is not None:
            query = query.where(EndpointPermissionRow.grantee == grantee)
        self._session.execute(query)
