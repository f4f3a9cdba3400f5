"""The feature engineering client against a server: tables, training sets, models, batches."""

import datetime as dt
import uuid
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from databricks.sdk import WorkspaceClient
from pyspark.errors import PySparkException, StreamingQueryException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType
from sklearn.linear_model import LinearRegression

from boathouse.errors import InvalidParameterValue
from boathouse.features.client import (
    FeatureEngineeringClient,
    FeatureFunction,
    FeatureLookup,
    FeatureStoreClient,
    FeatureTables,
)
from tests.conftest import Server

DAY = dt.datetime(2024, 1, 1)


@pytest.fixture
def tables(server: Server, spark: SparkSession) -> FeatureTables:
    return FeatureTables(spark, WorkspaceClient(host=server.url, token=server.token))


@pytest.fixture
def fe(tables: FeatureTables) -> FeatureEngineeringClient:
    return FeatureEngineeringClient(tables=tables)


@pytest.fixture
def schema(spark: SparkSession) -> str:
    name = f"main.fe_{uuid.uuid4().hex[:8]}"
    spark.sql(f"CREATE SCHEMA {name}")
    return name


def hours(spark: SparkSession, *rows: tuple[Any, ...]) -> DataFrame:
    frame = [(origin, None if hour is None else DAY + dt.timedelta(hours=hour), temp) for origin, hour, temp in rows]
    return spark.createDataFrame(frame, "origin string, at timestamp, temp double")


def test_a_feature_table_is_made_written_read_and_dropped(
    fe: FeatureEngineeringClient, spark: SparkSession, schema: str
) -> None:
    name = f"{schema}.weather"
    first = hours(spark, ("EWR", 0, 1.0), ("EWR", 1, 2.0))
    made = fe.create_table(
        name=name,
        primary_keys=["origin", "at"],
        timeseries_columns="at",
        df=first,
        description="The weather's own",
        tags={"team": "sky"},
    )
    assert (made.primary_keys, made.timestamp_keys, made.features) == (["origin"], ["at"], ["temp"])
    assert (made.description, made.tags) == ("The weather's own", {"team": "sky"})
    with pytest.warns(UserWarning, match="exists already"):
        fe.create_table(name=name, primary_keys=["origin"], timestamp_keys=["at"], df=first)
    with pytest.raises(ValueError, match=r"exists with other columns \(wind: absent there, double here\)"):
        fe.create_table(name=name, primary_keys=["origin"], timestamp_keys=["at"], df=first.selectExpr("*", "temp AS wind"))
    with pytest.raises(ValueError, match=r"exists with the keys origin, at \(time\)"):
        fe.create_table(name=name, primary_keys=["origin"], df=first)
    # What is there is updated in the columns given, what is not is added.
    spark.sql(f"ALTER TABLE {name} ADD COLUMN wind double")
    fe.write_table(name=name, df=hours(spark, ("EWR", 1, 2.5), ("JFK", 0, 9.0)))
    spark.sql(f"UPDATE {name} SET wind = 7 WHERE origin = 'EWR'")
    fe.write_table(name=name, df=hours(spark, ("EWR", 0, 1.5)))
    rows = {(row.origin, row["at"].hour): (row.temp, row.wind) for row in fe.read_table(name=name).collect()}
    assert rows == {("EWR", 0): (1.5, 7.0), ("EWR", 1): (2.5, 7.0), ("JFK", 0): (9.0, None)}
    for wrong, message in (
        (hours(spark, ("LGA", 0, 1.0), ("LGA", 0, 2.0)), r"2 rows of one key \(origin = 'LGA'"),
        (hours(spark, (None, 0, 1.0)), "without a value in the key column 'origin'"),
        (hours(spark, ("LGA", None, 1.0)), "without a value in the key column 'at'"),
        (spark.sql("SELECT 'LGA' AS origin, 1.0 AS temp"), "no column 'at', which is a key"),
        (first.selectExpr("*", "1 AS rain"), "has the column 'rain', which"),
    ):
        with pytest.raises(ValueError, match=message):
            fe.write_table(name=name, df=wrong)
    assert fe.read_table(name=name).count() == 3
    fe.write_table(name=name, df=hours(spark, ("LGA", 5, 5.0)), mode="overwrite")
    assert [(row.origin, row.wind) for row in fe.read_table(name=name).collect()] == [("LGA", None)]
    fe.delete_feature_table_tag(table_name=name, key="team")
    fe.set_feature_table_tag(table_name=name, key="owner", value="o'neill")
    assert fe.get_table(name).tags == {"owner": "o'neill"}
    spark.sql(f"CREATE TABLE {schema}.plain (a int)")
    for call in (fe.get_table, fe.drop_table):
        with pytest.raises(InvalidParameterValue, match="is no feature table: it has no primary key"):
            call(f"{schema}.plain")
    fe.drop_table(name)
    assert not spark.catalog.tableExists(name)


