"""A client that loses its stream in the middle of a result goes on from the last answer that it had, or is told that it cannot."""

import time
import uuid
from collections.abc import Callable, Iterator

import grpc
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession
from pyspark.sql.connect.proto import base_pb2 as messages
from pyspark.sql.connect.proto import base_pb2_grpc as service

from tests.conftest import Server

USER = messages.UserContext(user_id="me")
# Partitions of five rows each, in any order: small answers of the engine, which go out as some larger ones. All of them are kept until the client lets go.
MANY, ROWS = "SELECT id, repeat('x', 1000) AS wide FROM range(0, 7500, 1, 1500)", 7500
# Wide rows: the engine has to wait until there is room for more.
WIDE, WIDE_ROWS = "SELECT id, repeat('x', 1000) AS wide FROM range(0, 60000, 1, 1)", 60_000

Stub = service.SparkConnectServiceStub


@pytest.fixture
def dial(server: Server) -> Iterator[Callable[[], tuple[grpc.Channel, Stub]]]:
    """Connects to the gateway as a client without retries of its own does; a connection of its own each time."""
    credentials = grpc.composite_channel_credentials(
        grpc.local_channel_credentials(), grpc.access_token_call_credentials(server.token)
    )
    options = [("grpc.max_receive_message_length", 1 << 28), ("grpc.use_local_subchannel_pool", 1)]
    channels: list[grpc.Channel] = []

    def new() -> tuple[grpc.Channel, Stub]:
        channels.append(grpc.secure_channel(server.spark.removeprefix("sc://"), credentials, options=options))
        return channels[-1], Stub(channels[-1])

    yield new
    for channel in channels:
        channel.close()


@pytest.fixture
def stub(dial: Callable[[], tuple[grpc.Channel, Stub]]) -> Stub:
    """The Spark Connect service behind the gateway."""
    return dial()[1]


def query(text: str) -> messages.ExecutePlanRequest:
    """A reattachable operation of a new session."""
    request = messages.ExecutePlanRequest(session_id=str(uuid.uuid4()), user_context=USER, operation_id=str(uuid.uuid4()))
    request.plan.root.sql.query = text
    request.request_options.add().reattach_options.reattachable = True
    return request


def again(request: messages.ExecutePlanRequest, after: str = "") -> messages.ReattachExecuteRequest:
    """Takes an operation up again after an answer."""
    names = {"session_id": request.session_id, "operation_id": request.operation_id}
    return messages.ReattachExecuteRequest(user_context=USER, last_response_id=after or None, **names)


def release(request: messages.ExecutePlanRequest, until: str = "") -> messages.ReleaseExecuteRequest:
    """Lets go of answers, or of all."""
    names = {"session_id": request.session_id, "operation_id": request.operation_id}
    asked = messages.ReleaseExecuteRequest(user_context=USER, **names)
    if until:
        asked.release_until.response_id = until
    else:
        asked.release_all.SetInParent()
    return asked


def numbers(answers: list[messages.ExecutePlanResponse]) -> list[int]:
    """The values of the first column, in the order of the answers."""
    batches = [pa.ipc.open_stream(one.arrow_batch.data).read_all() for one in answers if one.HasField("arrow_batch")]
    return [value for batch in batches for value in batch.column(0).to_pylist()]


def taken(stream: Iterator[messages.ExecutePlanResponse], count: int) -> list[messages.ExecutePlanResponse]:
    """Some answers of a stream."""
    return [next(stream) for _ in range(count)]


def test_a_slow_client_loses_nothing_however_its_stream_breaks(dial: Callable[[], tuple[grpc.Channel, Stub]]) -> None:
    """Cut at once, by the call's end, by the connection's end, by another stream; with and without letting go of answers."""
    channel, stub = dial()
    request = query(MANY)
    stream = stub.ExecutePlan(request)
    whole = taken(stream, 1)
    # All of it is in the channel by the time that this second stream, which takes the first one's place, has ended.
    assert sorted(numbers(list(stub.ReattachExecute(again(request))))) == list(range(ROWS))
    stream.cancel()

    stream = stub.ReattachExecute(again(request, whole[-1].response_id))
    whole += taken(stream, 4)
    channel.close()

    _, stub = dial()
    stream = stub.ReattachExecute(again(request, whole[-1].response_id))
    whole += taken(stream, 2)
    stream.cancel()
    assert stub.ReleaseExecute(release(request, whole[2].response_id)).operation_id == request.operation_id

    # It goes back: not all that was read was worked on.
    del whole[4:]
    whole += list(stub.ReattachExecute(again(request, whole[-1].response_id)))
    assert whole[-1].HasField("result_complete")
    assert len(whole) < ROWS / 5 / 20
    assert sorted(numbers(whole)) == list(range(ROWS))

    # The same request is the same operation, whose first answers are gone.
    for lost in (stub.ExecutePlan(request), stub.ReattachExecute(again(request, whole[1].response_id))):
        with pytest.raises(grpc.RpcError, match=r"\[INVALID_CURSOR.POSITION_NOT_AVAILABLE\].*SQLSTATE: HY109"):
            list(lost)
    assert numbers(list(stub.ReattachExecute(again(request, whole[2].response_id)))) == numbers(whole[3:])
    for unknown in (whole[-1].response_id[:24] + "f" * 12, "0" * 12):
        with pytest.raises(grpc.RpcError, match=r"\[INVALID_CURSOR.POSITION_NOT_FOUND\]"):
            list(stub.ReattachExecute(again(request, unknown)))
    other = query("SELECT 1")
    other.session_id, other.operation_id = request.session_id, request.operation_id
    with pytest.raises(grpc.RpcError, match="OPERATION_ALREADY_EXISTS"):
        list(stub.ExecutePlan(other))

    assert stub.ReleaseExecute(release(request)).operation_id == request.operation_id
    assert not stub.ReleaseExecute(release(request)).operation_id
    with pytest.raises(grpc.RpcError, match=r"\[INVALID_HANDLE.OPERATION_NOT_FOUND\].*SQLSTATE: HY000"):
        list(stub.ReattachExecute(again(request)))


