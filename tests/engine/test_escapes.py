"""Attempts to get round a row filter, a column mask and a missing privilege. None may tell a secret, in rows or in an error."""

import contextlib
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from delta.tables import DeltaTable
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812 - its usual name

from boathouse.catalog.api import CatalogService, Parameter
from boathouse.db import Database
from boathouse.errors import BoathouseError
from boathouse.iam.api import IamService
from boathouse.storage.layout import Layout
from tests.conftest import Server

SECRETS = ("hidden-bob", "hidden-dan", "7700001", "7700002", "7700003", "7700004", "vaulted")


@dataclass(frozen=True)
class Case:
    """A reader of `t`, who sees two of four rows and no salary, and must not read `v` at all; `mine` is the reader's own."""

    session: SparkSession
    admin: SparkSession
    values: dict[str, str]
    client: httpx.Client
    admins_client: httpx.Client
    server: Server

    def fill(self, text: str) -> str:
        for key, value in self.values.items():
            text = text.replace("{" + key + "}", value)
        return text


@pytest.fixture(scope="module")
def case(server: Server, connect: Callable[..., SparkSession], admin_session: SparkSession) -> Case:
    admin, short, user = admin_session, f"s{uuid.uuid4().hex[:8]}", f"u{uuid.uuid4().hex[:8]}@example.com"
    schema, mine = f"main.{short}", f"main.m{short}"
    token = server.new_principal(user)
    session = connect(token)
    client = server.client()
    for name in (schema, mine):
        admin.sql(f"CREATE SCHEMA {name}")
    admin.sql(f"CREATE TABLE {schema}.t (id INT, name STRING, region STRING, salary INT)")
    admin.sql(
        f"INSERT INTO {schema}.t VALUES (1,'ann','EU',7700001),(2,'hidden-bob','US',7700002),"
        "(3,'cid','EU',7700003),(4,'hidden-dan','US',7700004)"
    )
    admin.sql(f"UPDATE {schema}.t SET region = 'US' WHERE name = 'hidden-bob' AND salary = 7700002")
    admin.sql(f"CREATE TABLE {schema}.v AS SELECT 'vaulted' AS secret, 1 AS id")
    admin.sql(f"CREATE FUNCTION {schema}.eu(r STRING) RETURNS BOOLEAN RETURN is_account_group_member('admins') OR r = 'EU'")
    admin.sql(f"CREATE FUNCTION {schema}.hide(s INT) RETURNS INT RETURN IF(is_account_group_member('admins'), s, 0)")
    admin.sql(f"CREATE TABLE {schema}.w AS SELECT 'vaulted' AS secret")
    admin.sql(f"CREATE FUNCTION {schema}.veil(s STRING) RETURNS STRING LANGUAGE PYTHON AS $$\n  return '***'\n$$")
    admin.sql(f"ALTER TABLE {schema}.w ALTER COLUMN secret SET MASK {schema}.veil")
    admin.sql(f"ALTER TABLE {schema}.t SET ROW FILTER {schema}.eu ON (region)")
    admin.sql(f"ALTER TABLE {schema}.t ALTER COLUMN salary SET MASK {schema}.hide")

    def grant(kind: str, name: str, *privileges: str) -> None:
        body = {"changes": [{"principal": user, "add": list(privileges)}]}
        client.patch(f"/api/2.1/unity-catalog/permissions/{kind}/{name}", json=body).raise_for_status()

    grant("schema", schema, "USE SCHEMA", "EXECUTE")
    grant("schema", mine, "USE SCHEMA", "CREATE TABLE", "CREATE FUNCTION", "CREATE VOLUME", "MODIFY", "SELECT", "EXECUTE")
    grant("table", f"{schema}.t", "SELECT", "MODIFY")
    grant("table", f"{schema}.w", "SELECT")
    grant("table", f"{schema}.v", "MODIFY")

    def path(name: str) -> str:
        answer = client.get(f"/api/2.1/unity-catalog/tables/{schema}.{name}")
        return str(answer.json()["storage_location"]).removeprefix("file://")

    values = {
        "t": f"{schema}.t",
        "v": f"{schema}.v",
        "w": f"{schema}.w",
        "s": schema,
        "short": short,
        "mine": mine,
        "p": path("t"),
        "vp": path("v"),
    }
    values |= {"pdir": values["p"].rsplit("/", 1)[0], "pid": values["p"].rsplit("/", 1)[1], "root": str(server.root)}
    return Case(session, admin, values, server.client(token), client, server)


def told(found: Any) -> list[str]:
    text = repr(found)
    return [secret for secret in SECRETS if secret in text]


