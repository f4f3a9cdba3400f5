"""Answers of statements as ``runs/get-output`` has them."""

from typing import Any

from boathouse.sql.statements import Answer


def told(answer: Answer) -> dict[str, Any]:
    """The columns and rows of an answer."""
    told: dict[str, Any] = {
        "status": "FINISHED",
        "columns": [{"name": name, "type": kind} for name, kind in answer.columns],
        "rows": [list(row) for row in answer.rows],
        "truncated": answer.truncated,
    }
    if answer.statement_id is not None:
        told["lookup_key"] = answer.statement_id
    return told
