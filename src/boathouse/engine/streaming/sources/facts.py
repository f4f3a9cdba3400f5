"""``_metadata`` of rows that the engine reads from files: a column of facts about the file, the same in all rows of one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.streams.hidden_columns import METADATA


@dataclass(frozen=True)
class Facts:
    """What is told of a file.

    Attributes:
        path: As a URI.
        size: In bytes.
        modified_ns: When it was changed last, in ns since the epoch.
    """

    path: str
    size: int
    modified_ns: int


def with_facts(rows: Any, facts: Facts) -> Any:
    """The rows of one file with the column."""
    relation = proto().Relation()
    relation.project.input.CopyFrom(rows)
    relation.project.expressions.add().unresolved_star.SetInParent()
    alias = relation.project.expressions.add().alias
    alias.name.append(METADATA)
    call = alias.expr.unresolved_function
    call.function_name = "named_struct"
    values: dict[str, tuple[str, Any]] = {
        "file_path": ("string", facts.path),
        "file_name": ("string", facts.path.rpartition("/")[2]),
        "file_size": ("long", facts.size),
        "file_block_start": ("long", 0),
        "file_block_length": ("long", facts.size),
        "file_modification_time": ("timestamp", facts.modified_ns // 1000),
    }
    for name, (kind, value) in values.items():
        call.arguments.add().literal.string = name
        setattr(call.arguments.add().literal, kind, value)
    return relation


def union(parts: Sequence[Any]) -> Any:
    """All rows of some relations with the same columns, in a tree that is not deep."""
    if len(parts) == 1:
        return parts[0]
    half = len(parts) // 2
    both = proto().Relation()
    both.set_op.left_input.CopyFrom(union(parts[:half]))
    both.set_op.right_input.CopyFrom(union(parts[half:]))
    both.set_op.set_op_type = proto().SetOperation.SET_OP_TYPE_UNION
    both.set_op.is_all = True
    return both