QUERIES = """
SELECT * FROM {t}
SELECT salary, name FROM {t}
SELECT t.* FROM {t}
SELECT t.name, t.salary FROM {t}
SELECT {t}.name, {t}.salary FROM {t}
SELECT x.name FROM {t} x
SELECT x.n FROM {t} AS x (i, n, r, s)
SELECT max(salary), min(salary), sum(salary) FROM {t}
SELECT collect_list(name), collect_list(salary) FROM {t}
SELECT name FROM {t} ORDER BY salary DESC
SELECT name FROM {t} WHERE salary > 0
SELECT name FROM {t} WHERE salary = 7700002 OR true
SELECT name FROM {t} HAVING true
SELECT DISTINCT name FROM {t}
SELECT count(*) FILTER (WHERE name = 'hidden-bob'), max(name) FROM {t}
SELECT name, row_number() OVER (ORDER BY salary) FROM {t}
SELECT lag(name) OVER (ORDER BY id), lead(salary) OVER (ORDER BY id) FROM {t}
SELECT first_value(name) OVER (ORDER BY id DESC) FROM {t}
SELECT to_json(struct(*)) FROM {t}
SELECT concat_ws(',', name, salary) FROM {t}
SELECT cast(salary AS STRING), hex(name) FROM {t}
SELECT * EXCEPT (id) FROM {t}
SELECT * FROM {t} TABLESAMPLE (100 PERCENT)
SELECT * FROM {t} WHERE region = 'US'
SELECT * FROM {t} WHERE region IN ('US', 'EU')
SELECT * FROM {t} WHERE region = 'US' OR 1 = 1
SELECT * FROM {t} WHERE NOT (region = 'EU')
SELECT __bha0, __bha1 FROM {t}
SELECT * FROM __bh1
SELECT * FROM `__bh0`, `__bh2`
SELECT t.__bha0 FROM {t} AS t
SELECT __bhs.salary FROM {t}
SELECT _metadata FROM {t}
SELECT input_file_name(), * FROM {t}
TABLE {t}
(SELECT * FROM {t})
((SELECT * FROM {t}))
SELECT * FROM ({t})
SELECT * FROM ({t} JOIN {t} b ON true)
SELECT * FROM (SELECT * FROM (SELECT * FROM {t}))
SELECT (SELECT max(name) FROM {t} WHERE region = 'US')
SELECT (SELECT max(salary) FROM {t})
SELECT EXISTS (SELECT 1 FROM {t} WHERE name = 'hidden-bob'), (SELECT max(name) FROM {t})
SELECT 1 IN (SELECT salary FROM {t}), array((SELECT max(name) FROM {t}))
WITH x AS (SELECT * FROM {t}) SELECT * FROM x
WITH t AS (SELECT * FROM {t}) SELECT * FROM t
WITH x AS (SELECT * FROM {t}), y AS (SELECT * FROM x) SELECT * FROM y JOIN x ON true
WITH {short} AS (SELECT 1) SELECT * FROM {t}
WITH v AS (SELECT 1 AS a) SELECT * FROM {v}
WITH V AS (SELECT 1 AS a) SELECT * FROM {s}.v
WITH x (a, b, c, d) AS (TABLE {t}) SELECT b, d FROM x
WITH RECURSIVE x AS (SELECT * FROM {t}) SELECT * FROM x
SELECT * FROM {t} UNION ALL SELECT * FROM {t}
SELECT * FROM {t} EXCEPT SELECT * FROM {t} WHERE region = 'EU'
SELECT * FROM {t} MINUS SELECT * FROM {t} WHERE id = 1
SELECT * FROM {t} INTERSECT SELECT * FROM {t}
SELECT a.name, b.salary FROM {t} a, {t} b
SELECT a.name FROM {t} a FULL OUTER JOIN {t} b ON a.id = b.id + 1
SELECT * FROM (VALUES (2), (4)) k(id) LEFT JOIN {t} USING (id)
SELECT * FROM (VALUES (2), (4)) k(id) NATURAL JOIN {t}
SELECT * FROM (VALUES (2), (4)) k(id) LEFT ANTI JOIN {t} x ON x.id = k.id, {t}
SELECT * FROM (VALUES (2)) k(i), LATERAL (SELECT * FROM {t} WHERE id = i)
SELECT * FROM {t} LATERAL VIEW explode(array(1, 2)) e AS k
SELECT * FROM {t} PIVOT (max(name) FOR region IN ('US', 'EU'))
SELECT * FROM {t} UNPIVOT (x FOR y IN (name, region))
SELECT name FROM {t} GROUP BY GROUPING SETS ((name), ())
SELECT name FROM {t} GROUP BY ALL
FROM {t} SELECT *
FROM {t} |> SELECT *
FROM {t} x |> WHERE x.id > 0 |> JOIN {t} y ON x.id = y.id |> SELECT y.*
TABLE {t} |> AGGREGATE max(name) AS m GROUP BY salary |> ORDER BY m
SELECT 1 AS id |> JOIN {t} USING (id) |> EXTEND name AS n |> DROP name
FROM {t} |> SET id = id + 1 |> UNION ALL TABLE {t}
SELECT * FROM {t} VERSION AS OF 1
SELECT * FROM {t} VERSION AS OF 2
SELECT * FROM {t} VERSION AS OF '1'
SELECT * FROM {t} FOR VERSION AS OF 1
SELECT * FROM {t} FOR SYSTEM_VERSION AS OF 1
SELECT * FROM {t}@v1
SELECT * FROM {t}@29990101000000000
SELECT * FROM {v}@v0
SELECT * FROM {t}@v1 WHERE id = 2 AND raise_error(name) IS NULL
SELECT * FROM {t} TIMESTAMP AS OF current_timestamp()
SELECT * FROM {t} TIMESTAMP AS OF '2999-01-01'
SELECT * FROM {t} TIMESTAMP AS OF (SELECT current_timestamp())
SELECT * FROM {t} VERSION AS OF (SELECT 1)
SELECT * FROM {t} VERSION AS OF 1 AS x
SELECT * FROM {v} VERSION AS OF 0
SELECT * FROM delta.`{p}`
SELECT * FROM delta.`{p}` VERSION AS OF 1
SELECT * FROM delta.`{p}@v1`
SELECT * FROM delta.`{vp}` VERSION AS OF 0
SELECT * FROM delta.`{vp}` TIMESTAMP AS OF current_timestamp()
SELECT * FROM STREAM delta.`{vp}@v0`
SELECT * FROM delta.`{vp}@v0`
SELECT * FROM delta.`{vp}@29990101000000000`
SELECT * FROM parquet.`{vp}@v0`
SELECT (SELECT max(secret) FROM delta.`{vp}@v0`)
SELECT * FROM delta.`file://{p}`
SELECT * FROM delta.`file:{p}`
SELECT * FROM delta.`dbfs:{p}`
SELECT * FROM delta.`{p}/`
SELECT * FROM delta.`{p}/.`
SELECT * FROM delta.`{p}/../{pid}`
SELECT * FROM delta.`{pdir}/*`
SELECT * FROM parquet.`{p}`
SELECT * FROM parquet.`{p}/*.parquet`
SELECT * FROM PARQUET.`{p}`
SELECT * FROM `parquet`.`{p}/*`
SELECT * FROM json.`{p}/_delta_log`
SELECT * FROM text.`{p}/_delta_log/*.json`
SELECT * FROM binaryFile.`{p}/*`
SELECT * FROM delta.`{vp}`
SELECT * FROM parquet.`{vp}/*.parquet`
SELECT * FROM csv.`{root}/metadata.db`
SELECT * FROM text.`{root}/logs`
SELECT * FROM read_parquet('{p}')
SELECT * FROM read_files('{p}', format => 'parquet')
SELECT * FROM parquet_scan('{vp}')
SELECT * FROM delta_scan('{p}')
SELECT * FROM table_changes('{t}', 0)
SELECT * FROM table_changes('{v}', 0, 1)
SELECT * FROM {v}
SELECT secret FROM {v}
SELECT (SELECT secret FROM {v})
WITH x AS (SELECT * FROM {v}) SELECT * FROM x
SELECT 1 FROM {t} WHERE name IN (SELECT secret FROM {v})
SELECT * FROM {t}, {v}
SELECT * FROM identifier('{v}')
SELECT * FROM identifier('{t}')
SELECT * FROM identifier('main' || '.{short}.' || 'v')
SELECT * FROM IDENTIFIER(concat('{s}', '.v'))
SELECT * FROM identifier('delta.`{p}`')
SELECT * FROM identifier(concat('parquet.`', '{vp}', '`'))
SELECT * FROM `identifier`('{v}')
SELECT * FROM identifier(reverse('{v}')), identifier('{v}')
SELECT * FROM identifier((SELECT '{v}'))
SELECT * FROM identifier("{v}")
SELECT * FROM identifier(r'{v}')
SELECT * FROM identifier('{v}' /* x */)
SELECT * FROM identifier(lower('{v}')) AS x
SELECT * FROM identifier(unhex(hex('{v}')))
SELECT * FROM `main`.`{short}`.`t`
SELECT * FROM MAIN.{short}.T
SELECT * FROM main . {short} . t
SELECT * FROM main./* c */{short}/**/.t
SELECT * FROM main.-- c
SELECT * FROM "main".{short}.t
SELECT/**/*/**/FROM/**/{t}
SELECT * FROM{t}
SELECT * /* ' */ FROM {t} -- '
SELECT '\\'' AS a, * FROM {t}
SELECT 'a''b', * FROM {t}
SELECT r'\\', * FROM {t}
SELECT $$ ' $$ AS a, * FROM {t}
SELECT extract(YEAR FROM current_date()), * FROM {t}
SELECT trim(BOTH 'x' FROM name), * FROM {t}
SELECT name IS DISTINCT FROM 'x', * FROM {t}
SELECT * FROM spark_catalog.{short}.t
SELECT * FROM __boathouse.default.t
SELECT * FROM {short}.v
SELECT * FROM global_temp.t
SELECT 1 / (salary - 7700002) AS x, cast(name AS INT) FROM {t}
SELECT * FROM {t} WHERE cast(name AS INT) > 0
SELECT * FROM {t} WHERE 1 / (id - 2) > 0 AND raise_error(name) IS NULL
SELECT raise_error(concat(name, salary)) FROM {t}
SELECT * FROM {t} WHERE id = 2 AND raise_error(name) IS NULL
SELECT * FROM {t} WHERE region = 'US' AND raise_error(name) IS NULL
SELECT * FROM {t} WHERE id IN (2, 4) AND raise_error(concat(name, salary)) IS NULL
SELECT * FROM {t} WHERE salary > 7700000 AND raise_error(name) IS NULL
SELECT * FROM {t} WHERE salary = 7700002
SELECT * FROM {t} x WHERE x.id = 4 AND x.salary = 7700004 AND raise_error(x.name) IS NULL
SELECT * FROM {t} WHERE id = 2 OR raise_error(name) IS NULL
SELECT * FROM {t} WHERE id = 2) OR (1 = 1
SELECT * FROM {t} WHERE name >= 'hidden' AND name < 'hiddeo'
SELECT count(*) FROM {t} WHERE id > 1 AND 1 / (id - 2) > 0 AND assert_true(region = 'EU', name) IS NULL
SELECT * FROM {t} WHERE assert_true(region = 'EU', name) IS NULL
SELECT * FROM {t} WHERE CASE WHEN region = 'US' THEN raise_error(name) ELSE true END
SELECT * FROM {t} WHERE date(name) IS NOT NULL
SELECT to_date(name, 'yyyy') FROM {t} WHERE region = 'US'
SELECT * FROM {t} WHERE element_at(array(1), id) > 0 AND cast(concat(name, salary) AS DOUBLE) > 0
SELECT * FROM {t} JOIN (SELECT 1 AS one) ON cast(name AS INT) = one
SELECT * FROM {t} ORDER BY cast(name AS INT)
SELECT max(cast(name AS INT)) FROM {t}
SELECT {s}.hide(salary), {s}.eu('US') FROM {t}
DESCRIBE EXTENDED {v}
DESCRIBE HISTORY {v}
DESCRIBE HISTORY {t}
DESCRIBE DETAIL {v}
SHOW PARTITIONS {t}
SHOW CREATE TABLE {v}
EXPLAIN EXTENDED SELECT * FROM {v}
EXPLAIN ANALYZE SELECT * FROM {t}
ANALYZE TABLE {t} COMPUTE STATISTICS FOR ALL COLUMNS
CACHE TABLE {v}
""".strip().splitlines()

