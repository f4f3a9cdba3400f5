"""What a gateway keeps of the answers of all its clients' operations, and for how long."""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Iterable

import pyarrow as pa
import pytest
from pyspark.sql.connect.proto import base_pb2 as messages

from boathouse.engine.errors import OperationRefused
from boathouse.engine.gateway.messages.heads import ExecuteHead, OperationHead
from boathouse.engine.gateway.messages.wire import MessageInvalid, encoded, fields
from boathouse.engine.gateway.operations.operation import Bounds, Operation, OperationFailed
from boathouse.engine.gateway.operations.operations import Operations
from boathouse.engine.gateway.statuses import WireError, own
from boathouse.errors import InternalError
from tests.loops import in_a_loop

SMALL = Bounds(retry_bytes=1000, ahead_bytes=500, all_bytes=4000, operations=3, left_seconds=0)
SIZE = 100 + 2
"""Of an answer with its field's head."""


class Source:
    """A hundred answers of 100 bytes, and how many of them were taken."""

    def __init__(self) -> None:
        self.taken = 0
        self.closed = False

    async def answers(self) -> AsyncGenerator[bytes]:
        try:
            for number in range(100):
                self.taken += 1
                yield encoded(9, bytes([number]) * 100)
        finally:
            self.closed = True


async def told(_: Exception) -> WireError:
    return own(InternalError("as it should not be"))


def begin(operations: Operations, name: str, source: Source, *, reattachable: bool = True) -> Operation:
    head = ExecuteHead("session", name, reattachable, frozenset())
    return operations.begin("me", head, name.encode(), lambda one: one.start(source.answers(), told))


def head(name: str, response: str = "") -> OperationHead:
    return OperationHead("session", name, response)


def name_of(answer: bytes) -> str:
    return next(answer[start:end].decode() for number, start, end in fields(answer) if number == 13)


async def settled() -> None:
    for _ in range(300):
        await asyncio.sleep(0)


def test_only_so_much_is_taken_ahead_and_kept_behind() -> None:
    async def run() -> None:
        operations, source = Operations(SMALL), Source()
        operation = begin(operations, "a", source)
        await settled()
        # Until there are 500 bytes, whether somebody listens or not.
        assert source.taken == 5
        assert operations.bytes == 5 * SIZE
        listening = operation.listen()
        got = [await anext(listening) for _ in range(50)]
        await listening.aclose()
        await settled()
        assert source.taken == 50 - 1 + 5
        assert operations.bytes <= 1000 + 500 + SIZE
        # What it has had last is kept, so that it can go on; what is long past is not.
        rest = [one async for one in operations.find("me", head("a")).listen(name_of(got[48]))]
        assert [one[2] for one in got[:49] + rest] == list(range(100))
        for lost in ("", name_of(got[9])):
            with pytest.raises(OperationRefused, match="no longer available"):
                await anext(operation.listen(lost))
        operations.release("me", head("a", name_of(rest[-1])))
        assert operations.bytes == 0
        assert [one async for one in operation.listen(name_of(rest[-1]))] == []
        operations.release("me", head("a"))
        assert source.closed

    in_a_loop(run())


def test_who_is_away_for_too_long_is_given_up() -> None:
    async def run() -> None:
        operations, source = Operations(SMALL), Source()
        listening = begin(operations, "a", source).listen()
        await anext(listening)
        operations.sweep()
        assert operations.find("me", head("a")).is_attended
        await listening.aclose()
        operations.sweep()
        await settled()
        assert source.closed
        assert operations.bytes == 0
        for ask in (lambda: operations.find("me", head("a")), lambda: begin(operations, "a", Source())):
            with pytest.raises(OperationRefused, match="considered abandoned") as caught:
                ask()
            assert caught.value.condition == "INVALID_HANDLE.OPERATION_ABANDONED"
        with pytest.raises(OperationRefused, match="not found"):
            operations.find("me", head("b"))
        with pytest.raises(OperationRefused, match="not found"):
            operations.find("another", head("a"))

    in_a_loop(run())


def test_all_operations_together_are_bounded() -> None:
    async def run() -> None:
        bounds = Bounds(retry_bytes=100_000, ahead_bytes=500, all_bytes=4000, operations=3, left_seconds=60)
        operations, sources = Operations(bounds), [Source() for _ in range(5)]
        first = begin(operations, "0", sources[0])
        listening = first.listen()
        for _ in range(60):
            await anext(listening)
        assert operations.bytes <= 4000
        for number in range(1, 5):
            begin(operations, str(number), sources[number])
            await settled()
            assert operations.bytes <= 4000
        # Three there may be, of which the first has its client: the other two are the youngest.
        assert [one.closed for one in sources] == [False, True, True, False, False]
        assert (await anext(listening))[2] == 60
        await operations.stop()
        assert all(one.closed for one in sources)
        with pytest.raises((OperationFailed, OperationRefused)):
            await anext(listening)

    in_a_loop(run())


