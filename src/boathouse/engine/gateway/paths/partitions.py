"""Partitions of files whose rows have no value: by the name of their folder, as Spark and Hive write it."""

import os
from collections.abc import Iterable, Iterator
from typing import Any

from boathouse.engine.gateway.messages.protocol import function_call, proto, text_literal
from boathouse.engine.gateway.sql.tokens import quote

NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
"""The value in the name of such a folder."""


def may_have_partitions(read: Any) -> bool:
    """Whether a read is one of files by whose folders rows may have values; a Delta table's log has them."""
    return read.HasField("data_source") and not read.is_streaming and read.data_source.format.lower() != "delta"


def _columns_without_value(paths: Iterable[str]) -> list[str]:
    """The columns below some paths on the server's disk that have such a partition."""
    found = dict.fromkeys(name for path in paths if path.startswith("/") for name, value in _folders(path) if value == NO_VALUE)
    return list(found)


def _folders(path: str) -> Iterator[tuple[str, str]]:
    stack = [path]
    while stack:
        try:
            with os.scandir(stack.pop()) as entries:
                folders = [one for one in entries if "=" in one.name and not one.name.startswith(("_", ".")) and one.is_dir()]
        except OSError:
            continue
        for one in folders:
            name, _, value = one.name.partition("=")
            yield name, value
            stack.append(one.path)


def put_partitions(relation: Any) -> bool:
    """Have rows of partitions without a value have NULL there, in place: the engine gives the folder's name; whether there were any."""
    read = relation.read
    names = _columns_without_value(read.data_source.paths) if may_have_partitions(read) else []
    if not names:
        return False
    given = proto().Relation()
    given.CopyFrom(relation)
    given.ClearField("common")
    made = proto().WithColumns()
    made.input.CopyFrom(given)
    for name in names:
        column = proto().Expression()
        column.unresolved_attribute.unparsed_identifier = quote([name])
        alias = made.aliases.add()
        alias.name.append(name)
        alias.expr.CopyFrom(function_call("nullif", column, text_literal(NO_VALUE)))
    relation.with_columns.CopyFrom(made)
    return True
