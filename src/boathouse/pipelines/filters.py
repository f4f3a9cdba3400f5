"""The filters of the API: ``level='ERROR' AND timestamp > '2026-01-01T00:00:00Z'``, ``name LIKE '%shop%'``."""

import datetime as dt
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.sql.elements import ColumnElement

from boathouse.errors import InvalidParameterValue
from boathouse.pipelines.events import Level
from boathouse.pipelines.info import PipelineInfo
from boathouse.pipelines.models import PipelineEventRow

_CONDITION = re.compile(
    r"\s*(?P<field>\w+)\s*(?P<sign>=|==|!=|<>|<=|>=|<|>|LIKE|IN)\s*(?P<value>'(?:[^']|'')*'|\([^)]*\))\s*", re.IGNORECASE
)
_AND = re.compile(r"AND\b", re.IGNORECASE)
_SIGNS: dict[str, Callable[[Any, Any], Any]] = {
    "=": lambda column, value: column == value,
    "==": lambda column, value: column == value,
    "!=": lambda column, value: column != value,
    "<>": lambda column, value: column != value,
    "<": lambda column, value: column < value,
    "<=": lambda column, value: column <= value,
    ">": lambda column, value: column > value,
    ">=": lambda column, value: column >= value,
}


@dataclass(frozen=True)
class Condition:
    """One comparison."""

    field: str
    sign: str
    values: tuple[str, ...]

    @property
    def value(self) -> str:
        """What is compared with."""
        return self.values[0]


def conditions(text: str | None) -> list[Condition]:
    """The comparisons of a filter.

    Raises:
        InvalidParameterValue: If it is none.
    """
    if not text or not text.strip():
        return []
    found: list[Condition] = []
    at = 0
    while True:
        match = _CONDITION.match(text, at)
        if match is None:
            raise invalid(
                text, "Write comparisons with AND between them, such as level='ERROR' AND timestamp>'2026-01-01T00:00:00Z'."
            )
        values = tuple(one.replace("''", "'") for one in re.findall(r"'((?:[^']|'')*)'", match["value"]))
        if not values:
            raise invalid(text, "Values stand in single quotes.")
        found.append(Condition(match["field"].lower(), match["sign"].upper(), values))
        at = match.end()
        if at == len(text):
            return found
        joint = _AND.match(text, at)
        if joint is None:
            raise invalid(text, "Only AND can stand between comparisons.")
        at = joint.end()


def invalid(text: str, hint: str) -> InvalidParameterValue:
    """The error of a filter."""
    return InvalidParameterValue(f"filter '{text}' is not valid. {hint}", field="filter")


def of_events(text: str | None, sequence_of: Callable[[str], int | None]) -> list[ColumnElement[bool]]:
    """The filter of events as conditions of a query.

    Args:
        text: The filter.
        sequence_of: The sequence number of an event's identifier.

    Raises:
        InvalidParameterValue: If it is none.
    """
    result: list[ColumnElement[bool]] = []
    for one in conditions(text):
        match one.field:
            case "level" | "event_type":
                column = PipelineEventRow.level if one.field == "level" else PipelineEventRow.event_type
                if one.field == "level" and not {value.upper() for value in one.values} <= {level.value for level in Level}:
                    raise invalid(text or "", f"level is one of {', '.join(Level)}.")
                if one.sign in {"IN", "=", "=="}:
                    result.append(column.in_([value.upper() if one.field == "level" else value for value in one.values]))
                elif one.sign in {"!=", "<>"}:
                    result.append(column != (one.value.upper() if one.field == "level" else one.value))
                else:
                    raise invalid(text or "", f"{one.field} can be compared with =, != and in.")
            case "timestamp" if one.sign in _SIGNS:
                result.append(_SIGNS[one.sign](PipelineEventRow.time_ms, _moment(text or "", one.value)))
            case "id" if one.sign in _SIGNS:
                result.append(_SIGNS[one.sign](PipelineEventRow.sequence, sequence_of(one.value) or 0))
            case "update_id" if one.sign in {"=", "=="}:
                result.append(PipelineEventRow.update_id == one.value)
            case _:
                raise invalid(text or "", "Fields that can be compared: level, event_type, timestamp, id, update_id.")
    return result


def _moment(text: str, value: str) -> int:
    try:
        moment = dt.datetime.fromisoformat(value.removeprefix("TIMESTAMP").strip())
    except ValueError as error:
        raise invalid(text, "A timestamp is written as 2026-01-31T12:00:00Z.") from error
    return int((moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp() * 1000)


def of_pipelines(text: str | None, pipelines: Sequence[PipelineInfo]) -> list[PipelineInfo]:
    """Those pipelines for which a filter holds.

    Raises:
        InvalidParameterValue: If it is none.
    """
    found = list(pipelines)
    for one in conditions(text):
        if one.field == "name" and one.sign == "LIKE":
            pattern = re.compile(".*".join(re.escape(part) for part in one.value.split("%")), re.DOTALL | re.IGNORECASE)
            found = [pipeline for pipeline in found if pattern.fullmatch(pipeline.name)]
        elif one.field == "name" and one.sign in {"=", "=="}:
            found = [pipeline for pipeline in found if pipeline.name == one.value]
        elif one.field == "notebook" and one.sign in {"=", "=="}:
            found = [pipeline for pipeline in found if one.value in _notebooks(pipeline)]
        else:
            raise invalid(text or "", "Valid: name LIKE '%shop%', name = 'shop', notebook = '/path'.")
    return found


def _notebooks(pipeline: PipelineInfo) -> list[str]:
    return [str(library["notebook"]["path"]) for library in pipeline.spec.get("libraries") or () if library.get("notebook")]
