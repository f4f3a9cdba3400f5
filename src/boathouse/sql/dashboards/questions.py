"""The SQL of a widget: what it asks of its dataset, where the filters of its page hold."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from pydantic import BaseModel

from boathouse.engine.api import Raw, Value, bound, literal, quote, statements, tokenize
from boathouse.sql.dashboards.documents import AskedPart, DatasetPart, Document, FieldPart, ParameterPart, WidgetPart
from boathouse.sql.errors import ObjectInvalid

_AGGREGATES = frozenset(
    [
        "ANY",
        "ANY_VALUE",
        "APPROX_COUNT_DISTINCT",
        "APPROX_PERCENTILE",
        "ARRAY_AGG",
        "AVG",
        "BIT_AND",
        "BIT_OR",
        "BOOL_AND",
        "BOOL_OR",
        "COLLECT_LIST",
        "COLLECT_SET",
        "CORR",
        "COUNT",
        "COUNT_IF",
        "COVAR_POP",
        "COVAR_SAMP",
        "EVERY",
        "FIRST",
        "FIRST_VALUE",
        "KURTOSIS",
        "LAST",
        "LAST_VALUE",
        "LISTAGG",
        "MAX",
        "MAX_BY",
        "MEAN",
        "MEDIAN",
        "MIN",
        "MIN_BY",
        "MODE",
        "PERCENTILE",
        "PERCENTILE_APPROX",
        "PERCENTILE_CONT",
        "SKEWNESS",
        "SOME",
        "STD",
        "STDDEV",
        "STDDEV_POP",
        "STDDEV_SAMP",
        "STRING_AGG",
        "SUM",
        "VAR_POP",
        "VAR_SAMP",
        "VARIANCE",
    ]
)
_ALL_ROWS = re.compile(r"(?i)\bcount\(\s*`\*`\s*\)")
_ASSOCIATIVE = "associative_filter_predicate_group"
"""In a field with which a filter asks which of its choices others leave over; what it asks is filtered anyway."""
_TYPES = {"DATE": "DATE", "DATETIME": "TIMESTAMP", "TIMESTAMP": "TIMESTAMP"}
_NUMBERS = frozenset({"INTEGER", "DECIMAL", "FLOAT", "DOUBLE", "LONG", "NUMBER"})
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
MOST_VALUES = 1000


class Chosen(BaseModel):
    """What somebody has chosen in a filter: values, or a range of which either end may be open."""

    values: list[str | int | float | bool | None] | None = None
    min: str | int | float | None = None
    max: str | int | float | None = None

    @property
    def is_nothing(self) -> bool:
        """Whether it lets everything pass."""
        return not self.values and self.min is None and self.max is None


@dataclass(frozen=True)
class Question:
    """What is asked of the gateway.

    Attributes:
        statement: As it is executed.
        catalog: That is current; None for the session's own.
        schema: The same.
    """

    statement: str
    catalog: str | None
    schema: str | None


def question(document: Document, page: str, widget: WidgetPart, query: str, chosen: Mapping[str, Chosen]) -> Question:
    """What a widget asks.

    Args:
        document: The dashboard.
        page: The page that is looked at.
        widget: One of it.
        query: The name of one of its queries.
        chosen: What was chosen in the filters, by their names; others have what the dashboard says.

    Raises:
        ObjectInvalid: If there is no such query, or something that was chosen cannot be.
    """
    found = next((one.query for one in widget.queries if one.name == query), None)
    if found is None:
        told = ", ".join(one.name for one in widget.queries) or "none"
        raise ObjectInvalid("query", f"is '{query}'. The widget's queries: {told}.")
    dataset = document.dataset(found.datasetName)
    if dataset is None:
        raise ObjectInvalid("query", f"is of the dataset '{found.datasetName}', which the dashboard has not.")
    conditions, values = list[str](), dict[str, Chosen]()
    for one in document.filters(page):
        selected = chosen.get(one.name, default_of(one))
        for field in _fields(one):
            asked = next((each.query for each in one.queries if each.name == field.get("queryName")), None)
            if asked is None or asked.datasetName != dataset.name or selected.is_nothing:
                continue
            if field.get("parameterName"):
                keyword = next((each.keyword for each in asked.parameters if each.name == field["parameterName"]), None)
                values[keyword or str(field["parameterName"])] = selected
            elif one.name != widget.name:
                by = next((each.expression for each in asked.fields if each.name == field.get("fieldName")), None)
                if by is not None:
                    conditions.append(_condition(by, selected, dates="date" in (one.spec.widgetType if one.spec else "")))
    return Question(_statement(dataset, found, conditions, values), dataset.catalog, dataset.schema_name)


def _fields(widget: WidgetPart) -> Iterator[Mapping[str, Any]]:
    """What a filter acts on: fields, or parameters."""
    encodings = widget.spec.encodings if widget.spec else {}
    for one in encodings.get("fields") or ():
        if isinstance(one, Mapping):
            yield one


def default_of(widget: WidgetPart) -> Chosen:
    """What a filter has chosen while nobody has chosen otherwise."""
    selection = (widget.spec.selection if widget.spec else None) or {}
    return _chosen(selection.get("defaultSelection"))


def _chosen(selection: Any) -> Chosen:
    if not isinstance(selection, Mapping):
        return Chosen()
    span = selection.get("range")
    if isinstance(span, Mapping):
        ends = {end: (span.get(end) or {}).get("value") for end in ("min", "max")}
        return Chosen(min=ends["min"], max=ends["max"])
    held = (selection.get("values") or {}).get("values") or ()
    return Chosen(values=[one.get("value") for one in held])


def _statement(dataset: DatasetPart, asked: AskedPart, conditions: Sequence[str], values: Mapping[str, Chosen]) -> str:
    found = statements(bound(dataset.text, _values(dataset.parameters or (), values)))
    if len(found) != 1:
        raise ObjectInvalid(
            "query",
            f"is of the dataset '{dataset.displayName or dataset.name}', which has {len(found)} statements instead of one.",
        )
    fields = [one for one in asked.fields if _ASSOCIATIVE not in one.expression]
    columns = ", ".join(f"{_expression(one)} AS {quote([one.name])}" for one in fields) or "*"
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    text = f"SELECT {columns} FROM ({found[0]}) AS dataset{where}"
    if asked.disaggregated or not fields:
        return text
    keys = [str(number) for number, one in enumerate(fields, 1) if not is_aggregate(one.expression)]
    return f"{text} GROUP BY {', '.join(keys)} ORDER BY {', '.join(keys)}" if keys else text


def _expression(field: FieldPart) -> str:
    return _ALL_ROWS.sub("COUNT(*)", field.expression)


def is_aggregate(expression: str) -> bool:
    """Whether an expression is one over rows: it calls such a function, and not as a window's."""
    tokens = tokenize(expression)
    calls = [one for one, after in pairwise(tokens) if one.is_word(*_AGGREGATES) and after.is_mark("(")]
    return bool(calls) and not any(one.is_word("OVER") for one in tokens)


