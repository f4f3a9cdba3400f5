"""What the subscribers of an alert are told."""

import html
import re
from collections.abc import Mapping
from typing import Any

from boathouse.jobs.api import Message
from boathouse.sql.alerts.evaluation import Evaluated
from boathouse.sql.alerts.schemas import AlertEvaluationBody
from boathouse.sql.models import AlertRow

_SIGNS = {
    "LESS_THAN": "<",
    "GREATER_THAN": ">",
    "EQUAL": "=",
    "NOT_EQUAL": "!=",
    "GREATER_THAN_OR_EQUAL": ">=",
    "LESS_THAN_OR_EQUAL": "<=",
    "IS_NULL": "is null",
    "IS_NOT_NULL": "is not null",
}
_ROWS = re.compile(r"\{\{#QUERY_RESULT_ROWS\}\}(.*?)\{\{/QUERY_RESULT_ROWS\}\}", re.DOTALL)
_NAME = re.compile(r"\{\{\{?\s*([A-Za-z_]\w*)\s*\}?\}\}")
_TAG = re.compile(r"<[^<>]+>")
_SHOWN_ROWS = 20


def message(row: AlertRow, rule: AlertEvaluationBody, found: Evaluated, url: str) -> Message:
    """What people are told of an evaluation.

    Args:
        row: The alert.
        rule: How it was judged.
        found: What was found.
        url: Of the server, as people reach it.
    """
    path = f"/alerts/{row.id}"
    values = _values(row, rule, found, f"{url}{path}")
    what = found.error or f"{values['ALERT_COLUMN']} is {values['QUERY_RESULT_VALUE']}"
    if not found.error and rule.threshold is not None:
        what += f" ({values['ALERT_CONDITION']} {values['ALERT_THRESHOLD']})"
    sentence = f"Alert {row.display_name} is {found.state}: {what}"
    summary, description = row.settings.get("custom_summary"), row.settings.get("custom_description")
    rows = [] if found.answer is None else [dict(zip(_names(found), one, strict=True)) for one in found.answer.rows]
    page = None if not description else _filled(str(description), values, rows, escape=True)
    text = what if page is None else html.unescape(_TAG.sub("", page))
    return Message(
        subject=_filled(str(summary), values, rows, escape=False)
        if summary
        else f"Boathouse alert {row.display_name}: {found.state}",
        sentence=sentence,
        text=text,
        path=path,
        action="Open the alert",
        incident=f"boathouse-alert-{row.id}",
        severity="info" if found.state == "OK" else "warning",
        ends=found.state == "OK",
        html=page,
    )


def _names(found: Evaluated) -> list[str]:
    return [] if found.answer is None else [name for name, _ in found.answer.columns]


def _values(row: AlertRow, rule: AlertEvaluationBody, found: Evaluated, url: str) -> dict[str, Any]:
    source = rule.source
    shown = source.display or (f"{source.aggregation}({source.name})" if source.aggregation else source.name)
    return {
        "ALERT_STATUS": found.state,
        "ALERT_CONDITION": _SIGNS[rule.comparison_operator],
        "ALERT_THRESHOLD": found.threshold,
        "ALERT_COLUMN": shown,
        "ALERT_NAME": row.display_name,
        "ALERT_URL": url,
        "QUERY_NAME": row.display_name,
        "QUERY_RESULT_VALUE": found.value,
        "QUERY_RESULT_COLS": ", ".join(_names(found)),
        "QUERY_RESULT_TABLE": _table(found),
    }


def _table(found: Evaluated) -> str:
    if found.answer is None:
        return ""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in _names(found))
    rows = [
        "".join(f"<td>{html.escape('' if value is None else str(value))}</td>" for value in row)
        for row in found.answer.rows[:_SHOWN_ROWS]
    ]
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"


def _filled(template: str, values: Mapping[str, Any], rows: list[dict[str, Any]], *, escape: bool) -> str:
    """A template with what its names stand for; what it does not know is nothing, as mustache has it."""

    def put(text: str, known: Mapping[str, Any]) -> str:
        def value(found: re.Match[str]) -> str:
            one = known.get(found[1])
            shown = "" if one is None else str(one)
            return html.escape(shown) if escape and found[1] != "QUERY_RESULT_TABLE" else shown

        return _NAME.sub(value, text)

    pieces = _ROWS.split(template)
    # Every second piece stood inside a section, which is repeated for each row.
    for number in range(1, len(pieces), 2):
        pieces[number] = "".join(put(pieces[number], {**values, **row}) for row in rows[:_SHOWN_ROWS])
    for number in range(0, len(pieces), 2):
        pieces[number] = put(pieces[number], values)
    return "".join(pieces)
