"""``spark.sql(text)`` of a query: the client asks what the text is, and gets it back. Nothing is executed until it is collected.

The engine only parses such a text. A text with the shape of one that the engine has taken before needs no second parsing, so the
gateway answers it.
"""

import re
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.sql.tokens import Kind, Token

_MOST_SHAPES = 2000
_LONGEST = 4000
_NUMBER = re.compile(r"[0-9]{1,9}")
_STRING = re.compile(r"'[^'\\]*'")


def shape(sql: str, tokens: tuple[Token, ...]) -> str | None:
    """What a text has in common with all that are parsed alike: itself, but for the values that columns are compared with.

    None for a text with comments, which may hold hints, and for a long one.
    """
    if len(sql) > _LONGEST or "/*" in sql or "--" in sql:
        return None
    pieces: list[str] = []
    at = 0
    for index, token in enumerate(tokens):
        pieces.append(" " if token.start > at else "")
        at = token.end
        before = tokens[index - 1] if index else None
        compared = before is not None and before.kind is Kind.MARK and before.value in {"=", "<", ">"}
        if compared and token.kind is Kind.WORD and _NUMBER.fullmatch(token.raw):
            pieces.append("?1")
        elif compared and token.kind is Kind.STRING and _STRING.fullmatch(token.raw):
            pieces.append("?'")
        else:
            pieces.append(token.raw)
    return "".join(pieces)


@dataclass
class Declared:
    """What one engine has said to the declarations of its clients."""

    shapes: OrderedDict[str, None] = field(default_factory=OrderedDict[str, None])
    sessions: dict[str, str] = field(default_factory=dict[str, str])
    """Session -> what the engine calls it; clients refuse an answer under another name."""


@dataclass(frozen=True)
class Declaration:
    """A query's text that a client has sent as a command.

    Attributes:
        request: The ExecutePlanRequest.
        shape: Of its text, or None where it has none that could be known again.
        declared: What the engine said before.
    """

    request: Any
    shape: str | None
    declared: Declared

    @property
    def is_known(self) -> bool:
        """Whether the engine is known to take it."""
        return self.shape in self.declared.shapes and self.request.session_id in self.declared.sessions

    def learn(self, message: bytes) -> None:
        """Take note of an engine's answer to it."""
        if self.shape is None:
            return
        response = proto().ExecutePlanResponse.FromString(message)
        given = self.request.plan.command.sql_command.input
        if response.HasField("sql_command_result") and response.sql_command_result.relation.sql == given.sql:
            shapes = self.declared.shapes
            shapes[self.shape] = None
            while len(shapes) > _MOST_SHAPES:
                shapes.popitem(last=False)
            self.declared.sessions[self.request.session_id] = response.server_side_session_id

    def answer(self) -> tuple[bytes, bytes]:
        """What the engine would answer, and what it would say then: that this was all."""
        request = self.request
        result, end = (
            proto().ExecutePlanResponse(
                session_id=request.session_id,
                server_side_session_id=self.declared.sessions[request.session_id],
                operation_id=request.operation_id,
            )
            for _ in range(2)
        )
        result.sql_command_result.relation.CopyFrom(request.plan.command.sql_command.input)
        end.result_complete.SetInParent()
        return result.SerializeToString(), end.SerializeToString()
