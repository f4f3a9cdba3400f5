"""The kinds of task that steer a run and are carried out by the scheduler itself: condition, for each, run job."""

import json
import operator
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from boathouse.errors import InternalError
from boathouse.iam.api import Principal
from boathouse.jobs.errors import SettingsInvalid
from boathouse.jobs.kinds import Kinds, Output, Task

CONDITION, FOR_EACH, RUN_JOB = "condition_task", "for_each_task", "run_job_task"
CONTROL = (CONDITION, FOR_EACH, RUN_JOB)
MOST_ITERATIONS = 5000
MOST_AT_ONCE = 100
_ORDERED: dict[str, Callable[[Any, Any], bool]] = {
    "GREATER_THAN": operator.gt,
    "GREATER_THAN_OR_EQUAL": operator.ge,
    "LESS_THAN": operator.lt,
    "LESS_THAN_OR_EQUAL": operator.le,
}
_OPERATORS = ("EQUAL_TO", "NOT_EQUAL", *_ORDERED)


class ControlKind:
    """A kind that no worker ever gets.

    Attributes:
        field: See ``TaskKind``.
        resumes: See ``TaskKind``.

    Args:
        field: See ``TaskKind``.
        check: See ``TaskKind``.
    """

    resumes = True

    def __init__(self, field: str, check: Callable[[Mapping[str, Any], str, Principal], None]) -> None:
        self.field = field
        self._check = check

    def check(self, spec: Mapping[str, Any], where: str, asker: Principal) -> None:
        """See ``TaskKind``."""
        self._check(spec, where, asker)

    async def run(self, task: Task) -> Output:
        """Is not called: the scheduler carries these out.

        Raises:
            InternalError: Always.
        """
        raise InternalError(f"{self.field} of {task.key} was given to a worker.")


def register(kinds: Kinds) -> None:
    """Add the three."""

    def check_for_each(spec: Mapping[str, Any], where: str, asker: Principal) -> None:
        if not isinstance(spec.get("inputs"), str):
            raise SettingsInvalid(f"{where}.inputs", "is missing: a JSON array as text, or a reference to one.")
        if "{{" not in spec["inputs"]:
            inputs_of(spec["inputs"], f"{where}.inputs")
        concurrency = spec.get("concurrency")
        if concurrency is not None and (type(concurrency) is not int or not 1 <= concurrency <= MOST_AT_ONCE):
            raise SettingsInvalid(f"{where}.concurrency", f"is {concurrency!r}. Valid: 1 to {MOST_AT_ONCE}.")
        nested = spec.get("task")
        if not isinstance(nested, Mapping) or not isinstance(nested.get("task_key"), str):
            raise SettingsInvalid(f"{where}.task", "is missing, or has no task_key.")
        for field in ("depends_on", "run_if"):
            if nested.get(field):
                raise SettingsInvalid(
                    f"{where}.task.{field}", "cannot be given: a nested task depends on its for_each_task only."
                )
        kind = kinds.field_of(nested, f"{where}.task")
        if kind == FOR_EACH:
            raise SettingsInvalid(f"{where}.task.{kind}", "cannot be nested in another one.")
        if not isinstance(nested[kind], Mapping):
            raise SettingsInvalid(f"{where}.task.{kind}", "is no object.")
        _check_numbers(nested, f"{where}.task")
        kinds.get(kind).check(nested[kind], f"{where}.task.{kind}", asker)

    kinds.register(ControlKind(CONDITION, _check_condition))
    kinds.register(ControlKind(FOR_EACH, check_for_each))
    kinds.register(ControlKind(RUN_JOB, _check_run_job))


def _check_condition(spec: Mapping[str, Any], where: str, _asker: Principal) -> None:
    if spec.get("op") not in _OPERATORS:
        raise SettingsInvalid(f"{where}.op", f"is {spec.get('op')!r}. Valid: {', '.join(_OPERATORS)}.")
    for side in ("left", "right"):
        if not isinstance(spec.get(side), str):
            raise SettingsInvalid(f"{where}.{side}", "is missing, or no text.")


def _check_run_job(spec: Mapping[str, Any], where: str, _asker: Principal) -> None:
    if type(spec.get("job_id")) is not int or not 0 <= spec["job_id"] < 2**63:
        raise SettingsInvalid(f"{where}.job_id", f"is {spec.get('job_id')!r}, which is no job's.")
    given = spec.get("job_parameters")
    if given is not None and not (isinstance(given, Mapping) and all(isinstance(one, str) for one in given.values())):
        raise SettingsInvalid(f"{where}.job_parameters", "must be an object of texts.")


def _check_numbers(task: Mapping[str, Any], where: str) -> None:
    for field, least in (("max_retries", -1), ("min_retry_interval_millis", 0), ("timeout_seconds", 0)):
        value = task.get(field)
        if value is not None and (type(value) is not int or not least <= value <= 2**40):
            raise SettingsInvalid(f"{where}.{field}", f"is {value!r}. Valid: whole numbers from {least}.")


def holds(spec: Mapping[str, Any]) -> bool:
    """Whether a condition holds: texts are compared as such, or as numbers where more or less is asked for.

    Raises:
        SettingsInvalid: If a side is to be a number and is none.
    """
    left, right, op = str(spec["left"]), str(spec["right"]), str(spec["op"])
    if op in _ORDERED:
        return _ORDERED[op](_number(left, "left", op), _number(right, "right", op))
    return (left == right) is (op == "EQUAL_TO")


def _number(text: str, side: str, op: str) -> Decimal:
    try:
        found = Decimal(text.strip())
    except InvalidOperation as error:
        raise SettingsInvalid(f"condition_task.{side}", f"is '{text}', and {op} needs a number.") from error
    if found.is_nan():
        raise SettingsInvalid(f"condition_task.{side}", f"is '{text}', and {op} needs a number.")
    return found


def inputs_of(text: str, where: str = "for_each_task.inputs") -> Sequence[Any]:
    """The inputs of a for-each task.

    Raises:
        SettingsInvalid: If they are no JSON array, or too many.
    """
    try:
        found = json.loads(text)
    except ValueError as error:
        raise SettingsInvalid(where, f"is no JSON: {error}.") from error
    if not isinstance(found, list):
        raise SettingsInvalid(where, "is JSON, but no array.")
    if len(found) > MOST_ITERATIONS:
        raise SettingsInvalid(where, f"has {len(found)} entries, which is more than {MOST_ITERATIONS}.")
    return found
