"""Views, functions, row filters and column masks hold for every reader, in SQL and in DataFrames."""

import uuid
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from pyspark.errors import AnalysisException, ParseException, PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - its usual name

from tests.conftest import Server

Grant = Callable[..., None]
User = tuple[str, SparkSession]


def rows(frame: DataFrame) -> list[tuple[object, ...]]:
    return sorted(tuple(row) for row in frame.collect())


@pytest.fixture
def people(spark: SparkSession, schema: str) -> str:
    """A table of four people in two regions."""
    name = f"{schema}.people"
    spark.sql(f"CREATE TABLE {name} (id INT, name STRING, region STRING, salary INT)")
    spark.sql(f"INSERT INTO {name} VALUES (1,'ann','EU',100),(2,'bob','US',200),(3,'cid','EU',300),(4,'dan','US',400)")
    return name


@pytest.fixture
def filtered(spark: SparkSession, schema: str, people: str) -> str:
    """The same, of which all but admins see Europe only, without salaries."""
    spark.sql(
        f"CREATE FUNCTION {schema}.only_eu(region STRING) RETURNS BOOLEAN "
        "RETURN is_account_group_member('admins') OR region = 'EU'"
    )
    spark.sql(
        f"CREATE FUNCTION {schema}.hide(salary INT) RETURNS INT "
        "RETURN CASE WHEN is_account_group_member('admins') THEN salary ELSE -1 END"
    )
    spark.sql(f"ALTER TABLE {people} SET ROW FILTER {schema}.only_eu ON (region)")
    spark.sql(f"ALTER TABLE {people} ALTER COLUMN salary SET MASK {schema}.hide")
    return people


@pytest.fixture
def reader(schema: str, user: User, grant: Grant) -> User:
    """A user who may enter the schema."""
    grant("schema", schema, user[0], "USE SCHEMA")
    return user


