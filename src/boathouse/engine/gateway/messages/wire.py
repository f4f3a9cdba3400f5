"""The outermost fields of a message, found by their lengths: what lies in them is not decoded, however large it is."""

from collections.abc import Iterator

from boathouse.errors import InvalidParameterValue

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 70


class MessageInvalid(InvalidParameterValue):
    """Bytes that are no message."""

    def __init__(self) -> None:
        super().__init__("The request is not a message of Spark Connect's protocol: its bytes end in the middle of a field.")


def fields(message: bytes, at: int = 0, end: int | None = None) -> Iterator[tuple[int, int, int]]:
    """The number of each field, and where its value begins and ends; the value of a number is read with ``varint``.

    Raises:
        MessageInvalid: If the bytes are no message.
    """
    end = len(message) if end is None else end
    try:
        while at < end:
            key = message[at]
            at += 1
            if key >= 0x80:
                key, at = varint(message, at - 1)
            kind = key & 7
            start = at
            if kind == _BYTES:
                length = message[at]
                at += 1
                if length >= 0x80:
                    length, at = varint(message, at - 1)
                start, at = at, at + length
            elif kind == _VARINT:
                _, at = varint(message, at)
            elif kind == _FIXED64:
                at += 8
            elif kind == _FIXED32:
                at += 4
            else:
                raise MessageInvalid
            if at > end:
                raise MessageInvalid
            yield key >> 3, start, at
    except IndexError:
        raise MessageInvalid from None


def varint(message: bytes, at: int) -> tuple[int, int]:
    """The number that begins somewhere, and where it ends."""
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift >= _LONGEST_VARINT:
            raise MessageInvalid


def text_of(message: bytes, start: int, end: int) -> str:
    """The text between two places."""
    return message[start:end].decode(errors="replace")


def encoded(number: int, value: str | bytes) -> bytes:
    """A text, or a message, as the field with a number. What comes a second time in a message counts, or is merged."""
    data = value.encode() if isinstance(value, str) else value
    return head_of(number, len(data)) + data


def head_of(number: int, length: int) -> bytes:
    """What stands before a text, or a message, of a length in bytes as the field with a number."""
    return _number(number << 3 | _BYTES) + _number(length)


def counted(number: int, value: int) -> bytes:
    """A number as the field with a number."""
    return _number(number << 3) + _number(value)


def _number(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
