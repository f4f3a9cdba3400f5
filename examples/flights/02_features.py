"""Write feature tables, keyed by entity and time.

- ``weather_features``: the weather by origin. The row of HH:00 holds what was seen until HH:51, so it is available an hour
  after its label.
- ``delay_features``: delays by carrier and origin over the hours before, from flights that had departed or arrived by then.
"""

from flights import SCHEMA, Report, note_sources, spark_session, up_to_date, versions_of
from pyspark.sql import DataFrame, SparkSession

from boathouse.features.client import FeatureEngineeringClient

WEATHER = f"""
SELECT origin, time_hour, time_hour + make_dt_interval(0, 1, 0, 0) AS available_at, temp, dewp, humid, wind_speed, precip, pressure, visib
FROM {SCHEMA}.silver_weather
"""

# The hour at whose end a departure or an arrival is known; a feature at 10:00 holds what happened until 10:00.
DEPARTURES = f"""
SELECT origin, carrier, date_trunc('HOUR', departed_at) + make_dt_interval(0, 1, 0, 0) AS hour, count(*) AS n, sum(dep_delay) AS delay
FROM {SCHEMA}.silver_flights WHERE departed_at IS NOT NULL GROUP BY 1, 2, 3
"""
ARRIVALS = f"""
SELECT origin, carrier, date_trunc('HOUR', known_at) + make_dt_interval(0, 1, 0, 0) AS hour, count(*) AS n, count_if(late) AS late
FROM {SCHEMA}.silver_flights WHERE known_at IS NOT NULL GROUP BY 1, 2, 3
"""

# One row for each carrier, origin and hour of the year, so that a window of rows is a window of hours.
GRID = f"""
SELECT origin, carrier, hour,
       coalesce(d.n, 0) AS departures, coalesce(d.delay, 0) AS delay, coalesce(a.n, 0) AS arrivals, coalesce(a.late, 0) AS late
FROM (SELECT DISTINCT origin, carrier FROM {SCHEMA}.silver_flights) pairs
CROSS JOIN (
  SELECT explode(sequence(first_hour, last_hour, INTERVAL 1 HOUR)) AS hour
  FROM (SELECT min(hour) AS first_hour, max(hour) AS last_hour FROM departures)
) hours
LEFT JOIN departures d USING (origin, carrier, hour)
LEFT JOIN arrivals a USING (origin, carrier, hour)
"""

DELAYS = """
SELECT origin, carrier, hour AS time_hour,
       sum(origin_delay) OVER origin_3h / nullif(sum(origin_departures) OVER origin_3h, 0) AS origin_delay_3h,
       sum(delay) OVER pair_6h / nullif(sum(departures) OVER pair_6h, 0) AS carrier_delay_6h,
       sum(late) OVER pair_7d / nullif(sum(arrivals) OVER pair_7d, 0) AS carrier_late_rate_7d
FROM (
  SELECT *, sum(delay) OVER (PARTITION BY origin, hour) AS origin_delay,
            sum(departures) OVER (PARTITION BY origin, hour) AS origin_departures
  FROM grid
)
WINDOW origin_3h AS (PARTITION BY origin, carrier ORDER BY hour ROWS BETWEEN 2 PRECEDING AND CURRENT ROW),
       pair_6h AS (PARTITION BY origin, carrier ORDER BY hour ROWS BETWEEN 5 PRECEDING AND CURRENT ROW),
       pair_7d AS (PARTITION BY origin, carrier ORDER BY hour ROWS BETWEEN 167 PRECEDING AND CURRENT ROW)
"""


def write(
    spark: SparkSession, table: str, keys: list[str], rows: DataFrame, sources: dict[str, int], available_at: str | None = None
) -> None:
    """Make a feature table or replace its rows; its history keeps the versions before."""
    client, name = FeatureEngineeringClient(), f"{SCHEMA}.{table}"
    if spark.catalog.tableExists(name):
        client.write_table(name=name, df=rows, mode="overwrite")
    else:
        time = {"timeseries_columns": "time_hour", "available_at": available_at}
        client.create_table(name=name, primary_keys=[*keys, "time_hour"], df=rows, **time)
    note_sources(spark, name, sources, quality="features")


def weather_features(spark: SparkSession) -> None:
    """Take over the weather with the moment from which each row was available."""
    sources = versions_of(spark, "silver_weather")
    if up_to_date(spark, f"{SCHEMA}.weather_features", sources):
        return
    write(spark, "weather_features", ["origin"], spark.sql(WEATHER), sources, available_at="available_at")


def delay_features(spark: SparkSession) -> None:
    """Compute the delays over the hours before."""
    sources = versions_of(spark, "silver_flights")
    if up_to_date(spark, f"{SCHEMA}.delay_features", sources):
        return
    spark.sql(DEPARTURES).createOrReplaceTempView("departures")
    spark.sql(ARRIVALS).createOrReplaceTempView("arrivals")
    spark.sql(GRID).createOrReplaceTempView("grid")
    write(spark, "delay_features", ["origin", "carrier"], spark.sql(DELAYS), sources)


def main() -> None:
    report, spark = Report(), spark_session()
    weather_features(spark)
    report.progress("features", 1, 2, "tables")
    delay_features(spark)
    report.progress("features", 2, 2, "tables")
    weather = spark.sql(f"SELECT count(*) FROM {SCHEMA}.weather_features").collect()[0][0]
    delays = spark.sql(f"SELECT count(*) FROM {SCHEMA}.delay_features").collect()[0][0]
    report.figures(f"{weather + delays:,} feature rows in two tables", weather_features=weather, delay_features=delays)


if __name__ == "__main__":
    main()