# ---------------------------------------------------------------------------------------------------------- conditions


def _condition(by: str, chosen: Chosen, *, dates: bool) -> str:
    if chosen.values:
        if len(chosen.values) > MOST_VALUES:
            raise ObjectInvalid("filters", f"have a filter with {len(chosen.values)} values. At most {MOST_VALUES} are taken.")
        held = [_literal(one) for one in chosen.values if one is not None]
        parts = [f"{by} IN ({', '.join(held)})"] if held else []
        if None in chosen.values:
            parts.append(f"{by} IS NULL")
        return f"({' OR '.join(parts)})"
    parts: list[str] = []
    for sign, end in ((">=", chosen.min), ("<=", chosen.max)):
        if end is not None and dates:
            parts.append(f"CAST({by} AS TIMESTAMP) {sign} CAST({literal(_moment(str(end), last=sign == '<='))} AS TIMESTAMP)")
        elif end is not None:
            parts.append(f"{by} {sign} {_literal(end)}")
    return f"({' AND '.join(parts)})"


def _moment(text: str, *, last: bool) -> str:
    """A day's last moment, or what was chosen."""
    return f"{text} 23:59:59.999999" if last and _DAY.fullmatch(text) else text.replace("T", " ")


def _literal(value: str | float | bool) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return literal(value)
    if not math.isfinite(value):
        raise ObjectInvalid("filters", f"have {value}, which is no number that SQL has.")
    return repr(value)


def _values(parameters: Sequence[ParameterPart], chosen: Mapping[str, Chosen]) -> dict[str, Value]:
    """What the parameters of a dataset stand for; of a range ``name.min`` and ``name.max``."""
    found: dict[str, Value] = {}
    for one in parameters:
        now = chosen.get(one.keyword) or _chosen(one.defaultSelection)
        if one.complexType == "RANGE" or now.min is not None or now.max is not None:
            found |= {f"{one.keyword}.{end}": _typed(one, getattr(now, end), last=end == "max") for end in ("min", "max")}
        elif one.complexType == "MULTI" or len(now.values or ()) > 1:
            found[one.keyword] = Raw(f"ARRAY({', '.join(_sql(_typed(one, value)) for value in now.values or ())})")
        else:
            found[one.keyword] = _typed(one, (now.values or [None])[0])
    return found


def _typed(parameter: ParameterPart, value: Any, *, last: bool = False) -> Value:
    if value is None:
        return None
    kind = parameter.dataType.upper()
    if kind in _NUMBERS:
        try:
            number = float(value)
        except ValueError as error:
            raise ObjectInvalid(f"parameters.{parameter.keyword}", f"is '{value}', which is no number.") from error
        if not math.isfinite(number):
            raise ObjectInvalid(f"parameters.{parameter.keyword}", f"is {value}, which is no number that SQL has.")
        return int(number) if number.is_integer() and abs(number) < 2**53 else number
    if kind in _TYPES:
        text = _moment(str(value), last=last and kind != "DATE")
        return Raw(f"CAST({literal(text[:10] if kind == 'DATE' else text)} AS {_TYPES[kind]})")
    return str(value)


def _sql(value: Value) -> str:
    return value.text if isinstance(value, Raw) else "NULL" if value is None else _literal(value)