COMMANDS = """
CREATE TABLE {mine}.a1 AS SELECT * FROM {t}; SELECT * FROM {mine}.a1
CREATE TABLE {mine}.a2 LIKE {t}; SELECT * FROM {mine}.a2
CREATE TABLE {mine}.a3 SHALLOW CLONE {t}; SELECT * FROM {mine}.a3
CREATE TABLE {mine}.a4 DEEP CLONE {t}; SELECT * FROM {mine}.a4
CREATE TABLE {mine}.a5 SHALLOW CLONE {v}; SELECT * FROM {mine}.a5
CREATE TABLE {mine}.a6 DEEP CLONE delta.`{p}`; SELECT * FROM {mine}.a6
CREATE TABLE {mine}.a61 DEEP CLONE parquet.`{p}`; SELECT * FROM {mine}.a61
CREATE TABLE {mine}.a62 CLONE parquet.`{vp}`; SELECT * FROM {mine}.a62
CREATE OR REPLACE TABLE {v} CLONE {mine}.a61; SELECT * FROM {v}
CREATE TABLE {mine}.a7 USING delta LOCATION '{p}'; SELECT * FROM {mine}.a7
CREATE TABLE {mine}.a8 USING parquet LOCATION '{vp}'; SELECT * FROM {mine}.a8
CREATE TABLE {mine}.a9 USING delta OPTIONS (path '{p}'); SELECT * FROM {mine}.a9
CREATE TABLE {mine}.b1 AS SELECT * FROM {v}; SELECT * FROM {mine}.b1
CREATE TABLE {mine}.b2 AS SELECT name, salary FROM {t} VERSION AS OF 1; SELECT * FROM {mine}.b2
CREATE TABLE {mine}.b3 (n STRING); INSERT INTO {mine}.b3 SELECT name FROM {t}; SELECT * FROM {mine}.b3
CREATE TABLE {mine}.b4 (n STRING); INSERT INTO {mine}.b4 SELECT secret FROM {v}; SELECT * FROM {mine}.b4
CREATE TABLE {mine}.b5 (n STRING); INSERT INTO {mine}.b5 TABLE {v}; SELECT * FROM {mine}.b5
CREATE TABLE {mine}.b6 (id INT, n STRING); MERGE INTO {mine}.b6 k USING {t} s ON k.id = s.id WHEN NOT MATCHED THEN INSERT (id, n) VALUES (s.id, s.name); SELECT * FROM {mine}.b6
CREATE TABLE {mine}.b7 (id INT, n STRING); MERGE INTO {mine}.b7 k USING {v} s ON k.id = s.id WHEN NOT MATCHED THEN INSERT (id, n) VALUES (s.id, s.secret); SELECT * FROM {mine}.b7
CREATE TABLE {mine}.b8 AS SELECT 1 AS id, 'x' AS n; UPDATE {mine}.b8 SET n = (SELECT max(secret) FROM {v}); SELECT * FROM {mine}.b8
CREATE TABLE {mine}.b9 AS SELECT 1 AS id, 'x' AS n; DELETE FROM {mine}.b9 WHERE n < (SELECT max(secret) FROM {v}); SELECT * FROM {mine}.b9
COPY INTO {mine}.b3 FROM '{p}' FILEFORMAT = PARQUET; SELECT * FROM {mine}.b3
CONVERT TO DELTA parquet.`{p}`
INSERT OVERWRITE DIRECTORY '{root}/out' USING json SELECT * FROM {t}
INSERT OVERWRITE DIRECTORY '{vp}' USING json SELECT 'x' AS a
DELETE FROM {t} WHERE name = 'hidden-bob'
UPDATE {t} SET name = 'x' WHERE salary = 7700002
UPDATE {v} SET id = 2 WHERE secret = 'vaulted'
DELETE FROM {v} WHERE id = 99
DELETE FROM {v} WHERE raise_error(secret) IS NULL
UPDATE {v} SET id = 2 WHERE raise_error(secret) IS NULL
UPDATE {v} SET secret = raise_error(secret)
MERGE INTO {v} k USING (SELECT 1 AS one) s ON raise_error(k.secret) IS NULL WHEN MATCHED THEN DELETE
INSERT INTO {v} REPLACE WHERE raise_error(secret) IS NULL SELECT 'x', 2
INSERT INTO {v} REPLACE WHERE CASE WHEN secret = 'x' THEN true ELSE raise_error(secret) IS NULL END SELECT 'x', 2
INSERT INTO {v} REPLACE WHERE secret = 'vaulted' SELECT secret, 2 FROM {v}
INSERT OVERWRITE {v} PARTITION (id = raise_error(secret)) SELECT 'x'
INSERT INTO {v} REPLACE USING (secret) SELECT 'vaulted', 2
INSERT INTO {v} REPLACE ON raise_error(v.secret) IS NULL (SELECT 'x' AS a, 2 AS b) AS s
INSERT INTO delta.`{vp}` REPLACE ON raise_error(secret) IS NULL SELECT 'x', 1
INSERT INTO {t} REPLACE WHERE raise_error(name) IS NULL SELECT 9, 'n', 'EU', 1
INSERT INTO {t} REPLACE WHERE CASE WHEN name = 'n' THEN true ELSE raise_error(name) IS NULL END SELECT 9, 'n', 'EU', 1
INSERT INTO {t} REPLACE USING (id) SELECT 2, 'x', 'EU', 1
INSERT INTO {t} AS k REPLACE ON raise_error(k.name) IS NULL (SELECT 9 AS i, 'n' AS n, 'EU' AS r, 1 AS s) AS s
CREATE TABLE {mine}.r1 (n STRING); INSERT INTO {mine}.r1 REPLACE USING (n) SELECT secret FROM {v}; SELECT * FROM {mine}.r1
CREATE TABLE {mine}.r2 (n STRING); INSERT INTO {mine}.r2 REPLACE ON r2.n = s.n (SELECT name AS n FROM {t}) AS s; SELECT * FROM {mine}.r2
CREATE TABLE {mine}.r3 AS SELECT 'a' AS n; INSERT INTO {mine}.r3 REPLACE ON n < (SELECT max(raise_error(secret)) FROM {v}) SELECT 'x'; SELECT * FROM {mine}.r3
CREATE TABLE {mine}.r4 AS SELECT 'a' AS n; INSERT INTO {mine}.r4 REPLACE ON EXISTS (SELECT raise_error(secret) FROM delta.`{vp}`) SELECT 'x'; SELECT * FROM {mine}.r4
MERGE INTO {t} USING (SELECT 2 AS id) s ON {t}.id = s.id WHEN MATCHED THEN UPDATE SET region = 'EU'
INSERT OVERWRITE {v} SELECT * FROM {v}
RESTORE TABLE {v} TO VERSION AS OF 0
CREATE VIEW {mine}.w1 AS SELECT * FROM {t}; SELECT * FROM {mine}.w1
CREATE VIEW {mine}.w2 AS SELECT * FROM {v}; SELECT * FROM {mine}.w2
CREATE VIEW {mine}.w3 AS SELECT * FROM delta.`{p}`; SELECT * FROM {mine}.w3
CREATE VIEW {mine}.w4 AS SELECT * FROM identifier('{v}'); SELECT * FROM {mine}.w4
CREATE VIEW {mine}.w5 AS WITH v AS (SELECT * FROM {v}) SELECT * FROM v; SELECT * FROM {mine}.w5
CREATE TEMPORARY VIEW w6 AS SELECT * FROM {t}; SELECT * FROM w6
CREATE TEMPORARY VIEW w7 AS SELECT * FROM {v}; SELECT * FROM w7
CREATE TEMPORARY VIEW w8 USING delta OPTIONS (path '{p}'); SELECT * FROM w8
CREATE TEMPORARY VIEW w9 USING parquet OPTIONS ('path' = '{vp}'); SELECT * FROM w9
CREATE TEMPORARY VIEW t AS SELECT 1 AS a; USE {s}; SELECT * FROM t; SELECT * FROM v
CREATE OR REPLACE GLOBAL TEMPORARY VIEW g AS SELECT * FROM {v}; SELECT * FROM global_temp.g
CREATE FUNCTION {mine}.f1() RETURNS STRING RETURN (SELECT max(secret) FROM {v}); SELECT {mine}.f1()
CREATE FUNCTION {mine}.f2() RETURNS TABLE (a STRING) RETURN SELECT secret FROM {v}; SELECT * FROM {mine}.f2()
CREATE FUNCTION {mine}.f3() RETURNS STRING RETURN (SELECT max(name) FROM {t} WHERE region = 'US'); SELECT {mine}.f3()
CREATE FUNCTION {mine}.f4() RETURNS INT RETURN (SELECT max(salary) FROM {t}); SELECT {mine}.f4()
CREATE FUNCTION {mine}.f5(n STRING) RETURNS INT RETURN cast(raise_error(n) AS INT); SELECT {mine}.f5(name) FROM {t}
CREATE FUNCTION {mine}.f6(x STRING) RETURNS STRING RETURN (SELECT max(name) FROM delta.`{p}`); SELECT {mine}.f6('a')
CREATE FUNCTION {mine}.is_member(x STRING) RETURNS BOOLEAN RETURN true; USE {mine}; SELECT * FROM {t}
CREATE FUNCTION {mine}.is_account_group_member(x STRING) RETURNS BOOLEAN RETURN true; USE {mine}; SELECT * FROM {t}
CREATE OR REPLACE FUNCTION {s}.eu(r STRING) RETURNS BOOLEAN RETURN true; SELECT * FROM {t}
CREATE OR REPLACE FUNCTION {s}.hide(s INT) RETURNS INT RETURN s; SELECT salary FROM {t}
DROP FUNCTION {s}.eu; SELECT * FROM {t}
ALTER TABLE {t} DROP ROW FILTER; SELECT * FROM {t}
ALTER TABLE {t} ALTER COLUMN salary DROP MASK; SELECT * FROM {t}
ALTER TABLE {t} RENAME TO {s}.renamed; SELECT * FROM {s}.renamed
ALTER TABLE {t} SET OWNER TO `root@localhost`; SELECT * FROM {t}
ALTER TABLE {t} RENAME COLUMN region TO area; SELECT * FROM {t}
ALTER TABLE {t} DROP COLUMN region; SELECT * FROM {t}
CREATE OR REPLACE TABLE {v} AS SELECT * FROM {v}; SELECT * FROM {v}
GRANT SELECT ON TABLE {v} TO `account users`; SELECT * FROM {v}
SET spark.sql.ansi.enabled = false; SELECT * FROM {t} WHERE cast(name AS INT) IS NULL
SET spark.user.name = root@localhost; SELECT current_user(), * FROM {t}
USE {s}; SELECT * FROM t
USE {s}; SELECT * FROM T
USE {s}; SELECT * FROM v
USE {s}; WITH t AS (SELECT * FROM t) SELECT * FROM t
USE {s}; WITH T AS (SELECT 1 AS a) SELECT * FROM t, {t}
USE {s}; TABLE v
""".strip().splitlines()

