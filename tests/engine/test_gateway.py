"""The gateway with a stock client: who gets in, and that everything comes through as it is."""

import threading
import time
import uuid

import grpc
import pytest
from pyspark.errors import (
    AnalysisException,
    ArithmeticException,
    NumberFormatException,
    ParseException,
    PythonException,
)
from pyspark.errors.exceptions.connect import SparkConnectGrpcException
from pyspark.sql import SparkSession
from pyspark.sql import functions as sf
from pyspark.sql.connect.proto import base_pb2, base_pb2_grpc

from tests.conftest import Server
from tests.engine.conftest import Connect


def _varint(number: int) -> bytes:
    head = b""
    while number > 127:
        head += bytes([number & 127 | 128])
        number >>= 7
    return head + bytes([number])


class TestAuthentication:
    @pytest.mark.parametrize("parameters", ["", "/;user_id=admin"])
    def test_without_a_token_nobody_gets_in(self, server: Server, parameters: str) -> None:
        session = SparkSession.builder.remote(f"{server.spark}{parameters}").create()
        try:
            with pytest.raises(SparkConnectGrpcException, match="No token"):
                session.sql("SELECT 1").collect()
        finally:
            session.stop()

    def test_an_unknown_token_is_refused(self, connect: Connect) -> None:
        with pytest.raises(SparkConnectGrpcException, match=r"UNAUTHENTICATED|not valid"):
            connect("bhp_unknown").sql("SELECT 1").collect()

    def test_an_expired_token_says_so(self, server: Server, connect: Connect) -> None:
        with server.client() as client:
            made = client.post("/api/2.0/token/create", json={"lifetime_seconds": 1, "comment": "short"})
        made.raise_for_status()
        token = made.json()["token_value"]
        expired = ""
        deadline = time.monotonic() + 15
        while not expired and time.monotonic() < deadline:
            try:
                connect(token).sql("SELECT 1").collect()
            except SparkConnectGrpcException as error:
                expired = str(error)
        assert "expired" in expired

    @pytest.mark.parametrize("method", ["Config", "Interrupt", "ReleaseSession", "FetchErrorDetails", "ArtifactStatus"])
    def test_every_method_asks_for_a_token(self, server: Server, method: str) -> None:
        with grpc.insecure_channel(server.spark.removeprefix("sc://")) as channel:
            call = channel.unary_unary(f"/spark.connect.SparkConnectService/{method}")
            with pytest.raises(grpc.RpcError) as caught:
                call(b"", timeout=10)
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED  # type: ignore[attr-defined]

    def test_another_service_does_not_exist(self, server: Server) -> None:
        with grpc.insecure_channel(server.spark.removeprefix("sc://")) as channel:
            call = channel.unary_unary("/spark.connect.SparkConnectService/Nothing")
            with pytest.raises(grpc.RpcError) as caught:
                call(b"", timeout=10)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED  # type: ignore[attr-defined]


class TestSeparation:
    def test_a_session_of_another_principal_is_out_of_reach(self, server: Server, spark: SparkSession) -> None:
        """The same session and user identifiers with another's token reach another process."""
        spark.range(3).createOrReplaceTempView("mine")
        token = server.new_principal(f"u{uuid.uuid4().hex[:8]}@example.com")
        request = base_pb2.ExecutePlanRequest(session_id=spark.client._session_id)
        request.user_context.user_id = spark.client._user_id or ""
        request.plan.root.sql.query = "SELECT * FROM mine"
        with grpc.insecure_channel(server.spark.removeprefix("sc://")) as channel:
            stub = base_pb2_grpc.SparkConnectServiceStub(channel)
            with pytest.raises(grpc.RpcError, match="mine"):
                list(stub.ExecutePlan(request, metadata=[("authorization", f"Bearer {token}")], timeout=30))
            own = list(stub.ExecutePlan(request, metadata=[("authorization", f"Bearer {server.token}")], timeout=30))
        assert sum(message.arrow_batch.row_count for message in own) == 3
        spark.catalog.dropTempView("mine")

    def test_the_engine_knows_no_other_secret(self, spark: SparkSession) -> None:
        @sf.udf("string")
        def environment(_):
            import os

            return " ".join(sorted(os.environ))

        names = spark.range(1).select(environment("id")).collect()[0][0].split()
        assert not [name for name in names if name.startswith(("BOATHOUSE", "DATABRICKS", "MLFLOW", "AWS", "AZURE"))]


