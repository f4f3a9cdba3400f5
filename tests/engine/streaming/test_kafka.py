"""Kafka as a source and a sink, against a real broker."""

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.errors import AnalysisException, StreamingQueryException
from pyspark.sql import SparkSession, functions

from tests.conftest import Server
from tests.engine.streaming.broker import PASSWORD, Broker, kafka
from tests.engine.streaming.conftest import Checkpoint, Drain

Read = Callable[..., Any]


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with kafka(tmp_path_factory.mktemp("kafka")) as running:
        yield running


@pytest.fixture
def topic(broker: Broker, schema: str) -> str:
    """A topic with two partitions."""
    return broker.topic(f"{schema.replace('.', '-')}-events")


def options(broker: Broker, topic: str, **more: Any) -> dict[str, Any]:
    return {"kafka.bootstrap.servers": broker.address, "subscribe": topic, "startingOffsets": "earliest", **more}


def test_each_row_comes_once(
    spark: SparkSession, schema: str, broker: Broker, topic: str, drain: Drain, checkpoint: Checkpoint
) -> None:
    broker.send(topic, "a", "b", key="k", headers=[("h", b"1"), ("h", None)])
    broker.send(topic, None, partition=1)
    stream = spark.readStream.format("kafka").options(**options(broker, topic, includeHeaders=True)).load()
    assert stream.schema.simpleString() == (
        "struct<key:binary,value:binary,topic:string,partition:int,offset:bigint,timestamp:timestamp,timestampType:int,"
        "headers:array<struct<key:string,value:binary>>>"
    )
    query = drain(stream, f"{schema}.t")
    assert query.lastProgress.numInputRows == 3
    assert query.lastProgress.sources[0].description == f"KafkaV2[Subscribe[{topic}]]"
    found = sorted(spark.table(f"{schema}.t").collect(), key=lambda row: (row.partition, row.offset))
    assert [(row.key, row.value, row.topic, row.partition, row.offset, row.timestampType) for row in found] == [
        (b"k", b"a", topic, 0, 0, 0),
        (b"k", b"b", topic, 0, 1, 0),
        (None, None, topic, 1, 0, 0),
    ]
    assert [(one.key, one.value) for one in found[0].headers] == [("h", b"1"), ("h", None)]
    assert found[2].headers is None
    assert abs(found[0].timestamp - dt.datetime.now()) < dt.timedelta(minutes=10)
    # As Spark writes it.
    assert json.loads((Path(checkpoint()) / "offsets" / "0").read_text().splitlines()[2]) == {topic: {"0": 2, "1": 1}}
    assert (Path(checkpoint()) / "sources" / "0" / "0").read_text().splitlines() == [
        "v1",
        json.dumps({topic: {"0": 0, "1": 0}}),
    ]
    # A transaction's mark takes an offset, a new partition is read from its beginning, and a batch that was in flight is done again.
    broker.send(topic, "c", "d", transaction=f"{topic}-tx")
    broker.grow(topic, 3)
    broker.send(topic, "e", partition=2)
    (Path(checkpoint()) / "commits" / "0").unlink()
    query = drain(stream, f"{schema}.t")
    values = spark.table(f"{schema}.t").select(functions.col("value").cast("string"))
    assert sorted(row[0] or "" for row in values.collect()) == ["", "a", "b", "c", "d", "e"]
    assert json.loads(query.lastProgress.sources[0].endOffset) == {topic: {"0": 5, "1": 1, "2": 1}}


