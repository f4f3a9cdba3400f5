"""Who may name which table and which path."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession

from tests.conftest import Server

Grant = Callable[..., None]
User = tuple[str, SparkSession]
MakeVolume = Callable[[str, str], str]
UC = "/api/2.1/unity-catalog"
REFUSED = "INSUFFICIENT_PERMISSIONS"


class TestVolumes:
    def test_files_are_written_and_read(self, spark: SparkSession, schema: str, volume: MakeVolume) -> None:
        path = volume(schema, "v")
        for source in ("csv", "json", "parquet", "delta", "text"):
            frame = spark.range(3).selectExpr("cast(id AS string) AS value")
            frame.write.format(source).mode("overwrite").save(f"{path}/{source}")
            assert spark.read.format(source).load(f"{path}/{source}").count() == 3
        assert spark.read.json(f"dbfs:{path}/json").count() == 3
        assert spark.read.json(f"{path}/js*/*.json").count() == 3
        assert spark.read.format("json").option("path", f"{path}/json").load().count() == 3
        assert spark.read.json([f"{path}/json", f"{path}/json"]).count() == 6
        assert spark.sql(f"SELECT * FROM json.`{path}/json`").count() == 3
        assert spark.sql(f"SELECT * FROM delta.`{path}/delta`").count() == 3
        assert spark.table(f"delta.`{path}/delta`").count() == 3

    def test_a_missing_path_is_an_error(self, spark: SparkSession, schema: str, volume: MakeVolume) -> None:
        path = volume(schema, "v")
        with pytest.raises(AnalysisException, match="PATH_NOT_FOUND"):
            spark.read.json(f"{path}/nothing").count()
        with pytest.raises(AnalysisException, match="does not exist"):
            spark.read.json(f"/Volumes/{schema.replace('.', '/')}/other/x").count()
        with pytest.raises(AnalysisException, match="not absolute"):
            spark.read.json("some/file.json").count()

    def test_privileges(self, spark: SparkSession, schema: str, volume: MakeVolume, user: User, grant: Grant) -> None:
        name, session = user
        path = volume(schema, "v")
        spark.range(3).write.json(f"{path}/json")
        with pytest.raises(AnalysisException, match=REFUSED):
            session.read.json(f"{path}/json").count()
        grant("schema", schema, name, "USE SCHEMA")
        grant("volume", f"{schema}.v", name, "READ VOLUME")
        assert session.read.json(f"{path}/json").count() == 3
        with pytest.raises(AnalysisException, match="WRITE VOLUME"):
            session.range(1).write.json(f"{path}/more")
        with pytest.raises(AnalysisException, match="WRITE VOLUME"):
            session.sql(f"INSERT OVERWRITE DIRECTORY '{path}/more' USING json SELECT 1 AS a")
        grant("volume", f"{schema}.v", name, "WRITE VOLUME")
        session.range(1).write.json(f"{path}/more")


class TestReadOnlyPlaces:
    def test_an_admin_writes_nothing_there_by_path(self, server: Server, spark: SparkSession, tmp_path: Path) -> None:
        place = tmp_path / "kept"
        spark.range(2).write.format("delta").save(f"{place}/t")
        client = server.client()
        name = f"kept-{tmp_path.name}".replace("_", "-")
        made = client.post(f"{UC}/external-locations", json={"name": name, "url": place.as_uri(), "read_only": True})
        made.raise_for_status()
        linked = tmp_path / "linked"
        linked.symlink_to(place)
        for write in (
            lambda: spark.range(1).write.format("delta").mode("append").save(f"{place}/t"),
            lambda: spark.range(1).write.format("delta").mode("append").save(f"file://{linked}/t"),
            lambda: spark.range(1).write.json(f"{place}/files"),
            lambda: spark.sql(f"INSERT INTO delta.`{place}/t` SELECT 7L"),
            lambda: spark.sql(f"DELETE FROM delta.`{place}/t`"),
            lambda: spark.sql(f"OPTIMIZE delta.`{place}/t`"),
            lambda: spark.sql(f"VACUUM delta.`{place}/t` RETAIN 200 HOURS"),
            lambda: spark.sql(f"INSERT OVERWRITE DIRECTORY '{place}/more' USING json SELECT 1 AS a"),
            lambda: spark.range(1).writeTo(f"delta.`{place}/t`").append(),
        ):
            with pytest.raises(AnalysisException, match="reading alone"):
                write()
        assert spark.read.format("delta").load(f"{place}/t").count() == 2
        client.patch(f"{UC}/external-locations/{name}", json={"read_only": False}).raise_for_status()
        spark.range(1).write.format("delta").mode("append").save(f"{place}/t")
        client.delete(f"{UC}/external-locations/{name}").raise_for_status()


class TestFunctions:
    def test_the_engines_are_listed_where_a_schema_may_not_be_used(self, schema: str, user: User) -> None:
        _, session = user
        names = {one.name for one in session.catalog.listFunctions()}
        assert {"upper", "abs"} <= names
        assert session.sql("SHOW FUNCTIONS LIKE 'upper'").count() == 1
        with pytest.raises(AnalysisException, match=r"USE SCHEMA|BROWSE"):
            session.catalog.listFunctions(schema)


class TestDbfs:
    def test_everybody_reads_and_writes_it(
        self, server: Server, spark: SparkSession, user: User, tmp_path: Path, schema: str
    ) -> None:
        _, session = user
        place, root = f"dbfs:/tests/{schema}", server.root / "dbfs"
        session.range(3).write.format("delta").save(f"{place}/ids")
        assert (root / "tests" / schema / "ids" / "_delta_log").is_dir()
        assert spark.read.format("delta").load(f"{place}/ids").count() == 3
        assert session.sql(f"SELECT * FROM delta.`{place}/ids`").count() == 3
        session.range(2).write.json(f"/databricks-datasets/{schema}")
        assert spark.read.json(f"dbfs:/databricks-datasets/{schema}/*.json").count() == 2
        # It is no way to other files of the machine or of the lake.
        pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "secret.parquet")
        (root / "tests" / schema / "link").symlink_to(tmp_path)
        for wrong in (
            f"{place}/link",
            f"{place}/link/secret.parquet",
            f"{place}/../../../tables",
            "dbfs:/..",
            "dbfs:/../tables/*",
        ):
            with pytest.raises(AnalysisException, match=r"leads out of the DBFS root|holds '.' or '..'"):
                session.read.parquet(wrong).count()
        with pytest.raises(AnalysisException, match="PATH_NOT_FOUND"):
            session.read.parquet("dbfs:/tests/nothing").count()
        with pytest.raises(AnalysisException, match="PATH_NOT_FOUND"):
            session.read.text(f"dbfs:{FILE}").count()


class TestTables:
    def test_reading_needs_select(self, spark: SparkSession, schema: str, user: User, grant: Grant) -> None:
        name, session = user
        spark.sql(f"CREATE TABLE {schema}.t AS SELECT 1 AS a")
        grant("schema", schema, name, "USE SCHEMA")
        grant("table", f"{schema}.t", name, "MODIFY")
        queries = (
            f"SELECT * FROM {schema}.t",
            f"WITH x AS (SELECT * FROM {schema}.t) SELECT * FROM x",
            f"SELECT (SELECT max(a) FROM {schema}.t)",
            f"SELECT * FROM range(1), {schema}.t",
            f"SELECT * FROM `{schema.split('.', maxsplit=1)[0]}`.{schema.split('.')[1]}./**/t",
            f"DESCRIBE HISTORY {schema}.t",
            f"SELECT * FROM {schema}.t VERSION AS OF 0",
        )
        for query in queries:
            with pytest.raises(AnalysisException, match="does not have SELECT"):
                session.sql(query).collect()
        with pytest.raises(AnalysisException, match=f"does not have SELECT on table '{schema}.t'"):
            session.table(f"{schema}.t").collect()
        session.sql(f"INSERT INTO {schema}.t VALUES (2)")
        grant("table", f"{schema}.t", name, "SELECT")
        assert session.table(f"{schema}.t").count() == 2

    def test_writing_needs_modify(self, spark: SparkSession, schema: str, user: User, grant: Grant) -> None:
        name, session = user
        spark.sql(f"CREATE TABLE {schema}.t AS SELECT 1L AS id")
        grant("schema", schema, name, "USE SCHEMA")
        grant("table", f"{schema}.t", name, "SELECT")
        table = f"{schema}.t"
        attempts: list[Callable[[], object]] = [
            lambda: session.sql(f"INSERT INTO {table} VALUES (2)"),
            lambda: session.sql(f"INSERT OVERWRITE {table} SELECT 2"),
            lambda: session.sql(f"WITH x AS (SELECT 1L) INSERT INTO {table} SELECT * FROM x"),
            lambda: session.sql(f"UPDATE {table} SET id = 2"),
            lambda: session.sql(f"DELETE FROM {table}"),
            lambda: session.sql(f"TRUNCATE TABLE {table}"),
            lambda: session.sql(f"MERGE INTO {table} t USING range(1) s ON t.id = s.id WHEN MATCHED THEN DELETE"),
            lambda: session.sql(f"ALTER TABLE {table} SET TBLPROPERTIES ('a'='b')"),
            lambda: session.range(1).write.mode("append").saveAsTable(table),
            lambda: session.range(1).write.mode("overwrite").saveAsTable(table),
            lambda: session.range(1).write.insertInto(table),
            lambda: session.range(1).writeTo(table).append(),
            lambda: session.range(1).writeTo(table).createOrReplace(),
        ]
        for attempt in attempts:
            with pytest.raises(AnalysisException, match="does not have MODIFY"):
                attempt()
        with pytest.raises(AnalysisException, match="does not have MANAGE"):
            session.sql(f"CREATE OR REPLACE TABLE {table} AS SELECT 1 AS a")
        with pytest.raises(AnalysisException, match="CREATE TABLE"):
            session.sql(f"CREATE TABLE {schema}.mine AS SELECT 1 AS a")
        with pytest.raises(AnalysisException, match=REFUSED):
            session.sql(f"DROP TABLE {table}")
        grant("schema", schema, name, "CREATE TABLE")
        session.sql(f"CREATE TABLE {schema}.mine (a INT)")
        session.sql(f"INSERT INTO {schema}.mine VALUES (1)")
        assert session.table(f"{schema}.mine").count() == 1
        assert spark.table(table).count() == 1

    def test_a_table_by_its_path(
        self, spark: SparkSession, schema: str, user: User, grant: Grant, location: Callable[[str], str]
    ) -> None:
        name, session = user
        spark.sql(f"CREATE TABLE {schema}.t AS SELECT 1L AS id")
        path = location(f"{schema}.t")
        grant("schema", schema, name, "USE SCHEMA")
        for read in (
            lambda: session.read.format("delta").load(path).count(),
            lambda: session.read.parquet(f"file://{path}/").count(),
            lambda: session.sql(f"SELECT * FROM delta.`{path}`").count(),
            lambda: session.sql(f"SELECT * FROM parquet.`{path}/*.parquet`").count(),
        ):
            with pytest.raises(AnalysisException, match="does not have SELECT"):
                read()
        grant("table", f"{schema}.t", name, "SELECT")
        assert session.sql(f"SELECT * FROM delta.`{path}`").count() == 1
        with pytest.raises(AnalysisException, match="does not have MODIFY"):
            session.range(1).write.format("delta").mode("append").save(path)


FILE = "/etc/hostname"


class TestPaths:
    @pytest.mark.parametrize(
        "path",
        [
            FILE,
            f"file:{FILE}",
            f"file://{FILE}",
            f"FILE://localhost{FILE}",
            f"dbfs:/../../..{FILE}",
            "/etc/host*",
            "/etc/{hostname,hosts}",
            "../../../../etc/hostname",
            "/Volumes/main/default/v/../../../../etc/hostname",
            "/Volumes/main/default/v/{.,x}{.,x}/y",
            "/Volumes/main/default/v/%2e%2e/y",
            "/proc/self/environ",
            "s3://bucket/key",
            "http://127.0.0.1:1/x",
        ],
    )
    def test_no_other_file_is_read(self, user: User, path: str) -> None:
        _, session = user
        with pytest.raises(AnalysisException, match=REFUSED):
            session.read.text(path).collect()
        with pytest.raises(AnalysisException, match=REFUSED):
            session.sql(f"SELECT * FROM text.`{path}`").collect()

    @pytest.mark.parametrize(
        "statement",
        [
            f"SELECT * FROM `text`.`{FILE}`",
            f"SELECT * FROM TEXT . /* x */ `{FILE}`",
            f"SELECT (SELECT max(value) FROM text.`{FILE}`)",
            f"CREATE TEMPORARY VIEW v USING text OPTIONS (path '{FILE}')",
            f"CREATE TEMPORARY VIEW v USING text OPTIONS ('PATH' = r'{FILE}')",
            "CREATE TEMPORARY VIEW v USING text OPTIONS (path '/etc/' 'hostname')",
            f"CREATE TABLE main.default.t USING text LOCATION '{FILE}'",
            f"SELECT * FROM identifier('text.`{FILE}`')",
            "INSERT OVERWRITE DIRECTORY '/tmp/outside' USING json SELECT 1",
            "INSERT INTO delta.`/tmp/outside` SELECT 1",
        ],
    )
    def test_no_statement_names_one(self, user: User, statement: str) -> None:
        _, session = user
        with pytest.raises(AnalysisException, match=REFUSED):
            session.sql(statement).collect()

    def test_no_plan_names_one(self, server: Server, user: User) -> None:
        _, session = user
        attempts: list[Callable[[], object]] = [
            lambda: session.sql("SELECT * FROM identifier(:t)", args={"t": f"text.`{FILE}`"}).collect(),
            lambda: session.table(f"text.`{FILE}`").collect(),
            lambda: session.range(1).selectExpr(f"(SELECT max(value) FROM text.`{FILE}`)").collect(),
            lambda: session.read.format("text").option("PATH", FILE).load().collect(),
            lambda: session.read.text(FILE).schema,
            lambda: session.read.text(FILE).explain(),
            lambda: session.read.text(FILE).createOrReplaceTempView("hosts"),
            lambda: session.catalog.createTable("main.default.hosts", path=FILE, source="text"),
            lambda: session.range(1).write.text("/tmp/outside"),
            lambda: session.range(1).write.insertInto("text.`/tmp/outside`"),
            lambda: session.read.text(str(server.root / "metadata.db")).collect(),
            lambda: session.read.text(str(server.root / "run" / "*" / "*")).collect(),
        ]
        for attempt in attempts:
            with pytest.raises(AnalysisException, match=REFUSED):
                attempt()

    def test_paths_as_mere_values_are_left_alone(self, user: User) -> None:
        _, session = user
        row = session.sql(f"SELECT '/' AS a, regexp_replace('a/b', '/', '') AS b, '{FILE}' AS c").collect()[0]
        assert tuple(row) == ("/", "ab", FILE)

    def test_an_admin_reads_local_files(self, spark: SparkSession) -> None:
        assert spark.read.text(f"file:{FILE}").count() == 1
