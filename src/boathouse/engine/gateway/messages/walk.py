"""The messages inside of a message."""

import re
from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

TEXTS = {"SQL": "query", "ExpressionString": "expression"}
"""Kinds of messages that are a text -> the field that it is in."""
_SMALL = 1 << 20


def may_have(root: Any, pattern: re.Pattern[bytes]) -> bool:
    """Whether a pattern may be found in a text of a message; quicker than to look at each message in it."""
    return root.ByteSize() >= _SMALL or pattern.search(root.SerializeToString()) is not None


def children(message: Any) -> list[Any]:
    """The messages directly inside of a message, those in maps too."""
    found: list[Any] = []
    for field, value in message.ListFields():
        if field.type != FieldDescriptor.TYPE_MESSAGE:
            continue
        if field.message_type.GetOptions().map_entry:
            if field.message_type.fields_by_name["value"].type == FieldDescriptor.TYPE_MESSAGE:
                found.extend(value.values())
        elif field.is_repeated:
            found.extend(value)
        else:
            found.append(value)
    return found


def walk(root: Any) -> Iterator[Any]:
    """A message and all inside of it, the outermost first; what is inside is looked at after its message was given."""
    stack = [root]
    while stack:
        message = stack.pop()
        yield message
        stack.extend(children(message))


def relations(root: Any) -> list[Any]:
    """The relations in a plan, the outermost first. What is put around one copies it: so from the end, where something is."""
    return [message for message in walk(root) if message.DESCRIPTOR.full_name == "spark.connect.Relation"]


def in_lists(root: Any) -> Iterator[tuple[Any, Any]]:
    """The messages in the lists of columns of a plan's relations, each with the relation whose columns it speaks of."""
    stack: list[tuple[Any, Any]] = [(root, None)]
    while stack:
        message, below = stack.pop()
        if message.DESCRIPTOR.name in {"Project", "WithColumns"}:
            below = message.input
        if below is not None:
            yield below, message
        stack += [(one, None if one.DESCRIPTOR.name == "Relation" else below) for one in children(message)]


def inputs(relation: Any) -> list[Any]:
    """The relations right below one."""
    found: list[Any] = []
    stack = children(relation)
    while stack:
        message = stack.pop(0)
        if message.DESCRIPTOR.full_name == "spark.connect.Relation":
            found.append(message)
        else:
            stack.extend(children(message))
    return found
