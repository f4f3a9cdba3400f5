"""``ai_query`` in the engine's process: rows of Arrow to a serving endpoint of this server, and its answers back as Arrow.

It is no user function: the engine's process calls the endpoint itself, with the token that it has for its principal, so that the
endpoint sees who asks, as with every other request. What travels in the plan is only a description in JSON.
"""

import base64
import contextlib
import datetime as dt
import decimal
import http.client
import json
import math
import random
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import pyarrow as pa

RESULT, ERROR = "result", "errorMessage"
"""The fields of what a call answers that does not fail on errors."""
SCALAR_ITER = 204
"""Spark's number of the kind of functions that take and give batches: engines give those a step of their own in the plan, and do not
move it past a filter, so that only rows that are wanted are sent."""

ARROW_SCALAR_ITER = 251
"""The same with Arrow's values in place of those of pandas; since Spark 4.1."""

_MARK = b"boathouse-endpoint-call:"
_FOUND = re.compile(re.escape(_MARK) + rb"([0-9a-f]{8})")
_MOST_ROWS = 8192
_MOST_BYTES = 4 * 1024 * 1024
_ATTEMPTS = 8
_LONGEST_WAIT = 8.0
_SECONDS = 300.0
_BUSY = frozenset({429, 502, 503, 504})
_OF_ROWS = frozenset({400, 413, 422, 500})
_TOO_LARGE = 413


class AiQueryFailed(RuntimeError):
    """An endpoint has not answered, or not in a form that fits."""

    __module__ = "builtins"  # clients are shown the whole name


@dataclass(frozen=True)
class EndpointCall:
    """How an endpoint is to be asked.

    Attributes:
        endpoint: Its name.
        columns: The columns that it takes; empty where it does not say.
        required: Those of them that it needs.
        returns: The Arrow schema of the answer's one column, in base64.
        strict: Whether a row that cannot be answered ends the query.
        parameters: What the model's ``predict`` takes besides.
    """

    endpoint: str
    columns: tuple[str, ...]
    required: tuple[str, ...]
    returns: str
    strict: bool
    parameters: dict[str, Any] | None = None

    @property
    def type(self) -> pa.DataType:
        """Of the answer."""
        return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(self.returns))).field(0).type

    def packed(self) -> bytes:
        """As bytes that are found again inside others."""
        body = json.dumps(asdict(self), sort_keys=True).encode()
        return _MARK + f"{len(body):08x}".encode() + body

    @classmethod
    def found_in(cls, data: bytes) -> "EndpointCall | None":
        """The description that is somewhere in a function's bytes; None for a function that is none of ours."""
        match = _FOUND.search(data)
        if match is None:
            return None
        try:
            told = json.loads(data[match.end() : match.end() + int(match[1], 16)])
            return cls(**told | {"columns": tuple(told["columns"]), "required": tuple(told["required"])})
        except (ValueError, TypeError, KeyError):
            return None

    @classmethod
    def unpacked(cls, data: bytes) -> "EndpointCall":
        """The description that ``packed`` has made.

        Raises:
            AiQueryFailed: If it is damaged.
        """
        call = cls.found_in(data)
        if call is None:
            raise AiQueryFailed("The description of an endpoint's call is damaged.")
        return call


def packed_type(data_type: pa.DataType) -> str:
    """An Arrow type as ``EndpointCall.returns`` has it."""
    return base64.b64encode(pa.schema([("value", data_type)]).serialize().to_pybytes()).decode()


class EndpointFunction:
    """What stands in a plan; it is only called where the engine's process runs users' functions itself, with values of pandas.

    Args:
        call: How the endpoint is asked.
    """

    def __init__(self, call: EndpointCall) -> None:
        self.packed = call.packed()

    def __call__(self, batches: Iterator[Any]) -> Iterator[Any]:
        """The answers to rows: a frame for each batch where they are structs, else a series."""
        call = EndpointCall.unpacked(self.packed)
        for batch in batches:
            rows = batch[0] if isinstance(batch, tuple) else batch
            is_frame = hasattr(rows, "columns")
            found = answers(
                call, pa.RecordBatch.from_pandas(rows).to_struct_array() if is_frame else pa.Array.from_pandas(rows)
            )
            if pa.types.is_struct(found.type):
                yield pa.RecordBatch.from_struct_array(found).to_pandas()
            else:
                yield found.to_pandas()


