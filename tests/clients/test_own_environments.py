"""unitycatalog-client and dbt-spark: both want older libraries than the server, so each gets an environment of its own."""

import json
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

from tests.clients.conftest import HERE, PROGRAMS, run
from tests.conftest import Server

Install = Callable[..., Path]


def test_unitycatalog_client(server: Server, install: Install, name: str, tmp_path: Path) -> None:
    user = f"{name}@example.com"
    server.new_principal(user)
    python = install("unitycatalog-client==0.7.0")
    said = run([str(python), str(PROGRAMS / "uc_client.py"), server.url, server.token, name, user], cwd=tmp_path)
    assert json.loads(said) == {
        "catalog": True,
        "schemas": ["default", "s"],
        "tables": [],
        "volumes": [f"{name}.s.v"],
        "models": [f"{name}.s.m"],
        "grants": [[user, ["USE CATALOG"]]],
        "missing": "TABLE_DOES_NOT_EXIST",
        "left": False,
    }


def test_dbt_spark(server: Server, install: Install, tmp_path: Path) -> None:
    # dbt-core 1.12.6 fetches a part of itself from outside of PyPI when it is installed; 1.10 does not.
    python = install("dbt-spark<1.11", "dbt-core<1.11", "pyspark-client==4.2.0", "pandas<3", "pyarrow")
    project = tmp_path / "shop"
    shutil.copytree(HERE / "shop", project)
    schema = f"shop_{uuid.uuid4().hex[:8]}"
    environment = {
        "SPARK_REMOTE": server.spark_remote(),
        "SHOP_SCHEMA": schema,
        "DBT_PROFILES_DIR": str(project),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }

    def dbt(*arguments: str) -> dict[str, str]:
        run([str(python.parent / "dbt"), *arguments], cwd=project, **environment)
        results = json.loads((project / "target" / "run_results.json").read_text())["results"]
        return {one["unique_id"].split(".")[2]: one["status"] for one in results}

    assert dbt("seed") == {"raw_orders": "success"}
    models = {"stg_orders": "success", "customers": "success", "orders": "success"}
    assert dbt("run") == models
    with (project / "seeds" / "raw_orders.csv").open("a") as seed:
        seed.write("3,ann,7.0,2026-01-02\n4,cid,1.0,2026-01-03\n")
    rows = (project / "seeds" / "raw_orders.csv").read_text().replace("3,ann,5.25,2026-01-02\n", "")
    (project / "seeds" / "raw_orders.csv").write_text(rows)
    assert dbt("seed") == {"raw_orders": "success"}
    assert dbt("run") == models
    assert set(dbt("test").values()) == {"pass"}

    from pyspark.sql import SparkSession

    spark = SparkSession.builder.remote(server.spark_remote()).create()
    try:
        orders = spark.sql(f"SELECT id, amount FROM main.{schema}.orders ORDER BY id").collect()
        assert [tuple(row) for row in orders] == [(1, 10.5), (2, 20.0), (3, 7.0), (4, 1.0)]
        merged = spark.sql(f"DESCRIBE HISTORY main.{schema}.orders").collect()[0]
        assert merged.operation == "MERGE"
    finally:
        spark.stop()
