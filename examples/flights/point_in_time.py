"""The features, defined once: for training as of the moment of each prediction, and for the endpoint as of the moment of a request."""

import datetime as dt

from flights import SCHEMA
from pyspark.sql import DataFrame, SparkSession

from boathouse.features.client import FeatureEngineeringClient, FeatureLookup, TrainingSet

LOOK_BACK = dt.timedelta(hours=6)
WEATHER = ["temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib"]
DELAYS = ["origin_delay_3h", "carrier_delay_6h", "carrier_late_rate_7d"]
SCHEDULE = ["hour", "weekday", "distance"]
FEATURES = SCHEDULE + WEATHER + DELAYS
ABOUT = ["flight_id", "origin", "carrier", "month", "sched_dep", "prediction_time", "known_at"]
"""Which flight it is, and when: nothing to learn from."""


def flights(spark: SparkSession, where: str, version: int | None = None) -> DataFrame:
    """The flights to predict, each with its prediction time: two hours before the scheduled departure."""
    at = "" if version is None else f"VERSION AS OF {version}"
    return spark.sql(f"""
        SELECT flight_id, origin, carrier, month, sched_dep, sched_dep - make_dt_interval(0, 2, 0, 0) AS prediction_time,
               CAST(hour AS DOUBLE) AS hour, CAST(dayofweek(sched_dep) AS DOUBLE) AS weekday,
               CAST(distance AS DOUBLE) AS distance, known_at, CAST(late AS INT) AS late
        FROM {SCHEMA}.silver_flights {at} WHERE NOT cancelled AND {where}""")


def lookup(table: str, keys: list[str], features: list[str]) -> FeatureLookup:
    """The latest row of a feature table that was known at the prediction time, and is not too old."""
    return FeatureLookup(
        f"{SCHEMA}.{table}",
        keys,
        feature_names=features,
        timestamp_lookup_key="prediction_time",
        lookback_window=LOOK_BACK,
    )


def training_set(
    spark: SparkSession, where: str, versions: dict[str, int] | None = None, exclude: list[str] | None = None
) -> TrainingSet:
    """Flights with their features and whether they were late, from the newest or from given versions of the tables.

    ``exclude`` are columns that a model does not learn from.
    """
    known = versions or {}
    lookups = [lookup("weather_features", ["origin"], WEATHER), lookup("delay_features", ["origin", "carrier"], DELAYS)]
    rows = flights(spark, where, known.get("silver_flights"))
    made = FeatureEngineeringClient().create_training_set(
        df=rows, feature_lookups=lookups, label="late", exclude_columns=exclude
    )
    return made.at({f"{SCHEMA}.{name}": version for name, version in known.items() if name.endswith("_features")})


def examples(spark: SparkSession, where: str, versions: dict[str, int] | None = None) -> DataFrame:
    """The rows of a training set with all that is known about the flights: one row in, one row out."""
    return training_set(spark, where, versions).load_df()