class AskingFunction:
    """The same for workers that are none of our processes: they are told where the server is, and have this module with the function.

    Args:
        call: How the endpoint is asked.
        url: Of the server.
        token: With which it is asked.
    """

    def __init__(self, call: EndpointCall, url: str, token: str) -> None:
        self.packed, self.url, self._token = call.packed(), url, token

    def __call__(self, batches: Iterator[Any]) -> Iterator[pa.Array]:
        """The answers to rows, an array for each."""
        call = EndpointCall.unpacked(self.packed)
        _server.configure(self.url, self._token)
        for batch in batches:
            yield answers(call, batch[0] if isinstance(batch, tuple) else batch)


# ------------------------------------------------------------------------------------------------------- asking it


class _Server:
    """The server, as the engine's process reaches it; one connection a thread."""

    def __init__(self) -> None:
        self._url, self._token = "", ""
        self._local = threading.local()

    def __reduce__(self) -> tuple[type, tuple[()]]:
        # In a function that is sent elsewhere it begins anew.
        return type(self), ()

    def configure(self, url: str, token: str) -> None:
        self._url, self._token, self._local = url, token, threading.local()

    def post(self, path: str, body: bytes) -> tuple[int, bytes, float | None]:
        """Status, body, and how many seconds the server wants to be left alone."""
        if not self._url:
            raise AiQueryFailed("This engine does not know the server, so ai_query cannot be answered.")
        for is_last in (False, True):
            connection: Any = getattr(self._local, "connection", None)
            is_new = connection is None
            if is_new:
                parts = urlsplit(self._url)
                kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
                connection = self._local.connection = kind(parts.hostname or "", parts.port, timeout=_SECONDS)
            try:
                headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
                connection.request("POST", urlsplit(self._url).path.rstrip("/") + path, body, headers)
                answer = connection.getresponse()
                content, wait = answer.read(), answer.getheader("Retry-After")
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                self._local.connection = None
                # The server closes a connection that has rested.
                if is_last or is_new:
                    raise AiQueryFailed(f"The server did not answer: {error}") from None
                continue
            return answer.status, content, float(wait) if wait and wait.isdigit() else None
        raise AssertionError


_server = _Server()
configure = _server.configure
"""Tells this process where the server is and with which token its endpoints are asked."""


@dataclass(frozen=True)
class _Told:
    """What an endpoint answered to some rows: values, or why there are none."""

    values: list[Any] | None
    problem: str = ""
    status: int = 200


def answers(call: EndpointCall, rows: pa.Array) -> pa.Array:
    """The endpoint's answer to each row.

    Args:
        call: How it is asked.
        rows: One value a row: a struct of the endpoint's columns, or the value of its only one.

    Raises:
        AiQueryFailed: If a column is missing, the endpoint is not there or not the asker's, and with ``call.strict`` where a row
            cannot be answered.
    """
    names, columns = _columns(call, rows)
    result = call.type if call.strict else call.type.field(RESULT).type
    values: list[Any] = []
    problems: list[str | None] = []
    step = _step(rows)
    for start in range(0, len(rows), step):
        data = [list(row) for row in zip(*(_plain(column.slice(start, step)) for column in columns), strict=True)]
        for told, count in _ask(call, names, data):
            for value, problem in _fitting(told, count, result):
                if problem is not None and call.strict:
                    raise AiQueryFailed(f"ai_query('{call.endpoint}'): {problem}")
                values.append(value)
                problems.append(problem)
    found = pa.array(values, result)
    if call.strict:
        return found
    fields = [call.type.field(RESULT), call.type.field(ERROR)]
    return pa.StructArray.from_arrays([found, pa.array(problems, fields[1].type)], fields=fields)