Frame = Callable[[SparkSession, Callable[[str], str]], Any]

FRAMES: dict[str, Frame] = {
    "table": lambda s, f: s.table(f("{t}")).collect(),
    "read.table": lambda s, f: s.read.table(f("{t}")).collect(),
    "alias": lambda s, f: s.table(f("{t}")).alias("x").select("x.name", "x.salary").collect(),
    "filter": lambda s, f: s.table(f("{t}")).filter("region = 'US'").collect(),
    "where": lambda s, f: s.table(f("{t}")).where(F.col("salary") > 1).collect(),
    "agg": lambda s, f: s.table(f("{t}")).agg(F.max("salary"), F.collect_list("name")).collect(),
    "describe": lambda s, f: s.table(f("{t}")).describe().collect(),
    "summary": lambda s, f: s.table(f("{t}")).summary().collect(),
    "sample": lambda s, f: s.table(f("{t}")).sample(0.99).collect(),
    "show": lambda s, f: s.table(f("{t}"))._show_string(truncate=False),  # pyright: ignore[reportCallIssue]
    "pandas": lambda s, f: s.table(f("{t}")).toPandas().to_string(),
    "arrow": lambda s, f: s.table(f("{t}")).toArrow().to_pylist(),
    "unfiltered join": lambda s, f: s.range(9).join(s.table(f("{t}")), "id", "left").collect(),
    "version behind the name": lambda s, f: s.table(f("{t}@v1")).collect(),
    "version behind the name, no access": lambda s, f: s.read.table(f("{v}@v0")).collect(),
    "version behind the path": lambda s, f: s.read.format("delta").load(f("{p}@v1")).collect(),
    "version behind the path, no access": lambda s, f: s.read.format("delta").load(f("{vp}@v0")).collect(),
    "version behind the path as an option": lambda s, f: s.read.format("delta").option("path", f("{vp}@v0")).load().collect(),
    "version behind the path of a table": lambda s, f: s.table(f("delta.`{p}@v1`")).collect(),
    "version behind the path of a table, no access": lambda s, f: s.read.table(f("delta.`{vp}@v0`")).collect(),
    "version of the path of a table": lambda s, f: s.read.option("versionAsOf", 0).table(f("delta.`{vp}`")).collect(),
    "change feed of the path of a table": lambda s, f: (
        s.read.option("readChangeFeed", "true").option("startingVersion", 0).table(f("delta.`{vp}`")).collect()
    ),
    "stream of a version": lambda s, f: s.readStream.table(f("delta.`{vp}@v0`")).schema.simpleString(),
    "version": lambda s, f: s.read.option("versionAsOf", 1).table(f("{t}")).collect(),
    "version, other case": lambda s, f: s.read.option("VERSIONASOF", "1").table(f("{t}")).collect(),
    "timestamp": lambda s, f: s.read.option("timestampAsOf", "2999-01-01").table(f("{t}")).collect(),
    "change feed": lambda s, f: s.read.option("readChangeFeed", "true").option("startingVersion", 0).table(f("{t}")).collect(),
    "change feed of a path": lambda s, f: (
        s.read.format("delta").option("readChangeFeed", "true").option("startingVersion", 0).load(f("{p}")).collect()
    ),
    "no access": lambda s, f: s.table(f("{v}")).collect(),
    "no access, quoted": lambda s, f: s.table(f("`main`.`{short}`.`v`")).collect(),
    "load": lambda s, f: s.read.format("delta").load(f("{p}")).collect(),
    "load option": lambda s, f: s.read.format("delta").option("path", f("{p}")).load().collect(),
    "load version": lambda s, f: s.read.format("delta").option("versionAsOf", 1).load(f("{p}")).collect(),
    "load name": lambda s, f: s.read.format("delta").load(f("{v}")).collect(),
    "parquet": lambda s, f: s.read.parquet(f("{p}")).collect(),
    "parquet glob": lambda s, f: s.read.parquet(f("{pdir}/*/*.parquet")).collect(),
    "parquet of many": lambda s, f: s.read.parquet(f("{p}"), f("{vp}")).collect(),
    "text": lambda s, f: s.read.text(f("{p}/_delta_log")).collect(),
    "binary": lambda s, f: s.read.format("binaryFile").load(f("{vp}")).collect(),
    "path as a table": lambda s, f: s.table(f("delta.`{p}`")).collect(),
    "parquet as a table": lambda s, f: s.table(f("parquet.`{vp}`")).collect(),
    "selectExpr": lambda s, f: s.range(1).selectExpr(f("(SELECT max(secret) FROM {v})")).collect(),
    "expr": lambda s, f: s.range(1).select(F.expr(f("(SELECT max(name) FROM {t} WHERE region = 'US')"))).collect(),
    "expr exists": lambda s, f: s.range(1).filter(f("EXISTS (SELECT 1 FROM {v} WHERE raise_error(secret) IS NULL)")).collect(),
    "expr path": lambda s, f: s.range(1).selectExpr(f("(SELECT max(name) FROM delta.`{p}`)")).collect(),
    "expr identifier": lambda s, f: s.range(1).selectExpr(f("(SELECT max(secret) FROM identifier('{v}'))")).collect(),
    "filter that fails": lambda s, f: s.table(f("{t}")).filter(F.expr("raise_error(name) IS NULL")).collect(),
    "cast that fails": lambda s, f: s.table(f("{t}")).filter(F.col("name").cast("int") > 0).collect(),
    "filter in Python": lambda s, f: s.table(f("{t}")).filter(_tells("name")).collect(),
    "map in Python": lambda s, f: s.table(f("{t}")).select(_tells("name"), _tells("salary")).collect(),
    "parameters": lambda s, f: s.sql("SELECT * FROM identifier(:name)", args={"name": f("{v}")}).collect(),
    "positional": lambda s, f: s.sql("SELECT * FROM identifier(?)", args=[f("{v}")]).collect(),
    "parameter path": lambda s, f: s.sql("SELECT * FROM identifier(:name)", args={"name": f("delta.`{p}`")}).collect(),
    "frames in sql": lambda s, f: s.sql("SELECT * FROM {x}", x=s.table(f("{t}"))).collect(),
    "frames named like references": lambda s, f: s.sql("SELECT * FROM {__bh1}", __bh1=s.table(f("{t}"))).collect(),
    "temporary view": lambda s, f: (s.table(f("{t}")).createOrReplaceTempView("x1"), s.sql("SELECT * FROM x1").collect()),
    "temporary view of none": lambda s, f: (s.table(f("{v}")).createOrReplaceTempView("x2"), s.table("x2").collect()),
    "view named like a reference": lambda s, f: (
        s.range(1).createOrReplaceTempView("__bh1"),
        s.sql(f("SELECT * FROM {t}")).collect(),
    ),
    "function named like a check": lambda s, f: (
        s.udf.register("is_account_group_member", lambda _: True, "boolean"),
        s.sql(f("SELECT * FROM {t}")).collect(),
    ),
    "function named like a filter": lambda s, f: (
        s.udf.register("eu", lambda _: True, "boolean"),
        s.sql(f("SELECT * FROM {t}")).collect(),
    ),
    **{
        f"a function named {name}": lambda s, f, name=name, work=work, kind=kind: (
            s.udf.register(name, work, kind),
            s.sql(f("SELECT * FROM {t}")).collect(),
        )
        for name, kind, work in (
            ("or", "boolean", lambda _, __: True),
            ("==", "boolean", lambda _, __: True),
            ("=", "boolean", lambda _, __: True),
            ("if", "int", lambda _, value, __: value),
            ("IF", "int", lambda _, value, __: value),
        )
    },
    "a function named like the gateway's": lambda s, f: (
        s.sql(f("SELECT {s}.veil('x')")).collect(),
        s.udf.register("__bhf_0", lambda value: value, "string"),
        s.sql(f("SELECT * FROM {w}")).collect(),
    ),
    "call_function": lambda s, f: s.table(f("{t}")).filter(F.call_function(f("{s}.eu"), F.lit("EU"))).collect(),
    "save as": lambda s, f: (s.table(f("{t}")).write.saveAsTable(f("{mine}.c1")), s.table(f("{mine}.c1")).collect()),
    "save version": lambda s, f: (
        s.read.option("versionAsOf", 1).table(f("{t}")).write.saveAsTable(f("{mine}.c2")),
        s.table(f("{mine}.c2")).collect(),
    ),
    "replaceWhere": lambda s, f: (
        s.sql("SELECT 'x' AS secret, 1 AS id")
        .write.mode("overwrite")
        .option("replaceWhere", "raise_error(secret) IS NULL")
        .saveAsTable(f("{v}"))
    ),
    "replaceWhere with a query": lambda s, f: _replacing(
        s, f, "replaceWhere", f("n < (SELECT raise_error(max(secret)) FROM {v})")
    ),
    "replaceWhere with a path": lambda s, f: _replacing(
        s, f, "replaceWhere", f("n < (SELECT raise_error(max(secret)) FROM delta.`{vp}`)")
    ),
    "replaceOn": lambda s, f: (
        s.sql("SELECT 'x' AS secret, 1 AS id")
        .write.mode("overwrite")
        .option("replaceOn", "raise_error(secret) IS NULL")
        .saveAsTable(f("{v}"))
    ),
    "replaceOn with a query": lambda s, f: _replacing(s, f, "replaceOn", f("n < (SELECT raise_error(max(secret)) FROM {v})")),
    "replaceOn with a path": lambda s, f: _replacing(
        s, f, "replaceOn", f("n < (SELECT raise_error(max(secret)) FROM delta.`{vp}`)")
    ),
    "history": lambda s, f: DeltaTable.forName(s, f("{t}")).history().collect(),
    "files over a table": lambda s, f: s.range(1).write.mode("overwrite").csv(f("{vp}")),
    "files in a table's log": lambda s, f: s.range(1).write.mode("append").json(f("{vp}/_delta_log")),
    "files in a table by its path's name": lambda s, f: s.range(1).writeTo(f("parquet.`{vp}`")).append(),
    "a stream of files into a table": lambda s, f: (
        s.readStream.format("rate").load().writeStream.format("json").option("checkpointLocation", f("{vp}/c")).start(f("{vp}"))
    ),
    "save path": lambda s, f: s.range(1).write.format("delta").mode("overwrite").save(f("{vp}")),
    "table at a path": lambda s, f: (
        s.range(1).write.option("path", f("{p}")).saveAsTable(f("{mine}.c3")),
        s.table(f("{mine}.c3")).collect(),
    ),
    "createTable": lambda s, f: (
        s.catalog.createTable(f("{mine}.c4"), path=f("{p}"), source="delta"),
        s.table(f("{mine}.c4")).collect(),
    ),
    "createExternalTable": lambda s, f: (
        s.catalog.createExternalTable(f("{mine}.c5"), path=f("{vp}"), source="parquet"),
        s.table(f("{mine}.c5")).collect(),
    ),
    "cache": lambda s, f: (s.catalog.cacheTable(f("{v}")), s.table(f("{v}")).collect()),
    "current catalog": lambda s, f: (s.catalog.setCurrentDatabase(f("{s}")), s.table("t").collect(), s.table("v").collect()),
    "stream": lambda s, f: s.readStream.table(f("{v}")).writeStream.format("memory").queryName("q").start(),
    "explain": lambda s, f: s.table(f("{v}"))._explain_string(extended=True),  # pyright: ignore[reportCallIssue]
    "input files": lambda s, f: s.read.parquet(*s.table(f("{t}")).inputFiles()).collect(),
    "merge": lambda s, f: (
        s.range(1).mergeInto(f("{t}"), F.expr("id = 2")).whenMatched().update({"region": F.lit("EU")}).merge(),
        s.table(f("{t}")).collect(),
    ),
}


