"""The messages inside of a message."""

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