class TestViews:
    def test_a_view_is_read_with_its_owners_privileges(
        self, spark: SparkSession, schema: str, people: str, reader: User, grant: Grant
    ) -> None:
        name, session = reader
        spark.sql(f"CREATE VIEW {schema}.eu COMMENT 'Europe' AS SELECT id, name FROM {people} WHERE region = 'EU'")
        grant("table", f"{schema}.eu", name, "SELECT")
        assert rows(session.sql(f"SELECT * FROM {schema}.eu")) == [(1, "ann"), (3, "cid")]
        assert rows(session.table(f"{schema}.eu").filter("id > 1")) == [(3, "cid")]
        assert rows(session.sql(f"SELECT eu.name, people.n FROM {schema}.eu, (SELECT 1 AS n) people")) == [
            ("ann", 1),
            ("cid", 1),
        ]
        with pytest.raises(AnalysisException, match="INSUFFICIENT_PERMISSIONS"):
            session.table(people).count()

    @pytest.mark.usefixtures("people")
    def test_views_on_views_and_short_names(self, spark: SparkSession, schema: str) -> None:
        spark.sql(f"USE {schema}")
        spark.sql(
            "CREATE VIEW a AS WITH k AS (SELECT * FROM people) SELECT k.id, people.region FROM k JOIN people ON k.id = people.id"
        )
        spark.sql(
            "CREATE OR REPLACE VIEW b (number, place COMMENT 'where') AS SELECT * FROM a WHERE id IN (SELECT id FROM people)"
        )
        spark.sql("USE main.default")
        assert rows(spark.sql(f"SELECT * FROM {schema}.b")) == [(1, "EU"), (2, "US"), (3, "EU"), (4, "US")]
        assert spark.table(f"{schema}.b").columns == ["number", "place"]
        spark.sql(f"ALTER VIEW {schema}.a AS SELECT 7 AS id, 'x' AS region")
        assert rows(spark.sql(f"SELECT * FROM {schema}.b")) == []

    def test_a_view_that_contains_itself(self, spark: SparkSession, schema: str) -> None:
        spark.sql(f"CREATE VIEW {schema}.a AS SELECT 1 AS x")
        spark.sql(f"CREATE VIEW {schema}.b AS SELECT * FROM {schema}.a")
        spark.sql(f"ALTER VIEW {schema}.a AS SELECT * FROM {schema}.b")
        with pytest.raises(AnalysisException, match="contain themselves"):
            spark.sql(f"SELECT * FROM {schema}.a")

    def test_what_the_owner_lost_is_lost(
        self,
        server: Server,
        schema: str,
        people: str,
        reader: User,
        grant: Grant,
        connect: Callable[..., SparkSession],
    ) -> None:
        name, session = reader
        owner = f"o{uuid.uuid4().hex[:8]}@example.com"
        owners = connect(server.new_principal(owner))
        grant("schema", schema, owner, "USE SCHEMA", "CREATE TABLE")
        grant("table", people, owner, "SELECT")
        owners.sql(f"CREATE VIEW {schema}.v AS SELECT id FROM {people}")
        grant("table", f"{schema}.v", name, "SELECT")
        assert session.table(f"{schema}.v").count() == 4
        body = {"changes": [{"principal": owner, "remove": ["SELECT"]}]}
        server.client().patch(f"/api/2.1/unity-catalog/permissions/table/{people}", json=body).raise_for_status()
        with pytest.raises(AnalysisException, match="INSUFFICIENT_PERMISSIONS"):
            session.table(f"{schema}.v").count()

    def test_dynamic_views(self, spark: SparkSession, schema: str, people: str, reader: User, grant: Grant) -> None:
        name, session = reader
        spark.sql(
            f"CREATE VIEW {schema}.mine AS SELECT current_user() AS who, is_account_group_member('admins') AS admin, "
            f"count(*) AS n FROM {people} WHERE is_member('admins') OR region = 'US'"
        )
        grant("table", f"{schema}.mine", name, "SELECT")
        assert rows(session.table(f"{schema}.mine")) == [(name, False, 2)]
        assert rows(spark.table(f"{schema}.mine")) == [("root@localhost", True, 4)]

    def test_wrong_views(self, spark: SparkSession, schema: str, people: str) -> None:
        spark.range(1).createOrReplaceTempView("short_lived")
        for query, match in {
            "SELECT * FROM short_lived": "temporary view",
            "SELECT id, id FROM people_": "does not exist",
            f"SELECT id, id FROM {people}": "more than one column named id",
            f"SELECT nothing FROM {people}": "nothing",
            "SELECT * FROM text.`/etc/hostname`": "is a path",
        }.items():
            with pytest.raises(AnalysisException, match=match):
                spark.sql(f"CREATE VIEW {schema}.wrong AS {query}")
        with pytest.raises((AnalysisException, ParseException), match="expected AS and a query"):
            spark.sql(f"CREATE VIEW {schema}.wrong SELECT 1")
        spark.sql(f"CREATE VIEW {schema}.v AS SELECT 1 AS x")
        with pytest.raises(AnalysisException, match="is a view"):
            spark.sql(f"SELECT * FROM {schema}.v VERSION AS OF 1")
        with pytest.raises(AnalysisException, match="already exists"):
            spark.sql(f"CREATE VIEW {schema}.v AS SELECT 1 AS x")
        spark.sql(f"CREATE VIEW IF NOT EXISTS {schema}.v AS SELECT 2 AS x")
        with pytest.raises(AnalysisException, match="is a table, not a view"):
            spark.sql(f"DROP VIEW {people}")
        spark.sql(f"DROP VIEW {schema}.v")
        spark.sql(f"DROP VIEW IF EXISTS {schema}.v")
        with pytest.raises(AnalysisException, match="does not exist"):
            spark.sql(f"DROP VIEW {schema}.v")