def _fitting(told: _Told, count: int, kind: pa.DataType) -> Iterator[tuple[Any, str | None]]:
    """For each row its value, or why there is none."""
    if told.values is None:
        yield from [(None, told.problem)] * count
        return
    for value in told.values:
        try:
            yield _fit(value, kind), None
        except ValueError as error:
            yield None, str(error)


def _columns(call: EndpointCall, rows: pa.Array) -> tuple[list[str] | None, list[pa.Array]]:
    """The columns of a request with the endpoint's names; None for values of a model that names none."""
    if not pa.types.is_struct(rows.type):
        if len(call.required or call.columns) == 1:
            return [(call.required or call.columns)[0]], [rows]
        if call.columns:
            wanted = ", ".join(call.columns)
            raise AiQueryFailed(
                f"ai_query('{call.endpoint}'): the request is one value, and the endpoint takes the columns {wanted}. Give a "
                f"struct, such as named_struct('{call.columns[0]}', ...)."
            )
        return None, [rows]
    by_lower = {name.lower(): name for name in call.columns}
    given = [str(field.name) for field in rows.type]
    names = [name if name in call.columns else by_lower.get(name.lower(), name) for name in given]
    missing = [name for name in call.required if name not in names]
    if missing:
        raise AiQueryFailed(
            f"ai_query('{call.endpoint}'): the request has no field '{missing[0]}'. The endpoint takes {', '.join(call.columns)}; "
            f"the request has {', '.join(given) or 'no fields'}."
        )
    return names, list(rows.flatten())