def test_arguments_are_checked(fe: FeatureEngineeringClient, spark: SparkSession, schema: str) -> None:
    df = hours(spark, ("EWR", 0, 1.0))
    wrong: tuple[tuple[dict[str, Any], str], ...] = (
        ({"primary_keys": []}, "primary_keys is empty"),
        ({"primary_keys": "airport"}, "primary_keys names 'airport', which is no column. Columns: origin, at, temp"),
        ({"primary_keys": "origin", "timeseries_columns": "temp"}, "'temp' of type double; it has to be a timestamp"),
        ({"primary_keys": "origin", "timeseries_columns": "at", "timestamp_keys": "at"}, "are names of one argument"),
        ({"primary_keys": "origin", "df": None}, "Give df or schema"),
        ({"primary_keys": "origin", "partition_columns": ["day"]}, "partition_columns names 'day'"),
        ({"primary_keys": "origin", "name": "a.b.c.d"}, "name has to be a table's name"),
    )
    for arguments, message in wrong:
        with pytest.raises(ValueError, match=message):
            fe.create_table(**{"name": f"{schema}.t", "df": df, **arguments})
    fe.create_table(name=f"{schema}.weather", primary_keys="origin", timeseries_columns="at", df=df)
    rows = spark.sql("SELECT 'EWR' AS origin, 1 AS airport, timestamp'2024-01-01' AS at, 2.0 AS y")

    def lookup(**arguments: Any) -> FeatureLookup:
        return FeatureLookup(**{"table_name": f"{schema}.weather", "lookup_key": "origin", **arguments})

    for made, message in (
        (lambda: lookup(lookup_key=["origin", "at"]), r"has 2 columns \(origin, at\).*has the keys origin"),
        (lambda: lookup(lookup_key="airport"), "'airport' is of type int, the key 'origin' of .* of type string"),
        (lambda: lookup(lookup_key="city"), "names 'city', which is no column"),
        (lambda: lookup(timestamp_lookup_key="y"), r"timestamp_lookup_key: 'y' is of type decimal\(2,1\)"),
        (lambda: lookup(feature_names="rain"), "names 'rain', which is no column. Columns: temp"),
        (lambda: lookup(default_values={"rain": 1}), "default_values of .* names 'rain'"),
        (lambda: lookup(rename_outputs={"temp": "y"}), "The column 'y' would come from two places"),
        (lambda: lookup(lookback_window=dt.timedelta(1)), "lookback_window needs a timestamp_lookup_key"),
        (lambda: lookup(timestamp_lookup_key=["at", "y"]), "names more than one column"),
        (lambda: FeatureFunction(udf_name="f"), "udf_name has to be a full name"),
    ):
        with pytest.raises(ValueError, match=message):
            fe.create_training_set(df=rows, feature_lookups=[made()], label="y")
    with pytest.raises(ValueError, match="label names 'late'"):
        fe.create_training_set(df=rows, feature_lookups=[], label="late")


