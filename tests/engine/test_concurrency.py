"""Many writers on one table: nothing is lost, nothing is there twice, and what cannot be repeated says so."""

import asyncio
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from delta.connect.exceptions import (
    MetadataChangedException,
)
from deltalake import DeltaTable
from grpc import StatusCode
from grpc.aio import AioRpcError, Metadata
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from boathouse.engine.gateway.writes.delta_target import load
from boathouse.engine.gateway.writes.retry import MOST_READS, Loss, Retry, loss_of
from boathouse.engine.gateway.writes.turns import LOSSES, Turn
from boathouse.engine.write_errors import ConcurrentModification
from tests.conftest import Server
from tests.engine.conftest import Connect
from tests.loops import in_a_loop

Location = Callable[[str], str]

APPENDERS, APPENDS = 8, 50
MERGERS, MERGES = 4, 10
ROUNDS = 4


def commits(folder: str) -> list[dict[str, Any]]:
    """The commitInfo of each version, and its numbers of files added and removed."""
    found: list[dict[str, Any]] = []
    for entry in sorted(Path(folder, "_delta_log").glob("0*.json")):
        actions = [json.loads(line) for line in entry.read_text().splitlines()]
        info = next(action["commitInfo"] for action in actions if "commitInfo" in action)
        found.append(info | {"adds": sum("add" in action for action in actions)})
    return found


@pytest.mark.timeout(500)
def test_writers_lose_nothing_and_duplicate_nothing(
    server: Server, connect: Connect, spark: SparkSession, schema: str, location: Location, grant: Callable[..., None]
) -> None:
    name = f"{schema}.t"
    spark.sql(f"CREATE TABLE {name} (writer INT, n INT, counter BIGINT)")
    spark.sql(f"INSERT INTO {name} VALUES (-1, -1, 0)")
    # Two engines, so that the writers do not share anything but the table.
    other_name = "writer@example.com"
    other = server.new_principal(other_name)
    for kind, securable, privilege in (
        ("catalog", "main", "USE_CATALOG"),
        ("schema", schema, "USE_SCHEMA"),
        ("table", name, "SELECT"),
        ("table", name, "MODIFY"),
    ):
        grant(kind, securable, other_name, privilege)

    def session(number: int) -> SparkSession:
        return connect(other if number % 2 else None)

    def append(number: int) -> None:
        mine = session(number)
        for n in range(APPENDS):
            if number % 3 == 0:
                mine.sql(f"INSERT INTO {name} VALUES ({number}, {n}, NULL)")
            else:
                frame = mine.range(1).selectExpr(f"{number} AS writer", f"{n} AS n", "CAST(NULL AS BIGINT) AS counter")
                frame.write.mode("append").saveAsTable(name)

    def merge(number: int) -> None:
        mine = session(number)
        for _ in range(MERGES):
            mine.sql(
                f"MERGE INTO {name} t USING (SELECT -1 AS writer) s ON t.writer = s.writer "
                "WHEN MATCHED THEN UPDATE SET counter = t.counter + 1"
            )

    with ThreadPoolExecutor(APPENDERS + MERGERS) as threads:
        work = [threads.submit(append, number) for number in range(APPENDERS)]
        work += [threads.submit(merge, number) for number in range(MERGERS)]
        for one in work:
            one.result()
    found = spark.table(name).where("writer >= 0").select("writer", "n").collect()
    assert sorted((row.writer, row.n) for row in found) == [(w, n) for w in range(APPENDERS) for n in range(APPENDS)]
    assert [row.counter for row in spark.table(name).where("writer = -1").collect()] == [MERGERS * MERGES]
    history = commits(location(name))
    assert len(history) == 2 + APPENDERS * APPENDS + MERGERS * MERGES
    assert sum(entry["operation"] == "MERGE" for entry in history) == MERGERS * MERGES


def test_updates_and_overwrites_are_repeated(connect: Connect, spark: SparkSession, schema: str) -> None:
    name = f"{schema}.t"
    spark.sql(f"CREATE TABLE {name} (k INT, v BIGINT)")
    spark.sql(f"INSERT INTO {name} VALUES (0, 0), (1, 0), (2, 0), (3, 0)")
    sessions = [connect() for _ in range(4)]

    def work(number: int) -> None:
        mine = sessions[number]
        for n in range(ROUNDS):
            mine.sql(f"UPDATE {name} SET v = v + 1 WHERE k = {number}")
            mine.sql(f"INSERT INTO {name} VALUES ({number + 10}, {n})")
            mine.sql(f"DELETE FROM {name} WHERE k = {number + 10} AND v < {n}")
            mine.sql(f"INSERT INTO {name} REPLACE WHERE k = {number + 20} SELECT {number + 20}, {n}")

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))
    found = sorted((row.k, row.v) for row in spark.table(name).collect())
    last = ROUNDS - 1
    assert found == [(k, ROUNDS) for k in range(4)] + [(k + 10, last) for k in range(4)] + [(k + 20, last) for k in range(4)]


def test_columns_added_at_the_same_time_are_all_there(connect: Connect, spark: SparkSession, schema: str) -> None:
    name = f"{schema}.t"
    spark.sql(f"CREATE TABLE {name} (k INT)")
    sessions = [connect() for _ in range(4)]
    barrier = threading.Barrier(4)

    def work(number: int) -> None:
        barrier.wait()
        frame = sessions[number].range(1).selectExpr("0 AS k", f"{number} AS c{number}")
        for _ in range(20):
            try:
                frame.write.mode("append").option("mergeSchema", "true").saveAsTable(name)
            except PySparkException as error:
                if "concurrent update" not in str(error):
                    raise
                continue
            return

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))
    assert sorted(spark.table(name).columns) == ["c0", "c1", "c2", "c3", "k"]
    assert spark.table(name).count() == 4


