"""Refine bronze to silver with expectations, and silver to gold.

An expectation is a name, a condition in SQL and what happens to the rows that break it: ``warn`` counts them, ``drop`` sets
them aside in a quarantine table with the reason, ``fail`` stops the update before anything is written.
"""

from dataclasses import dataclass

from flights import SCHEMA, Report, exists, replace_table, spark_session, stop, up_to_date, version_of, versions_of
from pyspark.sql import SparkSession


@dataclass(frozen=True)
class Expectation:
    """A condition that rows have to meet; a condition that is null is not met."""

    name: str
    condition: str
    action: str


# A flight's outcome is known when it has arrived. The file tells the scheduled arrival by the clock of the destination, so it is
# turned to UTC by the airport's time zone; the four airports that the file of airports lacks are in Puerto Rico and the Virgin
# Islands. A few rows contradict themselves: no flight has arrived before it left and flew.
FLIGHTS = f"""
SELECT concat_ws('-', date_format(time_hour_utc, 'yyyyMMddHH'), minute, carrier, flight, origin) AS flight_id,
       sched_dep, carrier, flight, tailnum, origin, dest,
       month, hour, minute, distance, dep_delay, arr_delay, dep_time IS NULL AS cancelled,
       arr_delay >= 15 AS late, departed_at,
       greatest(arrival + make_dt_interval(CASE WHEN arrival <= sched_dep THEN 1 ELSE 0 END, 0, arr_delay, 0),
                departed_at + make_dt_interval(0, 0, air_time, 0)) AS known_at,
       _file, _line,
       row_number() OVER (PARTITION BY time_hour_utc, minute, carrier, flight, origin ORDER BY _file, _line) AS copy
FROM (
  SELECT *, time_hour_utc + make_dt_interval(0, 0, minute, 0) AS sched_dep,
         time_hour_utc + make_dt_interval(0, 0, minute + dep_delay, 0) AS departed_at,
         to_utc_timestamp(make_timestamp(year, month, day, sched_arr_time DIV 100, sched_arr_time % 100, 0),
                          coalesce(tzone, 'America/Puerto_Rico')) AS arrival
  FROM (SELECT *, to_timestamp(time_hour) AS time_hour_utc FROM {SCHEMA}.bronze_flights)
  LEFT JOIN (SELECT faa, tzone FROM {SCHEMA}.bronze_airports) ON dest = faa
)
"""
FLIGHT_EXPECTATIONS = (
    Expectation("has_key", "sched_dep IS NOT NULL AND carrier IS NOT NULL AND flight IS NOT NULL", "fail"),
    Expectation("known_origin", "origin IN ('EWR', 'JFK', 'LGA')", "fail"),
    Expectation("once", "copy = 1", "drop"),
    # A diverted flight has no arrival delay: it is neither late nor on time, so it is no example of either.
    Expectation("has_outcome", "cancelled OR arr_delay IS NOT NULL", "drop"),
    Expectation("has_tailnum", "tailnum IS NOT NULL", "warn"),
    Expectation("plausible_delay", "arr_delay IS NULL OR arr_delay BETWEEN -120 AND 720", "warn"),
)

WEATHER = f"""
SELECT origin, to_timestamp(time_hour) AS time_hour, temp, dewp, humid, wind_speed, precip, pressure, visib, _file, _line,
       row_number() OVER (PARTITION BY origin, time_hour ORDER BY _file, _line) AS copy
FROM {SCHEMA}.bronze_weather
"""
WEATHER_EXPECTATIONS = (
    Expectation("has_key", "origin IS NOT NULL AND time_hour IS NOT NULL", "fail"),
    Expectation("once", "copy = 1", "drop"),
    Expectation("has_temperature", "temp IS NOT NULL", "drop"),
    Expectation("plausible_wind", "wind_speed IS NULL OR wind_speed < 100", "warn"),
    Expectation("has_pressure", "pressure IS NOT NULL", "warn"),
)


def broken(expectation: Expectation) -> str:
    """SQL that is true for a row that breaks an expectation."""
    return f"NOT coalesce({expectation.condition}, false)"