def _replacing(session: SparkSession, fill: Callable[[str], str], key: str, condition: str) -> Any:
    """An overwrite of a part of a table of one's own."""
    name = fill("{mine}.r") + uuid.uuid4().hex[:6]
    session.sql(f"CREATE TABLE {name} AS SELECT 'a' AS n")
    session.sql("SELECT 'x' AS n").write.mode("overwrite").option(key, condition).saveAsTable(name)
    return session.table(name).collect()


def _tells(column: str) -> Any:
    """What a function in Python gets of a column."""

    def tell(value: Any) -> str:
        if "hidden" in str(value) or "77000" in str(value):
            message = f"found {value}"
            raise ValueError(message)
        return str(value)

    told_of: Any = F.udf(tell, "string")
    return told_of(column)


def attempt(case: Case, work: Callable[[], Any]) -> list[str]:
    """The secrets that came out."""
    try:
        return told(work())
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not tell
        return told(str(error))
    finally:
        with contextlib.suppress(Exception):
            case.session.sql(case.fill("USE {mine}"))


def test_the_secrets_are_there(case: Case) -> None:
    found = case.admin.sql(case.fill("SELECT *, (SELECT max(secret) FROM {v}) FROM {t}")).collect()
    assert sorted(told(found)) == sorted(SECRETS)
    assert len(case.session.sql(case.fill("SELECT * FROM {t}")).collect()) == 2
    assert len(QUERIES) + len(COMMANDS) + len(FRAMES) >= 250


