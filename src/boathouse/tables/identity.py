"""Identity columns: where their counters stand."""

from collections.abc import Callable

from boathouse.tables import fields
from boathouse.tables.alter import Edit, alter
from boathouse.tables.errors import DeltaRefused
from boathouse.tables.log import Operation, State

_STEP, _MARK = "delta.identity.step", "delta.identity.highWaterMark"


def sync_identity(
    location: str, path: tuple[str, ...], user: str | None, *, last: Callable[[State, str, bool], int | None]
) -> None:
    """Let an identity column count on from the last of the values that are there.

    Args:
        location: The table.
        path: The column.
        user: Who asks for it.
        last: The largest value of a column, or the smallest one (if its last argument is false); None where there is none.

    Raises:
        DeltaRefused: If it is no identity column.
    """

    def work(edit: Edit) -> None:
        siblings = fields.struct_at(edit.schema, path[:-1])
        field = siblings[fields.index_of(siblings, path)]
        metadata = field.get("metadata", {})
        if _STEP not in metadata:
            message = f"ALTER TABLE ALTER COLUMN SYNC IDENTITY cannot be called on the column {'.'.join(path)}: it is no identity column."
            raise DeltaRefused("DELTA_IDENTITY_COLUMNS_ALTER_NON_IDENTITY_COLUMN", message)
        rises = int(metadata[_STEP]) > 0
        found = last(edit.state, field["name"], rises)
        marks = [mark for mark in (found, metadata.get(_MARK)) if mark is not None]
        if found is not None:
            metadata[_MARK] = (max if rises else min)(int(mark) for mark in marks)

    alter(location, Operation("CHANGE COLUMN", {"column": ".".join(path)}, user), work)