class TestFunctions:
    def test_defaults_are_checked_when_a_function_is_made(self, spark: SparkSession, schema: str) -> None:
        spark.sql(f"CREATE TABLE {schema}.rates AS SELECT 7 AS rate")
        spark.sql(f"USE {schema}")
        spark.sql(
            f"CREATE FUNCTION {schema}.rated(a INT, b INT DEFAULT (SELECT max(rate) FROM rates)) RETURNS INT RETURN a * b"
        )
        spark.sql("USE main.default")
        assert spark.sql(f"SELECT {schema}.rated(2), {schema}.rated(2, 3)").collect() == [(14, 6)]
        for parameters, said in (
            ("a INT DEFAULT nope", "nope"),
            ("a INT DEFAULT (SELECT x FROM nowhere)", "nowhere"),
            ("a INT DEFAULT 1, b INT", "b needs a DEFAULT"),
        ):
            with pytest.raises(AnalysisException, match=said):
                spark.sql(f"CREATE FUNCTION {schema}.wrong({parameters}) RETURNS INT RETURN a")

    def test_scalar_functions(self, spark: SparkSession, schema: str, people: str) -> None:
        spark.sql(f"CREATE FUNCTION {schema}.plus(a INT, b INT DEFAULT 1) RETURNS INT COMMENT 'a sum' RETURN a + b")
        named = spark.sql(
            f"SELECT {schema}.plus(a => 4), {schema}.plus(1, b => {schema}.plus(b => 2, a => 3)), abs(expr => -1)"
        )
        assert rows(named) == [(5, 6, 1)]
        for call, word in (
            ("plus(b => 1, 2)", "stand before"),
            ("plus(c => 1)", "no parameter c"),
            ("plus(1, a => 1)", "twice"),
        ):
            with pytest.raises(AnalysisException, match=word):
                spark.sql(f"SELECT {schema}.{call}").collect()
        spark.sql(f"CREATE FUNCTION {schema}.twice(a INT) RETURNS INT RETURN {schema}.plus(a, a)")
        spark.sql(f"USE {schema}")
        found = rows(spark.sql("SELECT plus(1, 2), plus(5), twice(plus(id, 1)) FROM people WHERE twice(id) = 2"))
        spark.sql("USE main.default")
        assert found == [(3, 6, 4)]
        assert rows(spark.table(people).selectExpr(f"{schema}.plus(id, salary)").limit(1)) == [(101,)]

    def test_functions_that_query(self, spark: SparkSession, schema: str, people: str, reader: User, grant: Grant) -> None:
        name, session = reader
        spark.sql(f"CREATE FUNCTION {schema}.total() RETURNS BIGINT RETURN (SELECT sum(salary) FROM {people})")
        spark.sql(
            f"CREATE FUNCTION {schema}.among(r STRING) RETURNS TABLE (who STRING) RETURN SELECT name FROM {people} WHERE region = r"
        )
        with pytest.raises(AnalysisException, match="INSUFFICIENT_PERMISSIONS"):
            session.sql(f"SELECT {schema}.total()").collect()
        grant("function", f"{schema}.total", name, "EXECUTE")
        grant("function", f"{schema}.among", name, "EXECUTE")
        assert rows(session.sql(f"SELECT {schema}.total() AS t")) == [(1000,)]
        assert rows(session.sql(f"SELECT who FROM {schema}.among('US') WHERE who > 'c'")) == [("dan",)]

    def test_python_functions(self, spark: SparkSession, schema: str, people: str, reader: User, grant: Grant) -> None:
        name, session = reader
        spark.sql(
            f"CREATE FUNCTION {schema}.shout(s STRING) RETURNS STRING LANGUAGE PYTHON DETERMINISTIC AS $$\n"
            "  import re\n  return re.sub('n', 'N', s).upper() + '!' if s else None\n$$"
        )
        grant("function", f"{schema}.shout", name, "EXECUTE")
        assert rows(session.sql(f"SELECT {schema}.shout('an')")) == [("AN!",)]
        assert rows(spark.sql(f"SELECT {schema}.shout(name) FROM {people} WHERE id = 1")) == [("ANN!",)]
        spark.sql(f"CREATE OR REPLACE FUNCTION {schema}.shout(s STRING) RETURNS STRING LANGUAGE PYTHON AS $$ return 'other' $$")
        assert rows(spark.sql(f"SELECT {schema}.shout(name) FROM {people} WHERE id = 1")) == [("other",)]

    def test_wrong_functions(self, spark: SparkSession, schema: str) -> None:
        for text, match in {
            "f(a INT) RETURNS INT RETURN b + 1": "b",
            "f(a INT) RETURNS NUMBERS RETURN 1": "(?i)numbers|type",
            "f(a INT) RETURNS INT LANGUAGE R AS $$ 1 $$": "Valid: SQL, PYTHON|expected RETURN",
            "f(a INT) RETURNS INT LANGUAGE PYTHON AS $$ return ( $$": "no valid Python",
            "f(a INT, a INT) RETURNS INT RETURN 1": "a name that no other has",
        }.items():
            with pytest.raises(AnalysisException, match=match):
                spark.sql(f"CREATE FUNCTION {schema}.{text}")
        spark.sql(f"CREATE FUNCTION {schema}.g(a INT) RETURNS INT RETURN a")
        with pytest.raises(AnalysisException, match="takes \\(a INT\\)"):
            spark.sql(f"SELECT {schema}.g(1, 2)").collect()
        spark.sql(f"DROP FUNCTION {schema}.g")
        with pytest.raises(AnalysisException):
            spark.sql(f"SELECT {schema}.g(1)").collect()

    def test_a_functions_of_the_session_hides_one_of_the_catalog(self, spark: SparkSession, schema: str) -> None:
        spark.sql(f"CREATE FUNCTION {schema}.h(a INT) RETURNS STRING RETURN 'catalog'")
        spark.udf.register("h", lambda _: "session")
        spark.sql(f"USE {schema}")
        found = rows(spark.sql("SELECT h(1)"))
        spark.sql("USE main.default")
        assert found == [("session",)]

    def test_a_function_in_a_frame_hides_none(self, spark: SparkSession, schema: str) -> None:
        spark.sql(f"CREATE FUNCTION {schema}.inlined(a INT) RETURNS STRING RETURN 'catalog'")

        def inlined(_):
            return "frame"

        assert rows(spark.range(1).select(F.udf(inlined)("id"))) == [("frame",)]
        spark.sql(f"USE {schema}")
        found = rows(spark.sql("SELECT inlined(1)"))
        spark.sql("USE main.default")
        assert found == [("catalog",)]


