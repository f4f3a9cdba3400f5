"""Statements on what only the catalog knows: grants, tags, comments, owners, names, dropped tables."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import SparkSession

from tests.conftest import Server

Actions = Callable[..., list[dict[str, Any]]]


class TestGrants:
    def test_grant_and_revoke(self, spark: SparkSession, table: str, schema: str, user: tuple[str, SparkSession]) -> None:
        name, other = user
        with pytest.raises(AnalysisException, match="USE SCHEMA"):
            other.table(table).collect()
        spark.sql(f"GRANT USE SCHEMA ON SCHEMA {schema} TO `{name}`")
        spark.sql(f"GRANT SELECT, MODIFY ON TABLE {table} TO `{name}`")
        assert other.table(table).count() == 3
        found = {tuple(row) for row in spark.sql(f"SHOW GRANTS `{name}` ON TABLE {table}").collect()}
        assert found == {
            (name, "MODIFY", "TABLE", table),
            (name, "SELECT", "TABLE", table),
            (name, "USE SCHEMA", "SCHEMA", schema),
        }
        spark.sql(f"REVOKE SELECT ON {table} FROM `{name}`")
        with pytest.raises(AnalysisException, match="SELECT"):
            other.table(table).collect()
        mine = {row.ActionType for row in other.sql(f"SHOW GRANTS ON TABLE {table}").collect() if row.Principal == name}
        assert mine == {"MODIFY", "USE SCHEMA"}

    @pytest.mark.parametrize(
        ("statement", "says"),
        [
            ("GRANT FLY ON TABLE {t} TO `account users`", "FLY"),
            ("GRANT SELECT ON TABLE {t} TO `nobody@example.com`", "nobody@example.com"),
            ("GRANT SELECT ON TABLE {t}", "expected TO"),
            ("GRANT ON TABLE {t} TO x", "a privilege"),
            ("GRANT SELECT ON TABLE {t}x TO `account users`", "does not exist"),
            ("GRANT READ VOLUME ON TABLE {t} TO `account users`", "READ VOLUME"),
        ],
    )
    def test_what_is_wrong(self, spark: SparkSession, table: str, statement: str, says: str) -> None:
        with pytest.raises(AnalysisException, match=says):
            spark.sql(statement.format(t=table))

    def test_only_who_manages(
        self, table: str, schema: str, grant: Callable[..., None], user: tuple[str, SparkSession]
    ) -> None:
        name, other = user
        grant("schema", schema, name, "USE SCHEMA", "SELECT")
        with pytest.raises(AnalysisException, match="MANAGE"):
            other.sql(f"GRANT MODIFY ON TABLE {table} TO `{name}`")

    def test_users_and_groups(self, spark: SparkSession, server: Server) -> None:
        name, group = f"u{uuid.uuid4().hex[:8]}@example.com", f"g{uuid.uuid4().hex[:8]}"
        server.new_principal(name, (group,))
        assert name in [row.name for row in spark.sql("SHOW USERS").collect()]
        assert [row.name for row in spark.sql(f"SHOW GROUPS LIKE '{group}'").collect()] == [group]
        assert group in [row.name for row in spark.sql(f"SHOW GROUPS WITH USER `{name}`").collect()]


class TestTagsAndComments:
    def test_tags(self, spark: SparkSession, table: str, schema: str, server: Server) -> None:
        spark.sql(f"ALTER TABLE {table} SET TAGS ('pii' = 'yes', 'team')")
        spark.sql(f"ALTER TABLE {table} ALTER COLUMN s SET TAGS ('class' = 'secret')")
        spark.sql(f"ALTER SCHEMA {schema} SET TAGS ('env' = 'test')")
        found = {row[0]: row[1] for row in spark.sql(f"DESCRIBE EXTENDED {table}").collect()}
        assert (found["pii"], found["team"]) == ("yes", "")
        with server.client() as client:
            tags = client.get(f"/api/2.1/unity-catalog/entity-tag-assignments/columns/{table}.s/tags")
        assert "secret" in tags.text
        spark.sql(f"ALTER TABLE {table} UNSET TAGS ('team')")
        spark.sql(f"SET TAG ON TABLE {table} owner = 'me'")
        spark.sql(f"SET TAG ON TABLE {table} `cost center` = `some team`")
        found = {row[0]: row[1] for row in spark.sql(f"DESCRIBE EXTENDED {table}").collect()}
        assert "team" not in found
        assert (found["owner"], found["cost center"]) == ("me", "some team")
        with pytest.raises(AnalysisException, match="no column 'zz'"):
            spark.sql(f"ALTER TABLE {table} ALTER COLUMN zz SET TAGS ('a' = 'b')")

    def test_tags_need_a_privilege(
        self, table: str, schema: str, grant: Callable[..., None], user: tuple[str, SparkSession]
    ) -> None:
        name, other = user
        grant("schema", schema, name, "USE SCHEMA", "SELECT", "MODIFY")
        with pytest.raises(AnalysisException, match="APPLY TAG"):
            other.sql(f"ALTER TABLE {table} SET TAGS ('a' = 'b')")
        grant("table", table, name, "APPLY TAG")
        other.sql(f"ALTER TABLE {table} SET TAGS ('a' = 'b')")

    def test_comments(self, spark: SparkSession, table: str, actions: Actions, user: tuple[str, SparkSession]) -> None:
        spark.sql(f"COMMENT ON TABLE {table} IS 'all of it'")
        assert actions(table, "metaData")[0]["description"] == "all of it"
        spark.sql(f"COMMENT ON COLUMN {table}.s IS 'the text'")
        assert [tuple(row) for row in spark.sql(f"DESCRIBE {table}").collect()][1] == ("s", "string", "the text")
        found = {row[0]: row[1] for row in spark.sql(f"DESCRIBE EXTENDED {table}").collect()}
        assert found["Comment"] == "all of it"
        spark.sql(f"COMMENT ON TABLE {table} IS NULL")
        assert "Comment" not in {row[0] for row in spark.sql(f"DESCRIBE EXTENDED {table}").collect()}
        for statement, says in {
            "COMMENT ON TABLE IS 'x'": "expected IS",
            f"COMMENT ON {table} IS 'x'": "expected TABLE or",
            f"COMMENT ON COLUMN {table}.zz IS 'x'": "DELTA_COLUMN_NOT_FOUND_IN_SCHEMA",
        }.items():
            with pytest.raises(AnalysisException, match=says):
                spark.sql(statement)
        with pytest.raises(AnalysisException, match=r"USE|MODIFY"):
            user[1].sql(f"COMMENT ON TABLE {table} IS 'mine'")


class TestNamesAndOwners:
    def test_rename(self, spark: SparkSession, table: str, schema: str) -> None:
        spark.sql(f"ALTER TABLE {table} RENAME TO {schema}.renamed")
        assert spark.table(f"{schema}.renamed").count() == 3
        with pytest.raises(AnalysisException, match=r"does not exist|NOT_FOUND"):
            spark.table(table).collect()
        spark.sql(f"CREATE TABLE {table} (a INT)")
        with pytest.raises(AnalysisException, match="already exists"):
            spark.sql(f"ALTER TABLE {schema}.renamed RENAME TO t")

    def test_owner(
        self, spark: SparkSession, table: str, schema: str, grant: Callable[..., None], user: tuple[str, SparkSession]
    ) -> None:
        name, other = user
        grant("schema", schema, name, "USE SCHEMA")
        spark.sql(f"ALTER TABLE {table} SET OWNER TO `{name}`")
        other.sql(f"ALTER TABLE {table} ADD CONSTRAINT c CHECK (id > 0)")
        with pytest.raises(AnalysisException, match="nobody"):
            spark.sql(f"ALTER TABLE {table} OWNER TO nobody")

    def test_undrop(self, spark: SparkSession, table: str, schema: str, user: tuple[str, SparkSession]) -> None:
        spark.sql(f"DROP TABLE {table}")
        dropped = spark.sql(f"SHOW TABLES DROPPED IN {schema}").collect()
        assert [row.tableName for row in dropped] == ["t"]
        with pytest.raises(AnalysisException, match=r"USE SCHEMA|dropped|does not exist|MANAGE"):
            user[1].sql(f"UNDROP TABLE {table}")
        spark.sql(f"UNDROP TABLE {table}")
        assert spark.table(table).count() == 3
        spark.sql(f"DROP TABLE {table}")
        dropped = spark.sql(f"SHOW TABLES DROPPED IN {schema}").collect()
        spark.sql(f"UNDROP TABLE WITH ID '{dropped[0].tableId}'")
        assert spark.table(table).count() == 3
        with pytest.raises(AnalysisException, match="t"):
            spark.sql(f"UNDROP TABLE {table}")
        with pytest.raises(ParseException, match="WITH ID"):
            spark.sql("UNDROP TABLE")