def test_more_than_is_kept_waits_for_its_client(dial: Callable[[], tuple[grpc.Channel, Stub]]) -> None:
    """60 MB: the gateway keeps ten that were sent, and the engine waits with the rest until somebody reads on."""
    _, stub = dial()
    request = query(WIDE)
    stream = stub.ExecutePlan(request)
    whole: list[messages.ExecutePlanResponse] = []
    for step in range(4):
        whole += taken(stream, 2)
        channel, stub = dial()
        stream = stub.ReattachExecute(again(request, whole[-1].response_id))
        if step == 2:
            whole += taken(stream, 2)
            channel.close()
            _, stub = dial()
            stream = stub.ReattachExecute(again(request, whole[-1].response_id))
    whole += list(stream)
    assert whole[-1].HasField("result_complete")
    assert numbers(whole) == list(range(WIDE_ROWS))
    with pytest.raises(grpc.RpcError, match="POSITION_NOT_AVAILABLE"):
        list(stub.ReattachExecute(again(request)))
    assert numbers(list(stub.ReattachExecute(again(request, whole[-3].response_id)))) == numbers(whole[-2:])
    stub.ReleaseExecute(release(request))


def test_a_write_ends_while_its_client_is_away(
    dial: Callable[[], tuple[grpc.Channel, Stub]], spark: SparkSession, schema: str
) -> None:
    channel, stub = dial()
    request = query("")
    request.plan.command.sql_command.input.sql.query = f"CREATE TABLE {schema}.t AS SELECT id FROM range(100)"
    stub.ExecutePlan(request).cancel()
    stream = stub.ExecutePlan(request)
    channel.close()
    del stream
    _, stub = dial()
    answers = list(stub.ExecutePlan(request))
    assert [one.WhichOneof("response_type") for one in answers][-2:] == ["sql_command_result", "result_complete"]
    assert spark.table(f"{schema}.t").count() == 100
    assert spark.sql(f"DESCRIBE HISTORY {schema}.t").count() == 1

    request = query("SELECT nothing FROM nowhere")
    for ask in (lambda: stub.ExecutePlan(request), lambda: stub.ReattachExecute(again(request))):
        with pytest.raises(grpc.RpcError, match="nowhere"):
            list(ask())


def test_who_lets_go_stops_the_query(stub: Stub, spark: SparkSession) -> None:
    mark = f"m{uuid.uuid4().hex}"
    request = query(f"SELECT count(*) AS {mark} FROM range(300000) a JOIN range(300000) b ON a.id + b.id < -1")
    stream = stub.ExecutePlan(request)
    # What is there to be let go of, is: it waits for the operation to be begun.
    while not stub.ReleaseExecute(release(request)).operation_id:
        time.sleep(0.01)
    with pytest.raises(grpc.RpcError, match="OPERATION_CANCELED"):
        list(stream)
    # It begins as the query does, so that it does not find itself when it is asked again.
    told = f"SELECT execution_status FROM system.query.history WHERE statement_text LIKE 'SELECT count%{mark}%FROM range%'"
    deadline = time.monotonic() + 20
    while not (rows := spark.sql(told).collect()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert rows[0][0] == "CANCELED"


def test_without_the_wish_to_reattach_there_is_nothing_to_attach_to(stub: Stub) -> None:
    request = query("SELECT id FROM range(9)")
    request.ClearField("request_options")
    stream = stub.ExecutePlan(request)
    first = next(stream)
    with pytest.raises(grpc.RpcError, match=r"NOT_REATTACHABLE|NOT_FOUND"):
        list(stub.ReattachExecute(again(request, first.response_id)))
    answers = [first, *stream]
    assert numbers(answers) == list(range(9))
    assert not any(one.HasField("result_complete") for one in answers)


def test_a_query_declared_once_more_is_answered_by_the_gateway_and_can_be_taken_up_too(stub: Stub) -> None:
    """The second text has the first one's shape. A client sees no difference: not in a first call, nor after a broken one."""
    session = str(uuid.uuid4())

    def declare(text: str) -> tuple[messages.ExecutePlanRequest, list[messages.ExecutePlanResponse]]:
        request = query("")
        request.session_id = session
        request.plan.command.sql_command.input.sql.query = text
        return request, list(stub.ExecutePlan(request))

    def bare(answers: list[messages.ExecutePlanResponse]) -> list[messages.ExecutePlanResponse]:
        for answer in answers:
            answer.operation_id = answer.response_id = ""
        return [one for one in answers if one.WhichOneof("response_type") is not None]

    for text in ("SELECT id FROM range(9) WHERE id = 5", "SELECT id FROM range(9) WHERE id = 5 AND (id = 7 OR 'x' = 'x')"):
        _, first = declare(text)
        request, second = declare(text.replace("5", "6"))
        assert [one.operation_id for one in second] == [request.operation_id] * 2
        assert list(stub.ReattachExecute(again(request))) == second
        assert list(stub.ReattachExecute(again(request, second[0].response_id))) == second[1:]
        stub.ReleaseExecute(release(request))
        first[0].sql_command_result.relation.sql.query = text.replace("5", "6")
        assert bare(second) == bare(first)
    for wrong in ("SELECT id FROM range(9) WHERE id = 5 6", "SELECT id FROM range(9) WHERE id = = 5", "SELEC id"):
        with pytest.raises(grpc.RpcError, match="PARSE_SYNTAX_ERROR"):
            declare(wrong)