@pytest.mark.parametrize("text", QUERIES)
def test_queries(case: Case, text: str) -> None:
    assert attempt(case, lambda: case.session.sql(case.fill(text)).collect()) == []


@pytest.mark.parametrize("text", COMMANDS)
def test_commands(case: Case, text: str) -> None:
    out: list[str] = []
    for statement in text.split("; "):
        out += attempt_one(case, statement)
    assert out == []
    case.session.sql(case.fill("USE {mine}"))


def attempt_one(case: Case, statement: str) -> list[str]:
    """One of several statements; a failed one does not stop the next."""
    try:
        return told(case.session.sql(case.fill(statement)).collect())
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not tell
        return told(str(error))


@pytest.mark.parametrize("name", FRAMES)
def test_frames(case: Case, name: str) -> None:
    assert attempt(case, lambda: FRAMES[name](case.session, case.fill)) == []


VIEWS = """
SELECT * FROM delta.`{vp}`
SELECT * FROM parquet.`{vp}`
SELECT * FROM PARQUET . `file://{vp}`
SELECT * FROM text.`{root}/run/../tables/../metadata.db`
SELECT (SELECT max(secret) FROM parquet.`{vp}`)
SELECT * FROM read_files('{vp}', format => 'parquet')
SELECT * FROM {v}
SELECT * FROM {short}.v
SELECT * FROM identifier('{v}')
WITH x AS (SELECT * FROM delta.`{vp}`) SELECT * FROM x
""".strip().splitlines()


