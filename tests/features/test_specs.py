"""Feature specs, endpoints that answer features, and functions in them, against a server."""

import datetime as dt
import json
import re
import uuid
from time import monotonic, sleep
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, DatabricksError, NotFound, PermissionDenied, TemporarilyUnavailable
from databricks.sdk.service import serving
from pyspark.errors.exceptions.connect import SparkConnectGrpcException
from pyspark.sql import SparkSession

from boathouse.features.client import (
    EndpointCoreConfig,
    FeatureEngineeringClient,
    FeatureFunction,
    FeatureLookup,
    FeatureTables,
    ServedEntity,
)
from tests.conftest import Server

PUBLISHED = "weather_online"


@pytest.fixture
def tables(server: Server, spark: SparkSession) -> FeatureTables:
    return FeatureTables(spark, WorkspaceClient(host=server.url, token=server.token))


@pytest.fixture
def schema(spark: SparkSession) -> str:
    name = f"main.fs_{uuid.uuid4().hex[:8]}"
    spark.sql(f"CREATE SCHEMA {name}")
    spark.sql(
        f"CREATE TABLE {name}.weather (origin STRING NOT NULL, at TIMESTAMP NOT NULL, temp DOUBLE, sky STRING, "
        "PRIMARY KEY (origin, at TIMESERIES))"
    )
    spark.sql(
        f"INSERT INTO {name}.weather VALUES ('EWR', timestamp'2024-01-01 00:00:00', 1.5, 'clear'), "
        "('EWR', timestamp'2024-01-01 02:00:00', 2.5, NULL)"
    )
    spark.sql(
        f"CREATE FUNCTION {name}.feels(t DOUBLE, wind INT, at TIMESTAMP) RETURNS DOUBLE LANGUAGE PYTHON AS "
        "$$ return None if t is None else t - wind / 2 + at.hour $$"
    )
    spark.sql(f"CREATE FUNCTION {name}.sql_twice(x DOUBLE) RETURNS DOUBLE RETURN x * 2")
    return name


