"""Every query on online stores and tables."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from boathouse.features.models import OnlineStoreRow, OnlineTableRow


class FeatureRepository:
    """Online stores and tables in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def store(self, name: str) -> OnlineStoreRow | None:
        """The store with a name."""
        return self._session.get(OnlineStoreRow, name)

    def stores(self, after: str, limit: int) -> list[OnlineStoreRow]:
        """Stores by name, from behind a name on."""
        query = select(OnlineStoreRow).where(OnlineStoreRow.name > after).order_by(OnlineStoreRow.name).limit(limit)
        return list(self._session.scalars(query))

    def table(self, full_name: str) -> OnlineTableRow | None:
        """The online table with a full name."""
        return self._session.get(OnlineTableRow, full_name.lower())

    def tables_of(self, store: str) -> list[OnlineTableRow]:
        """The online tables of a store, by name."""
        query = select(OnlineTableRow).where(OnlineTableRow.store == store).order_by(OnlineTableRow.full_name)
        return list(self._session.scalars(query))

    def tables_of_source(self, source_table: str) -> list[OnlineTableRow]:
        """The online tables that are fed from a table, by name."""
        query = select(OnlineTableRow).where(OnlineTableRow.source_table == source_table).order_by(OnlineTableRow.full_name)
        return list(self._session.scalars(query))

    def tables_in_mode(self, mode: str) -> list[OnlineTableRow]:
        """The online tables of a publish mode, by name."""
        query = select(OnlineTableRow).where(OnlineTableRow.publish_mode == mode).order_by(OnlineTableRow.full_name)
        return list(self._session.scalars(query))

    def stores_of(self, owner: str) -> list[OnlineStoreRow]:
        """The stores that a principal made, by name."""
        query = select(OnlineStoreRow).where(OnlineStoreRow.creator == owner).order_by(OnlineStoreRow.name)
        return list(self._session.scalars(query))

    def tables_of_owner(self, owner: str) -> list[OnlineTableRow]:
        """The online tables that a principal owns, by name."""
        query = select(OnlineTableRow).where(OnlineTableRow.owner == owner).order_by(OnlineTableRow.full_name)
        return list(self._session.scalars(query))

    def add(self, row: OnlineStoreRow | OnlineTableRow) -> None:
        """Insert a row."""
        self._session.add(row)
        self._session.flush()

    def remove(self, row: OnlineStoreRow | OnlineTableRow) -> None:
        """Delete a row."""
        self._session.delete(row)
        self._session.flush()
