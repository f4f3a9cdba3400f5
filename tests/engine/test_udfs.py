"""Python functions of every kind give right results from their sandbox."""

import datetime as dt
import os
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyspark.errors import AnalysisException
from pyspark.errors.exceptions.connect import PythonException, SparkConnectGrpcException
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql.functions import arrow_udf, col, lit, pandas_udf, udf, udtf
from pyspark.sql.types import StructType
from pyspark.sql.udtf import AnalyzeArgument, AnalyzeResult
from pyspark.sql.window import Window

from tests.conftest import Server


@pytest.fixture
def frame(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame([(1, "a", 1.5), (1, "b", 2.5), (2, "c", 3.5)], "id bigint, s string, v double")


@pytest.fixture
def other(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame([(1, "x"), (3, "y")], "id bigint, w string")


def rows(frame: DataFrame) -> list[tuple[Any, ...]]:
    return sorted(tuple(row) for row in frame.collect())


@pytest.mark.parametrize("use_arrow", [False, True])
def test_scalar(frame: DataFrame, use_arrow: bool) -> None:
    shout = udf(lambda text, times: None if text == "b" else text.upper() * times, "string", useArrow=use_arrow)
    assert [row[0] for row in frame.select(shout("s", lit(2))).collect()] == ["AA", None, "CC"]
    assert [row[0] for row in frame.select(udf(lambda: 7, "int", useArrow=use_arrow)()).collect()] == [7, 7, 7]
    difference = udf(lambda a, b: a - b, "double", useArrow=use_arrow)
    assert [row[0] for row in frame.select(difference(b=col("id"), a=col("v"))).collect()] == [0.5, 1.5, 1.5]


def test_scalar_of_all_types(spark: SparkSession) -> None:
    query = """SELECT map('a', 1) AS m, cast(1.5 AS decimal(10, 2)) AS d, DATE'2024-01-02' AS t,
        TIMESTAMP'2024-01-02 03:04:05' AS ts, X'00ff' AS b, named_struct('x', 1, 'y', array('z')) AS r"""
    tell = udf(lambda *values: repr([bytes(v) if isinstance(v, bytearray) else v for v in values]), "string")
    values = [{"a": 1}, Decimal("1.50"), dt.date(2024, 1, 2), dt.datetime(2024, 1, 2, 3, 4, 5), b"\x00\xff"]
    assert spark.sql(query).select(tell("m", "d", "t", "ts", "b")).collect()[0][0] == repr(values)
    back = udf(lambda r: Row(x=r.x + 1, y=[*r.y, "w"]), "struct<x: int, y: array<string>>")
    assert spark.sql(query).select(back("r")).collect()[0][0] == Row(x=2, y=["z", "w"])


def test_pandas_and_arrow_scalar(frame: DataFrame) -> None:
    @pandas_udf("double")
    def twice(x: pd.Series) -> pd.Series:
        return x * 2

    @pandas_udf("double")
    def twice_each(batches: Iterator[pd.Series]) -> Iterator[pd.Series]:
        for x in batches:
            yield x * 2

    @arrow_udf("double")
    def twice_arrow(x: pa.Array) -> pa.Array:
        return pc.multiply(x, 2)

    @arrow_udf("double")
    def twice_arrow_each(batches: Iterator[pa.Array]) -> Iterator[pa.Array]:
        for x in batches:
            yield pc.multiply(x, 2)

    for function in (twice, twice_each, twice_arrow, twice_arrow_each):
        assert rows(frame.select("s", function("v"))) == [("a", 3.0), ("b", 5.0), ("c", 7.0)]
        assert rows(frame.select(function("v"))) == [(3.0,), (5.0,), (7.0,)]


def test_a_scalar_iterator_keeps_its_rows_together(spark: SparkSession) -> None:
    @pandas_udf("bigint")
    def shifted(batches: Iterator[pd.Series]) -> Iterator[pd.Series]:
        for x in batches:
            yield x + 1

    frame = spark.range(50_000).selectExpr("id", "concat('n', id) AS name", "id * 2 AS double")
    found = frame.select("name", shifted("id").alias("next"), "double").where(
        "next * 2 - 2 != double OR name != concat('n', next - 1)"
    )
    assert found.count() == 0
    assert frame.select("name", shifted("id").alias("next")).count() == 50_000


def test_aggregates_and_windows(frame: DataFrame) -> None:
    @pandas_udf("double")
    def mean(x: pd.Series) -> float:
        return float(x.mean())

    @arrow_udf("double")
    def mean_arrow(x: pa.Array) -> float:
        return pc.mean(x).as_py()

    for function in (mean, mean_arrow):
        assert rows(frame.groupBy("id").agg(function("v"))) == [(1, 2.0), (2, 3.5)]
        assert rows(frame.agg(function("v"))) == [(2.5,)]
    over = mean("v").over(Window.partitionBy("id"))
    assert rows(frame.select("s", over)) == [("a", 2.0), ("b", 2.0), ("c", 3.5)]


def test_grouped_maps(frame: DataFrame) -> None:
    schema = "id bigint, s string, v double"
    centred = frame.groupBy("id").applyInPandas(lambda g: g.assign(v=g.v - g.v.mean()), schema)
    assert rows(centred) == [(1, "a", -0.5), (1, "b", 0.5), (2, "c", 0.0)]
    counted = frame.groupBy("id").applyInPandas(lambda key, g: pd.DataFrame([(*key, len(g))]), "id bigint, n bigint")
    assert rows(counted) == [(1, 2), (2, 1)]
    assert rows(frame.groupBy("id").applyInArrow(lambda g: g.slice(0, 1), schema)) == [(1, "a", 1.5), (2, "c", 3.5)]

    def each(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        yield from batches

    assert frame.groupBy("id").applyInPandas(each, schema).count() == 3


def test_cogrouped_maps(frame: DataFrame, other: DataFrame) -> None:
    both = frame.groupBy("id").cogroup(other.groupBy("id"))
    expected = [(0, 1), (1, 0), (2, 1)]
    sizes = both.applyInPandas(lambda a, b: pd.DataFrame({"n": [len(a)], "m": [len(b)]}), "n bigint, m bigint")
    assert rows(sizes) == expected
    sizes = both.applyInArrow(lambda a, b: pa.table({"n": [a.num_rows], "m": [b.num_rows]}), "n bigint, m bigint")
    assert rows(sizes) == expected


def test_maps_over_batches(frame: DataFrame) -> None:
    def doubled(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            yield batch.assign(v=batch.v * 2)

    assert rows(frame.mapInPandas(doubled, frame.schema)) == [(1, "a", 3.0), (1, "b", 5.0), (2, "c", 7.0)]
    nested = frame.mapInPandas(doubled, frame.schema).mapInArrow(lambda batches: batches, frame.schema)
    assert rows(nested.mapInPandas(doubled, frame.schema)) == [(1, "a", 6.0), (1, "b", 10.0), (2, "c", 14.0)]


def test_a_map_that_is_not_read_to_its_end(spark: SparkSession) -> None:
    def endless(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for _ in range(1000):
                yield batch

    assert spark.range(10_000).mapInArrow(endless, "id bigint").limit(5).count() == 5


@pytest.mark.parametrize("use_arrow", [False, True])
def test_table_functions(spark: SparkSession, use_arrow: bool) -> None:
    @udtf(returnType="a int, b int", useArrow=use_arrow)
    class Squares:
        def eval(self, n: int) -> Iterator[tuple[int, int]]:
            for i in range(n):
                yield i, i * i

        def terminate(self) -> Iterator[tuple[int, int]]:
            yield -1, -1

    assert rows(Squares(lit(3))) == [(-1, -1), (0, 0), (1, 1), (2, 4)]
    name = f"squares_{use_arrow}".lower()
    spark.udtf.register(name, Squares)
    query = f"SELECT name, a FROM (SELECT id, concat('n', id) AS name FROM range(1, 3)) r, LATERAL {name}(cast(r.id AS int)) WHERE a >= 0"
    assert rows(spark.sql(query)) == [("n1", 0), ("n2", 0), ("n2", 1)]


def test_a_table_function_that_says_its_schema(spark: SparkSession) -> None:
    @udtf
    class Echo:
        @staticmethod
        def analyze(x: AnalyzeArgument) -> AnalyzeResult:
            return AnalyzeResult(schema=StructType().add("echo", x.dataType))

        def eval(self, x: Any) -> Iterator[tuple[Any]]:
            yield (x,)

    found = Echo(lit(3))
    assert found.columns == ["echo"]
    assert rows(found) == [(3,)]

    @udtf
    class Bad:
        @staticmethod
        def analyze(x: AnalyzeArgument) -> AnalyzeResult:
            message = f"no {x.dataType}"
            raise ValueError(message)

        def eval(self, x: Any) -> Iterator[tuple[Any]]:
            yield (x,)

    with pytest.raises(AnalysisException, match="no IntegerType"):
        Bad(lit(3)).collect()


def test_registered_functions(spark: SparkSession) -> None:
    spark.udf.register("plus_one", lambda x: x + 1, "bigint")
    assert rows(spark.sql("SELECT plus_one(id) FROM range(3)")) == [(1,), (2,), (3,)]
    # Sail does not find a column that calls one in what is grouped by.
    for column in ("plus_one(id) % 2", "plus_one(id) % 2 AS odd", "plus_one(ID)  % 2 odd"):
        grouped = spark.sql(f"SELECT {column}, count(*) AS n FROM range(3) GROUP BY plus_one(id) % 2 HAVING count(*) > 0")
        assert sorted(tuple(row) for row in grouped.collect()) == [(0, 1), (1, 2)]
    nested = (
        "SELECT max(n) FROM (SELECT 1 AS one, plus_one(id) % 2, count(*) AS n FROM range(3) GROUP BY one, plus_one(id) % 2)"
    )
    assert rows(spark.sql(nested)) == [(2,)]
    assert rows(spark.sql("SELECT count(*) AS n FROM range(3) GROUP BY plus_one(id) % 2 ORDER BY n")) == [(1,), (2,)]


def test_an_exception_names_itself_and_its_line(spark: SparkSession) -> None:
    class Odd(Exception):
        pass

    def fail(x):  # annotated, the client would warn that it cannot tell the kind of function
        if x == 2:
            message = f"no {x}"
            raise Odd(message)
        return x

    with pytest.raises(PythonException, match="Odd: no 2") as caught:
        spark.range(3).select(udf(fail, "bigint")("id")).collect()
    assert "in fail" in str(caught.value)
    assert "sandbox/worker.py" not in str(caught.value)
    with pytest.raises(PythonException, match="KeyError: 'k'"):
        spark.range(1).mapInPandas(lambda batches: ({}["k"] for _ in batches), "id bigint").collect()
    with pytest.raises(PythonException, match="SystemExit: 3"):
        spark.range(1).select(udf(lambda _: __import__("sys").exit(3), "int")("id")).collect()


def test_a_failing_input_is_the_error(spark: SparkSession) -> None:
    broken = spark.range(3).select(udf(lambda x: 1 // x, "bigint")("id").alias("id"))
    with pytest.raises(PythonException, match="ZeroDivisionError"):
        broken.mapInArrow(lambda batches: batches, "id bigint").collect()


def test_functions_with_installed_packages(spark: SparkSession) -> None:
    import numpy as np
    from sklearn.linear_model import LinearRegression

    model = LinearRegression().fit(np.array([[0.0], [1.0]]), [1.0, 3.0])

    @pandas_udf("double")
    def predict(x: pd.Series) -> pd.Series:
        return pd.Series(model.predict(x.to_frame().to_numpy()))

    assert [round(row[0], 6) for row in spark.range(3).select(predict("id")).collect()] == [1.0, 3.0, 5.0]


@pytest.mark.parametrize(
    ("how", "told"),
    [
        (lambda _: os._exit(3), "exit code 3"),
        (lambda _: __import__("ctypes").string_at(0), "SIGSEGV"),
        (lambda _: os.kill(os.getpid(), 9), "SIGKILL"),
    ],
)
def test_a_crash_hurts_only_its_query(spark: SparkSession, how: Callable[[int], Any], told: str) -> None:
    steady: list[Any] = []
    slow = udf(lambda x: __import__("time").sleep(0.02) or x, "bigint")
    thread = threading.Thread(target=lambda: steady.extend(spark.range(60).select(slow("id")).collect()))
    thread.start()
    with pytest.raises(PythonException, match=told):
        spark.range(3).select(udf(how, "string")("id")).collect()
    thread.join(60)
    assert len(steady) == 60
    assert spark.range(1).select(udf(lambda x: x + 5, "bigint")("id")).collect()[0][0] == 5


def test_a_function_that_takes_too_much_memory(new_server: Callable[..., Server]) -> None:
    server = new_server(BOATHOUSE_ENGINE_MEMORY="1g")
    session = SparkSession.builder.remote(server.spark_remote()).create()
    greedy = udf(lambda _: len(bytearray(3 << 30)), "bigint")
    with pytest.raises(PythonException, match="MemoryError"):
        session.range(1).select(greedy("id")).collect()
    assert session.range(1).count() == 1
    session.stop()


def test_fifty_queries_at_once(connect: Callable[[], SparkSession], server: Server) -> None:
    session = connect()
    failures: list[BaseException] = []

    def run(number: int) -> None:
        try:
            added = udf(lambda x: x + number, "bigint")
            mapped = session.range(100).mapInArrow(lambda batches: batches, "id bigint").select(added("id").alias("v"))
            assert mapped.agg({"v": "sum"}).collect()[0][0] == 4950 + 100 * number
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not failures
    assert not [child for child in server.children() if child.status() == psutil.STATUS_ZOMBIE]


def test_functions_switched_off(new_server: Callable[..., Server]) -> None:
    server = new_server(BOATHOUSE_PYTHON_UDFS="off")
    session = SparkSession.builder.remote(server.spark_remote()).create()
    with pytest.raises((PythonException, SparkConnectGrpcException), match="switched off"):
        session.range(1).select(udf(lambda x: x, "bigint")("id")).collect()
    assert session.range(1).count() == 1
    session.stop()


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A module and an archive with a package, where the client finds them and the engine does not."""
    (tmp_path / "sent_factor.py").write_text("FACTOR = 3\n\ndef times(x):\n    return x * FACTOR\n")
    with zipfile.ZipFile(tmp_path / "sent.zip", "w") as archive:
        archive.writestr("sent_pack/__init__.py", "from sent_pack.deep.one import more\n")
        archive.writestr("sent_pack/deep/__init__.py", "")
        archive.writestr("sent_pack/deep/one.py", "import sent_factor\n\ndef more(x):\n    return sent_factor.times(x) + 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path / "sent.zip"))
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("sent_")]:
        del sys.modules[name]


def test_functions_import_what_their_client_has_sent(connect: Callable[..., SparkSession], modules: Path) -> None:
    spark, other = connect(), connect()
    spark.addArtifact(str(modules / "sent_factor.py"), pyfile=True)
    spark.addArtifacts(str(modules / "sent.zip"), pyfile=True)
    import sent_factor  # pyright: ignore[reportMissingImports]
    import sent_pack  # pyright: ignore[reportMissingImports]

    more = udf(sent_pack.more, "bigint")
    frame = spark.range(3)
    assert rows(frame.select(more("id"))) == [(1,), (4,), (7,)]
    assert rows(frame.mapInPandas(lambda parts: (sent_factor.times(part) for part in parts), "id bigint")) == [(0,), (3,), (6,)]

    @udtf(returnType="a bigint")
    class Sent:
        def eval(self, x: int) -> Iterator[tuple[int]]:
            yield (sent_factor.times(x),)

    spark.udtf.register("sent_table", Sent)
    assert spark.sql("SELECT * FROM sent_table(4)").collect() == [(12,)]
    spark.udf.register("sent_more", more)
    assert spark.sql("SELECT sent_more(7)").first() == (22,)

    # Sent anew it is another one, also for functions that have run before.
    (modules / "sent_factor.py").write_text("def times(x):\n    return x * 5\n")
    spark.addArtifact(str(modules / "sent_factor.py"), pyfile=True)
    assert rows(frame.select(more("id"))) == [(1,), (6,), (11,)]
    with pytest.raises(PythonException, match="No module named 'sent_pack'"):
        other.range(1).select(more("id")).collect()


def test_what_is_no_module_is_not_taken(connect: Callable[..., SparkSession], tmp_path: Path) -> None:
    spark = connect()
    (tmp_path / "broken.zip").write_text("no archive")
    with pytest.raises(AnalysisException, match=r"an archive of modules is no zip file: broken\.zip"):
        spark.addArtifact(str(tmp_path / "broken.zip"), pyfile=True)
    (tmp_path / "large.py").write_bytes(b"#" * (64 * 1024**2 + 1))
    with pytest.raises(AnalysisException, match="at most 64 MB"):
        spark.addArtifact(str(tmp_path / "large.py"), pyfile=True)