def test_bounds(spark: SparkSession, schema: str, broker: Broker, topic: str, drain: Drain) -> None:
    for second in range(4):
        broker.send(topic, str(second), timestamp=1_767_268_800_000 + second * 1000)
    broker.send(topic, "other", partition=1, timestamp=1_767_268_800_000)

    def values(**more: Any) -> list[str]:
        frame = spark.read.format("kafka").options(**options(broker, topic, **more)).load()
        return sorted(row.value.decode() for row in frame.collect())

    assert values() == ["0", "1", "2", "3", "other"]
    offsets = {
        "startingOffsets": json.dumps({topic: {"0": 1, "1": -2}}),
        "endingOffsets": json.dumps({topic: {"0": 3, "1": -1}}),
    }
    assert values(**offsets) == ["1", "2", "other"]
    later = {"startingTimestamp": 1_767_268_802_000, "startingOffsetsByTimestampStrategy": "latest"}
    assert values(**later) == ["2", "3"]
    broker.send(topic, "aborted", transaction=f"{topic}-tx", aborts=True, partition=1)
    assert values(**later | {"kafka.isolation.level": "read_committed"}) == ["2", "3"]
    assert values() == ["0", "1", "2", "3", "aborted", "other"]
    frame = (
        spark.read.format("kafka").option("kafka.bootstrap.servers", broker.address).option("assign", json.dumps({topic: [1]}))
    )
    assert frame.load().count() == 2
    pattern = spark.readStream.format("kafka").option("kafka.bootstrap.servers", broker.address)
    pattern = pattern.option("subscribePattern", f"{topic[:-2]}.*").option("startingOffsets", "earliest")
    query = drain(pattern.option("maxOffsetsPerTrigger", 2).load(), f"{schema}.t")
    assert sum(one.numInputRows for one in query.recentProgress) == 6
    assert len(query.recentProgress) >= 3
    call = f"read_kafka(bootstrapServers => '{broker.address}', subscribe => '{topic}', startingOffsets => 'earliest')"
    assert spark.sql(f"SELECT count(*), max(k.partition) FROM {call} AS k WHERE k.value IS NOT NULL").first() == (6, 1)
    streamed = spark.sql(f"SELECT CAST(value AS STRING) AS v FROM STREAM {call}")
    assert drain(streamed, f"{schema}.streamed", "streamed").lastProgress.numInputRows == 6
    with pytest.raises(AnalysisException, match="read_kafka takes arguments by their names"):
        spark.sql(f"SELECT * FROM read_kafka('{broker.address}')").collect()
    # A stream begins with what comes next, unless it is told otherwise.
    latest = spark.readStream.format("kafka").options(**options(broker, topic, startingOffsets="latest")).load()
    drain(latest, f"{schema}.latest", "latest")
    broker.send(topic, "new")
    drain(latest, f"{schema}.latest", "latest")
    assert [row.value for row in spark.table(f"{schema}.latest").collect()] == [b"new"]


def test_rows_that_are_gone(spark: SparkSession, schema: str, broker: Broker, topic: str, drain: Drain) -> None:
    broker.send(topic, "a")
    stream = spark.readStream.format("kafka")
    drain(stream.options(**options(broker, topic)).load(), f"{schema}.t")
    broker.send(topic, "b", "c", "d")
    broker.empty(topic, 0, 3)
    with pytest.raises(StreamingQueryException, match=r"KAFKA_DATA_LOSS.*failOnDataLoss"):
        drain(stream.options(**options(broker, topic)).load(), f"{schema}.t")
    drain(stream.options(**options(broker, topic, failOnDataLoss=False)).load(), f"{schema}.t")
    assert sorted(row.value for row in spark.table(f"{schema}.t").collect()) == [b"a", b"d"]


def test_the_sink(spark: SparkSession, schema: str, broker: Broker, topic: str, checkpoint: Checkpoint) -> None:
    spark.sql(f"CREATE TABLE {schema}.s (key STRING, value STRING, n INT)")
    spark.sql(f"INSERT INTO {schema}.s VALUES ('k', 'a', 1), (NULL, 'b', 1)")
    stream = spark.readStream.table(f"{schema}.s").selectExpr(
        "key", "value", "n AS partition", "array(named_struct('key', 'h', 'value', CAST('1' AS BINARY))) AS headers"
    )

    def send() -> Any:
        writer = stream.writeStream.format("kafka").option("kafka.bootstrap.servers", broker.address).option("topic", topic)
        query = writer.option("checkpointLocation", checkpoint()).trigger(availableNow=True).start()
        assert query.awaitTermination(60)
        return query

    assert send().lastProgress.sink.numOutputRows == 2
    spark.sql(f"INSERT INTO {schema}.s VALUES ('k', 'c', 1)")
    send()
    found = spark.read.format("kafka").options(**options(broker, topic, includeHeaders=True)).load().orderBy("offset").collect()
    assert sorted((row.key, row.value, row.partition) for row in found if row.key) == [(b"k", b"a", 1), (b"k", b"c", 1)]
    assert [row.value for row in found][2] == b"c"
    assert [(one.key, one.value) for one in found[0].headers] == [("h", b"1")]
    # Rows that are there, at once.
    frame = spark.sql(f"SELECT 'z' AS value, '{topic}' AS topic, 0 AS partition")
    frame.write.format("kafka").option("kafka.bootstrap.servers", broker.address).save()
    assert spark.read.format("kafka").options(**options(broker, topic)).load().where("partition = 0").head().value == b"z"
    with pytest.raises(AnalysisException, match="topic option required"):
        frame.select("value").write.format("kafka").option("kafka.bootstrap.servers", broker.address).save()
    for columns, message in (("key", "'value' not found"), (("value", "n AS topic"), "topic attribute unsupported type")):
        frame = spark.readStream.table(f"{schema}.s").selectExpr(*([columns] if isinstance(columns, str) else columns))
        writer = frame.writeStream.format("kafka").option("kafka.bootstrap.servers", broker.address)
        with pytest.raises(AnalysisException, match=message):
            writer.option("topic", topic).option("checkpointLocation", checkpoint("other")).start()


