"""Feature tables as the page finds them, and which row of an entity is taken when."""

import json
import time
import uuid
from typing import Any

import httpx
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.dashboards import Dashboard
from playwright.sync_api import Browser, expect
from pyspark.sql import SparkSession

from boathouse.features.client import EndpointCoreConfig, FeatureEngineeringClient, FeatureLookup, FeatureTables, ServedEntity
from tests.conftest import Server
from tests.jobs.test_sources import warehouse
from tests.sql.documents import sales

BASE = "/api/boathouse/v1/features"


def test_feature_tables_are_found_and_looked_at(server: Server, spark: SparkSession, browser: Browser) -> None:
    schema = f"main.d_{uuid.uuid4().hex[:8]}"
    name = f"{schema}.weather"
    spark.sql(f"CREATE SCHEMA {schema}")
    spark.sql(f"CREATE TABLE {schema}.plain (a INT)")
    spark.sql(
        f"CREATE TABLE {name} (origin STRING NOT NULL, n INT NOT NULL, at TIMESTAMP NOT NULL, known TIMESTAMP, temp DOUBLE, "
        "sky STRING COMMENT 'as an observer said', CONSTRAINT k PRIMARY KEY (origin, n, at TIMESERIES)) "
        "COMMENT 'Hourly' TBLPROPERTIES ('available_at' = 'known')"
    )
    spark.sql(f"ALTER TABLE {name} SET TAGS ('team' = 'sky')")
    spark.sql(
        f"INSERT INTO {name} SELECT \"O'Hare\", 1, timestamp'2024-01-01 00:00:00Z' + make_interval(0, 0, 0, 0, id), "
        "timestamp'2024-01-01 02:00:00Z' + make_interval(0, 0, 0, 0, id), "
        "if(id = 3, NULL, double(id)), if(id < 7, 'clear', 'rain') FROM range(10)"
    )
    tables = FeatureTables(spark, WorkspaceClient(host=server.url, token=server.token))
    lookup = FeatureLookup(name, ["origin", "n"], timestamp_lookup_key="at")
    fe = FeatureEngineeringClient(tables=tables)
    fe.create_feature_spec(name=f"{schema}.near", features=[lookup])
    with server.client() as admin:
        listed = admin.get(BASE, params={"q": f"{schema} sky OBSERVER"}).json()["tables"]
        assert [one["full_name"] for one in listed] == [name]
        assert admin.get(BASE, params={"q": f"{schema} snow"}).json() == {"tables": [], "next_page_token": None}
        told = admin.get(f"{BASE}/{name}").json()
        assert told == listed[0]
        assert (told["primary_keys"], told["timeseries_key"], told["available_at"]) == (["origin", "n"], "at", "known")
        assert [one["name"] for one in told["features"]] == ["temp", "sky"]
        assert (told["comment"], told["tags"], told["online"]) == ("Hourly", {"team": "sky"}, [])
        assert told["updated_at"] > told["created_at"] > 0
        refused = admin.get(f"{BASE}/{schema}.plain")
        assert (refused.status_code, "has no primary key" in refused.json()["message"]) == (400, True)
        uses = used(server, spark, fe, schema)
        assert admin.get(f"{BASE}/{name}/uses").json() == uses
        temp, sky = admin.get(f"{BASE}/{name}/distribution").json()["features"]
        assert (temp["rows"], temp["nulls"], temp["distinct"], temp["least"], temp["most"]) == (10, 1, 9, 0.0, 9.0)
        assert sum(one["rows"] for one in temp["bins"]) == 9
        assert sky["values"] == [{"value": "clear", "rows": 7}, {"value": "rain", "rows": 3}]

        key = {"origin": "O'Hare", "n": "1"}
        asked = {"key": key, "time": "2024-01-01T07:30:00", "lookback_seconds": 3 * 3600}
        rows = admin.post(f"{BASE}/{name}/preview", json=asked).json()["rows"]
        statuses = ["after the time"] * 2 + ["not known yet"] * 2 + ["chosen"] + ["too old"] * 5
        assert [row["as_of_status"] for row in rows] == statuses
        client = fe.preview_lookup(
            lookup=FeatureLookup(name, ["origin", "n"], timestamp_lookup_key="at"),
            key={"origin": "O'Hare", "n": 1},
            time="2024-01-01T07:30:00Z",
        )
        assert [row.temp for row in client.collect() if row.as_of_status == "chosen"] == [rows[4]["temp"]]
        for body, problem in (
            ({"key": {"origin": "x"}}, "key has to have the columns origin, n"),
            ({"key": key | {"n": "one"}}, "'one' is no value of 'n', which is of type int"),
            ({"key": key, "time": "soon"}, "'time' is a time"),
            ({"key": key, "lookback_seconds": 1}, "needs a time"),
        ):
            answer = admin.post(f"{BASE}/{name}/preview", json=body)
            assert answer.status_code == 400
            assert problem in json.dumps(answer.json()).replace("\\", "")
        others_may_not_look(server, spark, name, uses)
    look_on_the_page(browser, server, schema)
    with server.client() as admin:
        look_at_many(admin, fe, spark, name)


