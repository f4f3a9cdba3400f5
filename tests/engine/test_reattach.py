"""A client that loses its stream in the middle of a result goes on from the last answer that it had."""

import uuid
from collections.abc import Iterator

import grpc
import pyarrow as pa
import pytest
from pyspark.sql.connect.proto import base_pb2 as messages
from pyspark.sql.connect.proto import base_pb2_grpc as service

from tests.conftest import Server

# Wide rows: the engine keeps 128 answers for a client that comes back, and what is on the way to it must be less (docs/compute.md).
ROWS = 200_000
QUERY = f"SELECT id, repeat('x', 400) AS wide FROM range(0, {ROWS}, 1, 1)"


@pytest.fixture
def stub(server: Server) -> Iterator[service.SparkConnectServiceStub]:
    """The Spark Connect service behind the gateway, without any client's own retries."""
    credentials = grpc.composite_channel_credentials(
        grpc.local_channel_credentials(), grpc.access_token_call_credentials(server.token)
    )
    options = [("grpc.max_receive_message_length", 1 << 28)]
    with grpc.secure_channel(server.spark.removeprefix("sc://"), credentials, options=options) as channel:
        yield service.SparkConnectServiceStub(channel)


def numbers(answers: list[messages.ExecutePlanResponse]) -> list[int]:
    """The values of one column, in the order of the answers."""
    batches = [pa.ipc.open_stream(one.arrow_batch.data).read_all() for one in answers if one.HasField("arrow_batch")]
    return [value for batch in batches for value in batch.column(0).to_pylist()]


def test_a_broken_stream_is_taken_up_where_it_broke(stub: service.SparkConnectServiceStub) -> None:
    session, operation = str(uuid.uuid4()), str(uuid.uuid4())
    user = messages.UserContext(user_id="me")
    plan = messages.Plan()
    plan.root.sql.query = QUERY
    request = messages.ExecutePlanRequest(session_id=session, user_context=user, operation_id=operation, plan=plan)
    option = request.request_options.add()
    option.reattach_options.reattachable = True

    stream = stub.ExecutePlan(request)
    before: list[messages.ExecutePlanResponse] = []
    for answer in stream:
        before.append(answer)
        if len(numbers(before)) >= 8192:
            break
    stream.cancel()
    assert 0 < len(numbers(before)) < ROWS

    again = messages.ReattachExecuteRequest(
        session_id=session, user_context=user, operation_id=operation, last_response_id=before[-1].response_id
    )
    after = list(stub.ReattachExecute(again))
    assert after[-1].HasField("result_complete")
    assert numbers(before + after) == list(range(ROWS))
    release = messages.ReleaseExecuteRequest(session_id=session, user_context=user, operation_id=operation)
    release.release_all.SetInParent()
    assert stub.ReleaseExecute(release).operation_id == operation


def test_an_operation_that_never_was_is_named(stub: service.SparkConnectServiceStub) -> None:
    unknown = messages.ReattachExecuteRequest(
        session_id=str(uuid.uuid4()), user_context=messages.UserContext(user_id="me"), operation_id=str(uuid.uuid4())
    )
    with pytest.raises(grpc.RpcError) as caught:
        list(stub.ReattachExecute(unknown))
    assert unknown.operation_id in str(caught.value) or "not found" in str(caught.value).lower()


def test_a_query_declared_once_more_is_answered_by_the_gateway_and_can_be_taken_up_too(
    stub: service.SparkConnectServiceStub,
) -> None:
    """The second text has the first one's shape. A client sees no difference: not in a first call, nor after a broken one."""
    session, user = str(uuid.uuid4()), messages.UserContext(user_id="me")

    def declare(text: str) -> tuple[messages.ExecutePlanRequest, list[messages.ExecutePlanResponse]]:
        request = messages.ExecutePlanRequest(session_id=session, user_context=user, operation_id=str(uuid.uuid4()))
        request.plan.command.sql_command.input.sql.query = text
        request.request_options.add().reattach_options.reattachable = True
        return request, list(stub.ExecutePlan(request))

    def bare(answers: list[messages.ExecutePlanResponse]) -> list[messages.ExecutePlanResponse]:
        for answer in answers:
            answer.operation_id = answer.response_id = ""
        return [one for one in answers if one.WhichOneof("response_type") is not None]

    for text in ("SELECT id FROM range(9) WHERE id = 5", "SELECT id FROM range(9) WHERE id = 5 AND (id = 7 OR 'x' = 'x')"):
        _, first = declare(text)
        request, second = declare(text.replace("5", "6"))
        assert [one.operation_id for one in second] == [request.operation_id] * 2
        again = messages.ReattachExecuteRequest(session_id=session, user_context=user, operation_id=request.operation_id)
        assert list(stub.ReattachExecute(again)) == second
        again.last_response_id = second[0].response_id
        assert list(stub.ReattachExecute(again)) == second[1:]
        release = messages.ReleaseExecuteRequest(session_id=session, user_context=user, operation_id=request.operation_id)
        release.release_until.response_id = second[0].response_id
        assert stub.ReleaseExecute(release).operation_id == request.operation_id
        release.release_all.SetInParent()
        assert stub.ReleaseExecute(release).server_side_session_id == first[0].server_side_session_id
        with pytest.raises(grpc.RpcError):
            list(stub.ReattachExecute(again))
        first[0].sql_command_result.relation.sql.query = text.replace("5", "6")
        assert bare(second) == bare(first)
    for wrong in ("SELECT id FROM range(9) WHERE id = 5 6", "SELECT id FROM range(9) WHERE id = = 5", "SELEC id"):
        with pytest.raises(grpc.RpcError, match="PARSE_SYNTAX_ERROR"):
            declare(wrong)