def _new(case: Case, kind: str, body: dict[str, Any], *, by_admin: bool = False) -> str:
    """The name of a view or function that is made past REST and SQL, which check texts."""
    catalog, schema = case.values["s" if by_admin else "mine"].split(".")
    name = f"{catalog}.{schema}.x{uuid.uuid4().hex[:8]}"
    maker = (case.admins_client if by_admin else case.client).get("/api/2.0/preview/scim/v2/Me").json()["id"]
    with Database(case.server.database_url).session(write=True) as session:
        own = CatalogService(session, IamService(session).get_principal(maker), Layout(case.server.root))
        with suppress(BoathouseError):
            if kind == "tables":
                own.create_view(name, definition=body["view_definition"], columns=[])
            else:
                own.create_function(
                    name,
                    parameters=[
                        Parameter(one["name"], one["type_text"], one.get("parameter_default"))
                        for one in body.get("input_params", {}).get("parameters", ())
                    ],
                    return_type=body.get("full_data_type") or body["data_type"],
                    language="SQL",
                    body=body["routine_definition"],
                )
    return name


@pytest.mark.parametrize("text", VIEWS)
def test_views_that_nobody_has_checked(case: Case, text: str) -> None:
    name = _new(case, "tables", {"table_type": "VIEW", "view_definition": case.fill(text)})
    assert attempt(case, lambda: case.session.table(name).collect()) == []


