"""Whether an alert is triggered: its query is executed, and a value of the result compared."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from boathouse.engine.api import Raw, Value, bound, filled, quote, statements
from boathouse.sql.alerts.schemas import AlertColumnBody, AlertEvaluationBody, AlertParameterBody, AlertSettings
from boathouse.sql.errors import ObjectInvalid, StatementFailed
from boathouse.sql.statements import Answer, SqlSession

_ROWS = 200
_AGGREGATES = {"COUNT_DISTINCT": "COUNT(DISTINCT {})", "STDDEV": "STDDEV({})", "MEDIAN": "MEDIAN({})"}
_NUMBERS = ("tinyint", "smallint", "int", "bigint", "float", "double", "decimal")


@dataclass(frozen=True)
class Question:
    """What is asked of the gateway.

    Attributes:
        text: As it was written.
        statement: As it is executed.
        catalog: That is current at first; None for the session's own.
        schema: The same.
    """

    text: str
    statement: str
    catalog: str | None = None
    schema: str | None = None


@dataclass(frozen=True)
class Evaluated:
    """What an evaluation has found.

    Attributes:
        state: OK, TRIGGERED, ERROR or UNKNOWN.
        answer: The rows; None of what has failed.
        value: That was compared.
        threshold: With which.
        error: Why it could not be.
    """

    state: str
    answer: Answer | None = None
    value: Any = None
    threshold: Any = None
    error: str | None = None


def question(text: str, values: Mapping[str, Value], catalog: str | None = None, schema: str | None = None) -> Question:
    """The one statement of a text.

    Raises:
        ObjectInvalid: If it has none, or several.
    """
    found = statements(bound(filled(text, values), values))
    if len(found) != 1:
        raise ObjectInvalid("query_text", f"has {len(found)} statements. An alert compares the result of one.")
    return Question(text, found[0], catalog, schema)


def values_of(parameters: Sequence[AlertParameterBody]) -> dict[str, Value]:
    """What the parameters of a text stand for."""
    return {one.name: _typed(one) for one in parameters}


def _typed(parameter: AlertParameterBody) -> Value:
    if parameter.type is None:
        return parameter.value
    return Raw(f"CAST({bound(':v', {'v': parameter.value})} AS {parameter.type})")


def question_of(settings: AlertSettings) -> Question:
    """What an alert with a text of its own asks."""
    return question(settings.query_text, values_of(settings.parameters or ()))


async def evaluate(session: SqlSession, asked: Question, rule: AlertEvaluationBody) -> Evaluated:
    """Execute a query and judge what it gives.

    Args:
        session: Of the one as whom it is executed.
        asked: The query.
        rule: How it is judged.
    """
    try:
        if asked.catalog:
            await session.execute(f"USE CATALOG {quote([asked.catalog])}")
        if asked.schema:
            await session.execute(f"USE SCHEMA {quote([asked.schema])}")
        other = None if rule.threshold is None else rule.threshold.column
        operands = [rule.source, *([] if other is None else [other])]
        if any(one.aggregation for one in operands):
            columns = ", ".join(f"{_aggregate(one)} AS _{number}" for number, one in enumerate(operands))
            answer = await session.execute(f"SELECT {columns}, COUNT(*) AS _rows FROM ({asked.statement})", 1)
            row = answer.rows[0]
            kinds, empty = [kind for _, kind in answer.columns], row[-1] == 0
            values: Sequence[Any] = row[: len(operands)]
            # A count of nothing is a number, and so is worth comparing unless somebody says otherwise.
            empty = empty and rule.empty_result_state is not None
        else:
            answer = await session.execute(asked.statement, _ROWS)
            places = [_place(answer, one) for one in operands]
            empty = not answer.rows
            kinds = [answer.columns[one][1] for one in places]
            values = [row[one] for row in answer.rows[:1] for one in places]
    except StatementFailed as failure:
        return Evaluated("ERROR", error=failure.message)
    if empty:
        return Evaluated(rule.empty_result_state or "UNKNOWN", answer)
    value, threshold = values[0], _threshold(rule, values)
    met = compare(rule.comparison_operator, value, threshold, number=kinds[0].startswith(_NUMBERS))
    return Evaluated("TRIGGERED" if met else "OK", answer, value, threshold)


def _aggregate(column: AlertColumnBody) -> str:
    name = quote([column.name])
    if column.aggregation is None:
        return f"FIRST({name})"
    return _AGGREGATES.get(column.aggregation, f"{column.aggregation}({{}})").format(name)


def _place(answer: Answer, column: AlertColumnBody) -> int:
    names = [name.lower() for name, _ in answer.columns]
    if column.name.lower() not in names:
        told = ", ".join(name for name, _ in answer.columns) or "none"
        message = f"The result has no column '{column.name}'. It has: {told}."
        raise StatementFailed(message)
    return names.index(column.name.lower())


def _threshold(rule: AlertEvaluationBody, values: Sequence[Any]) -> Any:
    if rule.threshold is None:
        return None
    value = rule.threshold.value
    if value is None:
        return values[1]
    return next(one for one in (value.double_value, value.bool_value, value.string_value) if one is not None)


def compare(operator: str, value: Any, threshold: Any, *, number: bool) -> bool:
    """Whether a value stands to a threshold as an operator says; NULL does only for IS_NULL.

    Args:
        operator: As the API names it.
        value: As JSON has it: decimals, dates and times are texts.
        threshold: The same.
        number: Whether the value is a number, which a text is not however it looks.
    """
    if operator in {"IS_NULL", "IS_NOT_NULL"}:
        return (value is None) is (operator == "IS_NULL")
    if value is None or threshold is None:
        return False
    left, right = _comparable(value, threshold, number=number)
    if left is None or right is None:
        return False
    match operator:
        case "EQUAL":
            return left == right
        case "NOT_EQUAL":
            return left != right
        case "LESS_THAN":
            return left < right
        case "LESS_THAN_OR_EQUAL":
            return left <= right
        case "GREATER_THAN":
            return left > right
        case _:
            return left >= right


def _comparable(value: Any, threshold: Any, *, number: bool) -> tuple[Any, Any]:
    if number or isinstance(threshold, float):
        return _number(value), _number(threshold)
    if isinstance(value, bool) or isinstance(threshold, bool):
        return str(value).lower(), str(threshold).lower()
    return str(value), str(threshold)


def _number(value: Any) -> Decimal | None:
    try:
        found = Decimal(str(int(value) if isinstance(value, bool) else value))
    except InvalidOperation:
        return None
    return None if math.isnan(found) else found
