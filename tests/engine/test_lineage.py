"""What was read and written is known without anyone doing anything."""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from delta.tables import DeltaTable
from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, Row, SparkSession, Window
from pyspark.sql import functions as F  # noqa: N812 - its usual name

from boathouse.engine.gateway.traces.column_lineage import Link, links
from tests.conftest import Server

User = tuple[str, SparkSession]


def eventually(work: Callable[[], list[Any]]) -> list[Any]:
    """What comes at the latest a few seconds after the statement: lineage is asked for behind its back."""
    deadline = time.monotonic() + 15
    while not (found := work()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


@pytest.fixture
def sales(spark: SparkSession, schema: str) -> str:
    spark.sql(f"CREATE TABLE {schema}.sales (id INT, amount INT, region STRING)")
    spark.sql(f"INSERT INTO {schema}.sales VALUES (1, 10, 'EU'), (2, 20, 'US')")
    return f"{schema}.sales"


def columns_of(spark: SparkSession, target: str) -> set[tuple[str, str, str]]:
    query = (
        "SELECT DISTINCT source_table_full_name, source_column_name, target_column_name "
        f"FROM system.access.column_lineage WHERE target_table_full_name = '{target}'"
    )
    return {tuple(row) for row in eventually(lambda: spark.sql(query).collect())}


@dataclass(frozen=True)
class Case:
    """One write of the table `$.NAME`, and the links that it gives: `source.column > target column`."""

    name: str
    does: str | Callable[[SparkSession, str], object]
    links: str


def frame(write: Callable[[DataFrame, str], object]) -> Callable[[SparkSession, str], object]:
    return lambda spark, schema: write(spark.table(f"{schema}.src"), schema)


def written_by_path(spark: SparkSession, schema: str) -> None:
    location = next(
        row.data_type for row in spark.sql(f"DESCRIBE EXTENDED {schema}.by_path").collect() if row.col_name == "Location"
    )
    spark.table(f"{schema}.src").select("id", "amount", "region").write.format("delta").mode("append").save(location)


def temporary_views(spark: SparkSession, schema: str) -> None:
    # Each of the two brings numbers of its own for its columns.
    spark.table(f"{schema}.other").createOrReplaceTempView("lineage_frame")
    spark.sql(f"CREATE OR REPLACE TEMP VIEW lineage_text AS SELECT region AS r, id FROM {schema}.src")
    spark.sql(
        f"CREATE TABLE {schema}.temporary AS SELECT a.amount, f.extra, t.r FROM {schema}.src a "
        "JOIN lineage_frame f ON a.id = f.id JOIN lineage_text t ON a.id = t.id"
    )


def delta_table(spark: SparkSession, schema: str) -> None:
    table = DeltaTable.forName(spark, f"{schema}.delta_table")
    merge = table.alias("t").merge(spark.table(f"{schema}.src").alias("s"), "t.id = s.id")
    merge.whenMatchedUpdate(set={"amount": "s.amount + t.id"}).whenNotMatchedInsert(values={"region": "s.region"}).execute()
    table.update(condition="id = 1", set={"region": "upper(region)"})


def merged(source: DataFrame, schema: str) -> None:
    merge = source.alias("s").mergeInto(f"{schema}.merge_frame", F.expr("merge_frame.id = s.id"))
    merge = merge.whenMatched().update({"amount": F.col("s.amount") + F.expr("merge_frame.id")})
    merge.whenNotMatched().insert({"id": F.col("s.id"), "region": F.upper(F.col("s.region"))}).merge()


def merged_whole(source: DataFrame, schema: str) -> None:
    merge = source.select("id", "amount", "region").alias("s").mergeInto(f"{schema}.merge_all", F.expr("merge_all.id = s.id"))
    merge.whenMatched().updateAll().whenNotMatched().insertAll().merge()


WINDOW = Window.partitionBy("region").orderBy("amount")
CASES = (
    # INSERT
    Case("by_list", "INSERT INTO $.by_list (amount, id) SELECT amount * 2, id FROM $.src", "src.amount > amount, src.id > id"),
    Case(
        "by_name",
        "INSERT INTO $.by_name BY NAME SELECT region, amount AS id FROM $.src",
        "src.amount > id, src.region > region",
    ),
    Case(
        "replaced",
        "INSERT INTO $.replaced REPLACE WHERE region = 'EU' SELECT id, amount, region FROM $.src WHERE region = 'EU'",
        "src.amount > amount, src.id > id, src.region > region",
    ),
    Case(
        "overwritten",
        "INSERT OVERWRITE $.overwritten SELECT id, amount + extra, note FROM $.src JOIN $.other USING (id)",
        "other.extra > amount, other.note > region, src.amount > amount, src.id > id",
    ),
    # CREATE
    Case(
        "unions",
        "CREATE TABLE $.unions AS SELECT id, amount AS v FROM $.src UNION ALL SELECT id, extra FROM $.other",
        "other.extra > v, other.id > id, src.amount > v, src.id > id",
    ),
    Case(
        "self_join",
        "CREATE TABLE $.self_join AS SELECT a.id, b.amount AS next FROM $.src a JOIN $.src b ON a.region = b.region",
        "src.amount > next, src.id > id",
    ),
    Case(
        "windows",
        "CREATE TABLE $.windows AS SELECT id, sum(amount) OVER (PARTITION BY region) AS total FROM $.src",
        "src.amount > total, src.id > id, src.region > total",
    ),
    Case(
        "structs",
        "CREATE TABLE $.structs AS SELECT info.a AS a, struct(id, region) AS pair, tags[0] AS tag FROM $.src",
        "src.id > pair, src.info > a, src.region > pair, src.tags > tag",
    ),
    Case(
        "filters",
        "CREATE TABLE $.filters AS SELECT s.id FROM $.src s JOIN $.other o ON s.id = o.id WHERE s.region = 'EU' AND o.extra > 1",
        "src.id > id",
    ),
    Case("exploded", "CREATE TABLE $.exploded AS SELECT id, explode(tags) AS tag FROM $.src", "src.id > id, src.tags > tag"),
    Case(
        "ctes",
        "CREATE TABLE $.ctes AS WITH c AS (SELECT region, sum(amount) AS s FROM $.src GROUP BY region) SELECT s * 2 AS s2, 1 AS one FROM c",
        "src.amount > s2",
    ),
    Case(
        "scalars",
        "CREATE TABLE $.scalars AS SELECT s.id, (SELECT max(extra) FROM $.other) AS m FROM $.src s JOIN $.src r ON s.id = r.id",
        "other.extra > m, src.id > id",
    ),
    Case(
        "view",
        "CREATE VIEW $.view (number, doubled) AS SELECT id, amount * 2 FROM $.src",
        "src.amount > doubled, src.id > number",
    ),
    Case("through", "CREATE TABLE $.through AS SELECT doubled FROM $.view", "src.amount > doubled"),
    Case(
        "cloned",
        "CREATE TABLE $.cloned DEEP CLONE $.other",
        "other.extra > extra, other.id > id, other.note > note",
    ),
    Case(
        "shallow", "CREATE TABLE $.shallow SHALLOW CLONE $.cloned", "cloned.extra > extra, cloned.id > id, cloned.note > note"
    ),
    Case("temporary", temporary_views, "other.extra > extra, src.amount > amount, src.region > r"),
    # UPDATE, MERGE, DELETE
    Case(
        "updated",
        "UPDATE $.updated SET amount = amount + id, region = (SELECT max(note) FROM $.other) WHERE region = 'EU'",
        "other.note > region, updated.amount > amount, updated.id > amount",
    ),
    Case("deleted", "DELETE FROM $.deleted WHERE region = 'EU'", ""),
    Case(
        "merged",
        "MERGE INTO $.merged AS t USING (SELECT id, amount * 2 AS twice, region FROM $.src) AS s ON t.id = s.id "
        "WHEN MATCHED AND s.region = 'EU' THEN UPDATE SET t.amount = t.amount + s.twice WHEN MATCHED THEN DELETE "
        "WHEN NOT MATCHED THEN INSERT (id, region) VALUES (s.id, upper(s.region)) "
        "WHEN NOT MATCHED BY SOURCE THEN UPDATE SET region = concat(region, '?')",
        "merged.amount > amount, merged.region > region, src.amount > amount, src.id > id, src.region > region",
    ),
    Case(
        "evolved",
        "MERGE WITH SCHEMA EVOLUTION INTO $.evolved AS t USING (SELECT id, extra AS amount, note AS region, id + 1 AS new FROM $.other) AS s "
        "ON t.id = s.id WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *",
        "other.extra > amount, other.id > id, other.id > new, other.note > region",
    ),
    Case("merge_frame", frame(merged), "merge_frame.id > amount, src.amount > amount, src.id > id, src.region > region"),
    Case("merge_all", frame(merged_whole), "src.amount > amount, src.id > id, src.region > region"),
    Case(
        "delta_table",
        delta_table,
        "delta_table.id > amount, delta_table.region > region, src.amount > amount, src.region > region",
    ),
    # DataFrames
    Case(
        "write_to",
        frame(lambda src, s: src.select("id", F.col("amount") + 1).toDF("a", "b").writeTo(f"{s}.write_to").create()),
        "src.amount > b, src.id > a",
    ),
    Case(
        "into",
        frame(lambda src, s: src.select("amount", "id", "region").write.insertInto(f"{s}.into")),
        "src.amount > id, src.id > amount, src.region > region",
    ),
    Case(
        "saved",
        frame(lambda src, s: src.groupBy("region").agg(F.sum("amount").alias("t")).write.saveAsTable(f"{s}.saved")),
        "src.amount > t, src.region > region",
    ),
    Case(
        "ranked",
        frame(lambda src, s: src.select(F.row_number().over(WINDOW).alias("r"), "id").write.saveAsTable(f"{s}.ranked")),
        "src.amount > r, src.id > id, src.region > r",
    ),
    Case("by_path", written_by_path, "src.amount > amount, src.id > id, src.region > region"),
    Case("made", lambda spark, s: spark.createDataFrame([(1,)], "id int").write.saveAsTable(f"{s}.made"), ""),
    Case(
        "mixed",
        lambda spark, s: (
            spark.createDataFrame([(1, 2)], "id int, x int")
            .join(spark.table(f"{s}.src"), "id")
            .select("x", "amount")
            .write.saveAsTable(f"{s}.mixed")
        ),
        "src.amount > amount",
    ),
)
GIVEN = (
    "by_list",
    "by_name",
    "replaced",
    "overwritten",
    "updated",
    "deleted",
    "merged",
    "evolved",
    "merge_frame",
    "merge_all",
    "delta_table",
    "into",
    "by_path",
)


@pytest.fixture(scope="module")
def columns(admin_session: SparkSession) -> dict[str, set[str]]:
    """The links of every case, by its target."""
    spark, schema = admin_session, f"main.s{uuid.uuid4().hex[:8]}"
    spark.sql(f"CREATE SCHEMA {schema}")
    spark.sql(f"CREATE TABLE {schema}.src (id INT, amount INT, region STRING, info STRUCT<a: INT>, tags ARRAY<STRING>)")
    spark.sql(f"CREATE TABLE {schema}.other (id INT, extra INT, note STRING)")
    for name in GIVEN:
        spark.sql(f"CREATE TABLE {schema}.{name} (id INT, amount INT, region STRING)")
    for case in CASES:
        if isinstance(case.does, str):
            spark.sql(case.does.replace("$", schema))
        else:
            case.does(spark, schema)
    for view in ("lineage_frame", "lineage_text"):
        spark.catalog.dropTempView(view)
    wanted = len(",".join(case.links for case in CASES if case.links).split(","))
    query = (
        "SELECT DISTINCT target_table_name, source_table_name, source_column_name, target_column_name "
        f"FROM system.access.column_lineage WHERE concat_ws('.', target_table_catalog, target_table_schema) = '{schema}'"
    )
    rows = eventually(lambda: found if len(found := spark.sql(query).collect()) >= wanted else [])
    links: dict[str, set[str]] = {}
    for target, source, column, to in rows or spark.sql(query).collect():
        links.setdefault(target, set()).add(f"{source}.{column} > {to}")
    return links


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_columns(columns: dict[str, set[str]], case: Case) -> None:
    assert columns.get(case.name, set()) == {link.strip() for link in case.links.split(",") if link}


class TestLineage:
    def test_of_sql(self, spark: SparkSession, schema: str, sales: str) -> None:
        spark.sql(
            f"CREATE TABLE {schema}.totals AS SELECT region, sum(amount) AS total, max(id) + 1 AS next, 'x' AS fixed "
            f"FROM {sales} WHERE id > 0 GROUP BY region"
        )
        expected = {(sales, "region", "region"), (sales, "amount", "total"), (sales, "id", "next")}
        assert columns_of(spark, f"{schema}.totals") == expected
        spark.sql(f"INSERT INTO {schema}.totals SELECT region, amount, id, region FROM {sales} AS s")
        query = (
            f"SELECT source_table_full_name FROM system.access.table_lineage WHERE target_table_full_name = '{schema}.totals'"
        )
        assert {row[0] for row in spark.sql(query).collect()} == {sales}

    def test_of_frames_and_views(self, spark: SparkSession, schema: str, sales: str) -> None:
        spark.sql(f"CREATE VIEW {schema}.eu AS SELECT id, amount AS euros FROM {sales} WHERE region = 'EU'")
        frame = spark.table(f"{schema}.eu").join(spark.table(sales).withColumnRenamed("amount", "all"), "id")
        frame.select(F.col("euros"), (F.col("all") * 2).alias("double")).write.saveAsTable(f"{schema}.both")
        expected = {(sales, "amount", "euros"), (sales, "amount", "double")}
        assert columns_of(spark, f"{schema}.both") == expected
        query = f"SELECT DISTINCT source_table_full_name FROM system.access.table_lineage WHERE target_table_full_name = '{schema}.both'"
        assert {row[0] for row in spark.sql(query).collect()} == {sales, f"{schema}.eu"}

    def test_what_caused_it(self, spark: SparkSession, server: Server, schema: str, sales: str) -> None:
        remote = f"{server.spark_remote()};x-boathouse-entity=JOB:42:7"
        session = SparkSession.builder.remote(remote).create()
        try:
            session.sql(f"CREATE TABLE {schema}.by_job AS SELECT * FROM {sales}")
        finally:
            session.stop()
        query = f"SELECT entity_type, entity_id, entity_run_id FROM system.access.table_lineage WHERE target_table_full_name = '{schema}.by_job'"
        assert eventually(lambda: spark.sql(query).collect()) == [Row(entity_type="JOB", entity_id="42", entity_run_id="7")]


class TestCommits:
    def test_every_commit_has_its_user(self, spark: SparkSession, schema: str, user: User, grant: Callable[..., None]) -> None:
        name, session = user
        grant("schema", schema, name, "USE SCHEMA", "CREATE TABLE")
        grant("catalog", "main", name, "USE CATALOG")
        table = f"{schema}.made"
        session.sql(f"CREATE TABLE {table} AS SELECT 1 AS id, 'a' AS x")
        session.sql(f"INSERT INTO {table} VALUES (2, 'b')")
        grant("table", table, "account users", "ALL PRIVILEGES")
        spark.sql(f"UPDATE {table} SET x = 'c' WHERE id = 1")
        spark.sql(f"MERGE INTO {table} t USING (SELECT 3 AS id, 'd' AS x) s ON t.id = s.id WHEN NOT MATCHED THEN INSERT *")
        spark.createDataFrame([(4, "e")], "id int, x string").writeTo(table).append()
        session.sql(f"DELETE FROM {table} WHERE id = 2")
        session.sql(f"OPTIMIZE {table}")
        session.sql(f"ALTER TABLE {table} SET TBLPROPERTIES ('a' = 'b')")
        spark.sql(f"RESTORE TABLE {table} TO VERSION AS OF 1")
        rows = spark.sql(f"DESCRIBE HISTORY {table}").sort("version").collect()
        root = "root@localhost"
        assert [row.userName for row in rows] == [name, name, root, root, root, name, name, name, root]
        assert all(row.userId for row in rows)
        assert len({row.userId for row in rows}) == 2

    def test_what_caused_it_is_told(self, spark: SparkSession, server: Server, schema: str) -> None:
        table = f"{schema}.caused"
        spark.sql(f"CREATE TABLE {table} (id INT)")
        for number, entity in enumerate(("JOB:42:7", "NOTEBOOK:n1")):
            session = SparkSession.builder.remote(f"{server.spark_remote()};x-boathouse-entity={entity}").create()
            try:
                session.sql(f"INSERT INTO {table} VALUES ({number})")
                session.sql(f"OPTIMIZE {table}")
            finally:
                session.stop()
        rows = spark.sql(f"DESCRIBE HISTORY {table}").sort("version").collect()
        causes = [(row.job and (row.job.jobId, row.job.runId), row.notebook and row.notebook.notebookId) for row in rows]
        assert causes[0] == (None, None)
        assert set(causes[1:]) == {(("42", "7"), None), (None, "n1")}
        answer = server.client().get(f"/api/boathouse/v1/tables/{table}/history").json()["history"]
        assert {(one["user"], one["entity_type"], one["entity_id"]) for one in answer} == {
            ("root@localhost", None, None),
            ("root@localhost", "JOB", "42"),
            ("root@localhost", "NOTEBOOK", "n1"),
        }


class TestHistory:
    def test_queries_and_audit(self, spark: SparkSession, user: User, sales: str) -> None:
        name, session = user
        mark = uuid.uuid4().hex
        spark.sql(f"SELECT '{mark}' AS mark, id FROM {sales}").collect()
        with pytest.raises(AnalysisException, match="INSUFFICIENT_PERMISSIONS"):
            session.sql(f"SELECT '{mark}' AS mark FROM {sales}").collect()
        with pytest.raises(AnalysisException):
            spark.sql(f"SELECT '{mark}' AS mark, nothing FROM {sales}").collect()
        history = (
            "SELECT executed_by, execution_status, statement_type FROM system.query.history "
            f"WHERE statement_text LIKE '%{mark}%' AND statement_text NOT LIKE '%system.query%'"
        )
        expected = {
            ("root@localhost", "FINISHED", "SELECT"),
            (name, "FAILED", "SELECT"),
            ("root@localhost", "FAILED", "SELECT"),
        }
        assert {tuple(row) for row in spark.sql(history).collect()} == expected
        audit = (
            "SELECT user_identity.email, response.status_code FROM system.access.audit "
            f"WHERE action_name = 'executePlan' AND request_params['statement'] LIKE '%{mark}%FROM {sales}%' ORDER BY 2"
        )
        found = {tuple(row) for row in spark.sql(audit).collect() if row[1] != 400}
        assert {("root@localhost", 200), (name, 403)} <= found

    def test_only_admins_read_it(self, user: User) -> None:
        _, session = user
        for table in ("access.audit", "access.table_lineage", "access.column_lineage", "query.history"):
            with pytest.raises(AnalysisException, match="INSUFFICIENT_PERMISSIONS"):
                session.table(f"system.{table}").count()

    def test_nobody_writes_it(self, spark: SparkSession, location: Callable[[str], str]) -> None:
        path = location("system.access.audit")
        for text in (
            f"DELETE FROM delta.`{path}`",
            f"VACUUM delta.`{path}`",
            f"RESTORE TABLE delta.`{path}` TO VERSION AS OF 0",
            f"ALTER TABLE delta.`{path}` SET TBLPROPERTIES ('delta.appendOnly' = 'false')",
            f"CREATE TABLE main.default.stolen USING delta LOCATION '{path}'",
            "UPDATE system.access.audit SET action_name = 'x'",
            "RESTORE TABLE system.access.audit TO VERSION AS OF 0",
            "VACUUM system.access.audit",
            "TRUNCATE TABLE system.access.audit",
            "ALTER TABLE system.access.audit SET TBLPROPERTIES ('delta.appendOnly' = 'false')",
            "DROP SCHEMA system.access CASCADE",
            "DELETE FROM system.access.audit",
            "INSERT INTO system.access.audit SELECT * FROM system.access.audit",
            "DROP TABLE system.access.audit",
            "CREATE OR REPLACE TABLE system.access.audit AS SELECT 1 AS a",
        ):
            with pytest.raises(AnalysisException):
                spark.sql(text)
        rows = spark.createDataFrame([(1,)], "a int").write.mode("overwrite")
        for place in (path, f"{path}/_delta_log", path.rpartition("/")[0]):
            with pytest.raises(AnalysisException, match="written by the server alone"):
                rows.format("delta").option("overwriteSchema", "true").save(place)
            with pytest.raises(AnalysisException, match=r"written by the server alone|of another format would break"):
                rows.parquet(place)
        assert spark.table("system.access.audit").count() > 0


def test_links_of_a_plan() -> None:
    plan = """== Parsed Logical Plan ==
Projection: t.#0 AS #4, upper(CAST(t.#1 AS Utf8)) AS u AS #5, (<subquery>) AS m AS #6
  Subquery:
    Projection: max(o.#2) AS #3
      Aggregate: groupBy=[[]], aggr=[[max(o.#2)]]
        SubqueryAlias: __bh2
          Projection: ?table?.x AS #2
            TableScan: ?table?
  SubqueryAlias: t
    SubqueryAlias: __bh1
      Projection: ?table?.a AS #0, ?table?.b AS #1
        TableScan: ?table?

== Physical Plan ==
ProjectionExec: expr=[#4@0 as a, #5@1 as u, #6@2 as m]
"""
    assert links(plan, {"__bh1": "c.s.one", "__bh2": "c.s.two"}) == [
        Link("a", "c.s.one", "a"),
        Link("u", "c.s.one", "b"),
        Link("m", "c.s.two", "x"),
    ]
