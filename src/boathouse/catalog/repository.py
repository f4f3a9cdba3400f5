"""Every query on securables and grants."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Text, and_, case, cast, delete, func, literal, not_, or_, select, update
from sqlalchemy.orm import Session

from boathouse.catalog.models import (
    METASTORE_ID,
    DroppedTableRow,
    GrantRow,
    ModelChangeRow,
    PinRow,
    RenameRow,
    SecurableRow,
    StagingRow,
    TagRow,
)
from boathouse.catalog.privileges import SecurableType
from boathouse.kit.clock import now_ms

BATCH = 500
"""How many identifiers go into one query."""


@dataclass(frozen=True)
class Match:
    """A securable that a search found, with how well it matches: 0 is best."""

    id: str
    parent_id: str | None
    type: str
    name: str
    full_name: str
    owner: str
    comment: str | None
    kind: str | None
    rank: int


class CatalogRepository:
    """Securables, grants and staged locations in one transaction."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._held: dict[str, SecurableRow | None] = {}

    def metastore(self) -> SecurableRow | None:
        """The root of all securables; None before the first start made it."""
        return self.session.get(SecurableRow, METASTORE_ID)

    def by_id(self, securable_id: str) -> SecurableRow | None:
        """One securable by its identifier."""
        row = self.session.get(SecurableRow, securable_id)
        # The session knows it only as long as somebody has it, and what lies above a securable is asked for again and again.
        self._held[securable_id] = row
        return row

    def find(self, kind: SecurableType, full_name: str) -> SecurableRow | None:
        """One securable by its full name; names are compared without case, as they are stored in lower case."""
        return self.session.scalar(
            select(SecurableRow).where(SecurableRow.type == kind.value, SecurableRow.full_name == full_name.lower())
        )

    def find_all(self, kind: SecurableType, full_names: Iterable[str]) -> dict[str, SecurableRow]:
        """Securables of a kind by their full names in lower case, as far as they are there."""
        names, found = sorted({name.lower() for name in full_names}), dict[str, SecurableRow]()
        for start in range(0, len(names), BATCH):
            some = SecurableRow.full_name.in_(names[start : start + BATCH])
            rows = self.session.scalars(select(SecurableRow).where(SecurableRow.type == kind.value, some))
            found.update({row.full_name: row for row in rows})
        return found

    def children(self, parent_id: str, kind: SecurableType, *, after: str = "", limit: int | None = None) -> list[SecurableRow]:
        """The securables of a kind in a container, by name."""
        query = (
            select(SecurableRow)
            .where(SecurableRow.parent_id == parent_id, SecurableRow.type == kind.value, SecurableRow.name > after)
            .order_by(SecurableRow.name)
            .limit(limit)
        )
        return list(self.session.scalars(query))

    def of_type(self, kind: SecurableType) -> list[SecurableRow]:
        """All securables of a kind, by full name."""
        query = select(SecurableRow).where(SecurableRow.type == kind.value).order_by(SecurableRow.full_name)
        return list(self.session.scalars(query))

    def count_children(self, parent_id: str) -> int:
        """How many securables a container holds."""
        query = select(func.count()).select_from(SecurableRow).where(SecurableRow.parent_id == parent_id)
        return self.session.scalar(query) or 0

    def descendants(self, row: SecurableRow) -> list[SecurableRow]:
        """Everything in a container, at any depth."""
        pattern = row.full_name.replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%") + ".%"
        return list(self.session.scalars(select(SecurableRow).where(SecurableRow.full_name.like(pattern, escape="\\"))))

    def located(self) -> list[SecurableRow]:
        """All securables that have files of their own."""
        return list(self.session.scalars(select(SecurableRow).where(SecurableRow.location.is_not(None))))

    def at_locations(self, locations: Iterable[str]) -> SecurableRow | None:
        """A securable at one of several locations."""
        return self.session.scalar(select(SecurableRow).where(SecurableRow.location.in_(list(locations))))

    def add(self, row: SecurableRow | StagingRow) -> None:
        """Insert a row."""
        self.session.add(row)
        self.session.flush()

    def remove(self, row: SecurableRow) -> None:
        """Delete a securable with all that is in it."""
        self.session.execute(delete(SecurableRow).where(SecurableRow.id == row.id))
        self.session.expire_all()

    def note_model_change(self, old: str, new: str | None) -> None:
        """Record that a registered model has a new name, or (None) is gone."""
        mine = PinRow.model == old
        self.session.execute(delete(PinRow).where(mine) if new is None else update(PinRow).where(mine).values(model=new))
        self.session.add(ModelChangeRow(old_name=old, new_name=new))
        self.session.flush()

    def note_rename(self, kind: str, old: str, new: str) -> None:
        """Record that something has a new name; both are full."""
        self.session.add(RenameRow(type=kind, old_name=old, new_name=new, renamed_at=now_ms()))
        self.session.flush()

    def take_renames(self) -> list[RenameRow]:
        """The new names that were recorded and not taken yet, in order."""
        rows = list(self.session.scalars(select(RenameRow).order_by(RenameRow.id)))
        for row in rows:
            self.session.delete(row)
        return rows

    def pin(self, row: PinRow) -> None:
        """Let a model version hold a version of a table."""
        self.session.merge(row)

    def release(self, model: str, version: int) -> None:
        """Let go of what a model version holds."""
        self.session.execute(delete(PinRow).where(PinRow.model == model, PinRow.model_version == version))

    def pins(self, *, table_id: str | None = None, model: str | None = None, version: int | None = None) -> list[PinRow]:
        """What holds a table, or what a model or one of its versions holds."""
        query = select(PinRow).order_by(PinRow.full_name, PinRow.table_version, PinRow.model, PinRow.model_version)
        given = ((PinRow.table_id, table_id), (PinRow.model, model), (PinRow.model_version, version))
        return list(self.session.scalars(query.where(*(column == value for column, value in given if value is not None))))

    def pinned_versions(self, table_id: str) -> list[int]:
        """The versions of a table that are held."""
        query = select(PinRow.table_version).where(PinRow.table_id == table_id).distinct().order_by(PinRow.table_version)
        return list(self.session.scalars(query))

    def model_changes(self) -> list[ModelChangeRow]:
        """What MLflow's registry has not followed yet, in order; for nobody else until the transaction ends."""
        return list(self.session.scalars(select(ModelChangeRow).order_by(ModelChangeRow.id).with_for_update()))

    def has_model_changes(self) -> bool:
        """Whether there is something to follow."""
        return self.session.scalar(select(ModelChangeRow.id).limit(1)) is not None

    def forget_model_change(self, row: ModelChangeRow) -> None:
        """It was followed."""
        self.session.delete(row)

    def staged_at(self, location: str) -> StagingRow | None:
        """What was handed out at a location."""
        return self.session.scalar(select(StagingRow).where(StagingRow.location == location))

    def unstage(self, row: StagingRow) -> None:
        """Forget a handed-out location."""
        self.session.delete(row)

    def grants_on(self, securable_ids: Iterable[str], grantees: Iterable[str] | None = None) -> list[GrantRow]:
        """The grants on some securables, to some grantees or to all."""
        query = select(GrantRow).where(GrantRow.securable_id.in_(list(securable_ids)))
        if grantees is not None:
            query = query.where(GrantRow.grantee.in_(list(grantees)))
        return list(self.session.scalars(query.order_by(GrantRow.grantee, GrantRow.privilege)))

    def grants_to(self, grantees: Iterable[str]) -> list[GrantRow]:
        """All grants to some grantees."""
        return list(self.session.scalars(select(GrantRow).where(GrantRow.grantee.in_(list(grantees)))))

    def add_grant(self, securable_id: str, grantee: str, privilege: str) -> None:
        """Grant a privilege; granting it twice is once."""
        self.session.merge(GrantRow(securable_id=securable_id, grantee=grantee, privilege=privilege))

    def remove_grant(self, securable_id: str, grantee: str, privilege: str) -> None:
        """Revoke a privilege, if it was granted."""
        self.session.execute(
            delete(GrantRow).where(
                GrantRow.securable_id == securable_id, GrantRow.grantee == grantee, GrantRow.privilege == privilege
            )
        )

    def tags_on(self, securable_ids: Sequence[str]) -> dict[str, dict[str, str]]:
        """The tags of some securables themselves, by securable."""
        found: dict[str, dict[str, str]] = {}
        for tag in self.all_tags_on(securable_ids):
            if not tag.column_name:
                found.setdefault(tag.securable_id, {})[tag.key] = tag.value
        return found

    def column_tags_on(self, securable_id: str) -> dict[str, dict[str, str]]:
        """The tags of a table's columns, by column."""
        found: dict[str, dict[str, str]] = {}
        for tag in self.all_tags_on([securable_id]):
            if tag.column_name:
                found.setdefault(tag.column_name, {})[tag.key] = tag.value
        return found

    def with_policies(self) -> list[SecurableRow]:
        """All tables that have a row filter or a column mask."""
        return self._with_details("row_filter", "column_masks")

    def with_foreign_keys(self) -> list[SecurableRow]:
        """All tables that have a foreign key."""
        return self._with_details("foreign_key_constraint")

    def with_primary_keys(self) -> list[SecurableRow]:
        """All tables that have a primary key."""
        return self._with_details("primary_key_constraint")

    def _with_details(self, *keys: str) -> list[SecurableRow]:
        details = cast(SecurableRow.details, Text)
        query = select(SecurableRow).where(
            SecurableRow.type == SecurableType.TABLE.value, or_(*(details.like(f'%"{key}"%') for key in keys))
        )
        return list(self.session.scalars(query))

    def set_tag(self, securable_id: str, column_name: str, key: str, value: str) -> None:
        """Give a tag its value, whether or not it is there already."""
        self.session.merge(TagRow(securable_id=securable_id, column_name=column_name, key=key, value=value))
        self.session.flush()

    def unset_tag(self, securable_id: str, column_name: str, key: str) -> None:
        """Take a tag away, if it is there."""
        self.session.execute(
            delete(TagRow).where(TagRow.securable_id == securable_id, TagRow.column_name == column_name, TagRow.key == key)
        )

    def all_tags_on(self, securable_ids: Sequence[str]) -> list[TagRow]:
        """The tags of some securables and of their columns."""
        found: list[TagRow] = []
        for start in range(0, len(securable_ids), BATCH):
            query = select(TagRow).where(TagRow.securable_id.in_(securable_ids[start : start + BATCH]))
            found += self.session.scalars(query.order_by(TagRow.securable_id, TagRow.column_name, TagRow.key))
        return found

    def move_column_tags(self, securable_id: str, old: str, new: str | None) -> None:
        """Let the tags of a column follow its new name; None removes them."""
        mine = (TagRow.securable_id == securable_id, TagRow.column_name == old)
        if new is None:
            self.session.execute(delete(TagRow).where(*mine))
        else:
            self.session.execute(update(TagRow).where(*mine).values(column_name=new))

    def add_dropped(self, row: DroppedTableRow) -> None:
        """Keep what was dropped."""
        self.session.add(row)
        self.session.flush()

    def dropped(self, dropped_id: str) -> DroppedTableRow | None:
        """A dropped table by its identifier."""
        return self.session.get(DroppedTableRow, dropped_id)

    def dropped_named(self, full_name: str) -> DroppedTableRow | None:
        """The table of a name that was dropped last."""
        query = select(DroppedTableRow).where(DroppedTableRow.full_name == full_name.lower())
        return self.session.scalar(query.order_by(DroppedTableRow.dropped_at.desc(), DroppedTableRow.id).limit(1))

    def dropped_in(self, schema_ids: Iterable[str]) -> list[DroppedTableRow]:
        """The dropped tables of some schemas, newest first."""
        query = select(DroppedTableRow).where(DroppedTableRow.schema_id.in_(list(schema_ids)))
        return list(self.session.scalars(query.order_by(DroppedTableRow.dropped_at.desc(), DroppedTableRow.id)))

    def all_dropped(self) -> list[DroppedTableRow]:
        """Every dropped table."""
        return list(self.session.scalars(select(DroppedTableRow).order_by(DroppedTableRow.id)))

    def dropped_before(self, moment: int) -> list[DroppedTableRow]:
        """The tables that were dropped before a moment, in ms since the epoch."""
        query = select(DroppedTableRow).where(DroppedTableRow.dropped_at < moment)
        return list(self.session.scalars(query.order_by(DroppedTableRow.id)))

    def forget_dropped(self, row: DroppedTableRow) -> None:
        """A dropped table came back, or went for good."""
        self.session.delete(row)
        self.session.flush()

    def rename_pending(self, old: str, new: str) -> None:
        """Let staged and dropped tables follow a container's new name."""
        for model in (StagingRow, DroppedTableRow):
            for row in self.session.scalars(select(model).where(model.full_name.startswith(f"{old}.", autoescape=True))):
                row.full_name = f"{new}.{row.full_name.removeprefix(f'{old}.')}"

    def external(self) -> list[SecurableRow]:
        """All tables and volumes whose files lie where somebody named."""
        return list(self.session.scalars(select(SecurableRow).where(SecurableRow.kind == "EXTERNAL")))

    def containers(self) -> dict[str, SecurableRow]:
        """The metastore, all catalogs and all schemas, by identifier."""
        kinds = (SecurableType.METASTORE.value, SecurableType.CATALOG.value, SecurableType.SCHEMA.value)
        return {row.id: row for row in self.session.scalars(select(SecurableRow).where(SecurableRow.type.in_(kinds)))}

    def owned_by(self, name: str) -> list[SecurableRow]:
        """What a principal owns, by full name."""
        return list(
            self.session.scalars(select(SecurableRow).where(SecurableRow.owner == name).order_by(SecurableRow.full_name))
        )

    def rename_principal(self, old: str, new: str) -> None:
        """Let owners and grants follow a principal's new name."""
        self.session.execute(update(SecurableRow).where(SecurableRow.owner == old).values(owner=new))
        for grant in self.grants_to([old]):
            self.add_grant(grant.securable_id, new, grant.privilege)
        self.session.flush()
        self.session.execute(delete(GrantRow).where(GrantRow.grantee == old))
        for row in self.session.scalars(select(DroppedTableRow)):
            grants = [[new if name == old else name, privilege] for name, privilege in row.snapshot["grants"]]
            owner = new if row.snapshot["owner"] == old else row.snapshot["owner"]
            row.snapshot = {**row.snapshot, "grants": grants, "owner": owner}
        self.session.flush()
        self.session.expire_all()

    def remove_grants_of(self, name: str) -> None:
        """Take away all that was granted to a principal."""
        self.session.execute(delete(GrantRow).where(GrantRow.grantee == name))
        for row in self.session.scalars(select(DroppedTableRow)):
            kept = [[grantee, privilege] for grantee, privilege in row.snapshot["grants"] if grantee != name]
            row.snapshot = {**row.snapshot, "grants": kept}

    def matching(self, words: Sequence[str], path: str | None, kinds: Sequence[str]) -> Iterator[Match]:
        """What has all of some normalised words in its text, or a path in its full name; the best first.

        Only the columns that a hit shows are read, and rows are fetched as they are taken.
        """
        name, text, full_name = SecurableRow.name, SecurableRow.search_text, SecurableRow.full_name
        phrase = " ".join(words)
        spoken = func.replace(func.replace(name, "_", " "), "-", " ", type_=Text)
        padded = literal(" ") + spoken + " "
        in_name = and_(*(spoken.contains(word, autoescape=True) for word in words))
        matches = and_(*(text.contains(word, autoescape=True) for word in words))
        whens: list[tuple[ColumnElement[bool], int | ColumnElement[int]]] = []
        if path is not None:
            matches = or_(matches, full_name.contains(path, autoescape=True))
            whens = [
                (or_(full_name == path, full_name.endswith(f".{path}", autoescape=True)), 0),
                (or_(full_name.startswith(path, autoescape=True), full_name.contains(f".{path}", autoescape=True)), 1),
                (full_name.contains(path, autoescape=True), 3),
            ]
        # What is not in the name is by far the most, so that is asked first.
        elsewhere = case((and_(*(text.contains(f" {word} ", autoescape=True) for word in words)), 4), else_=5)
        whens += [
            (not_(in_name), elsewhere),
            (spoken == phrase, 0),
            (spoken.startswith(phrase, autoescape=True), 1),
            (and_(*(padded.contains(f" {word} ", autoescape=True) for word in words)), 2),
        ]
        rank = case(*whens, else_=3)
        query = (
            select(
                SecurableRow.id,
                SecurableRow.parent_id,
                SecurableRow.type,
                name,
                SecurableRow.full_name,
                SecurableRow.owner,
                SecurableRow.comment,
                SecurableRow.kind,
                rank.label("rank"),
            )
            .where(SecurableRow.type.in_(kinds), matches)
            .order_by("rank", full_name, SecurableRow.type)
        )
        for row in self.session.execute(query.execution_options(yield_per=BATCH)):
            yield Match(*row)