def test_an_endpoint_answers_features_as_a_batch_has_them(
    server: Server, tables: FeatureTables, spark: SparkSession, schema: str
) -> None:
    fe, name = FeatureEngineeringClient(tables=tables), f"{schema}.near"
    features: list[FeatureLookup | FeatureFunction] = [
        FeatureLookup(
            f"{schema}.weather",
            "origin",
            timestamp_lookup_key="at",
            lookback_window=dt.timedelta(hours=3),
            default_values={"sky": "unknown"},
            rename_outputs={"temp": "celsius"},
        ),
        FeatureFunction(
            udf_name=f"{schema}.feels", input_bindings={"T": "celsius", "wind": "wind", "at": "at"}, output_name="feels"
        ),
    ]
    made = fe.create_feature_spec(name=name, features=features)
    assert (made.name, made.outputs) == (name, ["celsius", "sky", "feels"])
    assert set(made.inputs) == {"wind", "at", "origin"}
    assert made == fe.get_feature_spec(name=name)
    fe.create_online_store(name=f"store-{schema}")
    for published in ("TRIGGERED", "SNAPSHOT"):
        fe.publish_table(
            online_store=f"store-{schema}",
            source_table_name=f"{schema}.weather",
            online_table_name=f"{schema}.{PUBLISHED}",
            publish_mode=published,
        )
    endpoint = f"fs-{uuid.uuid4().hex[:8]}"
    fe.create_feature_serving_endpoint(
        name=endpoint, config=EndpointCoreConfig(served_entities=ServedEntity(feature_spec_name=name))
    )
    records: list[dict[str, Any]] = [
        {"origin": origin, "at": f"2024-01-01T0{hour}:00:00Z", "wind": wind}
        for origin, hour, wind in (("EWR", 1, 3), ("EWR", 5, 3), ("EWR", 6, 4), ("JFK", 1, 3))
    ]
    answered = tables.workspace.serving_endpoints.query(endpoint, dataframe_records=records).outputs
    rows = spark.createDataFrame(
        [(one["origin"], dt.datetime.fromisoformat(one["at"]), one["wind"]) for one in records],
        "origin string, at timestamp, wind int",
    )
    batch = fe.create_training_set(df=rows, feature_lookups=features, label=None, exclude_columns=["origin", "at", "wind"])
    assert answered == [row.asDict() for row in batch.load_df().collect()]
    assert answered == [
        {"celsius": 1.5, "sky": "clear", "feels": 1.0},
        {"celsius": 2.5, "sky": "unknown", "feels": 6.0},
        {"celsius": None, "sky": "unknown", "feels": None},
        {"celsius": None, "sky": "unknown", "feels": None},
    ]
    # What the request has is not looked up, and what is wrong with it is named.
    assert ask(tables, endpoint, {**records[0], "celsius": 10}) == [{"celsius": 10, "sky": "clear", "feels": 9.5}]
    for record, message in (
        ({"origin": "EWR", "at": records[0]["at"]}, "Column 'wind' is missing. The request needs: wind, at, origin"),
        ({**records[0], "wind": "much"}, "'wind' is an argument of type int; 'much' is not one"),
        ({**records[0], "origin": 7}, "'origin' is a lookup key of type string"),
    ):
        with pytest.raises(BadRequest, match=message):
            ask(tables, endpoint, record)
    shown = fe.get_feature_serving_endpoint(name=endpoint).config
    assert shown is not None
    assert [one.entity_name for one in shown.served_entities or ()] == [name]
    # Endpoint and batch agree until the table changes and the online table does not.
    same = fe.check_skew(endpoint=endpoint, df=rows)
    assert same.feature.tolist() == made.outputs
    assert same.rows.tolist() == [4, 4, 4]
    assert same.different.tolist() == [0, 0, 0]
    spark.sql(f"UPDATE {schema}.weather SET temp = 4.5 WHERE temp = 2.5")
    skewed = fe.check_skew(endpoint=endpoint, df=rows, sample=3).set_index("feature")
    assert skewed.different.to_dict() == {"celsius": 1, "sky": 0, "feels": 1}
    assert skewed.largest_difference["celsius"] == 2.0
    assert skewed.example["celsius"] == {**records[1], "at": "2024-01-01T05:00:00+00:00", "online": 2.5, "offline": 4.5}
    with pytest.raises(ValueError, match=r"which is no column\. Columns: origin, at"):
        fe.check_skew(endpoint=endpoint, df=rows.drop("wind"))
    # A spec is a function of the catalog: SQL does not call it, and a stranger may neither see nor serve it.
    with pytest.raises(SparkConnectGrpcException, match="is a feature spec: endpoints serve it"):
        spark.sql(f"SELECT {name}(1, now(), 'EWR')").collect()
    stranger = WorkspaceClient(host=server.url, token=server.new_principal(f"{endpoint}@example.com"))
    entity = serving.ServedEntityInput(entity_name=name, workload_size="Small", scale_to_zero_enabled=False)
    with pytest.raises((PermissionDenied, NotFound)):
        stranger.serving_endpoints.create(
            f"{endpoint}-2", config=serving.EndpointCoreConfigInput(name=f"{endpoint}-2", served_entities=[entity])
        )
    a_table_published_anew_is_read(fe, tables, endpoint, schema, records[1])
    fe.delete_feature_serving_endpoint(name=endpoint)
    fe.delete_feature_spec(name=name)
    with pytest.raises(NotFound):
        fe.get_feature_spec(name=name)


def a_table_published_anew_is_read(
    fe: FeatureEngineeringClient, tables: FeatureTables, endpoint: str, schema: str, record: dict[str, Any]
) -> None:
    """It is another file, which the endpoint's process may not open: another process takes its place, which may."""
    online = f"{schema}.{PUBLISHED}"
    tables.workspace.feature_store.delete_online_table(online)
    with pytest.raises(NotFound, match=f"Online table '{online}' does not exist"):
        ask(tables, endpoint, record)
    fe.publish_table(online_store=f"store-{schema}", source_table_name=f"{schema}.weather", online_table_name=online)
    found, deadline = None, monotonic() + 60
    while found is None:
        try:
            found = ask(tables, endpoint, record)
        except (NotFound, TemporarilyUnavailable):
            assert monotonic() < deadline
            sleep(0.1)
    assert found == [{"celsius": 4.5, "sky": "unknown", "feels": 8.0}]