class TestPolicies:
    def test_filter_and_mask(self, spark: SparkSession, filtered: str, reader: User, grant: Grant) -> None:
        name, session = reader
        grant("table", filtered, name, "SELECT")
        expected = [(1, "ann", "EU", -1), (3, "cid", "EU", -1)]
        assert rows(session.sql(f"SELECT * FROM {filtered}")) == expected
        assert rows(session.table(filtered)) == expected
        assert session.table(filtered).schema == spark.table(filtered).schema
        assert session.table(filtered).agg(F.max("salary")).first() == (-1,)
        assert len(rows(spark.table(filtered))) == 4

    def test_what_a_reader_compares_finds_what_it_sees_and_no_more(self, filtered: str, reader: User, grant: Grant) -> None:
        name, session = reader
        grant("table", filtered, name, "SELECT")
        for condition, ids in {
            "id = 1": [1],
            "id = 2": [],
            "id IN (1, 2, 3) AND region = 'EU'": [1, 3],
            "name >= 'b' AND name < 'd'": [3],
            "salary = 100": [],
            "salary = -1 AND id > 1": [3],
            "id = '1'": [1],
            "id = 1 OR id = 3": [1, 3],
            "id BETWEEN 1 AND 2": [1],
        }.items():
            found = session.sql(f"SELECT id FROM {filtered} WHERE {condition} ORDER BY id").collect()
            assert [row.id for row in found] == ids, condition
        both = f"SELECT a.id FROM {filtered} a WHERE a.id = 1 UNION ALL SELECT b.id FROM {filtered} b WHERE b.id = 3"
        assert rows(session.sql(both)) == [(1,), (3,)]
        outer = f"SELECT r.id, t.name FROM range(4) r LEFT JOIN (SELECT * FROM {filtered} WHERE id = 3) t ON t.id = r.id"
        assert rows(session.sql(outer).where("r.id > 2")) == [(3, "cid")]

    def test_filters_of_frames_skip_files(
        self, spark: SparkSession, filtered: str, reader: User, grant: Grant, location: Callable[[str], str]
    ) -> None:
        spark.sql(f"INSERT INTO {filtered} VALUES (101,'eve','EU',500),(102,'fay','EU',600)")
        name, session = reader
        grant("table", filtered, name, "SELECT")
        files = DeltaTable(location(filtered)).get_add_actions(flatten=True)
        newest = next(one["path"] for one in pa.table(files).to_pylist() if one["max.id"] == 102)
        place = Path(location(filtered)) / newest
        place.rename(f"{place}.aside")
        try:
            # Only because that file is not opened can it be missed.
            table = session.table(filtered)
            assert rows(table.filter(F.col("id") < 50).select("id", "salary")) == [(1, -1), (3, -1)]
            assert rows(table.alias("k").select("id", "region").where("id <= 3 AND region >= 'A'")) == [(1, "EU"), (3, "EU")]
            assert rows(table.sort("id").filter(F.col("id").isin(2, 3)).select("name")) == [("cid",)]
            assert table.filter(F.col("id") == 2).count() == 0
            with pytest.raises(PySparkException, match=r"."):
                table.filter(F.col("id") % 1000 < 50).collect()
        finally:
            Path(f"{place}.aside").rename(place)
        assert rows(table.filter(F.col("id") > 50).select("id")) == [(101,), (102,)]

    def test_what_was_granted_and_bound_holds_for_the_very_next_query(
        self, spark: SparkSession, schema: str, filtered: str, reader: User, grant: Grant
    ) -> None:
        name, session = reader
        query = f"SELECT id, salary FROM {filtered} WHERE id < 3"
        for _ in range(2):
            with pytest.raises(Exception, match="INSUFFICIENT_PERMISSIONS"):
                session.sql(query)
            grant("table", filtered, name, "SELECT")
            assert rows(session.sql(query)) == [(1, -1)]
            spark.sql(f"ALTER TABLE {filtered} ALTER COLUMN salary DROP MASK")
            assert rows(session.sql(query)) == [(1, 100)]
            spark.sql(f"CREATE OR REPLACE FUNCTION {schema}.only_eu(region STRING) RETURNS BOOLEAN RETURN region = 'US'")
            assert rows(session.sql(query)) == [(2, 200)]
            spark.sql(f"CREATE OR REPLACE FUNCTION {schema}.only_eu(region STRING) RETURNS BOOLEAN RETURN region = 'EU'")
            spark.sql(f"ALTER TABLE {filtered} ADD COLUMNS (more INT)")
            assert session.sql(f"SELECT * FROM {filtered}").columns[-1] == "more"
            spark.sql(f"ALTER TABLE {filtered} ALTER COLUMN salary SET MASK {schema}.hide")
            spark.sql(f"ALTER TABLE {filtered} SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name')")
            spark.sql(f"ALTER TABLE {filtered} DROP COLUMN more")
            frame = session.sql(query)
            spark.sql(f"REVOKE SELECT ON TABLE {filtered} FROM `{name}`")
            with pytest.raises(Exception, match="INSUFFICIENT_PERMISSIONS"):
                frame.collect()

    def test_a_filter_with_a_mapping_table(
        self, spark: SparkSession, schema: str, people: str, reader: User, grant: Grant
    ) -> None:
        name, session = reader
        spark.sql(f"CREATE TABLE {schema}.acl (who STRING, region STRING)")
        spark.sql(f"INSERT INTO {schema}.acl VALUES ('{name}', 'US')")
        spark.sql(
            f"CREATE FUNCTION {schema}.mapped(r STRING) RETURNS BOOLEAN "
            f"RETURN EXISTS (SELECT 1 FROM {schema}.acl WHERE who = current_user() AND region = r)"
        )
        spark.sql(f"ALTER TABLE {people} SET ROW FILTER {schema}.mapped ON (region)")
        grant("table", people, name, "SELECT")
        assert [row.id for row in session.table(people).orderBy("id").collect()] == [2, 4]
        assert spark.table(people).count() == 0
        spark.sql(f"ALTER TABLE {people} DROP ROW FILTER")
        assert spark.table(people).count() == 4

    def test_a_mask_in_python_with_more_columns(
        self, spark: SparkSession, schema: str, people: str, reader: User, grant: Grant
    ) -> None:
        name, session = reader
        spark.sql(
            f"CREATE FUNCTION {schema}.initial(s STRING, region STRING, sign STRING) RETURNS STRING LANGUAGE PYTHON AS $$\n"
            "return s[0] + sign + region\n$$"
        )
        spark.sql(f"ALTER TABLE {people} ALTER COLUMN name SET MASK {schema}.initial USING COLUMNS (region, '-')")
        grant("table", people, name, "SELECT")
        assert [row.name for row in session.table(people).orderBy("id").collect()] == ["a-EU", "b-US", "c-EU", "d-US"]
        spark.sql(f"ALTER TABLE {people} ALTER COLUMN name DROP MASK")
        assert session.table(people).filter("name = 'ann'").count() == 1

    def test_versions_from_before_columns_came_went_and_were_renamed(
        self, spark: SparkSession, schema: str, filtered: str, reader: User, grant: Grant
    ) -> None:
        name, session = reader
        grant("table", filtered, name, "SELECT")
        old = f"SELECT * FROM {filtered} VERSION AS OF 1"
        spark.sql(f"ALTER TABLE {filtered} SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name')")
        spark.sql(f"ALTER TABLE {filtered} ADD COLUMN level INT")
        assert rows(session.sql(old)) == [(1, "ann", "EU", -1), (3, "cid", "EU", -1)]
        # The mask goes with its column, whatever has its name later.
        spark.sql(f"ALTER TABLE {filtered} RENAME COLUMN salary TO pay")
        spark.sql(f"ALTER TABLE {filtered} ADD COLUMN salary INT")
        assert rows(session.sql(old)) == [(1, "ann", "EU", -1), (3, "cid", "EU", -1)]
        assert rows(session.sql(f"{old} WHERE salary = 100")) == []
        assert rows(spark.sql(f"{old} WHERE salary = 100")) == [(1, "ann", "EU", 100)]
        spark.sql(f"ALTER TABLE {filtered} DROP COLUMN name")
        assert rows(session.read.option("versionAsOf", 1).table(filtered)) == [(1, "EU", -1), (3, "EU", -1)]
        # A filter on a column that was not there yet finds no value in it, as it does in the rows of then today.
        spark.sql(f"CREATE FUNCTION {schema}.graded(level INT) RETURNS BOOLEAN RETURN level > 0")
        spark.sql(f"ALTER TABLE {filtered} SET ROW FILTER {schema}.graded ON (level)")
        assert rows(session.sql(old)) == rows(session.table(filtered)) == []

    def test_writing_needs_the_whole_table(self, spark: SparkSession, filtered: str, reader: User, grant: Grant) -> None:
        name, session = reader
        grant("table", filtered, name, "SELECT", "MODIFY")
        session.sql(f"INSERT INTO {filtered} VALUES (5, 'eve', 'US', 500)")
        for statement in (f"DELETE FROM {filtered} WHERE salary > 100", f"UPDATE {filtered} SET name = 'x'"):
            with pytest.raises(AnalysisException, match="row filter"):
                session.sql(statement)
        spark.sql(f"DELETE FROM {filtered} WHERE id = 5")
        assert spark.table(filtered).count() == 4
        with pytest.raises(AnalysisException, match="MANAGE"):
            session.sql(f"CREATE OR REPLACE TABLE {filtered} AS SELECT 1 AS id")