def others_may_not_look(server: Server, spark: SparkSession, name: str, uses: dict[str, Any]) -> None:
    """Who has no rights on a table, or on what uses it, is told nothing of it."""
    schema, key = name.rpartition(".")[0], {"origin": "O'Hare", "n": "1"}
    other = server.new_principal(f"{schema[5:]}@example.com")
    with server.client(other) as stranger:
        assert stranger.get(BASE, params={"q": schema}).json()["tables"] == []
        for path in ("uses", "distribution"):
            assert stranger.get(f"{BASE}/{name}/{path}").status_code in {403, 404}
        assert stranger.post(f"{BASE}/{name}/preview", json={"key": key}).status_code in {403, 404}
    # Who may read the table, and not the endpoint and the dashboard, is told how many endpoints there are.
    for what in ("USE CATALOG ON CATALOG main", f"USE SCHEMA, SELECT ON SCHEMA {schema}"):
        spark.sql(f"GRANT {what} TO `{schema[5:]}@example.com`")
    with server.client(other) as reader:
        hidden = {"feature_specs": [], "endpoints": [], "hidden_endpoints": 0, "dashboards": []}
        assert reader.get(f"{BASE}/{name}/uses").json() == uses | hidden
        spark.sql(f"GRANT EXECUTE ON FUNCTION {schema}.near TO `{schema[5:]}@example.com`")
        told = reader.get(f"{BASE}/{name}/uses").json()
        assert told == uses | {"endpoints": [], "hidden_endpoints": 1, "dashboards": []}
    with server.client("") as nobody:
        assert nobody.get(BASE).status_code == 401


def used(server: Server, spark: SparkSession, fe: FeatureEngineeringClient, schema: str) -> dict[str, Any]:
    """What is told of the uses of a table, which an endpoint serves and a dashboard reads through a view."""
    fe.create_online_store(name=schema)
    online = {"source_table_name": f"{schema}.weather", "online_table_name": f"{schema}.weather_online"}
    fe.publish_table(online_store=schema, **online)
    entity = ServedEntity(feature_spec_name=f"{schema}.near")
    fe.create_feature_serving_endpoint(name=schema[5:], config=EndpointCoreConfig(served_entities=entity))
    spark.sql(f"CREATE VIEW {schema}.seen AS SELECT sky AS region, date(at) AS day, temp AS amount FROM {schema}.weather")
    client = WorkspaceClient(host=server.url, token=server.token)
    asked = Dashboard(display_name=schema, serialized_dashboard=sales(f"{schema}.seen"), warehouse_id=warehouse(client))
    made = client.lakeview.create(asked)
    body = {"page": "p1", "widget": "total", "query": "main_query", "filters": {}, "published": False}
    before = int(time.time() * 1000)
    client.api_client.do("POST", f"/api/boathouse/v1/dashboards/{made.dashboard_id}/query", body=body)
    with server.client() as admin:
        told = admin.get(f"{BASE}/{schema}.weather/uses").json()
    assert before <= told["dashboards"][0].pop("last_read_at") <= time.time() * 1000
    assert told == {
        "models": [],
        "hidden_models": 0,
        "feature_specs": [f"{schema}.near"],
        "endpoints": [{"endpoint": schema[5:], "entity_name": f"{schema}.near", "entity_version": None}],
        "hidden_endpoints": 0,
        "dashboards": [{"dashboard_id": made.dashboard_id, "name": schema}],
    }
    with server.client() as admin:
        again: dict[str, Any] = admin.get(f"{BASE}/{schema}.weather/uses").json()
    return again


def look_at_many(admin: httpx.Client, fe: FeatureEngineeringClient, spark: SparkSession, name: str) -> None:
    """Of many rows those around the time are shown, the chosen one among them."""
    spark.sql(
        f"INSERT INTO {name} SELECT 'many', 1, timestamp'2024-02-01 00:00:00Z' + make_interval(0, 0, 0, 0, id), NULL, id, '' "
        "FROM range(3000)"
    )
    key, time = {"origin": "many", "n": 1}, "2024-03-02T00:30:00Z"
    lookup = FeatureLookup(name, ["origin", "n"], timestamp_lookup_key="at")
    page = admin.post(f"{BASE}/{name}/preview", json={"key": key, "time": time}).json()["rows"]
    client = fe.preview_lookup(lookup=lookup, key=key, time=time).collect()
    for found in ([(row["as_of_status"], row["temp"]) for row in page], [(row.as_of_status, row.temp) for row in client]):
        assert found[249:252] == [("after the time", 721.0), ("chosen", 720.0), ("an older row", 719.0)]
        assert len(found) in {500, 501}


def look_on_the_page(browser: Browser, server: Server, schema: str) -> None:
    """Search, uses, distribution and preview, clicked."""
    page = browser.new_context(base_url=server.url, viewport={"width": 1280, "height": 800}).new_page()
    page.goto(server.client().post("/api/boathouse/v1/sign-in-links").json()["url"])
    page.wait_for_selector(".strip")
    page.goto(f"/features?q={schema}+sky")
    page.get_by_role("link", name=f"{schema}.weather").click()
    page.get_by_role("link", name="Uses").click()
    expect(page.get_by_text(f"{schema}.near", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name=schema[5:], exact=True)).to_be_visible()
    page.get_by_role("link", name=schema, exact=True).click()
    page.wait_for_url("**/dashboards/*")
    page.go_back()
    page.get_by_role("link", name="Distribution").click()
    expect(page.get_by_role("row", name="temp")).to_contain_text("10 %")
    page.get_by_role("link", name="Preview").click()
    page.get_by_label("origin").fill("O'Hare")
    page.get_by_label("n", exact=True).fill("1")
    page.get_by_label("As of (UTC)").fill("2024-01-01T07:30:00Z")
    page.get_by_role("button", name="Look up").click()
    expect(page.get_by_role("row", name="chosen")).to_contain_text("2024-01-01T05:00:00")
    page.context.close()