def test_what_is_only_looked_up_needs_no_model_server(
    server: Server, tables: FeatureTables, spark: SparkSession, schema: str
) -> None:
    fe, name = FeatureEngineeringClient(tables=tables), f"{schema}.near"
    lookup = FeatureLookup(f"{schema}.weather", "origin", timestamp_lookup_key="at", default_values={"sky": "unknown"})
    fe.create_feature_spec(name=name, features=[lookup])
    fe.create_online_store(name=f"store-{schema}")
    online = f"{schema}.by_another_name"

    def publish() -> None:
        fe.publish_table(online_store=f"store-{schema}", source_table_name=f"{schema}.weather", online_table_name=online)

    publish()
    endpoint = f"fs-{uuid.uuid4().hex[:8]}"
    served = ServedEntity(feature_spec_name=name)
    fe.create_feature_serving_endpoint(name=endpoint, config=EndpointCoreConfig(served_entities=served))
    shown = tables.workspace.serving_endpoints.get(endpoint).config
    assert shown is not None
    [entity] = shown.served_entities or []
    assert entity.state is not None
    assert entity.state.deployment_state_message == f"Serving feature spec {name} in the server"
    record = {"origin": "EWR", "at": "2024-01-01T01:00:00Z"}
    late = {"origin": "EWR", "at": 1704078000000}
    nobody = {"origin": None, "at": None}
    wanted = [{"temp": 1.5, "sky": "clear"}, {"temp": 2.5, "sky": "unknown"}, {"temp": None, "sky": "unknown"}]
    assert ask(tables, endpoint, record, late, nobody) == wanted
    # A large request is answered by a thread, alike.
    assert ask(tables, endpoint, *[record, late, nobody] * 1000) == wanted * 1000
    for body, message in (
        ('{"dataframe_records": [{"origin": "EWR"', "The body is not valid JSON: Expecting"),
        ('{"dataframe_records": [{"origin": "EWR", "at": NaN}]}', "'at' is a time: give ISO 8601 text .* not nan"),
        ('{"dataframe_records": [{"at": null}]}', "Column 'origin' is missing. The request needs: origin, at"),
        ('{"dataframe_records": [{"origin": "EWR", "at": []}]}', "'at' is a time: give ISO 8601 text"),
        ('{"dataframe_records": [{"origin": ["EWR"]}]}', "'origin' is a lookup key of type string"),
        ('{"dataframe_records": []}', "Column 'origin' is missing"),
        ('{"instances": [1, 2]}', "A feature spec needs named columns: origin, at"),
        ('{"dataframe_records": [], "params": {"a": 1}}', "A feature spec has no params"),
        ("[" * 5000, "The body is not valid JSON"),
    ):
        refused = server.client().post(f"/serving-endpoints/{endpoint}/invocations", content=body)
        assert (refused.status_code, refused.json()["error_code"]) in {(400, "BAD_REQUEST"), (400, "INVALID_PARAMETER_VALUE")}
        assert re.search(message, refused.json()["message"]), (body, refused.json())
    # What is published anew is answered at once; what is gone is named.
    spark.sql(f"UPDATE {schema}.weather SET temp = 9.5 WHERE temp = 1.5")
    publish()
    assert ask(tables, endpoint, record) == [{"temp": 9.5, "sky": "clear"}]
    fe.drop_online_table(name=online)
    with pytest.raises(NotFound, match=online):
        ask(tables, endpoint, record)
    publish()
    assert ask(tables, endpoint, record) == [{"temp": 9.5, "sky": "clear"}]


def ask(tables: FeatureTables, endpoint: str, *records: dict[str, Any]) -> list[Any] | None:
    return tables.workspace.serving_endpoints.query(endpoint, dataframe_records=list(records)).outputs


def test_a_preview_says_which_row_is_taken(tables: FeatureTables, spark: SparkSession, schema: str) -> None:
    fe, name = FeatureEngineeringClient(tables=tables), f"{schema}.late"
    day = "timestamp'2024-01-01 {:02}:00:00'"
    times = [(1, 1), (4, 4), (6, 7), (6, 9), (7, 12), (11, 11)]
    rows = [
        f"SELECT 'EWR' AS origin, {day.format(at)} AS at, {day.format(known)} AS known, {at}D AS temp" for at, known in times
    ]
    first = spark.sql(" UNION ALL ".join(rows[:3] + rows[4:]))
    fe.create_table(name=name, primary_keys="origin", timeseries_columns="at", available_at="known", df=first)
    spark.sql(rows[3]).writeTo(name).append()
    lookup = FeatureLookup(name, "o", timestamp_lookup_key="t", lookback_window=dt.timedelta(hours=8))
    found = fe.preview_lookup(lookup=lookup, key={"o": "EWR"}, time="2024-01-01 10:00:00").collect()
    assert [(row.as_of_status, row["at"].hour, row.known.hour, row.temp) for row in found] == [
        ("after the time", 11, 11, 11.0),
        ("not known yet", 7, 12, 7.0),
        ("chosen", 6, 9, 6.0),
        ("an older row", 6, 7, 6.0),
        ("an older row", 4, 4, 4.0),
        ("too old", 1, 1, 1.0),
    ]
    now = fe.preview_lookup(lookup=FeatureLookup(name, "o"), key={"o": "EWR"}).first()
    assert (now.as_of_status, now.temp) == ("chosen", 11.0)
    for key, time, message in (
        ({"origin": "EWR"}, "2024-01-01", "key has to have the columns o; it has: origin"),
        ({"o": "EWR"}, None, "time is missing"),
    ):
        with pytest.raises(ValueError, match=message):
            fe.preview_lookup(lookup=lookup, key=key, time=time)