def refine(spark: SparkSession, name: str, query: str, expectations: tuple[Expectation, ...]) -> None:
    """Make ``silver_<name>`` and its quarantine, and keep the counts; nothing where bronze has not changed."""
    sources = versions_of(spark, f"bronze_{name}")
    if up_to_date(spark, f"{SCHEMA}.silver_{name}", sources):
        return
    spark.sql(query).createOrReplaceTempView("candidates")
    sums = ", ".join(f"count_if({broken(one)}) AS {one.name}" for one in expectations)
    counts = spark.sql(f"SELECT count(*) AS rows_in, {sums} FROM candidates").collect()[0].asDict()
    for one in expectations:
        if one.action == "fail" and counts[one.name]:
            stop(f"silver_{name}: {counts[one.name]} rows break '{one.name}' ({one.condition}). Nothing was written.")
    drops = [one for one in expectations if one.action == "drop"]
    reasons = ", ".join(f"CASE WHEN {broken(one)} THEN '{one.name}' END" for one in drops)
    any_drop = " OR ".join(broken(one) for one in drops)
    replace_table(
        spark,
        f"{SCHEMA}.silver_{name}_quarantine",
        spark.sql(f"SELECT concat_ws(', ', {reasons}) AS reason, * FROM candidates WHERE {any_drop}"),
        quality="quarantine",
    )
    silver = spark.sql(f"SELECT * FROM candidates WHERE NOT ({any_drop})").drop("copy")
    keep_counts(spark, name, expectations, counts)
    replace_table(spark, f"{SCHEMA}.silver_{name}", silver, sources, quality="silver")


def kept_counts(spark: SparkSession, name: str) -> dict[str, int]:
    """How many rows broke each expectation in the newest update."""
    rows = spark.sql(f"""
        SELECT name, failed FROM {SCHEMA}.expectations WHERE dataset = 'silver_{name}' AND bronze_version =
          (SELECT max(bronze_version) FROM {SCHEMA}.expectations WHERE dataset = 'silver_{name}')""").collect()
    return {row[0]: row[1] for row in rows}


def keep_counts(spark: SparkSession, name: str, expectations: tuple[Expectation, ...], counts: dict[str, int]) -> None:
    """A row an expectation, for the version of the bronze table that this update read; an update run again replaces its own."""
    table, version = f"{SCHEMA}.expectations", version_of(spark, f"{SCHEMA}.bronze_{name}")
    rows = [
        (f"silver_{name}", version, one.name, one.condition, one.action, counts["rows_in"] - counts[one.name], counts[one.name])
        for one in expectations
    ]
    schema = "dataset string, bronze_version long, name string, condition string, action string, passed long, failed long"
    frame = spark.createDataFrame(rows, schema)
    if exists(table):
        spark.sql(f"DELETE FROM {table} WHERE dataset = 'silver_{name}' AND bronze_version = {version}")
    frame.write.mode("append").saveAsTable(table)


def gold(spark: SparkSession) -> None:
    """What people ask: delays by day and origin, and by month and carrier."""
    sources = versions_of(spark, "silver_flights")
    figures = """count(*) AS flights, count_if(cancelled) AS cancelled, avg(CAST(late AS DOUBLE)) AS late_rate,
                 avg(arr_delay) AS mean_arr_delay"""
    for table, keys in (
        ("gold_daily_delays", "CAST(sched_dep AS DATE) AS day, origin"),
        ("gold_carrier_delays", "month, carrier"),
    ):
        if not up_to_date(spark, f"{SCHEMA}.{table}", sources):
            rows = spark.sql(f"SELECT {keys}, {figures} FROM {SCHEMA}.silver_flights GROUP BY 1, 2")
            replace_table(spark, f"{SCHEMA}.{table}", rows, sources, quality="gold")


def main() -> None:
    report, spark = Report(), spark_session()
    refine(spark, "flights", FLIGHTS, FLIGHT_EXPECTATIONS)
    report.progress("refine", 1, 3, "tables")
    refine(spark, "weather", WEATHER, WEATHER_EXPECTATIONS)
    report.progress("refine", 2, 3, "tables")
    gold(spark)
    report.progress("refine", 3, 3, "tables")
    flights, weather = kept_counts(spark, "flights"), kept_counts(spark, "weather")
    kept = spark.sql(f"SELECT count(*) FROM {SCHEMA}.silver_flights").collect()[0][0]
    dropped = spark.sql(f"SELECT count(*) FROM {SCHEMA}.silver_flights_quarantine").collect()[0][0]
    report.note(
        f"{flights['has_outcome']:,} diverted flights set aside, {flights['has_tailnum']:,} without tail number warned of"
    )
    report.figures(
        f"{kept:,} flights in silver, {dropped:,} dropped",
        silver_flights=kept,
        dropped=dropped,
        flights=flights,
        weather=weather,
    )


if __name__ == "__main__":
    main()