class TestVirtual:
    def test_information_schema(self, spark: SparkSession, schema: str, people: str, reader: User, grant: Grant) -> None:
        name, session = reader
        short = schema.split(".")[1]
        described = {row[0]: row[1] for row in spark.sql("DESCRIBE main.information_schema.columns").collect()}
        assert (described["column_name"], described["ordinal_position"]) == ("string", "int")
        assert list(described) == spark.table("main.information_schema.columns").columns
        query = f"SELECT table_name FROM main.information_schema.tables WHERE table_schema = '{short}'"
        assert rows(spark.sql(query)) == [("people",)]
        assert rows(session.sql(query)) == []
        grant("table", people, name, "SELECT")
        assert rows(session.sql(query)) == [("people",)]
        columns = spark.table("main.information_schema.columns").filter(f"table_schema = '{short}'").orderBy("ordinal_position")
        assert [row.column_name for row in columns.collect()] == ["id", "name", "region", "salary"]

    def test_sessions(self, spark: SparkSession, reader: User) -> None:
        _, session = reader
        assert session.sql("SELECT count(*) FROM system.compute.sessions").first() == (1,)
        assert spark.table("system.compute.sessions").count() >= 2

    def test_changes(self, spark: SparkSession, schema: str, filtered: str, reader: User, grant: Grant) -> None:
        name, session = reader
        spark.sql(f"CREATE TABLE {schema}.fed (id INT) TBLPROPERTIES (delta.enableChangeDataFeed = true)")
        spark.sql(f"INSERT INTO {schema}.fed VALUES (1), (2)")
        spark.sql(f"DELETE FROM {schema}.fed WHERE id = 1")
        expected = [(1, "delete"), (1, "insert"), (2, "insert")]
        assert rows(spark.sql(f"SELECT id, _change_type FROM table_changes('{schema}.fed', 1)")) == expected
        frame = spark.read.option("readChangeFeed", "true").option("startingVersion", 1).table(f"{schema}.fed")
        assert rows(frame.select("id", "_change_type")) == expected
        grant("table", filtered, name, "SELECT")
        with pytest.raises(AnalysisException, match="row filter"):
            session.sql(f"SELECT * FROM table_changes('{filtered}', 0)").collect()
        with pytest.raises(AnalysisException, match="startingVersion"):
            spark.read.option("readChangeFeed", "true").table(f"{schema}.fed").collect()

    def test_statements_that_change_stand_alone(self, spark: SparkSession, schema: str) -> None:
        for text in (f"CREATE VIEW {schema}.v AS SELECT 1 AS a", f"COMMENT ON SCHEMA {schema} IS 'x'"):
            with pytest.raises(AnalysisException, match="by itself"):
                spark.sql("SELECT * FROM {x}", x=_lazy(spark, text)).collect()


