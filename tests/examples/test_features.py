"""No feature holds what was not known at the time of the prediction."""

import numpy as np
import pandas as pd

from tests.examples.conftest import Flights

WEATHER = ["temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib"]
DELAYS = ["origin_delay_3h", "carrier_delay_6h", "carrier_late_rate_7d"]
HOUR = pd.Timedelta(hours=1)


def training_set(flights: Flights) -> pd.DataFrame:
    return flights.rows("SELECT * FROM main.flights.training_set ORDER BY flight_id")


def times(rows: pd.DataFrame) -> pd.DataFrame:
    """Timestamps without a zone, in UTC."""
    for name in rows.select_dtypes("datetimetz"):
        rows[name] = rows[name].dt.tz_convert("UTC").dt.tz_localize(None)
    return rows


def test_one_example_for_each_flight(trained_on: Flights, raw_flights: pd.DataFrame) -> None:
    labels = raw_flights[(raw_flights["month"] <= 8) & raw_flights["arr_delay"].notna()]
    examples = training_set(trained_on)
    assert len(examples) == len(labels)
    assert examples["flight_id"].is_unique
    assert int(examples["late"].sum()) == int((labels["arr_delay"] >= 15).sum())
    assert set(examples["month"]) == set(range(1, 9))


def test_weather_is_what_merge_asof_finds(trained_on: Flights) -> None:
    examples = times(training_set(trained_on)).sort_values("prediction_time", kind="stable")
    weather = times(trained_on.rows("SELECT * FROM main.flights.weather_features"))
    assert (weather["available_at"] == weather["time_hour"] + HOUR).all()
    expected = pd.merge_asof(
        examples[["flight_id", "origin", "prediction_time"]],
        weather.sort_values("available_at"),
        left_on="prediction_time",
        right_on="available_at",
        by="origin",
    )
    recent = expected["time_hour"] >= expected["prediction_time"] - 6 * HOUR
    pd.testing.assert_frame_equal(
        examples[WEATHER].reset_index(drop=True), expected[WEATHER].where(recent), check_dtype=False, check_exact=True
    )


def test_delays_hold_only_what_had_happened(trained_on: Flights) -> None:
    """Each figure again, flight by flight, from the departures and arrivals before the prediction."""
    columns = "flight_id, origin, carrier, dep_delay, departed_at, known_at, late"
    silver = times(trained_on.rows(f"SELECT {columns} FROM main.flights.silver_flights"))
    examples = times(training_set(trained_on)).sample(400, random_state=7)
    expected = []
    for one in examples.itertuples():
        now = one.prediction_time.floor("h")
        here = silver[silver["origin"] == one.origin]
        mine = here[here["carrier"] == one.carrier]

        def before(rows: pd.DataFrame, column: str, hours: int, now: pd.Timestamp = now) -> pd.DataFrame:
            return rows[(rows[column] < now) & (rows[column] >= now - hours * HOUR)]

        expected.append(
            (
                before(here, "departed_at", 3)["dep_delay"].mean(),
                before(mine, "departed_at", 6)["dep_delay"].mean(),
                before(mine, "known_at", 168)["late"].astype(float).mean(),
            )
        )
    np.testing.assert_allclose(examples[DELAYS].to_numpy(float), np.array(expected, float), rtol=1e-9)
    assert examples[DELAYS].notna().mean().min() > 0.5


def test_an_outcome_is_not_known_before_the_flight_has_arrived(trained_on: Flights, raw_flights: pd.DataFrame) -> None:
    """Minutes on the clocks of both ends tell, modulo an hour, how long a flight was under way; zones differ by whole hours."""
    silver = times(trained_on.rows("SELECT flight_id, departed_at, known_at FROM main.flights.silver_flights"))
    flown = raw_flights[raw_flights["arr_delay"].notna()].copy()
    hour = pd.to_datetime(flown["time_hour"]).dt.strftime("%Y%m%d%H")
    parts = [hour, flown["minute"].astype(str), flown["carrier"], flown["flight"].astype(str), flown["origin"]]
    flown["flight_id"] = parts[0].str.cat(parts[1:], sep="-")
    both = flown.merge(silver, on="flight_id", validate="one_to_one")
    assert len(both) == len(flown)
    modulo = (both["arr_time"] % 100 - both["dep_time"] % 100) % 60
    way = modulo + ((both["air_time"] + 8 - modulo) / 60).apply(np.ceil) * 60  # the first that leaves 8 minutes for taxiing
    early = both["known_at"] < both["departed_at"] + pd.to_timedelta(way, unit="min")
    assert early.mean() < 0.01


def test_weather_that_arrives_later_changes_nothing(trained_on: Flights) -> None:
    """A row of weather that becomes available after a prediction is not seen by it, and is by those that come after."""
    before = times(training_set(trained_on))
    one = before[before["temp"].notna() & (before["month"] == 3)].iloc[0]
    features = "main.flights.weather_features"
    names = trained_on.spark.table(features).columns
    available = one.prediction_time + pd.Timedelta(seconds=1)
    values = {
        "origin": f"'{one.origin}'",
        "time_hour": f"TIMESTAMP '{one.prediction_time.floor('h'):%Y-%m-%d %H:%M:%S}'",
        "available_at": f"TIMESTAMP '{available:%Y-%m-%d %H:%M:%S}'",
    }
    row = ", ".join(f"{values.get(name, 'CAST(-999 AS DOUBLE)')} AS {name}" for name in names)
    try:
        trained_on.spark.sql(f"INSERT INTO {features} SELECT {row}")
        trained_on.step("03_training_set")
        after = times(training_set(trained_on))
        earlier = before["prediction_time"] < available
        pd.testing.assert_frame_equal(after[earlier], before[earlier])
        changed = after["temp"] == -999
        assert (after.loc[changed, "prediction_time"] >= available).all()
        assert changed.any()
    finally:
        trained_on.spark.sql(f"DELETE FROM {features} WHERE temp = -999")
        trained_on.step("03_training_set")
    pd.testing.assert_frame_equal(times(training_set(trained_on)), before)


def test_outcomes_that_are_known_later_change_nothing(trained_on: Flights) -> None:
    """All departures and arrivals after a moment made different: no example before that moment changes, later ones do."""
    before = times(training_set(trained_on))
    moment = "TIMESTAMP '2013-04-25 16:00:00'"  # in the middle of a day that is landed

    def disturb(sign: str) -> None:
        trained_on.spark.sql(f"UPDATE main.flights.silver_flights SET late = NOT late WHERE known_at >= {moment}")
        delay = f"UPDATE main.flights.silver_flights SET dep_delay = dep_delay {sign} 500 WHERE departed_at >= {moment}"
        trained_on.spark.sql(delay)
        for name in ("02_features", "03_training_set"):
            trained_on.step(name)

    try:
        disturb("+")
        after = times(training_set(trained_on))
        earlier = before["prediction_time"] <= pd.Timestamp("2013-04-25 16:00:00")
        pd.testing.assert_frame_equal(after.loc[earlier, DELAYS], before.loc[earlier, DELAYS])
        assert not after.loc[~earlier, DELAYS].equals(before.loc[~earlier, DELAYS])
    finally:
        disturb("-")
    pd.testing.assert_frame_equal(times(training_set(trained_on)), before)
