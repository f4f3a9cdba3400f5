"""What is Spark's own: whose server it is, what it must not be asked, and a cluster of several workers."""

import threading
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812 - its usual name

from boathouse.engine.errors import EngineAddressInvalid
from boathouse.engine.spark_engine import SparkAddress
from tests.conftest import running_server
from tests.engine.spark.runtime import connect_server, free_port, java, wait_for

User = tuple[str, SparkSession]


class TestAddress:
    def test_parts(self) -> None:
        assert SparkAddress.parse("sc://spark") == SparkAddress("spark", 15002, use_ssl=False, token=None)
        assert SparkAddress.parse("sc://10.0.0.1:99/;token=a%3Db;use_ssl=true") == SparkAddress(
            "10.0.0.1", 99, use_ssl=True, token="a=b"
        )
        assert "secret" not in repr(SparkAddress.parse("sc://h/;token=secret"))

    @pytest.mark.parametrize(
        "text", ["", "spark", "http://h", "sc://", "sc://h:0", "sc://h:99999", "sc://h/;use_ssl=perhaps", "sc://h/;password=x"]
    )
    def test_what_is_none(self, text: str) -> None:
        with pytest.raises(EngineAddressInvalid, match="sc://host:port"):
            SparkAddress.parse(text)


class TestSession:
    def test_who_and_where(self, spark: SparkSession, user: User) -> None:
        name, session = user
        assert session.sql("SELECT current_user() AS a, session_user AS b").first() == (name, name)
        assert session.range(1).select(F.current_user()).first() == (name,)
        assert spark.sql("SELECT current_catalog() AS c, current_schema() AS s").first() == ("main", "default")
        assert spark.version.startswith("4.")

    def test_frames_of_the_client(self, spark: SparkSession) -> None:
        frame = spark.createDataFrame(pd.DataFrame({"a": [1, 2], "b": ["x", None]}))
        assert frame.toPandas()["a"].tolist() == [1, 2]
        assert frame.toArrow().num_rows == 2
        assert [row[0] for row in spark.range(2).select(F.udf(lambda value: value + 1, "long")("id")).collect()] == [1, 2]
        assert spark.range(3).mapInPandas(lambda parts: parts, "id long").count() == 3

    def test_temporary_views(self, spark: SparkSession, schema: str, user: User) -> None:
        spark.sql(f"CREATE TABLE {schema}.t AS SELECT 1 AS a")
        spark.sql(f"CREATE OR REPLACE TEMP VIEW mine (b) AS SELECT a FROM {schema}.t")
        assert spark.sql("SELECT b FROM mine").first() == (1,)
        assert "mine" in [one.name for one in spark.catalog.listTables(schema)]
        spark.catalog.dropTempView("mine")
        with pytest.raises(AnalysisException, match="TABLE_OR_VIEW_NOT_FOUND"):
            user[1].sql("SELECT * FROM mine").collect()

    def test_caching(self, spark: SparkSession, schema: str) -> None:
        """Noted as with any engine: the shared one keeps nothing by name."""
        spark.sql(f"CREATE TABLE {schema}.t AS SELECT 1 AS a")
        spark.sql(f"CACHE TABLE kept AS SELECT a + 1 AS b FROM {schema}.t")
        spark.catalog.cacheTable(f"{schema}.t")
        assert spark.catalog.isCached("kept")
        assert spark.sql("SELECT b FROM kept").first() == (2,)
        spark.sql("CLEAR CACHE")
        assert not spark.catalog.isCached(f"{schema}.t")
        assert spark.catalog.dropTempView("kept")
        assert not spark.catalog.dropTempView("kept")

    def test_functions_of_the_catalog(self, spark: SparkSession, schema: str) -> None:
        spark.sql(f"CREATE FUNCTION {schema}.twice(x INT) RETURNS INT RETURN 2 * x")
        assert spark.catalog.functionExists(f"{schema}.twice")
        assert spark.catalog.functionExists("abs")
        assert not spark.catalog.functionExists("no_such_function")

    def test_interrupt(self, spark: SparkSession) -> None:
        done = threading.Event()
        failed: list[Exception] = []

        def work() -> None:
            try:
                # It takes a minute and a half, not for ever: see below.
                spark.sql("SELECT count(*) FROM range(50000000) a JOIN range(10000) b ON a.id % 7 = b.id % 7").collect()
            except PySparkException as error:
                failed.append(error)
            done.set()

        thread = threading.Thread(target=work)
        thread.start()
        # While Spark still plans, its adaptive execution can submit a stage just after the jobs of the operation were cancelled;
        # that one then runs to its end, on all cores there are.
        assert not done.wait(5)
        while not done.wait(0.2):
            spark.interruptAll()
        thread.join()
        assert "OPERATION_CANCELED" in str(failed[0])