def _lazy(spark: SparkSession, text: str) -> DataFrame:
    """A statement as a part of a plan, which stock clients do not make."""
    from pyspark.sql.connect.dataframe import DataFrame as ConnectFrame
    from pyspark.sql.connect.plan import SQL

    return ConnectFrame(SQL(text), spark)  # type: ignore[arg-type,return-value]


class TestOtherDoors:
    def test_files_past_the_gateway(
        self, server: Server, filtered: str, schema: str, spark: SparkSession, grant: Grant
    ) -> None:
        """The page's sample, and what publishes features, read files as they are: not for who sees a part of them."""
        name = f"u{uuid.uuid4().hex[:8]}@example.com"
        token = server.new_principal(name)
        grant("schema", schema, name, "USE SCHEMA")
        grant("table", filtered, name, "SELECT")
        path = f"/api/boathouse/v1/tables/{filtered}"
        for part in ("sample", "history", "detail"):
            answer = server.client(token).get(f"{path}/{part}")
            assert (answer.status_code, answer.json()["error_code"]) == (403, "PERMISSION_DENIED")
            assert server.client().get(f"{path}/{part}").status_code == 200
        spark.sql(f"CREATE VIEW {schema}.w AS SELECT 1 AS a")
        answer = server.client().get(f"/api/boathouse/v1/tables/{schema}.w/sample")
        assert answer.status_code == 403