@pytest.mark.parametrize(("known", "back"), [(None, None), ("known", 5), (None, 0), ("known", None)])
def test_the_as_of_join_is_that_of_pandas(
    fe: FeatureEngineeringClient,
    spark: SparkSession,
    schema: str,
    known: str | None,
    back: int | None,
    capsys: pytest.CaptureFixture[str],
    server: Server,
) -> None:
    """Random rows with ties, nulls, look-back, several keys, features available late and their corrections, against a loop."""
    random = np.random.default_rng(7)
    count = 60

    def at(most: int, rows: int) -> pd.Series:
        return pd.Series(pd.Timestamp(DAY) + pd.to_timedelta(random.integers(0, most, rows), unit="h"))

    features = pd.DataFrame({"a": random.integers(0, 3, count), "b": random.choice(["x", "y"], count), "t": at(40, count)})
    features["known"] = features.t + pd.to_timedelta(random.choice([-3, 0, 0, 2, 9], count), unit="h")
    features.loc[random.random(count) < 0.1, "known"] = pd.NaT
    features = features.drop_duplicates(["a", "b", "t", "known"])
    features["v"] = np.where(random.random(len(features)) < 0.2, np.nan, random.normal(size=len(features)))
    rows = pd.DataFrame({"n": range(count), "a": random.integers(0, 4, count), "b": random.choice(["x", "y"], count)})
    rows["t"] = at(60, count)
    rows = pd.concat([rows, rows.head(5)], ignore_index=True)
    rows.loc[3, "t"] = pd.NaT
    name, again = f"{schema}.f", features.duplicated(["a", "b", "t"])
    first, corrections = (spark.createDataFrame(features[which]) for which in (~again, again))
    fe.create_table(name=name, primary_keys=["a", "b"], timeseries_columns="t", available_at=known, df=first)
    if known:
        corrections.writeTo(name).append()
    else:
        features = features[~again]
    lookup = FeatureLookup(
        name,
        ["a", "b"],
        feature_names=["v"],
        rename_outputs={"v": "value"},
        timestamp_lookup_key="t",
        lookback_window=None if back is None else dt.timedelta(hours=back),
    )
    latest = FeatureLookup(name, ["a", "b"], feature_names="v", output_name="now")
    made = fe.create_training_set(df=spark.createDataFrame(rows), feature_lookups=[lookup, latest], label="n")

    def chosen(row: Any, *, now: bool) -> float:
        seen = features[(features.a == row.a) & (features.b == row.b)]
        if not now:
            seen = seen[seen.t <= row.t]
            seen = seen if known is None else seen[~(seen.known > row.t)]
        if seen.empty:
            return float("nan")
        best = seen.sort_values(["t", "known"], na_position="first").iloc[-1]
        old = not now and back is not None and row.t - best.t > pd.Timedelta(hours=back)
        return float("nan") if old else float(best.v)

    for form, told in (
        ("engine", "engine: spark.boathouse.asOfJoin is engine"),
        ("local", "local (Polars on the Delta files): main."),
    ):
        spark.conf.set("spark.boathouse.asOfJoin", form)
        made.load_df().explain()
        assert told in capsys.readouterr().out
        found = made.load_df().toPandas()
        assert found.n.tolist() == rows.n.tolist()
        for column, now in (("value", False), ("now", True)):
            expected = [chosen(row, now=now) for row in rows.itertuples()]
            np.testing.assert_allclose(found[column].astype(float), expected, err_msg=f"{column}, {form}")
    spark.conf.unset("spark.boathouse.asOfJoin")
    logged = [line for line in (server.root / "logs" / "server.log").read_text().splitlines() if '"as_of.' in line]
    assert f"{name}@" in logged[-1]


