"""What the gateway has to know of requests before it looks into them: whose operation, and how its answers go to the client."""

from dataclasses import dataclass
from typing import TypeAlias

from boathouse.engine.gateway.messages.wire import encoded, fields, text_of, varint

Key: TypeAlias = tuple[str, str, str]
"""Principal, session, operation."""

_REATTACHABLE = encoded(5, encoded(1, b"\x08\x01"))
"""The option of an ExecutePlanRequest that makes an operation outlive its connection."""


def session_of(request: bytes) -> str:
    """The session that any request is about."""
    return next((text_of(request, start, end) for number, start, end in fields(request) if number == 1), "")


@dataclass(frozen=True)
class ExecuteHead:
    """Of an ExecutePlanRequest.

    Attributes:
        session_id: Of the client's session.
        operation_id: The client's name for the operation, or "".
        is_reattachable: Whether the client may take up its answers again, and expects to be told of their end.
        tags: By which the client can interrupt it.
    """

    session_id: str
    operation_id: str
    is_reattachable: bool
    tags: frozenset[str]

    @classmethod
    def of(cls, request: bytes) -> "ExecuteHead":
        """Read it."""
        session = operation = ""
        reattachable = False
        tags: list[str] = []
        for number, start, end in fields(request):
            if number == 1:
                session = text_of(request, start, end)
            elif number == 5:
                reattachable |= _asks_to_reattach(request, start, end)
            elif number == 6:
                operation = text_of(request, start, end)
            elif number == 7:
                tags.append(text_of(request, start, end))
        return cls(session, operation, reattachable, frozenset(tags))


def _asks_to_reattach(request: bytes, start: int, end: int) -> bool:
    """Whether a RequestOption is that of operations which outlive their connections."""
    for number, option, option_end in fields(request, start, end):
        if number == 1:
            for flag, at, _ in fields(request, option, option_end):
                if flag == 1:
                    return varint(request, at)[0] != 0
    return False


def for_engine(request: bytes, head: ExecuteHead, operation_id: str) -> bytes:
    """An ExecutePlanRequest whose operation has this name, and tells of its end: one that ends without a word could be cut off."""
    named = request if head.operation_id else request + encoded(6, operation_id)
    return named if head.is_reattachable else named + _REATTACHABLE


@dataclass(frozen=True)
class OperationHead:
    """Of a request about an operation that there is.

    Attributes:
        session_id: Of the client's session.
        operation_id: The operation.
        response_id: The last answer that the client has had, or is done with; "" for none, or for all.
    """

    session_id: str
    operation_id: str
    response_id: str

    @classmethod
    def of_reattach(cls, request: bytes) -> "OperationHead":
        """Read a ReattachExecuteRequest."""
        found = {number: text_of(request, start, end) for number, start, end in fields(request) if number in {1, 3, 5}}
        return cls(found.get(1, ""), found.get(3, ""), found.get(5, ""))

    @classmethod
    def of_release(cls, request: bytes) -> "OperationHead":
        """Read a ReleaseExecuteRequest."""
        session = operation = response = ""
        for number, start, end in fields(request):
            if number == 1:
                session = text_of(request, start, end)
            elif number == 3:
                operation = text_of(request, start, end)
            elif number == 6:
                response = next((text_of(request, *at) for one, *at in fields(request, start, end) if one == 1), "")
        return cls(session, operation, response)

    def key(self, principal_id: str) -> Key:
        """Of the operation."""
        return principal_id, self.session_id, self.operation_id


@dataclass(frozen=True)
class InterruptHead:
    """Of an InterruptRequest.

    Attributes:
        session_id: Of the client's session.
        operation_id: The operation that it names, or "".
        tag: The tag that it names, or ""; all operations of the session are meant where it names neither.
    """

    session_id: str
    operation_id: str
    tag: str

    @classmethod
    def of(cls, request: bytes) -> "InterruptHead":
        """Read it."""
        found = {number: text_of(request, start, end) for number, start, end in fields(request) if number in {1, 5, 6}}
        return cls(found.get(1, ""), found.get(6, ""), found.get(5, ""))