SHARED = [
    "SELECT reflect('java.lang.System', 'getProperty', 'user.dir')",
    "SELECT java_method('java.lang.System', 'getProperty', 'user.dir')",
    "SELECT * FROM `com.databricks.spark.csv`.`/etc/hostname`",
    "SELECT * FROM `org.apache.spark.sql.execution.datasources.v2.text.TextDataSourceV2`.`/etc/hostname`",
    "SELECT * FROM ${spark.x}",
    "SELECT 1 -- \\\n ' \n FROM text.`/etc/hostname` -- '",
    "SELECT ''',' , value FROM text.`/etc/hostname` -- '''",
    "EXECUTE IMMEDIATE concat('SELECT ', '1')",
    "EXECUTE IMMEDIATE 'SELECT java_method(\\'java.lang.System\\', \\'getProperty\\', \\'user.dir\\')'",
    "BEGIN SELECT 1; END",
    "DECLARE VARIABLE x INT",
    "ADD JAR '/tmp/x.jar'",
    "CREATE GLOBAL TEMPORARY VIEW g AS SELECT 1",
    "SELECT * FROM global_temp.g",
    "CREATE TEMPORARY VIEW v USING jdbc OPTIONS (url 'jdbc:derby:x', dbtable 't')",
    "SELECT * FROM table_changes_by_path('/tmp/x', 0)",
    "SELECT * FROM __bh1",
    "SET spark.sql.ansi.doubleQuotedIdentifiers = true",
    "CREATE FUNCTION f AS 'org.example.F'",
    "CREATE TEMPORARY FUNCTION f AS 'org.example.F'",
    "LOAD DATA INPATH '/tmp/x' INTO TABLE t",
]


class TestShared:
    """One server for all: what would reach another's data, or the server itself, does not get there."""

    @pytest.mark.parametrize("text", SHARED)
    def test_statements(self, user: User, text: str) -> None:
        with pytest.raises(PySparkException, match=r"not supported|INSUFFICIENT|does not exist|expected|takes a text"):
            user[1].sql(text).collect()

    @pytest.mark.usefixtures("spark")
    def test_plans(self, user: User) -> None:
        _, session = user
        attempts: list[Callable[[], object]] = [
            lambda: session.range(1).createGlobalTempView("g"),
            lambda: (
                session.range(1).select(F.reflect(F.lit("java.lang.System"), F.lit("getProperty"), F.lit("user.dir"))).collect()
            ),
            lambda: (
                session.range(1)
                .select(F.call_function("java_method", F.lit("java.lang.System"), F.lit("lineSeparator")))
                .collect()
            ),
            lambda: session.range(1).selectExpr("reflect('java.lang.System', 'lineSeparator')").collect(),
            lambda: session.read.format("jdbc").option("url", "jdbc:derby:x").option("dbtable", "t").load().collect(),
            lambda: session.read.format("com.databricks.spark.csv").load("/etc/hostname").collect(),
            lambda: session.table("__bh1").collect(),
            lambda: session.conf.set("spark.sql.ansi.doubleQuotedIdentifiers", "true"),
            lambda: session.range(1).select(F.udf(lambda value: value, "long")("id")).collect(),
            lambda: session.range(1).mapInPandas(lambda parts: parts, "id long").collect(),
        ]
        for attempt in attempts:
            with pytest.raises(PySparkException, match=r"not supported|sandbox|kept for the gateway|INSUFFICIENT"):
                attempt()

    def test_nothing_is_made_in_sparks_own_catalog(self, user: User) -> None:
        for text in ("CREATE TABLE t (a INT) USING parquet", "CREATE DATABASE mine", "CREATE TABLE default.t (a INT)"):
            with pytest.raises(PySparkException, match=r"INSUFFICIENT|not supported"):
                user[1].sql(text)


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    with running_server(tmp_path, BOATHOUSE_ENGINE=f"sc://127.0.0.1:{free_port()}") as server:
        session = SparkSession.builder.remote(server.spark_remote()).create()
        with pytest.raises(Exception, match="cannot be reached"):
            session.range(1).collect()
        session.client.close()


@pytest.mark.timeout(400)
def test_two_workers(tmp_path: Path) -> None:
    """A standalone cluster: a master, two workers, and the Connect server as their driver."""
    folder, lake = tmp_path / "spark", tmp_path / "server"
    folder.mkdir()
    lake.mkdir()
    port = free_port()
    master = f"spark://127.0.0.1:{port}"
    deploy = "org.apache.spark.deploy"
    worker = [f"{deploy}.worker.Worker", "--host", "127.0.0.1", "--cores", "1", "--memory", "512m", "--webui-port", "0"]
    with java(
        folder, "master", "256m", [f"{deploy}.master.Master", "--host", "127.0.0.1", "--port", str(port), "--webui-port", "0"]
    ) as one:
        wait_for(one, port, folder / "master.log")
        with (
            java(folder, "worker1", "256m", [*worker, "--work-dir", str(folder / "w1"), master]),
            java(folder, "worker2", "256m", [*worker, "--work-dir", str(folder / "w2"), master]),
            connect_server(folder, master, token="t", spark_executor_memory="512m", spark_executor_cores="1") as address,
            running_server(lake, BOATHOUSE_ENGINE=address) as server,
        ):
            session = SparkSession.builder.remote(server.spark_remote()).create()
            try:
                folders = session.range(0, 8, 1, 8).select(F.udf(lambda _: str(Path.cwd()), "string")("id"))
                where = folders.distinct().count()
                session.range(0, 1000, 1, 4).write.saveAsTable("main.default.spread")
                assert session.sql("SELECT count(*), sum(id) FROM main.default.spread").first() == (1000, 499500)
            finally:
                session.stop()
    assert where == 2
