"""Endpoints whose features are in PostgreSQL and in Redis: asked through HTTP, by processes that may only read."""

import json
import shutil
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest
from pyspark.sql import SparkSession

from boathouse.features.client import EndpointCoreConfig, FeatureEngineeringClient, FeatureLookup, FeatureTables, ServedEntity
from tests.conftest import Server
from tests.features.test_online import redis_server
from tests.postgres import create_database


def ask(tables: FeatureTables, endpoint: str) -> list[float | None]:
    keys = [{"shop": shop, "at": "2024-01-02T00:00:00Z"} for shop in (1, 2, 3)]
    return [row["sold"] for row in tables.workspace.serving_endpoints.query(endpoint, dataframe_records=keys).outputs]


@pytest.mark.timeout(300)
def test_endpoints_look_up_in_postgresql_and_redis(
    new_server: Callable[..., Server], postgres_url: str, tmp_path: Path
) -> None:
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed: tools/test-system.sh")
    database, role = create_database(postgres_url), f"reader_{uuid.uuid4().hex[:8]}"
    with ExitStack() as left, psycopg.connect(database, autocommit=True) as admin, redis_server(tmp_path) as redis_url:
        admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'of-the-reader'".encode())
        admin.execute(f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO {role}".encode())
        reading = database.replace("boathouse@", f"{role}:of-the-reader@")
        stores = {"team": {"url": database, "read_url": reading}, "fast": redis_url}
        server = new_server(BOATHOUSE_ONLINE_STORES=json.dumps(stores | {"gone": "redis://127.0.0.1:1/0"}))
        spark = SparkSession.builder.remote(server.spark_remote()).create()
        left.callback(spark.stop)
        tables = FeatureTables(spark, WorkspaceClient(host=server.url, token=server.token))
        fe = FeatureEngineeringClient(tables=tables)
        spark.sql(
            "CREATE TABLE main.default.sales (shop INT NOT NULL, at TIMESTAMP NOT NULL, sold DOUBLE, PRIMARY KEY (shop, at TIMESERIES))"
        )
        spark.sql(
            "INSERT INTO main.default.sales VALUES (1, timestamp'2024-01-01', 10), (2, timestamp'2024-01-01', 20), (2, timestamp'2024-01-03', 99)"
        )
        lookup = FeatureLookup("main.default.sales", "shop", timestamp_lookup_key="at")
        fe.create_feature_spec(name="main.default.near", features=[lookup])
        online = {"source_table_name": "main.default.sales", "online_table_name": "main.default.sales_online"}
        for store in stores:
            online["online_store"] = store
            fe.create_online_store(name=store)
            fe.publish_table(**online, publish_mode="SNAPSHOT")
            entity = ServedEntity(feature_spec_name="main.default.near")
            fe.create_feature_serving_endpoint(name=store, config=EndpointCoreConfig(served_entities=entity))
            assert ask(tables, store) == [10.0, 20.0, None]
            spark.sql(f"INSERT INTO main.default.sales VALUES (3, timestamp'2024-01-01', {len(store)})")
            fe.publish_table(**online)
            assert ask(tables, store) == [10.0, 20.0, float(len(store))]
            if store == "team":
                # The process reads by the role that may do no more, and takes a new connection where its own is gone.
                mine = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s"
                assert admin.execute(mine, [role]).fetchall()
                assert ask(tables, store) == [10.0, 20.0, 4.0]
            fe.delete_feature_serving_endpoint(name=store)
            tables.workspace.feature_store.delete_online_table("main.default.sales_online")
            spark.sql("DELETE FROM main.default.sales WHERE shop = 3")
        # Whoever makes a store that is not there is told at once, and it is not made.
        with pytest.raises(BadRequest, match="Nothing was made of the online store 'gone'"):
            fe.create_online_store(name="gone")
        assert [(one.name, str(one.state)) for one in fe.list_online_stores()] == [
            ("fast", "OnlineStoreState.AVAILABLE"),
            ("team", "OnlineStoreState.AVAILABLE"),
        ]
        one_that_stops_is_told(server, fe, online, redis_url)
        told = "".join(path.read_text(errors="replace") for path in (server.root / "logs").rglob("*") if path.is_file())
        assert "of-the-reader" not in told


def one_that_stops_is_told(server: Server, fe: FeatureEngineeringClient, online: dict[str, Any], redis_url: str) -> None:
    """A store that takes connections and does not answer is said to be stopped, and holds up no publishing into another one."""
    fe.create_online_store(name="near-by")
    fe.publish_table(**online | {"online_store": "fast"})
    place = redis_url.removeprefix("unix://")
    redis = next(one for one in psutil.process_iter(["cmdline"]) if place in " ".join(one.info["cmdline"] or ()))
    beside = online | {"online_store": "near-by", "online_table_name": "main.default.sales_near_by"}
    redis.suspend()
    try:
        with ThreadPoolExecutor(3) as threads, server.client() as admin:
            began = time.monotonic()
            listed = threads.submit(admin.get, "/api/2.0/feature-store/online-stores")
            stuck = threads.submit(fe.publish_table, **online | {"online_store": "fast"})
            near = threads.submit(fe.publish_table, **beside)
            near.result()
            assert not stuck.done()
            states = {one["name"]: one["state"] for one in listed.result().json()["online_stores"]}
            assert states == {"fast": "STOPPED", "near-by": "AVAILABLE", "team": "AVAILABLE"}
            assert time.monotonic() - began < 15
            redis.resume()
            stuck.result()
    finally:
        redis.resume()
    redis.kill()
    with pytest.raises(BadRequest, match="Nothing was published into the online store 'fast'"):
        fe.publish_table(**online | {"online_store": "fast"})
