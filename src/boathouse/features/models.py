"""The ORM tables of the online stores."""

from sqlalchemy import BigInteger, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from boathouse.db import Base


class OnlineStoreRow(Base):
    """An online store: a name under which online tables are kept."""

    __tablename__ = "online_stores"

    name: Mapped[str] = mapped_column(primary_key=True)
    capacity: Mapped[str]
    read_replica_count: Mapped[int]
    usage_policy_id: Mapped[str | None]
    creator: Mapped[str]
    created_at: Mapped[int] = mapped_column(BigInteger)


class OnlineTableRow(Base):
    """A published table."""

    __tablename__ = "online_tables"

    full_name: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(unique=True)
    store: Mapped[str] = mapped_column(ForeignKey("online_stores.name"), index=True)
    source_table: Mapped[str]
    publish_mode: Mapped[str]
    source_version: Mapped[int] = mapped_column(BigInteger)
    rows: Mapped[int] = mapped_column(BigInteger)
    owner: Mapped[str]
    created_at: Mapped[int] = mapped_column(BigInteger)
    updated_at: Mapped[int] = mapped_column(BigInteger)