FUNCTIONS: tuple[tuple[dict[str, Any], str], ...] = (
    ({"routine_definition": "(SELECT max(secret) FROM parquet.`{vp}`)"}, "()"),
    ({"full_data_type": "STRING) || coalesce((SELECT max(secret) FROM parquet.`{vp}`)", "routine_definition": "''"}, "()"),
    ({"routine_definition": "p", "default": "(SELECT max(secret) FROM parquet.`{vp}`)"}, "()"),
    ({"routine_definition": "p", "default": "(SELECT max(secret) FROM {v})"}, "()"),
    ({"routine_definition": "p", "type": "STRING) || (SELECT max(secret) FROM parquet.`{vp}`) || CAST('' AS STRING"}, "('')"),
)


@pytest.mark.parametrize(("parts", "arguments"), FUNCTIONS)
def test_functions_that_nobody_has_checked(case: Case, parts: dict[str, Any], arguments: str) -> None:
    body: dict[str, Any] = {"data_type": "STRING", "routine_body": "SQL"} | {
        key: case.fill(text) for key, text in parts.items()
    }
    parameter = {"name": "p", "type_text": body.pop("type", "STRING"), "parameter_default": body.pop("default", None)}
    body["input_params"] = {"parameters": [parameter] if body["routine_definition"] == "p" else []}
    name = _new(case, "functions", body)
    assert attempt(case, lambda: case.session.sql(f"SELECT {name}{arguments}").collect()) == []


def test_short_names_in_a_text_never_mean_what_the_reader_has_named(case: Case) -> None:
    admin, session, fill = case.admin, case.session, case.fill
    admin.sql(fill("CREATE TABLE {s}.allowed AS SELECT 'EU' AS r"))
    admin.sql(fill("CREATE TABLE {s}.x AS SELECT 'ann' AS name, 'EU' AS region UNION ALL SELECT 'hidden-bob', 'US'"))
    is_allowed = {
        "data_type": "BOOLEAN",
        "routine_body": "SQL",
        "routine_definition": "EXISTS (SELECT 1 FROM allowed WHERE allowed.r = region)",
        "input_params": {"parameters": [{"name": "region", "type_text": "STRING"}]},
    }
    function = _new(case, "functions", is_allowed, by_admin=True)
    view = _new(case, "tables", {"table_type": "VIEW", "view_definition": "SELECT * FROM x"}, by_admin=True)
    admin.sql(fill(f"ALTER TABLE {{s}}.x SET ROW FILTER {function} ON (region)"))
    for name in (fill("{s}.x"), view):
        admin.sql(f"GRANT SELECT ON TABLE {name} TO `{session.sql('SELECT current_user()').collect()[0][0]}`")
        assert [row.name for row in session.table(name).collect()] == ["ann"]
    session.sql("SELECT 'US' AS r UNION ALL SELECT 'EU'").createOrReplaceTempView("allowed")
    session.sql("SELECT 'mine' AS name").createOrReplaceTempView("x")
    try:
        for name in (fill("{s}.x"), view):
            assert [row.name for row in session.table(name).collect()] == ["ann"]
    finally:
        session.catalog.dropTempView("allowed")
        session.catalog.dropTempView("x")


def test_a_text_never_calls_what_the_reader_has_registered(case: Case) -> None:
    body = {
        "data_type": "STRING",
        "routine_body": "SQL",
        "routine_definition": "scramble(p)",
        "input_params": {"parameters": [{"name": "p", "type_text": "STRING"}]},
    }
    function = _new(case, "functions", body, by_admin=True)
    case.session.udf.register("scramble", lambda value: value, "string")
    with pytest.raises(AnalysisException, match="'scramble' does not exist"):
        case.session.sql(f"SELECT {function}('x')").collect()
    case.admin.udf.register("scramble", lambda value: value, "string")
    with pytest.raises(AnalysisException, match="'scramble' does not exist"):
        case.admin.sql(case.fill("CREATE VIEW {s}.scrambled AS SELECT scramble(secret) AS x FROM {v}"))


def test_functions_of_the_engine_keep_their_names(case: Case) -> None:
    for name in ("concat", "UPPER", "rank", "shiftLeft", "&&", "range"):
        with pytest.raises(AnalysisException, match="cannot be registered as"):
            case.admin.udf.register(name, lambda value: value, "string")
    for _ in range(2):
        case.admin.udf.register("of_mine", lambda value: value, "string")
    assert case.admin.sql("SELECT OF_MINE('x')").collect()[0][0] == "x"


def test_an_admin_breaks_no_table_by_accident(case: Case) -> None:
    rows, place = case.admin.sql("SELECT 'x' AS secret"), case.values["vp"]
    for write in (
        lambda: rows.write.mode("overwrite").parquet(place),
        lambda: rows.write.text(f"{place}/x"),
        lambda: rows.writeTo(f"json.`{place}`").append(),
    ):
        with pytest.raises(Exception, match="in the folder of the Delta table"):
            write()


def test_nothing_was_changed(case: Case) -> None:
    """What the attempts wrote, where they were allowed to, hides nothing and lost nothing."""
    found = case.admin.sql(case.fill("SELECT id, name, region, salary FROM {t} WHERE id < 5 ORDER BY id")).collect()
    assert [tuple(row) for row in found] == [
        (1, "ann", "EU", 7700001),
        (2, "hidden-bob", "US", 7700002),
        (3, "cid", "EU", 7700003),
        (4, "hidden-dan", "US", 7700004),
    ]
    assert case.admin.table(case.fill("{v}")).collect()[0].secret == "vaulted"
