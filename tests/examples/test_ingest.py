"""Files come in exactly once, and what does not fit is set aside with its file and line."""

import json

import pandas as pd

from tests.examples.conftest import Flights

FLIGHT = {
    "year": 2014, "month": 1, "day": 1, "dep_time": 517, "sched_dep_time": 515, "dep_delay": 2, "arr_time": 830,
    "sched_arr_time": 819, "arr_delay": 11, "carrier": "UA", "flight": 1545, "tailnum": "N14228", "origin": "EWR",
    "dest": "IAH", "air_time": 227, "distance": 1400, "hour": 5, "minute": 15, "time_hour": "2014-01-01T10:00:00Z",
}  # fmt: skip


def line(**changes: object) -> str:
    return json.dumps(FLIGHT | changes)


def rejects(flights: Flights, file: str) -> list[tuple[int, str, str]]:
    found = flights.rows(f"SELECT _line, text, reason FROM main.flights.bronze_rejects WHERE _file = '{file}' ORDER BY _line")
    return list(found.itertuples(index=False, name=None))


def count(flights: Flights, file: str) -> int:
    return int(flights.value(f"SELECT count(*) FROM main.flights.bronze_flights WHERE _file = '{file}'"))


def forget(flights: Flights, file: str) -> None:
    """Take a test's own file and rows out again."""
    flights.workspace.files.delete(f"/Volumes/main/flights/landing/{file}")
    flights.spark.sql(f"DELETE FROM main.flights.bronze_flights WHERE _file = '{file}'")


def test_every_row_came_in_once_and_unchanged(ingested: Flights, raw_flights: pd.DataFrame) -> None:
    columns = [
        "time_hour",
        "minute",
        "carrier",
        "flight",
        "origin",
        "dep_delay",
        "arr_delay",
        "air_time",
        "distance",
        "tailnum",
    ]
    kept = "_file LIKE 'flights/2013-%'"
    found = ingested.rows(f"SELECT {', '.join(columns)} FROM main.flights.bronze_flights WHERE {kept}")
    order = columns[:5]
    found = found.sort_values(order, ignore_index=True)
    expected = raw_flights[columns].sort_values(order, ignore_index=True)
    pd.testing.assert_frame_equal(found.fillna(-1), expected.fillna(-1), check_dtype=False)


def test_again_adds_nothing(ingested: Flights) -> None:
    before = ingested.value("SELECT count(*) FROM main.flights.bronze_flights")
    again = ingested.step("01_ingest")
    assert again.figures["flights"] == {"new_files": 0, "rows_in": 0, "rejected": 0}
    assert again.figures["weather"] == {"new_files": 0, "rows_in": 0, "rejected": 0}
    assert ingested.value("SELECT count(*) FROM main.flights.bronze_flights") == before


def test_a_later_file_is_picked_up(ingested: Flights) -> None:
    file = ingested.land("flights/2014-01-01.jsonl", "\n".join([line(), line(flight=2)]) + "\n")
    try:
        assert ingested.step("01_ingest").figures["flights"] == {"new_files": 1, "rows_in": 2, "rejected": 0}
        assert ingested.step("01_ingest").figures["flights"]["new_files"] == 0
        assert count(ingested, file) == 2
    finally:
        forget(ingested, file)


def test_a_broken_line_is_set_aside_and_the_rest_comes_in(ingested: Flights) -> None:
    broken = line()[:40]
    file = ingested.land("flights/2014-01-02.jsonl", "\n".join([line(), broken, "[1]", line(flight=3)]) + "\n")
    try:
        done = ingested.step("01_ingest")
        assert done.figures["flights"] == {"new_files": 1, "rows_in": 2, "rejected": 2}
        assert any(file in note and "line 2" in note for note in done.notes)
        assert count(ingested, file) == 2
        assert [(number, text) for number, text, _ in rejects(ingested, file)] == [(2, broken), (3, "[1]")]
        ingested.step("01_ingest")
        assert len(rejects(ingested, file)) == 2
    finally:
        forget(ingested, file)


def test_a_column_that_changed_type_loses_nothing(ingested: Flights) -> None:
    changed = [line(distance="1400 miles"), line(flight=4, dep_delay="two")]
    file = ingested.land("flights/2014-01-03.jsonl", "\n".join([line(), *changed]) + "\n")
    try:
        assert ingested.step("01_ingest").figures["flights"] == {"new_files": 1, "rows_in": 1, "rejected": 2}
        assert [text for _, text, _ in rejects(ingested, file)] == changed
        assert [reason.split()[0] for _, _, reason in rejects(ingested, file)] == ["distance", "dep_delay"]
    finally:
        forget(ingested, file)


def test_a_file_of_broken_lines_alone_is_told_once(ingested: Flights) -> None:
    file = ingested.land("flights/2014-01-04.jsonl", "{\n")
    try:
        ingested.step("01_ingest")
        again = ingested.step("01_ingest")
        assert again.figures["flights"]["rejected"] == 0
        assert len(rejects(ingested, file)) == 1
    finally:
        forget(ingested, file)


def test_a_field_without_a_column_is_kept_beside_the_row(ingested: Flights) -> None:
    file = ingested.land("flights/2014-01-05.jsonl", line(gate="C71") + "\n" + line(flight=5) + "\n")
    try:
        assert ingested.step("01_ingest").figures["flights"] == {"new_files": 1, "rows_in": 2, "rejected": 0}
        query = f"SELECT _rescued_data FROM main.flights.bronze_flights WHERE _file = '{file}' ORDER BY _line"
        assert [row[0] for row in ingested.spark.sql(query).collect()] == ['{"gate": "C71"}', None]
    finally:
        forget(ingested, file)
