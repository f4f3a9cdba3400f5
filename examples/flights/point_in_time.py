"""Features as of the moment of a prediction, in Spark SQL."""

from flights import SCHEMA
from pyspark.sql import DataFrame, SparkSession

LOOK_BACK_HOURS = 6
WEATHER = ["temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib"]
DELAYS = ["origin_delay_3h", "carrier_delay_6h", "carrier_late_rate_7d"]
SCHEDULE = ["hour", "weekday", "distance"]
FEATURES = SCHEDULE + WEATHER + DELAYS


def flights(spark: SparkSession, where: str, version: int | None = None) -> DataFrame:
    """The flights to predict, each with its prediction time: two hours before the scheduled departure."""
    return spark.sql(f"""
        SELECT flight_id, origin, carrier, month, sched_dep, sched_dep - make_dt_interval(0, 2, 0, 0) AS prediction_time,
               CAST(hour AS DOUBLE) AS hour, CAST(dayofweek(sched_dep) AS DOUBLE) AS weekday,
               CAST(distance AS DOUBLE) AS distance, known_at, CAST(late AS INT) AS late
        FROM {SCHEMA}.silver_flights {at(version)} WHERE NOT cancelled AND {where}""")


def at(version: int | None) -> str:
    """Time travel to a version."""
    return "" if version is None else f"VERSION AS OF {version}"


def as_of(spark: SparkSession, spine: str, table: str, key: str, features: list[str], version: int | None) -> DataFrame:
    """For each row of the view ``spine``, the latest row of a feature table that was known at its ``prediction_time``.

    Each row is first paired with the hours of its look-back window, which makes the join one of equality, and the latest
    row that was available by then is kept.
    """
    columns = ", ".join(features)
    return spark.sql(f"""
        WITH hours AS (
          SELECT flight_id, {key}, prediction_time,
                 explode(sequence(0, {LOOK_BACK_HOURS})) AS back
          FROM {spine}
        ), candidates AS (
          SELECT hours.flight_id, {columns}, row_number() OVER (
                   PARTITION BY hours.flight_id ORDER BY feature.time_hour DESC, feature.available_at DESC) AS nearness
          FROM (SELECT *, date_trunc('HOUR', prediction_time) - make_dt_interval(0, back, 0, 0) AS slot FROM hours) hours
          JOIN (SELECT *, date_trunc('HOUR', time_hour) AS slot FROM {table} {at(version)}) feature
            ON hours.{key} = feature.{key} AND hours.slot = feature.slot
          WHERE feature.time_hour <= hours.prediction_time AND feature.available_at <= hours.prediction_time
            AND feature.time_hour >= hours.prediction_time - make_dt_interval(0, {LOOK_BACK_HOURS}, 0, 0)
        )
        SELECT flight_id, {columns} FROM candidates WHERE nearness = 1""")


def examples(spark: SparkSession, where: str, versions: dict[str, int] | None = None) -> DataFrame:
    """Flights with their features as of the prediction time and whether they were late: one row in, one row out."""
    versions = versions or {}
    flights(spark, where, versions.get("silver_flights")).createOrReplaceTempView("spine")
    weather = as_of(spark, "spine", f"{SCHEMA}.weather_features", "origin", WEATHER, versions.get("weather_features"))
    weather.createOrReplaceTempView("weather_as_of")
    # The delay features stand at every full hour, so the row of the hour before is the latest one.
    return spark.sql(f"""
        SELECT spine.flight_id, spine.origin, spine.carrier, spine.month, spine.sched_dep, spine.prediction_time,
               {", ".join(f"spine.{name}" for name in SCHEDULE)}, {", ".join(WEATHER)}, {", ".join(DELAYS)},
               spine.known_at, spine.late
        FROM spine
        LEFT JOIN weather_as_of ON spine.flight_id = weather_as_of.flight_id
        LEFT JOIN {SCHEMA}.delay_features {at(versions.get("delay_features"))} delays
          ON spine.origin = delays.origin AND spine.carrier = delays.carrier
         AND date_trunc('HOUR', spine.prediction_time) = delays.time_hour""")