def _step(rows: pa.Array) -> int:
    """How many rows go into one request."""
    size = max(1, rows.nbytes // max(1, len(rows)))
    return max(1, min(_MOST_ROWS, _MOST_BYTES // size))


def _plain(column: pa.Array) -> list[Any]:
    """A column's values as JSON can hold them."""
    if pa.types.is_integer(column.type) or pa.types.is_string(column.type) or pa.types.is_boolean(column.type):
        return column.to_pylist()
    if pa.types.is_floating(column.type):
        return [value if value is not None and math.isfinite(value) else None for value in column.to_pylist()]
    return [_json(value) for value in column.to_pylist()]


def _json(value: Any) -> Any:
    match value:
        case float():
            return value if math.isfinite(value) else None
        case dt.datetime() | dt.date() | dt.time():
            return value.isoformat()
        case decimal.Decimal():
            return float(value)
        case bytes():
            return base64.b64encode(value).decode()
        case list() | tuple():
            return [_json(item) for item in value]
        case dict():
            return {str(key): _json(item) for key, item in value.items()}
        case None | bool() | int() | str():
            return value
        case _:
            return str(value)


def _ask(call: EndpointCall, names: list[str] | None, rows: list[list[Any]]) -> list[tuple[_Told, int]]:
    """What an endpoint says of rows, and of how many each: where some cannot be answered, the others are asked without them."""
    told = _request(call, names, rows)
    if told.values is not None or len(rows) == 1 or told.status not in _OF_ROWS:
        return [(told, len(rows))]
    if call.strict and told.status != _TOO_LARGE:
        return [(told, len(rows))]
    half = len(rows) // 2
    return _ask(call, names, rows[:half]) + _ask(call, names, rows[half:])


def _request(call: EndpointCall, names: list[str] | None, rows: list[list[Any]]) -> _Told:
    request: dict[str, Any] = (
        {"instances": [row[0] for row in rows]} if names is None else {"dataframe_split": {"columns": names, "data": rows}}
    )
    if call.parameters:
        request["params"] = call.parameters
    body = json.dumps(request, separators=(",", ":")).encode()
    path = f"/serving-endpoints/{quote(call.endpoint, safe='')}/invocations"
    status, content, wait = _server.post(path, body)
    for attempt in range(_ATTEMPTS):
        if status not in _BUSY:
            break
        # Other threads wait too.
        pause = 0.25 * 2**attempt if wait is None else wait
        time.sleep(min(_LONGEST_WAIT, pause) * random.uniform(0.8, 1.2))  # noqa: S311 - no secret
        status, content, wait = _server.post(path, body)
    if status != http.HTTPStatus.OK:
        message = _message(content) or f"HTTP status {status}"
        if status in {401, 403, 404}:
            raise AiQueryFailed(f"ai_query('{call.endpoint}'): {message}")
        return _Told(None, message, status)
    return _values(content, len(rows))


def _message(content: bytes) -> str:
    with contextlib.suppress(ValueError, AttributeError):
        return str(json.loads(content).get("message") or "")
    return ""


def _values(content: bytes, count: int) -> _Told:
    told = json.loads(content)
    values = told.get("predictions", told.get("outputs")) if isinstance(told, dict) else None
    if isinstance(values, dict):
        # Columns by their names.
        values = [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
    if not isinstance(values, list) or len(values) != count:
        got = f"{len(values)} answers" if isinstance(values, list) else "no list of answers"
        return _Told(None, f"the endpoint gave {got} to {count} rows.")
    return _Told(values)


# --------------------------------------------------------------------------------------------------- what it answers


def _fit(value: Any, kind: pa.DataType) -> Any:  # noqa: C901 - one case per type
    """An answer of JSON as a value of an Arrow type.

    Raises:
        ValueError: If it is none.
    """
    types = pa.types
    if value is None:
        return None
    if types.is_struct(kind):
        if not isinstance(value, dict):
            raise _misfit(value, kind)
        return {field.name: _fit(value.get(field.name), field.type) for field in kind}
    if types.is_list(kind) or types.is_large_list(kind):
        if not isinstance(value, list):
            raise _misfit(value, kind)
        return [_fit(item, kind.value_type) for item in value]
    if types.is_map(kind):
        if not isinstance(value, dict):
            raise _misfit(value, kind)
        return [(key, _fit(item, kind.item_type)) for key, item in value.items()]
    if isinstance(value, list) and len(value) == 1:
        return _fit(value[0], kind)
    if isinstance(value, dict) and len(value) == 1:
        return _fit(next(iter(value.values())), kind)
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return value if isinstance(value, str) else json.dumps(value)
    if isinstance(value, list | dict):
        raise _misfit(value, kind)
    try:
        return _scalar(value, kind)
    except (ValueError, TypeError, OverflowError, decimal.InvalidOperation):
        raise _misfit(value, kind) from None


def _scalar(value: Any, kind: pa.DataType) -> Any:  # noqa: C901 - one case per type
    types = pa.types
    if types.is_boolean(kind):
        if not isinstance(value, bool):
            raise _misfit(value, kind)
        return value
    if types.is_floating(kind):
        return float(value)
    if types.is_integer(kind):
        whole = int(value)
        # A large one has no float of its own, so only what came as another kind of number is compared.
        if not isinstance(value, int) and whole != float(value):
            raise _misfit(value, kind)
        pa.scalar(whole, kind)
        return whole
    if types.is_decimal(kind):
        exact = decimal.Decimal(str(value)).quantize(decimal.Decimal(1).scaleb(-kind.scale))
        pa.scalar(exact, kind)
        return exact
    if types.is_timestamp(kind):
        moment = dt.datetime.fromisoformat(value)
        if kind.tz is not None and moment.tzinfo is None:
            moment = moment.replace(tzinfo=dt.UTC)
        return moment
    if types.is_date(kind):
        return dt.date.fromisoformat(str(value)[:10])
    if types.is_binary(kind) or types.is_large_binary(kind):
        return base64.b64decode(value)
    raise _misfit(value, kind)


def _misfit(value: Any, kind: pa.DataType) -> ValueError:
    shown = json.dumps(value)
    shown = shown if len(shown) < 200 else f"{shown[:200]}..."
    return ValueError(f"the endpoint answered {shown}, which is no value of the type {kind}. Say another one with returnType.")
