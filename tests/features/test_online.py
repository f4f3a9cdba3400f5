"""The online store answers as the training join does."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from boathouse.errors import InvalidParameterValue
from boathouse.features.api import FeatureSpec, FeatureSpecInvalid, OnlineReader, OnlineTableNotFound
from boathouse.features.online import OnlineMeta, OnlineWriter, pack_key, pack_value

META = OnlineMeta("main.f.w", "id", 0, ("origin",), ("string",), "time", "available", ("temp", "wind"))
HOUR = 3_600_000_000


def row(key: str, time: int, available: int, *values: object) -> tuple[bytes, int, int, bytes]:
    return pack_key([key]), time, available, pack_value(values)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    rows = [
        row("EWR", 1 * HOUR, 2 * HOUR, 1.0, None),
        row("EWR", 2 * HOUR, 3 * HOUR, 2.0, 20.0),
        row("EWR", 2 * HOUR, 5 * HOUR, 2.5, 25.0),
        row("JFK", 9 * HOUR, 9 * HOUR, 9.0, 90.0),
    ]
    assert OnlineWriter(tmp_path / "t.db").write(META, rows, replace=True) == 4
    return tmp_path / "t.db"


@pytest.mark.parametrize(
    ("time", "lookback", "temp"),
    [
        (None, None, 2.5),
        (5 * HOUR, None, 2.5),
        (5 * HOUR - 1, None, 2.0),
        (3 * HOUR, None, 2.0),
        (3 * HOUR - 1, None, 1.0),
        (2 * HOUR - 1, None, None),
        (4 * HOUR, 2 * HOUR, 2.0),
        (4 * HOUR, 2 * HOUR - 1, None),
        (0, None, None),
    ],
)
def test_as_of(path: Path, time: int | None, lookback: int | None, temp: float | None) -> None:
    found = OnlineReader(path, "main.f.w_online").read([["EWR"]], [time], ["temp"], lookback)
    assert found == [None if temp is None else (temp,)]


def test_agrees_with_merge_asof(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    features = pd.DataFrame({"key": random.choice(["a", "b", "c"], 500), "time": random.integers(0, 10_000, 500)})
    features = features.drop_duplicates(["key", "time"])
    features["temp"] = random.normal(size=len(features))
    labels = pd.DataFrame({"key": random.choice(["a", "b", "c", "d"], 300), "time": random.integers(-100, 11_000, 300)})
    meta = OnlineMeta("main.f.w", "id", 0, ("key",), ("string",), "time", None, ("temp",))
    rows = [row(key, int(time), -(2**63), temp) for key, time, temp in features.itertuples(index=False)]
    OnlineWriter(tmp_path / "t.db").write(meta, rows, replace=True)
    asked = [[key] for key in labels["key"]]
    found = OnlineReader(tmp_path / "t.db", "t").read(asked, [int(time) for time in labels["time"]], ["temp"], 500)
    expected = pd.merge_asof(
        labels.reset_index().sort_values("time"), features.sort_values("time"), on="time", by="key", tolerance=500
    ).sort_values("index")["temp"]
    got = [np.nan if one is None else one[0] for one in found]
    np.testing.assert_array_equal(got, expected.to_numpy())


def test_look_up_fills_defaults_and_reads_times(path: Path) -> None:
    spec = FeatureSpec.parse(
        {
            "lookups": [
                {
                    "table": "main.f.w",
                    "lookup_key": ["o"],
                    "timestamp_lookup_key": "at",
                    "features": ["temp", "wind"],
                    "defaults": {"wind": 7},
                }
            ]
        }
    )
    columns = {"o": ["EWR", "EWR", "XXX", None], "at": ["1970-01-01T02:30:00Z", 18_000_000, None, None]}
    found = OnlineReader(path, "t").look_up(spec.lookups[0], columns, 4)
    assert found == {"temp": [1.0, 2.5, None, None], "wind": [7, 25.0, 7, 7]}
    with pytest.raises(InvalidParameterValue, match="'at' is a time"):
        OnlineReader(path, "t").look_up(spec.lookups[0], {"o": ["EWR"], "at": ["yesterday"]}, 1)
    with pytest.raises(InvalidParameterValue, match="'o' is a lookup key of type string"):
        OnlineReader(path, "t").look_up(spec.lookups[0], {"o": [1]}, 1)


def test_a_lookup_that_does_not_fit_is_refused(path: Path) -> None:
    raw = {"lookups": [{"table": "main.f.w", "lookup_key": ["o"], "features": ["rain"]}]}
    with pytest.raises(FeatureSpecInvalid, match=r"'rain'.*Valid: temp, wind"):
        OnlineReader(path, "t").check(FeatureSpec.parse(raw).lookups[0])


def test_a_deleted_table_is_missing_and_a_new_one_is_seen(path: Path) -> None:
    reader = OnlineReader(path, "main.f.w_online")
    assert reader.read([["JFK"]], [None], ["temp"]) == [(9.0,)]
    OnlineWriter(path).delete()
    with pytest.raises(OnlineTableNotFound, match=r"main\.f\.w_online"):
        reader.read([["JFK"]], [None], ["temp"])
    OnlineWriter(path).write(META, [row("JFK", 1, 1, 8.0, 8.0)], replace=True)
    assert reader.read([["JFK"]], [None], ["temp"]) == [(8.0,)]


READER = """
import sys
from pathlib import Path
from boathouse.features.api import OnlineReader
reader = OnlineReader(Path(sys.argv[1]), "t")
print("go", flush=True)
seen = set()
while len(seen) < 3:
    values = {row[0] for row in reader.read([[str(key)] for key in range(200)], [None] * 200, ["v"])}
    assert len(values) == 1, values
    seen |= values
print("done", flush=True)
"""


def test_a_reader_in_another_process_never_sees_half_a_publish(tmp_path: Path) -> None:
    meta = OnlineMeta("main.f.w", "id", 0, ("k",), ("string",), None, None, ("v",))
    writer = OnlineWriter(tmp_path / "t.db")

    def publish(value: int) -> None:
        writer.write(meta, ((pack_key([str(key)]), 0, -(2**63), pack_value([value])) for key in range(200)), replace=True)

    publish(0)
    with subprocess.Popen([sys.executable, "-c", READER, str(tmp_path / "t.db")], stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "go\n"
        value = 0
        while reader.poll() is None and value < 5000:
            value += 1
            publish(value)
        assert reader.stdout.readline() == "done\n"
        assert reader.wait(timeout=20) == 0