def test_the_form_of_the_join_is_chosen_and_told(
    fe: FeatureEngineeringClient, spark: SparkSession, schema: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The versions of when it was made are read in both forms, of a partitioned table too."""
    name = f"{schema}.weather"
    first = hours(spark, ("EWR", 0, 1.0), ("JFK", 1, 2.0))
    fe.create_table(name=name, primary_keys="origin", timeseries_columns="at", partition_columns="origin", df=first)
    asked = hours(spark, ("JFK", 5, 0.0), ("EWR", 5, 0.0), ("LGA", 5, 0.0)).withColumnRenamed("temp", "y")
    lookup = FeatureLookup(name, "origin", timestamp_lookup_key="at", default_values={"temp": 7.0})
    made = fe.create_training_set(df=asked, feature_lookups=[lookup], label="y")
    fe.write_table(name=name, df=hours(spark, ("EWR", 4, 4.0)))

    def told() -> str:
        made.load_df().explain()
        return capsys.readouterr().out.split("\n\n")[0]

    assert told() == "== As-of join ==\nengine: 2 feature rows are few"
    assert [row.temp for row in made.at({name: 2}).load_df().collect()] == [2.0, 4.0, 7.0]
    assert made.at({name: 2}).feature_spec.lookups[0].table_version == 2
    with pytest.raises(ValueError, match=f"versions names '{schema}.wind'"):
        made.at({f"{schema}.wind": 2})
    spark.conf.set("spark.boathouse.asOfJoin", "local")
    try:
        assert told() == f"== As-of join ==\nlocal (Polars on the Delta files): {name}@1, 2 feature rows"
        assert [row.temp for row in made.load_df().collect()] == [2.0, 1.0, 7.0]
        made.load_df().write.saveAsTable(f"{schema}.training")
        assert spark.table(f"{schema}.training").where("temp < 7").count() == 2
        spark.sql(f"CREATE FUNCTION {schema}.some(o STRING) RETURNS BOOLEAN RETURN o <> 'EWR'")
        spark.sql(f"ALTER TABLE {name} SET ROW FILTER {schema}.some ON (origin)")
        assert told() == f"== As-of join ==\nengine: {name} has a row filter or a mask"
        assert [row.temp for row in made.load_df().collect()] == [2.0, 7.0, 7.0]
    finally:
        spark.conf.unset("spark.boathouse.asOfJoin")


def test_nan_is_nan_in_a_training_set(fe: FeatureEngineeringClient, spark: SparkSession, schema: str) -> None:
    """In one file with values that are all equal otherwise: the engine took them for the column's only one."""
    name = f"{schema}.weather"
    first = hours(spark, ("EWR", 0, 1.5), ("EWR", 2, float("nan"))).coalesce(1)
    fe.create_table(name=name, primary_keys="origin", timeseries_columns="at", df=first)
    asked = hours(spark, ("EWR", 1, 0.0), ("EWR", 3, 0.0)).withColumnRenamed("temp", "y")
    made = fe.create_training_set(
        df=asked, feature_lookups=[FeatureLookup(name, "origin", timestamp_lookup_key="at")], label="y"
    )
    try:
        for form in ("engine", "local"):
            spark.conf.set("spark.boathouse.asOfJoin", form)
            assert [str(row.temp) for row in made.load_df().orderBy("at").collect()] == ["1.5", "nan"], form
    finally:
        spark.conf.unset("spark.boathouse.asOfJoin")


def test_a_period_is_filled_and_filled_again(fe: FeatureEngineeringClient, spark: SparkSession, schema: str) -> None:
    spark.sql(
        f"CREATE TABLE {schema}.events AS SELECT id % 2 AS shop, timestamp'2024-01-01 00:00:00Z' + make_interval(0, 0, 0, 0, id) AS at FROM range(60)"
    )
    name = f"{schema}.counts"
    fe.create_table(
        name=name,
        primary_keys=["shop", "day"],
        timeseries_columns="day",
        available_at="known",
        schema=StructType.fromDDL("shop bigint, day timestamp, known timestamp, events bigint"),
    )

    def compute(moment: dt.datetime) -> DataFrame:
        return spark.sql(
            f"SELECT shop, count(*) AS events FROM {schema}.events WHERE at <= '{moment.isoformat()}' GROUP BY shop"
        )

    first = dt.datetime(2024, 1, 1)
    day, hour = dt.timedelta(days=1), dt.timedelta(hours=1)
    for _ in range(2):
        done = fe.backfill(name=name, compute=compute, start=first, end=first + 3 * day, every=day, delay=hour)
        assert (done.name, done.moments) == (name, 3)
        rows = spark.sql(
            f"SELECT shop, unix_seconds(day), unix_seconds(known) - unix_seconds(day), events FROM {name}"
        ).collect()
        start = int(first.replace(tzinfo=dt.UTC).timestamp())
        expected = {(0, 0, 1), (0, 1, 13), (1, 1, 12), (0, 2, 25), (1, 2, 24)}
        assert {(shop, (at - start) // 86_400, events) for shop, at, _, events in rows} == expected
        assert {known for _, _, known, _ in rows} == {3600}
        assert len(rows) == 5
    for wrong, told in (
        ({"every": dt.timedelta()}, "every has to be more than 0"),
        ({"end": first}, r"start \(.*\) has to be before end"),
        ({"delay": -hour}, "delay is -1 day"),
        ({"compute": lambda _: spark.table(name)}, "what is after a moment was not known at it"),
        ({"start": "2024-01-01"}, "start has to be a datetime; it is '2024-01-01'"),
        ({"compute": lambda _: pd.DataFrame()}, "What compute gives has to be a DataFrame of Spark"),
    ):
        arguments: dict[str, Any] = {"compute": compute, "start": first, "end": first + day, "every": day, **wrong}
        with pytest.raises((ValueError, TypeError), match=told):
            fe.backfill(name=name, **arguments)


@pytest.fixture
def tracking(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABRICKS_HOST", server.url)
    monkeypatch.setenv("DATABRICKS_TOKEN", server.token)
    # By the environment, which is as it was afterwards; MLflow's functions leave theirs to other tests.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "databricks")
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "databricks-uc")


@pytest.mark.usefixtures("tracking")
@pytest.mark.filterwarnings("ignore:.*:UserWarning:mlflow.*")
@pytest.mark.filterwarnings("ignore:.*:FutureWarning:mlflow.*")
def test_a_model_scores_what_it_looks_up(fe: FeatureEngineeringClient, spark: SparkSession, schema: str) -> None:
    flights = spark.sql(
        "SELECT id, id % 3 AS origin, double(id % 7) AS distance, 2.0D * (id % 7) + id % 3 AS delay FROM range(60)"
    )
    airports = spark.sql("SELECT id AS origin, int(id) AS rank, double(id) AS size FROM range(2)")
    fe.create_table(name=f"{schema}.airports", primary_keys="origin", df=airports)
    spark.sql(f"CREATE FUNCTION {schema}.twice(x DOUBLE) RETURNS DOUBLE RETURN x * 2")
    made = fe.create_training_set(
        df=flights,
        feature_lookups=[
            FeatureLookup(f"{schema}.airports", "origin", default_values={"rank": 2, "size": 2.0}),
            FeatureFunction(udf_name=f"{schema}.twice", input_bindings={"x": "distance"}, output_name="far"),
        ],
        label="delay",
        exclude_columns=["id", "origin", "size"],
    )
    rows = made.load_df().toPandas()
    assert rows.columns.tolist() == ["distance", "rank", "far", "delay"]
    model = LinearRegression().fit(rows[["distance", "rank", "far"]], rows.delay)
    with mlflow.start_run(experiment_id=mlflow.create_experiment(f"/fe-{schema}")):
        fe.log_model(
            model=model,
            artifact_path="model",
            flavor=mlflow.sklearn,
            training_set=made,
            registered_model_name=f"{schema}.delays",
            infer_input_example=True,
            pip_requirements=["scikit-learn"],
        )
    uri = f"models:/{schema}.delays/1"
    spec = mlflow.models.get_model_info(uri).metadata["feature_spec"]
    assert spec["lookups"][0]["table_version"] == 1
    ids = np.arange(20_000)
    asked = spark.createDataFrame(pd.DataFrame({"id": ids, "origin": ids % 3, "distance": (ids % 7).astype(float)}))
    scored = fe.score_batch(model_uri=uri, df=asked).toPandas()
    assert scored.id.tolist() == ids.tolist()
    np.testing.assert_allclose(scored.prediction, 2.0 * (scored.id % 7) + scored.id % 3, atol=1e-9)
    # A column that is there is not looked up, and one that is missing is named.
    given = fe.score_batch(model_uri=uri, df=asked.selectExpr("*", "0 AS rank")).toPandas()
    np.testing.assert_allclose(given.prediction, 2.0 * (given.id % 7), atol=1e-9)
    with pytest.raises(ValueError, match="df has no column 'distance', which the model"):
        fe.score_batch(model_uri=uri, df=asked.drop("distance"))
    with pytest.raises(ValueError, match="env_manager is 'conda'; valid: local"):
        fe.score_batch(model_uri=uri, df=asked, env_manager="conda")
    for default in ({"rank": 1.5}, {"rank": True}, {"size": "large"}):
        lookup = FeatureLookup(f"{schema}.airports", "origin", default_values=default)
        with pytest.raises(
            ValueError, match=f"gives '{next(iter(default))}' the value .*; the feature is of type (int|double)"
        ):
            fe.create_training_set(df=flights, feature_lookups=lookup, label="delay")
    with pytest.raises(ValueError, match=r"look-up in .*airports names 'origin'"):
        fe.score_batch(model_uri=uri, df=asked.drop("origin"))


def test_a_stream_is_merged_batch_by_batch(
    fe: FeatureEngineeringClient, spark: SparkSession, schema: str, tmp_path: Path
) -> None:
    name, source = f"{schema}.weather", f"{schema}.raw"
    fe.create_table(name=name, primary_keys="origin", timeseries_columns="at", schema=hours(spark, ("EWR", 0, 1.0)).schema)

    def stream(*rows: tuple[Any, ...]) -> None:
        hours(spark, *rows).write.mode("append").saveAsTable(source)
        query = fe.write_table(
            name=name,
            df=spark.readStream.table(source),
            checkpoint_location=str(tmp_path / "checkpoint"),
            trigger={"availableNow": True},
        )
        assert query is not None
        query.awaitTermination()

    stream(("EWR", 0, 1.0), ("JFK", 0, 2.0))
    stream(("EWR", 0, 9.0), ("LGA", 1, 3.0))
    rows = {(row.origin, row["at"].hour): row.temp for row in fe.read_table(name=name).collect()}
    assert rows == {("EWR", 0): 9.0, ("JFK", 0): 2.0, ("LGA", 1): 3.0}
    with pytest.raises(StreamingQueryException, match=r"2 rows of one key \(origin = 'SFO'"):
        stream(("SFO", 0, 1.0), ("SFO", 0, 2.0))
    assert fe.read_table(name=name).count() == 3


def test_what_cannot_be_filled_is_not_made(fe: FeatureEngineeringClient, spark: SparkSession, schema: str) -> None:
    name, good = f"{schema}.weather", hours(spark, ("EWR", 0, 1.0))
    for wrong in (hours(spark, ("EWR", 0, 1.0), ("EWR", 0, 2.0)), hours(spark, (None, 0, 1.0))):
        with pytest.raises(ValueError, match="nothing was written"):
            fe.create_table(name=name, primary_keys="origin", timeseries_columns="at", df=wrong)
        assert not spark.catalog.tableExists(name)
    broken = good.selectExpr("origin", "at", "CAST(raise_error('no more') AS DOUBLE) AS temp")
    with pytest.raises(PySparkException, match="no more"):
        fe.create_table(name=name, primary_keys="origin", timeseries_columns="at", df=broken)
    assert not spark.catalog.tableExists(name)
    fe.create_table(name=name, primary_keys="origin", timeseries_columns="at", df=good)
    # Whoever adds a time from when on rows are known must not go on without it.
    with pytest.raises(ValueError, match=r"available_at: the table .* exists without available_at"):
        fe.create_table(name=name, primary_keys="origin", timeseries_columns="at", df=good, available_at="at")
    with pytest.raises(ValueError, match="primary_keys has only the time, at"):
        fe.create_table(name=f"{schema}.other", primary_keys="at", timeseries_columns="at", df=good)
    with pytest.raises(TypeError, match="df has to be a DataFrame of Spark; it is a DataFrame"):
        fe.create_table(name=f"{schema}.other", primary_keys="origin", df=pd.DataFrame({"origin": ["EWR"]}))  # pyright: ignore[reportArgumentType]


def test_the_older_client(server: Server, spark: SparkSession, schema: str, tables: FeatureTables) -> None:
    fs, name = FeatureStoreClient(tables=tables), f"{schema}.plain"
    hours(spark, ("EWR", 0, 1.0)).write.saveAsTable(name)
    first = dt.datetime.now(dt.UTC)
    made = fs.register_table(delta_table=name, primary_keys=["origin"], timestamp_keys=["at"], description="d", tags={"a": "b"})
    assert (made.primary_keys, made.timestamp_keys, made.description, made.tags) == (["origin"], ["at"], "d", {"a": "b"})
    fs.set_feature_table_tag(name, "c", "e")
    fs.delete_feature_table_tag(name, "a")
    assert fs.get_feature_table(name).tags == {"c": "e"}
    fs.write_table(name, hours(spark, ("JFK", 0, 2.0)), "merge")
    assert fs.read_table(name).count() == 2
    assert fs.read_table(name, as_of_delta_timestamp=first).count() == 1
    with pytest.raises(TypeError, match="as_of"):
        fs.read_table(name, as_of="yesterday")  # pyright: ignore[reportCallIssue]
    old = fs.create_feature_table(f"{schema}.old", "origin", hours(spark, ("EWR", 0, 1.0)), None, None, "old")
    assert (old.primary_keys, old.description) == (["origin"], "old")
    hours(spark, ("EWR", 0, 1.0), ("EWR", 0, 2.0)).write.saveAsTable(f"{schema}.twice")
    with pytest.raises(ValueError, match="2 rows of one key"):
        fs.register_table(delta_table=f"{schema}.twice", primary_keys="origin")


@pytest.mark.usefixtures("tracking")
@pytest.mark.filterwarnings("ignore:.*:UserWarning")
@pytest.mark.filterwarnings("ignore:.*:FutureWarning:mlflow.*")
def test_a_python_model_is_logged_as_any_other(fe: FeatureEngineeringClient, spark: SparkSession, schema: str) -> None:
    from mlflow.pyfunc import PythonModel

    class Doubled(PythonModel):
        def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # noqa: ARG002
            return model_input["temp"] * 2

    first = hours(spark, ("EWR", 0, 1.5))
    fe.create_table(name=f"{schema}.weather", primary_keys="origin", timeseries_columns="at", df=first)
    rows = spark.sql("SELECT 'EWR' AS origin, timestamp'2024-01-01 05:00:00' AS at, 3.0D AS y")
    lookup = FeatureLookup(f"{schema}.weather", "origin", timestamp_lookup_key="at")
    training = fe.create_training_set(df=rows, feature_lookups=lookup, label="y", exclude_columns="at")
    assert training.load_df().columns == ["origin", "temp", "y"]
    with mlflow.start_run(experiment_id=mlflow.create_experiment(f"/fe-{schema}")):
        info = fe.log_model(
            model=Doubled(), artifact_path="model", flavor=mlflow.pyfunc, training_set=training, pip_requirements=[]
        )
    assert fe.score_batch(model_uri=info.model_uri, df=rows.drop("y")).collect()[0].prediction == 3.0


@pytest.mark.usefixtures("tracking")
@pytest.mark.filterwarnings("ignore:.*:UserWarning")
@pytest.mark.filterwarnings("ignore:.*:FutureWarning:mlflow.*")
def test_names_of_columns_have_no_large_and_small_letters(
    fe: FeatureEngineeringClient, spark: SparkSession, schema: str
) -> None:
    name = f"{schema}.weather"
    first = hours(spark, ("EWR", 0, 1.0), ("EWR", 2, 2.0)).selectExpr("Origin", "At", "At AS Known", "Temp")
    keys = {"primary_keys": ["ORIGIN", "at"], "timeseries_columns": "AT", "available_at": "KNOWN"}
    made = fe.create_table(name=name, **keys, partition_columns="origin", df=first)  # pyright: ignore[reportArgumentType]
    assert (made.primary_keys, made.timestamp_keys, made.available_at, made.features) == (["Origin"], ["At"], "Known", ["Temp"])
    with pytest.warns(UserWarning, match="exists already"):
        fe.create_table(name=name, **keys, df=first.toDF("origin", "at", "known", "temp"))  # pyright: ignore[reportArgumentType]
    fe.write_table(name=name, df=hours(spark, ("EWR", 2, 3.0)).toDF("ORIGIN", "at", "TEMP"))
    assert sorted(row.Temp for row in fe.read_table(name=name).collect()) == [1.0, 3.0]

    rows = spark.createDataFrame(
        [("EWR", DAY + dt.timedelta(hours=hour), 1.0, 0.0) for hour in (-1, 1, 3)],
        "Origin string, At timestamp, Far double, Late double",
    )
    lookup = FeatureLookup(
        name,
        "ORIGIN",
        timestamp_lookup_key="at",
        feature_names="temp",
        rename_outputs={"TEMP": "Warm"},
        default_values={"temp": 9.0},
    )
    training = fe.create_training_set(df=rows, feature_lookups=lookup, label="LATE", exclude_columns=["origin", "AT"])
    assert training.load_df().columns == ["Far", "Warm", "Late"]
    with pytest.raises(ValueError, match="The column 'FAR' would come from two places"):
        fe.create_training_set(
            df=rows, feature_lookups=FeatureLookup(name, "origin", rename_outputs={"temp": "FAR"}), label=None
        )
    with mlflow.start_run(experiment_id=mlflow.create_experiment(f"/fe-{schema}")):
        model = LinearRegression(fit_intercept=False).fit(np.eye(2), [10.0, 1.0])
        info = fe.log_model(
            model=model, artifact_path="model", flavor=mlflow.sklearn, training_set=training, pip_requirements=[]
        )
    other = rows.toDF("ORIGIN", "AT", "FAR", "late")
    for form in ("engine", "local"):
        spark.conf.set("spark.boathouse.asOfJoin", form)
        scored = fe.score_batch(model_uri=info.model_uri, df=other).collect()
        assert [row.prediction for row in scored] == pytest.approx([19.0, 11.0, 13.0])
    spark.conf.unset("spark.boathouse.asOfJoin")
    spec = fe.create_feature_spec(
        name=f"{schema}.spec", features=[lookup, FeatureLookup(name, "origin", timestamp_lookup_key="AT", feature_names="TEMP")]
    )
    assert (sorted(spec.inputs), spec.outputs) == (["ORIGIN", "at"], ["Warm", "Temp"])