def test_who_may_and_what_is_told(
    spark: SparkSession, connect: Any, server: Server, schema: str, broker: Broker, topic: str
) -> None:
    broker.send(topic, "a")
    jaas = (
        f'kafkashaded.org.apache.kafka.common.security.plain.PlainLoginModule required username="reader" password="{PASSWORD}";'
    )
    sasl = {
        "kafka.bootstrap.servers": broker.sasl_address,
        "kafka.security.protocol": "SASL_PLAINTEXT",
        "kafka.sasl.mechanism": "PLAIN",
        "kafka.sasl.jaas.config": jaas,
    }
    assert spark.read.format("kafka").options(**options(broker, topic, **sasl)).load().count() == 1
    errors: list[str] = []
    for change, message in (
        ({"kafka.sasl.jaas.config": jaas.replace("p4ss", "wr0ng"), "kafka.request.timeout.ms": "2000"}, "BROKERS_UNREACHABLE"),
        (
            {"kafka.bootstrap.servers": "127.0.0.1:1", "kafka.request.timeout.ms": "500"},
            r"None of the Kafka brokers in 'kafka.bootstrap.servers' answers: 127.0.0.1:1 \(.*host:port",
        ),
        ({"kafka.plugin.library.paths": "/tmp/x.so"}, "not passed on"),
        ({"kafka.sasl.kerberos.kinit.cmd": "touch /tmp/x"}, "not passed on"),
        ({"kafka.group.id": "g", "kafka.auto.offset.reset": "latest"}, "is not supported"),
        ({"kafka.ssl.truststore.location": "/etc/passwd"}, "JKS"),
        ({"kafka.fetch.min.bytes": PASSWORD}, "not valid"),
        ({"startingOffsets": "latest"}, "can't be latest"),
        ({"startingOffsets": "soon"}, "JSON object"),
        ({"assign": "{}"}, "only one"),
        ({"subscribe": "nothing"}, "UNKNOWN_TOPIC"),
        ({"subscribed": "x"}, "subscribed.*Known"),
        ({"subscribe": " , "}, "names no topic"),
        ({"startingOffsetsByTimestampStrategy": "lattest"}, "Valid: error, latest"),
    ):
        with pytest.raises(AnalysisException, match=message) as caught:
            spark.read.format("kafka").options(**options(broker, topic, **(sasl | change))).load().collect()
        errors.append(str(caught.value))
    assert not any("p4ss-of" in one or "wr0ng" in one for one in errors)
    other = connect(server.new_principal(f"{topic}-user"))
    for attempt in (
        lambda: other.read.format("kafka").options(**options(broker, topic)).load().collect(),
        lambda: other.readStream.format("kafka").options(**options(broker, topic)).load().writeStream.format("noop").start(),
    ):
        with pytest.raises(Exception, match="BOATHOUSE_KAFKA_BROKERS"):
            attempt()
    told = spark.table("system.query.history").select("statement_text").collect()
    assert not any(PASSWORD in (row[0] or "") for row in told)
    assert PASSWORD not in server.log.read_text(errors="replace")
