"""The messages inside of a message."""

from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor


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