def test_specs_are_checked(tables: FeatureTables, schema: str) -> None:
    fe, weather = FeatureEngineeringClient(tables=tables), FeatureLookup(f"{schema}.weather", "origin")

    def feels(**bindings: str) -> FeatureFunction:
        return FeatureFunction(udf_name=f"{schema}.feels", input_bindings=bindings)

    wrong: tuple[tuple[list[Any], list[str], str], ...] = (
        ([weather, weather], [], "The column 'sky' would come from two places"),
        ([weather, feels(t="temp", wind="w")], [], "does not bind 'at'"),
        ([feels(t="t", wind="w", at="a", dew="d")], [], "binds 'dew', which is no parameter. Parameters: t, wind, at"),
        ([FeatureLookup(f"{schema}.weather", ["a", "b"])], [], "lookup_key has 2 columns"),
        ([weather], ["rain"], "exclude_columns names 'rain'"),
        ([weather], ["temp", "sky"], "features gives no column"),
        ([3], [], "features has something else"),
    )
    for features, excluded, message in wrong:
        with pytest.raises(ValueError, match=message):
            fe.create_feature_spec(name=f"{schema}.wrong", features=features, exclude_columns=excluded)
    with pytest.raises(ValueError, match="is a function, and no feature spec"):
        fe.get_feature_spec(name=f"{schema}.feels")
    twice = FeatureFunction(udf_name=f"{schema}.sql_twice", input_bindings={"x": "x"}, output_name="twice")
    fe.create_feature_spec(name=f"{schema}.in_sql", features=[twice])
    fe.create_feature_spec(name=f"{schema}.plain", features=[weather])
    for entity, message in (
        (f"{schema}.in_sql", "which is in SQL; endpoints compute those in Python"),
        (f"{schema}.feels", "is a function in PYTHON, and no feature spec"),
        (f"{schema}.none", "entity_version is needed for a model"),
        (f"{schema}.plain", "weather_online' does not exist. Publish its source table"),
    ):
        config = EndpointCoreConfig([ServedEntity(entity)])
        with pytest.raises(DatabricksError, match=message):
            fe.create_feature_serving_endpoint(name=f"fs-{uuid.uuid4().hex[:8]}", config=config)