def test_an_operation_that_ends_with_its_connection_keeps_nothing() -> None:
    async def run() -> None:
        operations, source = Operations(SMALL), Source()
        operation = begin(operations, "a", source, reattachable=False)
        got = [one[2] async for one in operation.listen()]
        assert got == list(range(100))
        assert operations.bytes == 0
        with pytest.raises(OperationRefused, match="not reattachable"):
            operations.find("me", head("a"))
        operations.end("me", operation)

    in_a_loop(run())


@pytest.mark.parametrize("message", [b"\x0a", b"\x0a\x05abc", b"\x0b", b"\x08" + b"\xff" * 11, b"\xff" * 20])
def test_bytes_that_are_no_message_are_refused(message: bytes) -> None:
    with pytest.raises(MessageInvalid):
        list(fields(message))


@pytest.mark.parametrize("size", [0, 1, 127, 128, 20_000])
def test_fields_are_found_by_their_lengths(size: int) -> None:
    message = encoded(1, "a" * size) + b"\x10\x96\x01" + b"\x1d" + bytes(4) + b"\x21" + bytes(8) + encoded(300, b"z")
    found = [(number, message[start:end]) for number, start, end in fields(message)]
    assert found == [(1, b"a" * size), (2, b"\x96\x01"), (3, bytes(4)), (4, bytes(8)), (300, b"z")]
    assert len(list(itertools.islice(fields(message), 2))) == 2


def rows(*columns: pa.Array) -> bytes:
    """An answer with rows, as an engine makes it."""
    batch = pa.record_batch(list(columns), names=[f"c{number}" for number in range(len(columns))])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    answer = messages.ExecutePlanResponse(session_id="s", operation_id="o", response_id="r")
    answer.arrow_batch.row_count, answer.arrow_batch.data = batch.num_rows, sink.getvalue().to_pybytes()
    return answer.SerializeToString()


def read(answers: Iterable[bytes]) -> tuple[list[messages.ExecutePlanResponse], list[dict[str, object]]]:
    """Answers as a client reads them, with all of their rows."""
    got = [messages.ExecutePlanResponse.FromString(one) for one in answers]
    tables = [pa.ipc.open_stream(one.arrow_batch.data).read_all() for one in got if one.HasField("arrow_batch")]
    for one, table in zip([one for one in got if one.HasField("arrow_batch")], tables, strict=True):
        assert one.arrow_batch.row_count == table.num_rows
    return got, [row for table in tables for row in table.to_pylist()]


async def _all_of(answers: list[bytes]) -> list[bytes]:
    async def source() -> AsyncGenerator[bytes]:
        for answer in answers:
            yield answer

    operations = Operations()
    head = ExecuteHead("session", "a", is_reattachable=True, tags=frozenset())
    operation = operations.begin("me", head, b"a", lambda one: one.start(source(), told))
    await settled()
    return [one async for one in operation.listen()]


def test_rows_that_wait_go_out_together() -> None:
    """With every type that Arrow has a form for in answers, with NULL, with nothing; what is no rows keeps its place."""
    columns = [
        pa.array([1, None, 3]),
        pa.array([0.1, float("nan"), None]),
        pa.array(["a", None, "ü"]),
        pa.array([[1], None, []]),
        pa.array([{"x": 1}, None, {"x": None}]),
        pa.array([[("k", 1)], None, []], pa.map_(pa.string(), pa.int64())),
        pa.array(["a", "b", "a"]).dictionary_encode(),
    ]
    first = messages.ExecutePlanResponse.FromString(rows(*columns))
    first.schema.struct.SetInParent()
    none = rows(*(column.slice(0, 0) for column in columns))
    end = messages.ExecutePlanResponse(session_id="s", operation_id="o")
    end.result_complete.SetInParent()
    sent = [first.SerializeToString(), *(rows(*columns) for _ in range(20)), none, end.SerializeToString()]
    got, found = read(in_a_loop(_all_of(sent)))
    _, expected = read(sent)
    assert repr(found) == repr(expected)
    assert len(found) == 63
    assert [one.WhichOneof("response_type") for one in got] == ["arrow_batch", "result_complete"]
    assert got[0].HasField("schema")
    assert (got[0].session_id, got[0].operation_id) == ("s", "o")


def test_rows_that_cannot_go_together_go_one_by_one() -> None:
    metrics = messages.ExecutePlanResponse(session_id="s", operation_id="o")
    metrics.metrics.SetInParent()
    part = messages.ExecutePlanResponse.FromString(rows(pa.array([4])))
    part.arrow_batch.start_offset = 3
    sent = [
        rows(pa.array([1])),
        rows(pa.array(["b"])),
        metrics.SerializeToString(),
        rows(pa.array([3])),
        part.SerializeToString(),
    ]
    got, found = read(in_a_loop(_all_of(sent)))
    assert found == [{"c0": 1}, {"c0": "b"}, {"c0": 3}, {"c0": 4}]
    assert len(got) == 5
    assert got[4].arrow_batch.start_offset == 3


def test_rows_go_together_up_to_two_megabytes() -> None:
    sent = [rows(pa.array([number] * 100_000)) for number in range(10)]
    got, found = read(in_a_loop(_all_of(sent)))
    assert [row["c0"] for row in found] == [number for number in range(10) for _ in range(100_000)]
    assert [one.arrow_batch.row_count for one in got] == [200_000] * 5
