"""Files come in once, what a row has to be like is counted, and the pipeline in SQL makes the tables of the one in Python."""

import json

import pandas as pd

from tests.examples.conftest import LANDING, Flights

FLIGHT = {
    "year": 2015, "month": 1, "day": 1, "dep_time": 517, "sched_dep_time": 515, "dep_delay": 2, "arr_time": 830,
    "sched_arr_time": 819, "arr_delay": 11, "carrier": "UA", "flight": 1545, "tailnum": "N14228", "origin": "EWR",
    "dest": "IAH", "air_time": 227, "distance": 1400, "hour": 5, "minute": 15, "time_hour": "2015-01-01T10:00:00Z",
}  # fmt: skip
TABLES = ("bronze_flights", "bronze_weather", "silver_flights", "silver_weather", "gold_daily_delays", "gold_carrier_delays",
          "silver_flights_quarantine", "silver_weather_quarantine")  # fmt: skip


def line(**changes: object) -> str:
    return json.dumps(FLIGHT | changes)


def counts(flights: Flights) -> dict[str, int]:
    return {name: int(flights.value(f"SELECT count(*) FROM main.flights.{name}")) for name in TABLES}


def test_every_row_came_in_once_and_unchanged(ingested: Flights, raw_flights: pd.DataFrame) -> None:
    key = ["time_hour", "minute", "carrier", "flight", "origin"]
    columns = [*key, "dep_delay", "arr_delay", "air_time", "distance", "tailnum"]
    found = ingested.rows(f"SELECT {', '.join(columns)} FROM main.flights.bronze_flights")
    found = found.sort_values(key, ignore_index=True)
    expected = raw_flights[columns].sort_values(key, ignore_index=True)
    pd.testing.assert_frame_equal(found.fillna(-1), expected.fillna(-1), check_dtype=False)


def test_expectations_are_counted_and_dropped_rows_can_be_seen(ingested: Flights, raw_flights: pd.DataFrame) -> None:
    diverted = raw_flights["dep_time"].notna() & raw_flights["arr_delay"].isna()
    told = ingested.first.figures["flows"]["silver_flights"]
    assert told["failed"] == {
        "fits": 0,
        "known_origin": 0,
        "has_outcome": int(diverted.sum()),
        "has_tailnum": int(raw_flights["tailnum"].isna().sum()),
        "plausible_delay": int((~raw_flights["arr_delay"].dropna().between(-120, 720)).sum()),
    }
    assert (told["rows"], told["dropped"]) == (len(raw_flights) - diverted.sum(), diverted.sum())
    aside = ingested.rows("SELECT _quarantine_reason, arr_delay FROM main.flights.silver_flights_quarantine")
    assert list(aside["_quarantine_reason"]) == ["has_outcome"] * diverted.sum()
    assert ingested.value("SELECT count(*) FROM main.flights.silver_flights") == told["rows"]


def test_sql_makes_the_same_tables_and_later_files_bring_what_is_new(ingested: Flights) -> None:
    before = counts(ingested)
    again = ingested.step("01_pipeline")
    assert all(flow["rows"] == 0 for name, flow in again.figures["flows"].items() if name.startswith(("bronze", "silver")))
    assert counts(ingested) == before

    sql = ingested.step("01_pipeline", "sql")
    assert sql.figures["flows"] == ingested.first.figures["flows"]
    for name in TABLES:
        one, other = (ingested.spark.table(f"main.{schema}.{name}") for schema in ("flights", "flights_sql"))
        assert one.schema == other.schema, name
        assert (one.exceptAll(other).count(), other.exceptAll(one).count()) == (0, 0), name

    # A later file, whose lines nearly all have something: a field that is new, no record, another type, diverted, unknown, twice.
    broken = line()[:40]
    changed = [
        {"distance": "1400 miles"},
        {"flight": 2, "gate": "C71"},
        {"flight": 3, "arr_delay": None},
        {"flight": 4, "origin": "XXX"},
    ]
    file = ingested.land(
        "flights/2015-01-01.jsonl", "\n".join([line(), line(), broken, *(line(**one) for one in changed)]) + "\n"
    )
    try:
        later = ingested.step("01_pipeline", "sql")
    finally:
        ingested.workspace.files.delete(f"{LANDING}/{file}")
    assert later.figures["flows"]["bronze_flights"]["rows"] == 7
    assert later.figures["flows"]["silver_flights"]["failed"] == {
        "fits": 2, "known_origin": 1, "has_outcome": 1, "has_tailnum": 1, "plausible_delay": 0,
    }  # fmt: skip
    assert "silver_flights: fits is not met by 2" in later.notes
    assert ingested.value("SELECT flight FROM main.flights_sql.bronze_flights WHERE gate = 'C71'") == 2
    assert ingested.value("SELECT count(*) FROM main.flights_sql.silver_flights") == before["silver_flights"] + 3
    twice = ingested.rows("SELECT * FROM main.flights_sql.silver_flights_copies")
    assert list(twice.itertuples(index=False, name=None)) == [("2015010110-15-UA-1545-EWR", 2)]
    aside = ingested.rows(
        "SELECT _quarantine_reason AS reason, _rescued_data AS text FROM main.flights_sql.silver_flights_quarantine "
        "WHERE _rescued_data IS NOT NULL OR sched_dep >= '2015-01-01' ORDER BY 1, 2"
    )
    assert list(aside["reason"]) == ["fits", "fits, has_tailnum", "has_outcome", "known_origin"]
    rescued = [json.loads(text) for text in aside["text"].dropna()]
    assert {one.pop("_file_path").rpartition("landing/")[2] for one in rescued} == {file}
    assert sorted(map(str, rescued)) == sorted(map(str, [{"_corrupt_record": broken}, {"distance": "1400 miles"}]))
