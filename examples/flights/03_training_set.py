"""Build the training set: for each flight, the features as they were known two hours before its scheduled departure.

One row a flight that was not cancelled, January to August. A feature row counts only if its time is at or before the
prediction time and it was available by then; the latest such row wins, a tie goes to the one that became available last.
"""

from flights import SCHEMA, Report, replace_table, spark_session, up_to_date, versions_of
from point_in_time import examples


def main() -> None:
    report, spark = Report(), spark_session()
    versions = versions_of(spark, "silver_flights", "weather_features", "delay_features")
    labels = spark.sql(f"SELECT count(*) FROM {SCHEMA}.silver_flights WHERE NOT cancelled AND month <= 8").collect()[0][0]
    if not up_to_date(spark, f"{SCHEMA}.training_set", versions):
        replace_table(spark, f"{SCHEMA}.training_set", examples(spark, "month <= 8", versions), versions)
    report.progress("training set", 1, 1, "tables")
    count, found = spark.sql(f"SELECT count(*), count(temp) FROM {SCHEMA}.training_set").collect()[0]
    report.figures(
        f"{count:,} examples for {labels:,} flights, weather known for {found / count:.2%}",
        labels=labels,
        examples=count,
        weather_coverage=round(found / count, 4),
        versions=versions,
    )


if __name__ == "__main__":
    main()
