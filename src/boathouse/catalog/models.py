"""The ORM tables of the catalog."""

from typing import Any

from sqlalchemy import JSON, BigInteger, Connection, ForeignKey, Integer, Text, UniqueConstraint, event, select
from sqlalchemy.orm import Mapped, Mapper, mapped_column

from boathouse.catalog.words import searchable
from boathouse.db import Base

METASTORE_ID = "metastore"


class SecurableRow(Base):
    """A securable of any kind. The metastore is the one row without a parent."""

    __tablename__ = "securables"
    __table_args__ = (UniqueConstraint("parent_id", "type", "name"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    parent_id: Mapped[str | None] = mapped_column(ForeignKey("securables.id", ondelete="CASCADE"), index=True)
    type: Mapped[str]
    name: Mapped[str]
    full_name: Mapped[str] = mapped_column(index=True)
    owner: Mapped[str]
    comment: Mapped[str | None]
    properties: Mapped[dict[str, str]] = mapped_column(JSON)
    kind: Mapped[str | None]
    """MANAGED, EXTERNAL or VIEW, of a table; MANAGED or EXTERNAL, of a volume."""
    format: Mapped[str | None]
    """Data source format of a table."""
    location: Mapped[str | None] = mapped_column(index=True)
    """URL of a table's or volume's files."""
    columns: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    """Columns as declared; a Delta table's own log has the last word."""
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """What only its kind has: a view's text, a function's body, policies, constraints, a location's URL."""
    search_text: Mapped[str] = mapped_column(Text, default="")
    """Words of the name, comment, columns and tags, in lower case with blanks around; kept by every flush of the row."""
    created_at: Mapped[int] = mapped_column(BigInteger)
    created_by: Mapped[str]
    updated_at: Mapped[int] = mapped_column(BigInteger)
    updated_by: Mapped[str]


class GrantRow(Base):
    """One privilege of one grantee on one securable."""

    __tablename__ = "grants"

    securable_id: Mapped[str] = mapped_column(ForeignKey("securables.id", ondelete="CASCADE"), primary_key=True)
    grantee: Mapped[str] = mapped_column(primary_key=True)
    privilege: Mapped[str] = mapped_column(primary_key=True)


class StagingRow(Base):
    """A location that was handed out for a managed table that does not exist yet."""

    __tablename__ = "staging_tables"

    id: Mapped[str] = mapped_column(primary_key=True)
    full_name: Mapped[str]
    location: Mapped[str] = mapped_column(unique=True)
    created_by: Mapped[str]
    created_at: Mapped[int] = mapped_column(BigInteger)


class TagRow(Base):
    """A tag of a securable, or of one of a table's columns (else ``column_name`` is empty)."""

    __tablename__ = "tags"

    securable_id: Mapped[str] = mapped_column(ForeignKey("securables.id", ondelete="CASCADE"), primary_key=True)
    column_name: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]


class DroppedTableRow(Base):
    """A managed table that was dropped and whose files are kept for a while."""

    __tablename__ = "dropped_tables"

    id: Mapped[str] = mapped_column(primary_key=True)
    schema_id: Mapped[str] = mapped_column(ForeignKey("securables.id", ondelete="CASCADE"), index=True)
    full_name: Mapped[str] = mapped_column(index=True)
    snapshot: Mapped[dict[str, Any]] = mapped_column(JSON)
    """The row's values, its grants and tags."""
    dropped_at: Mapped[int] = mapped_column(BigInteger)
    dropped_by: Mapped[str]


class PinRow(Base):
    """A version of a table that a version of a registered model was trained on. Outlives the table."""

    __tablename__ = "table_pins"

    table_id: Mapped[str] = mapped_column(primary_key=True)
    table_version: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    model: Mapped[str] = mapped_column(primary_key=True, index=True)
    model_version: Mapped[int] = mapped_column(primary_key=True)
    full_name: Mapped[str]
    """Of the table, when it was pinned."""
    pinned_at: Mapped[int] = mapped_column(BigInteger)


class ModelChangeRow(Base):
    """A registered model that was renamed or deleted here and that its versions in MLflow's registry have not followed yet."""

    __tablename__ = "model_changes"

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True)
    old_name: Mapped[str]
    new_name: Mapped[str | None]
    """None: it was deleted."""


class RenameRow(Base):
    """A new name of a securable or a column that what is kept by names elsewhere has not followed yet."""

    __tablename__ = "catalog_renames"

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True)
    type: Mapped[str]
    """Of the securable; ``COLUMN`` for a column."""
    old_name: Mapped[str]
    """Full; of a column with its table's, which is the new one if that has one."""
    new_name: Mapped[str]
    renamed_at: Mapped[int] = mapped_column(BigInteger)


def _write_words(_mapper: Mapper[SecurableRow], connection: Connection, row: SecurableRow) -> None:
    tags = connection.execute(select(TagRow.key, TagRow.value).where(TagRow.securable_id == row.id))
    words = [row.name, row.comment or "", *(str(column.get("name", "")) for column in row.columns)]
    row.search_text = searchable([*words, *(text for tag in tags for text in tag)])


event.listen(SecurableRow, "before_insert", _write_words)
event.listen(SecurableRow, "before_update", _write_words)
