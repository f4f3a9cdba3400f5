"""COLLATE, which the embedded engine does not read: texts are compared by their bytes there, as UTF8_BINARY says."""

import re

from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.sql.statements import Edit, apply
from boathouse.engine.gateway.sql.tokens import Kind, tokenize

_MAY_HAVE = re.compile(r"\bcollat", re.IGNORECASE)
_BINARY = "UTF8_BINARY"


def without_collations(sql: str) -> str:
    """A text without the collation that holds anyway.

    Raises:
        StatementRefused: If it names another.
    """
    if _MAY_HAVE.search(sql) is None:
        return sql
    tokens = tokenize(sql)
    edits: list[Edit] = []
    for before, token, after in zip(tokens, tokens[1:], tokens[2:], strict=False):
        follows = before.kind is not Kind.MARK or before.value in ")]>"
        if not (token.is_word("COLLATE", "COLLATION") and follows and after.is_identifier) or before.is_word(
            "SELECT", "AS", "BY"
        ):
            continue
        if after.identifier.upper() != _BINARY:
            message = (
                f"The collation {after.identifier} is not supported by the embedded engine, which compares texts by their bytes "
                f"({_BINARY}). Compare lower(a) = lower(b), or use Apache Spark as the engine."
            )
            raise StatementRefused(message)
        start = before.start if before.is_word("DEFAULT") else token.start
        edits.append(Edit(start, after.end, ""))
    return apply(sql, edits) if edits else sql