def lost(text: str) -> AioRpcError:
    return AioRpcError(StatusCode.INTERNAL, Metadata(), Metadata(), text, None)


class TestRules:
    """What is repeated and what is not, by the engine's own words."""

    @pytest.fixture
    def folder(self, spark: SparkSession, schema: str, location: Location) -> str:
        spark.sql(f"CREATE TABLE {schema}.t (k INT)")
        return location(f"{schema}.t")

    def test_the_engines_words(self) -> None:
        assert loss_of(lost("Failed to commit transaction: 0")) is Loss.WRITE
        assert (
            loss_of(lost("Failed to commit transaction: Commit failed: a concurrent transactions added new data."))
            is Loss.APPEND
        )
        assert loss_of(lost("Failed to commit transaction: Metadata changed since last commit.")) is Loss.METADATA
        assert loss_of(lost("division by zero")) is None

    def test_an_append_elsewhere_is_no_reason_to_stop(self, spark: SparkSession, schema: str, folder: str) -> None:
        target = load(folder, "t")
        assert target is not None
        spark.sql(f"INSERT INTO {schema}.t VALUES (1)")
        retry = Retry(target)
        waits = [retry.next_wait(lost("Failed to commit transaction: 0")) for _ in range(30)]
        assert all(wait is not None and 0 < wait <= 1 for wait in waits)
        with pytest.raises(ConcurrentModification) as caught:
            [retry.next_wait(lost("Failed to commit transaction: 0")) for _ in range(60)]
        assert caught.value.error_code == "CONCURRENT_MODIFICATION"
        assert caught.value.condition == "DELTA_CONCURRENT_WRITE"

    @pytest.mark.parametrize(
        "told",
        [
            "Missing commit file: expected version 0, found 388",
            "Generic delta kernel error: CRC file version 343 is newer than log segment version 342. This is a kernel bug, please report",
        ],
    )
    def test_a_log_that_cannot_be_read_is_read_again_until_it_is(self, folder: str, told: str) -> None:
        target = load(folder, "t")
        assert target is not None
        retry = Retry(target)
        torn = lost(told)
        for _ in range(3):
            assert all(retry.next_wait(torn) is not None for _ in range(MOST_READS))
            assert retry.next_wait(lost("Failed to commit transaction: 0")) is not None
        waits = [retry.next_wait(torn) for _ in range(MOST_READS + 1)]
        assert waits[-1] is None

    def test_a_changed_schema_or_transaction_is(self, folder: str) -> None:
        target = load(folder, "t")
        assert target is not None
        DeltaTable(folder).alter.set_table_properties({"delta.appendOnly": "true"})
        with pytest.raises(ConcurrentModification, match="metadata"):
            Retry(target).next_wait(lost("Failed to commit transaction: 0"))
        assert Retry(target, replaces=True).next_wait(lost("Failed to commit transaction: 0")) is not None
        with pytest.raises(ConcurrentModification, match="identifier"):
            Retry(target).next_wait(lost("Concurrent transaction failed."))


def test_who_has_lost_often_goes_first(spark: SparkSession, schema: str, location: Location) -> None:
    spark.sql(f"CREATE TABLE {schema}.t (k INT)")
    target = load(location(f"{schema}.t"), "t")
    assert target is not None
    done: list[str] = []

    async def write(name: str, attempts: int, seconds: float, *, wanted: bool = True) -> None:
        turn = Turn(Retry(target, attempts=attempts))
        await turn.come(lambda: not wanted)
        await asyncio.sleep(seconds)
        turn.end()
        done.append(name)

    async def run() -> None:
        first = asyncio.create_task(write("lost often", LOSSES + 1, 0.3))
        second = asyncio.create_task(write("lost often, too", LOSSES + 1, 0.3))
        await asyncio.sleep(0.1)
        third = asyncio.create_task(write("new", 1, 0))
        # Nobody waits for what its client does not want any more, or for what is about another table.
        await write("given up", 1, 0, wanted=False)
        await Turn(None).come(lambda: False)
        assert done == ["given up"]
        await asyncio.gather(first, second, third)

    in_a_loop(run())
    assert done[:2] == ["given up", "lost often"]
    assert sorted(done[2:]) == ["lost often, too", "new"]


def test_a_client_gets_deltas_own_exception(connect: Connect, spark: SparkSession, schema: str, location: Location) -> None:
    """While a slow MERGE runs, the table's properties change: it may not be repeated."""
    name = f"{schema}.t"
    spark.sql(f"CREATE TABLE {name} AS SELECT id AS k FROM range(10)")
    folder = location(name)
    mine = connect()
    version = DeltaTable(folder).version()
    began = threading.Event()

    def change() -> None:
        began.wait()
        # The engine reads the table when the plan is made, some time before the slow source has been read.
        time.sleep(1.5)
        DeltaTable(folder).alter.set_table_properties({"quality": "gold"}, raise_if_not_exists=False)

    def slow(batches: Any) -> Any:
        import time as clock

        for batch in batches:
            clock.sleep(4)
            yield batch

    thread = threading.Thread(target=change)
    thread.start()
    source = mine.range(1).mapInPandas(slow, "id BIGINT")
    began.set()
    with pytest.raises(MetadataChangedException) as caught:
        source.mergeInto(name, source.id == 0).whenMatched().delete().merge()
    thread.join()
    assert caught.value.getCondition() == "DELTA_METADATA_CHANGED"
    assert DeltaTable(folder).version() == version + 1