def test_endpoints_specs_and_online_tables_follow_renames(tables: FeatureTables, spark: SparkSession, schema: str) -> None:
    fe, workspace, store = FeatureEngineeringClient(tables=tables), tables.workspace, f"store-{schema}"
    features: list[FeatureLookup | FeatureFunction] = [
        FeatureLookup(f"{schema}.weather", "origin", feature_names=["temp"], timestamp_lookup_key="at"),
        FeatureFunction(
            udf_name=f"{schema}.feels", input_bindings={"t": "temp", "wind": "wind", "at": "at"}, output_name="feels"
        ),
    ]
    fe.create_feature_spec(name=f"{schema}.near", features=features)
    fe.create_online_store(name=store)
    fe.publish_table(
        online_store=store,
        source_table_name=f"{schema}.weather",
        online_table_name=f"{schema}.{PUBLISHED}",
        publish_mode="TRIGGERED",
    )
    endpoint, (catalog, old) = f"fs-{uuid.uuid4().hex[:8]}", schema.split(".")
    capture = serving.AutoCaptureConfigInput(catalog_name=catalog, schema_name=old, table_name_prefix="kept")
    served = [serving.ServedEntityInput(entity_name=f"{schema}.near", name="near")]
    workspace.serving_endpoints.create_and_wait(
        endpoint, config=serving.EndpointCoreConfigInput(name=endpoint, served_entities=served, auto_capture_config=capture)
    )
    record = {"origin": "EWR", "at": "2024-01-01T03:00:00Z", "wind": 2}
    before = ask(tables, endpoint, record)
    spark.sql(f"ALTER TABLE {schema}.weather RENAME TO {schema}.rain").collect()
    new = f"{old}x"
    workspace.schemas.update(schema, new_name=new)
    shown = workspace.serving_endpoints.get(endpoint).config
    assert shown is not None
    assert shown.served_entities is not None
    assert [one.entity_name for one in shown.served_entities] == [f"{catalog}.{new}.near"]
    assert shown.auto_capture_config is not None
    assert (shown.auto_capture_config.schema_name, shown.auto_capture_config.table_name_prefix) == (new, "kept")
    assert ask(tables, endpoint, record) == before
    body = json.loads(workspace.functions.get(f"{catalog}.{new}.near").routine_definition or "")
    assert [one["table"] for one in body["lookups"]] == [f"{catalog}.{new}.rain"]
    assert [one["udf"] for one in body["functions"]] == [f"{catalog}.{new}.feels"]
    # The table under its new name feeds the same online table, and another process of the endpoint finds all of it.
    spark.sql(f"INSERT INTO {catalog}.{new}.rain VALUES ('EWR', timestamp'2024-01-01 03:00:00', 9.5, NULL)")
    fe.publish_table(
        online_store=store,
        source_table_name=f"{catalog}.{new}.rain",
        online_table_name=f"{schema}.{PUBLISHED}",
        publish_mode="TRIGGERED",
    )
    again = [serving.ServedEntityInput(entity_name=f"{catalog}.{new}.near", name="again")]
    workspace.serving_endpoints.update_config_and_wait(endpoint, served_entities=again)
    assert ask(tables, endpoint, record) == [{"temp": 9.5, "feels": 11.5}]
    spark.sql(f"ALTER TABLE {catalog}.{new}.kept_payload RENAME TO {catalog}.{new}.requests").collect()
    renamed = workspace.serving_endpoints.get(endpoint).config
    assert renamed is not None
    assert renamed.auto_capture_config is not None
    assert renamed.auto_capture_config.state is not None
    assert renamed.auto_capture_config.state.payload_table is not None
    assert renamed.auto_capture_config.state.payload_table.name == "requests"
    workspace.serving_endpoints.delete(endpoint)


def test_specs_follow_columns_under_new_names(tables: FeatureTables, spark: SparkSession, schema: str) -> None:
    fe, workspace, store = FeatureEngineeringClient(tables=tables), tables.workspace, f"store-{schema}"
    table = f"{schema}.weather"
    lookup = FeatureLookup(
        table, "origin", feature_names=["temp", "sky"], timestamp_lookup_key="at", rename_outputs={"sky": "clouds"}
    )
    fe.create_feature_spec(name=f"{schema}.near", features=[lookup])
    fe.create_online_store(name=store)

    def publish() -> None:
        fe.publish_table(
            online_store=store,
            source_table_name=table,
            online_table_name=f"{schema}.{PUBLISHED}",
            publish_mode="TRIGGERED",
        )

    publish()
    endpoint, record = f"fs-{uuid.uuid4().hex[:8]}", {"origin": "EWR", "at": "2024-01-01T03:00:00Z"}
    served = [serving.ServedEntityInput(entity_name=f"{schema}.near", name="near")]
    config = serving.EndpointCoreConfigInput(name=endpoint, served_entities=served)
    workspace.serving_endpoints.create_and_wait(endpoint, config=config)
    before = ask(tables, endpoint, record)
    assert set(before[0]) == {"temp", "clouds"}
    spark.sql(f"ALTER TABLE {table} SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name')").collect()
    for old, new in (("temp", "celsius"), ("sky", "clouds")):
        spark.sql(f"ALTER TABLE {table} RENAME COLUMN {old} TO {new}").collect()
    body = json.loads(workspace.functions.get(f"{schema}.near").routine_definition or "")
    assert (body["lookups"][0]["features"], body["lookups"][0]["rename"]) == (["celsius", "clouds"], {"celsius": "temp"})
    # What is served has its columns from when it was published, until that is done again.
    assert ask(tables, endpoint, record) == before
    publish()
    with pytest.raises(
        BadRequest, match=r"has 'temp', which the online table of .* does not have any more.*deploy the feature spec"
    ):
        ask(tables, endpoint, record)
    again = [serving.ServedEntityInput(entity_name=f"{schema}.near", name="again")]
    workspace.serving_endpoints.update_config_and_wait(endpoint, served_entities=again)
    assert ask(tables, endpoint, record) == before
    workspace.serving_endpoints.delete(endpoint)
