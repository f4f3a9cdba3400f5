"""Statements of the sources of pipelines, which nothing but a pipeline runs."""

import re
from collections.abc import Sequence

from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.sql.tokens import Token, tokenize

_MAY_HAVE = re.compile(rb"\b(?:streaming|materialized|live|flow|apply\s+changes|auto\s+cdc)\b", re.IGNORECASE)
_DATASETS = (
    ("STREAMING", "TABLE"),
    ("STREAMING", "LIVE", "TABLE"),
    ("MATERIALIZED", "VIEW"),
    ("LIVE", "TABLE"),
    ("LIVE", "VIEW"),
)
_BETWEEN = ("OR", "REFRESH", "REPLACE", "PRIVATE", "TEMP", "TEMPORARY", "INCREMENTAL")
_HOW = (
    "Write it into a SQL file of a pipeline and start that (docs/pipelines.md). Outside of one a stream is written with "
    "spark.readStream and toTable, and a view or table made with CREATE VIEW or CREATE TABLE ... AS."
)
_LATER = {
    "ALTER": "Its pipeline's source says how it is: change that.",
    "DROP": "Take it out of the pipeline's source, or use DROP TABLE.",
    "REFRESH": "Start an update of the pipeline whose table it is, with full_refresh or refresh_selection if need be.",
}


def may_be_of_pipeline(request: bytes) -> bool:
    """Whether such a statement may be in a request."""
    return _MAY_HAVE.search(request) is not None


def refuse_of_pipeline(sql: str) -> None:
    """Go on only with a statement that is not for the source of a pipeline.

    Raises:
        StatementRefused: If it is.
    """
    tokens = tokenize(sql)
    if not tokens or not (tokens[0].is_word("CREATE", "APPLY", "AUTO", *_LATER)):
        return
    at = 1
    while tokens[0].is_word("CREATE") and at < len(tokens) and tokens[at].is_word(*_BETWEEN):
        at += 1
    words = _dataset(tokens, at)
    if words is not None:
        kind, verb = " ".join(words), tokens[0].value.upper()
        raise StatementRefused(f"{verb} {kind} belongs to a pipeline. {_LATER.get(verb, _HOW)}")
    flows = tokens[0].is_word("CREATE") and at < len(tokens) - 1 and tokens[at].is_word("FLOW") and tokens[at + 1].is_identifier
    changes = len(tokens) > 2 and (
        (tokens[0].is_word("APPLY") and tokens[1].is_word("CHANGES"))
        or (tokens[0].is_word("AUTO") and tokens[1].is_word("CDC"))
    )
    if flows or changes:
        what = "CREATE FLOW" if flows else f"{tokens[0].value.upper()} {tokens[1].value.upper()}"
        raise StatementRefused(f"{what} belongs to a pipeline. {_HOW}")


def _dataset(tokens: Sequence[Token], at: int) -> tuple[str, ...] | None:
    """The words for what a pipeline makes, at a place."""
    for words in _DATASETS:
        found = tokens[at : at + len(words)]
        if len(found) == len(words) and all(one.is_word(word) for one, word in zip(found, words, strict=True)):
            return words
    return None
