"""Connections in SQL, as what the query history keeps of them."""

import uuid
from collections.abc import Callable

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from tests.conftest import Server

SECRET = "sq1-secret-of-a-connection"


def test_connections(spark: SparkSession, connect: Callable[..., SparkSession], server: Server) -> None:
    name = f"c{uuid.uuid4().hex[:8]}"
    with server.client() as client:
        client.post("/api/2.0/secrets/scopes/create", json={"scope": name}).raise_for_status()
        body = {"scope": name, "key": "k", "string_value": SECRET}
        client.post("/api/2.0/secrets/put", json=body).raise_for_status()
    options = "host 'localhost', port '5432', user 'u'"
    spark.sql(f"CREATE CONNECTION {name} TYPE postgresql OPTIONS ({options}, password '{SECRET}') COMMENT 'mine'")
    spark.sql(f"CREATE SERVER IF NOT EXISTS {name} TYPE postgresql OPTIONS ({options}, password '{SECRET}')")
    spark.sql(f"ALTER CONNECTION {name} OPTIONS ({options}, password secret('{name}', 'k'))")
    shown = [row for row in spark.sql("SHOW CONNECTIONS").collect() if row.name == name]
    assert [tuple(row) for row in shown] == [(name, "POSTGRESQL", "USERNAME_PASSWORD", "mine")]
    told = {row[0]: row[1] for row in spark.sql(f"DESCRIBE CONNECTION {name}").collect()}
    assert told["Options"] == f"[host=localhost, password={{{{secrets/{name}/k}}}}, port=5432, user=u]"
    user = f"{name}@example.com"
    other = connect(server.new_principal(user))
    with pytest.raises(PySparkException, match=r"(?i)privilege|permission"):
        other.sql(f"DESCRIBE CONNECTION {name}").collect()
    spark.sql(f"GRANT USE CONNECTION ON CONNECTION {name} TO `{user}`")
    assert other.sql(f"DESCRIBE CONNECTION {name}").collect()
    with pytest.raises(PySparkException, match=r"(?i)manage"):
        other.sql(f"DROP CONNECTION {name}")
    spark.sql(f"ALTER CONNECTION {name} RENAME TO {name}_2")
    with pytest.raises(PySparkException, match=r"options\.nothing is not an option"):
        spark.sql(f"ALTER CONNECTION {name}_2 OPTIONS ({options}, nothing 'x')")
    spark.sql(f"DROP CONNECTION {name}_2")
    spark.sql(f"DROP CONNECTION IF EXISTS {name}_2")
    with pytest.raises(PySparkException, match="does not exist"):
        spark.sql(f"DROP CONNECTION {name}_2")
    told_of = spark.sql(
        f"SELECT statement_text FROM system.query.history WHERE statement_text LIKE '%{name}%' AND statement_text LIKE '%OPTIONS%'"
    ).collect()
    assert told_of
    assert all(SECRET not in row.statement_text for row in told_of)
    assert SECRET not in server.log.read_text()