class TestPassingThrough:
    @pytest.mark.parametrize(
        ("sql", "kind", "text"),
        [
            ("SELECT nothing", AnalysisException, "nothing"),
            ("SELECT * FROM main.default.nothing", AnalysisException, "TABLE_OR_VIEW_NOT_FOUND"),
            ("SELECT 1 / 0", ArithmeticException, "DIVIDE_BY_ZERO"),
            ("SELECT CAST('a' AS INT)", NumberFormatException, "'a'"),
        ],
    )
    def test_errors_keep_class_and_message(self, spark: SparkSession, sql: str, kind: type[Exception], text: str) -> None:
        with pytest.raises(kind, match=text):
            spark.sql(sql).collect()

    def test_broken_sql_is_an_error_with_its_place(self, spark: SparkSession) -> None:
        with pytest.raises(ParseException, match=r"PARSE_SYNTAX_ERROR.*'selec' \(character 1\)"):
            spark.sql("selec 1")
        with pytest.raises(AnalysisException, match="not closed"):
            spark.sql("SELECT 'a")

    def test_python_errors_carry_the_traceback(self, spark: SparkSession) -> None:
        @sf.udf("long")
        def fails(_):
            message = "out of biscuits"
            raise ValueError(message)

        with pytest.raises(PythonException, match="out of biscuits"):
            spark.range(1).select(fails("id")).collect()

    def test_frames_and_functions(self, spark: SparkSession) -> None:
        import pandas as pd

        frame = spark.createDataFrame(pd.DataFrame({"a": [1, 2, 3], "b": ["x", None, "z"]}))

        @sf.pandas_udf("long")
        def plus(values: pd.Series) -> pd.Series:
            return values + 1

        assert [row[0] for row in frame.select(plus("a")).collect()] == [2, 3, 4]
        assert frame.mapInPandas(lambda parts: parts, frame.schema).count() == 3
        frame.createOrReplaceTempView("letters")
        assert spark.sql("SELECT count(b) FROM letters WHERE a > :low", args={"low": 1}).collect()[0][0] == 1
        assert list(frame.toPandas()["b"]) == ["x", None, "z"]
        grouped = frame.groupBy("b").applyInPandas(lambda part: part.head(1), frame.schema)
        assert grouped.count() == 3
        spark.catalog.dropTempView("letters")

    def test_what_functions_print_blocks_nothing(self, spark: SparkSession) -> None:
        @sf.udf("long")
        def talks(value):
            print("blah" * 30_000)  # noqa: T201
            return value

        assert spark.range(10).select(sf.sum(talks("id"))).collect()[0][0] == 45

    def test_a_hundred_megabytes(self, spark: SparkSession) -> None:
        rows = spark.range(4_000_000).selectExpr("id", "id * 2 AS b", "id * 3 AS c", "cast(id AS double) AS d").toArrow()
        assert rows.num_rows == 4_000_000
        assert rows.nbytes > 100_000_000

    def test_a_large_plan(self, spark: SparkSession) -> None:
        text = "x" * 6_000_000
        assert spark.sql(f"SELECT length('{text}') AS n").collect()[0][0] == 6_000_000

    def test_a_deep_plan(self, spark: SparkSession) -> None:
        frame = spark.range(1)
        for number in range(120):
            frame = frame.withColumn(f"c{number}", sf.lit(number))
        assert len(frame.collect()[0]) == 121

    def test_plans_deeper_than_any_engine_takes_break_nothing(self, server: Server, spark: SparkSession) -> None:
        """A message nested 6,000 levels deep is refused or fails, and the server goes on."""

        def nested(number: int, inner: bytes) -> bytes:
            return _varint(number << 3 | 2) + _varint(len(inner)) + inner

        relation = base_pb2.Plan.DESCRIPTOR.fields_by_name["root"].message_type
        limit = relation.fields_by_name["limit"]
        message = b""
        for _ in range(3000):
            message = nested(limit.number, nested(limit.message_type.fields_by_name["input"].number, message))
        request = base_pb2.ExecutePlanRequest(session_id=str(uuid.uuid4()))
        raw = request.SerializeToString() + nested(
            request.DESCRIPTOR.fields_by_name["plan"].number,
            nested(base_pb2.Plan.DESCRIPTOR.fields_by_name["root"].number, message),
        )
        with grpc.insecure_channel(server.spark.removeprefix("sc://")) as channel:
            call = channel.unary_stream("/spark.connect.SparkConnectService/ExecutePlan")
            with pytest.raises(grpc.RpcError):
                list(call(raw, metadata=[("authorization", f"Bearer {server.token}")], timeout=30))
        assert spark.sql("SELECT 1").collect()[0][0] == 1

    def test_interrupt(self, spark: SparkSession) -> None:
        caught: list[BaseException] = []

        def run() -> None:
            try:
                spark.sql("SELECT count(*) FROM range(300000) a JOIN range(300000) b ON a.id + b.id < -1").collect()
            except BaseException as error:  # noqa: BLE001
                caught.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        deadline = time.monotonic() + 20
        while thread.is_alive() and time.monotonic() < deadline:
            spark.interruptAll()
            thread.join(0.2)
        assert not thread.is_alive()
        assert len(caught) == 1
        assert "OPERATION_CANCELED" in str(caught[0])
        assert spark.sql("SELECT 1").collect()[0][0] == 1

    def test_settings_of_a_session(self, spark: SparkSession, connect: Connect) -> None:
        other = connect()
        other.conf.set("spark.sql.session.timeZone", "Asia/Tokyo")
        assert other.conf.get("spark.sql.session.timeZone") == "Asia/Tokyo"
        assert spark.conf.get("spark.sql.session.timeZone") != "Asia/Tokyo"

    def test_a_setting_is_what_was_set_last_however_it_was_set(self, connect: Connect) -> None:
        """Answers of the engine to who asks for settings are kept, until something may have set one."""
        session, key = connect(), "spark.sql.session.timeZone"
        first = session.conf.get(key)
        seen = [session.conf.get(key)]
        session.conf.set(key, "Asia/Tokyo")
        seen.append(session.conf.get(key))
        session.sql("SET spark.sql.session.timeZone = America/Lima").collect()
        seen.append(session.conf.get(key))
        session.sql("SET TIME ZONE 'Asia/Seoul'").collect()
        seen.append(session.conf.get(key))
        session.sql("DECLARE text STRING DEFAULT 'SE' || 'T TIME ZONE ' || chr(39) || 'Asia/Baku' || chr(39)").collect()
        seen.append(session.conf.get(key))
        session.sql("EXECUTE IMMEDIATE text").collect()
        seen.append(session.conf.get(key))
        assert [row.tz for row in session.sql("SELECT current_timezone() AS tz").collect()] == ["Asia/Baku"]
        session.sql("RESET spark.sql.session.timeZone").collect()
        seen.append(session.conf.get(key))
        session.conf.set(key, "Asia/Tokyo")
        session.conf.unset(key)
        seen.append(session.conf.get(key))
        assert seen == [first, "Asia/Tokyo", "America/Lima", "Asia/Seoul", "Asia/Seoul", "Asia/Baku", first, first]
        assert session.conf.get("no.such.setting", "nothing") == "nothing"
        session.conf.set("no.such.setting", "something")
        assert session.conf.get("no.such.setting", "nothing") == "something"


def test_metrics_count_calls_and_engines(server: Server, spark: SparkSession) -> None:
    spark.sql("SELECT 1").collect()
    with server.client() as client:
        text = client.get("/metrics").text
    assert 'boathouse_gateway_requests_total{method="ExecutePlan",status="OK"}' in text
    assert "boathouse_engine_processes " in text


def test_logs_hold_no_token(server: Server, spark: SparkSession) -> None:
    spark.sql("SELECT 1").collect()
    logs = [log for log in (server.root / "logs").rglob("*") if log.is_file()]
    assert logs
    for log in logs:
        content = log.read_bytes()  # archives of tasks' projects lie among the logs
        assert server.token.encode() not in content
        assert b"bhi_" not in content
