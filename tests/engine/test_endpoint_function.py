"""How the engine's process asks an endpoint, against a small HTTP server in the place of Boathouse's."""

import datetime as dt
import json
import threading
from collections.abc import Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pyarrow as pa
import pytest

from boathouse.engine import endpoint_function
from boathouse.engine.endpoint_function import AiQueryFailed, EndpointCall, answers, packed_type


class Endpoint(ThreadingHTTPServer):
    """Doubles numbers; 13 is refused, and the first requests are as many times told to wait as ``busy`` says."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[dict[str, Any]] = []
        self.busy = 0
        self.answer: Any = None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Endpoint

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append(body)
        data = [row[-1] for row in body.get("dataframe_split", {}).get("data", [])] or body.get("instances", [])
        status, told = 200, {"predictions": self.server.answer or [value * 2 for value in data]}
        if self.server.busy:
            self.server.busy -= 1
            status, told = 503, {"message": "busy"}
        elif self.path != "/serving-endpoints/a%2Fb/invocations" or self.headers["Authorization"] != "Bearer secret":
            status, told = 404, {"message": "nothing here"}
        elif 13 in data:
            status, told = 400, {"message": "13 is refused"}
        content = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(content)
        # As after a rest: the next request finds the connection closed.
        self.close_connection = len(self.server.requests) % 3 == 0

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        endpoint_function.configure(f"http://127.0.0.1:{server.server_port}", "secret")
        yield server
        server.shutdown()
        endpoint_function.configure("", "")


DOUBLE = pa.float64()


def call(kind: pa.DataType = DOUBLE, *, strict: bool = True, columns: tuple[str, ...] = ("x",), **more: Any) -> EndpointCall:
    whole = kind if strict else pa.struct([("result", kind), ("errorMessage", pa.string())])
    return EndpointCall(more.pop("endpoint", "a/b"), columns, columns, packed_type(whole), strict, **more)


def test_its_description_is_found_in_other_bytes() -> None:
    made = call(columns=("x", "ä"), parameters={"t": [1, None]})
    assert EndpointCall.found_in(b"\x80\x05..." + made.packed() + b"...") == made
    assert made.type == pa.float64()
    assert EndpointCall.found_in(b"a function of a user") is None
    assert EndpointCall.found_in(b"boathouse-endpoint-call:00000004{}..") is None


def test_values_and_structs_go_in_batches_and_come_back_in_order(endpoint: Endpoint) -> None:
    rows = pa.array([float(number) for number in range(100, 20100)])
    assert answers(call(parameters={"times": 2}), rows).to_pylist() == [number * 2.0 for number in range(100, 20100)]
    assert [len(one["dataframe_split"]["data"]) for one in endpoint.requests] == [8192, 8192, 3616]
    assert endpoint.requests[0]["params"] == {"times": 2}
    wide = pa.array([{"note": "n" * 3_000_000, "X": 1.0}] * 3)
    assert answers(call(), wide).to_pylist() == [2.0] * 3
    assert [one["dataframe_split"]["columns"] for one in endpoint.requests[3:]] == [["note", "x"]] * 3
    # A model that names no columns is given values.
    assert answers(call(columns=()), pa.array([1, 2])).to_pylist() == [2.0, 4.0]
    assert endpoint.requests[-1] == {"instances": [1, 2]}
    assert answers(call(), pa.array([], pa.float64())).to_pylist() == []


def test_rows_that_cannot_be_answered_leave_the_others_alone(endpoint: Endpoint) -> None:
    rows = pa.array([1, 13, 3, None, 13, 6])
    rows = rows.fill_null(4)
    found = answers(call(strict=False), rows)
    assert found.field("result").to_pylist() == [2.0, None, 6.0, 8.0, None, 12.0]
    problems = found.field("errorMessage").to_pylist()
    assert problems == [None, "13 is refused", None, None, "13 is refused", None]
    with pytest.raises(AiQueryFailed, match=r"ai_query\('a/b'\): 13 is refused"):
        answers(call(), rows)
    endpoint.busy = 2
    assert answers(call(), pa.array([1])).to_pylist() == [2.0]
    endpoint.busy = 100
    assert answers(call(strict=False), pa.array([1])).field("errorMessage").to_pylist() == ["busy"]
    endpoint.busy = 0
    # What is wrong with the call is wrong with every row.
    with pytest.raises(AiQueryFailed, match="nothing here"):
        answers(call(strict=False, endpoint="c"), pa.array([1]))
    endpoint.answer = [1.0]
    with pytest.raises(AiQueryFailed, match="gave 1 answers to 2 rows"):
        answers(call(), pa.array([1, 2]))


@pytest.mark.parametrize(
    ("kind", "answer", "value"),
    [
        (pa.float64(), 1, 1.0),
        (pa.float64(), [1.5], 1.5),
        (pa.float64(), {"y": 1.5}, 1.5),
        (pa.int64(), 2.0, 2),
        (pa.int64(), 2**53 + 1, 2**53 + 1),
        (pa.string(), 1.5, "1.5"),
        (pa.string(), {"a": 1, "b": [2]}, '{"a": 1, "b": [2]}'),
        (pa.bool_(), True, True),
        (pa.decimal128(6, 2), 1.237, Decimal("1.24")),
        (pa.date32(), "2024-01-02T00:00:00", dt.date(2024, 1, 2)),
        (pa.timestamp("us", "UTC"), "2024-01-02T03:04:05", dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=dt.UTC)),
        (pa.timestamp("us"), "2024-01-02T03:04:05", dt.datetime(2024, 1, 2, 3, 4, 5)),
        (pa.list_(pa.float64()), [1, None], [1.0, None]),
        (
            pa.struct([("label", pa.string()), ("p", pa.list_(pa.float64()))]),
            {"label": "a", "p": [1]},
            {"label": "a", "p": [1.0]},
        ),
        (pa.map_(pa.string(), pa.float64()), {"a": 1}, [("a", 1.0)]),
    ],
)
def test_answers_become_values_of_the_type(endpoint: Endpoint, kind: pa.DataType, answer: Any, value: Any) -> None:
    endpoint.answer = [answer]
    assert answers(call(kind), pa.array([1])).to_pylist() == [value]


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        (pa.int64(), 1.5),
        (pa.int8(), 300),
        (pa.int64(), 2**70),
        (pa.decimal128(4, 2), 123.4),
        (pa.float64(), "a"),
        (pa.float64(), [1, 2]),
        (pa.bool_(), 1),
        (pa.date32(), 3),
        (pa.list_(pa.int64()), 1),
    ],
)
def test_answers_of_another_type_are_told(endpoint: Endpoint, kind: pa.DataType, answer: Any) -> None:
    endpoint.answer = [answer]
    with pytest.raises(AiQueryFailed, match=r"which is no value of the type .* returnType"):
        answers(call(kind), pa.array([1]))
    told = answers(call(kind, strict=False), pa.array([1])).to_pylist()
    assert told[0]["result"] is None
    assert "which is no value" in told[0]["errorMessage"]
