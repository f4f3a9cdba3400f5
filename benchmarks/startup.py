"""How long a newcomer waits, and what it costs: start, first page, first query, install, demo, memory.

    python benchmarks/startup.py [--runs 5] [--install] [--demo] [--json FILE]

Each start is on a new lake. A figure is the median of the runs, with the least and the most. ``--install`` makes a new
environment with the base install alone (it downloads), ``--demo`` runs the whole demo once and samples the memory of its
process tree (proportional set size, so that shared pages count once).
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil
from common import ROOT, memory, parse, report, server

QUERY = """
import sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.remote(sys.argv[1]).getOrCreate()
assert spark.sql("SELECT 1 AS x").collect()[0].x == 1
spark.stop()
"""


def one_start() -> dict[str, float]:
    """Start once, ask for the page, its first data and a first query."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        query = folder / "query.py"
        query.write_text(QUERY)
        begun = time.perf_counter()
        with server(folder) as lake:
            client = lake.client()
            page = client.get("/", headers={"Accept": "text/html"})
            assert page.status_code in {200, 503}
            client.get("/api/boathouse/v1/home").raise_for_status()
            first_page = time.perf_counter() - begun
            subprocess.run([sys.executable, "-W", "ignore", str(query), lake.remote()], check=True, stderr=subprocess.DEVNULL)
            first_query = time.perf_counter() - begun
            client.get("/version").raise_for_status()
            idle = memory(lake.process)
            client.close()
    return {"up_s": lake.seconds, "first_page_s": first_page, "first_query_s": first_query, "memory_after_mb": idle}


def summary(runs: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    """Least, median and most of each figure."""
    return {
        name: {
            "min": round(min(run[name] for run in runs), 2),
            "median": round(statistics.median(run[name] for run in runs), 2),
            "max": round(max(run[name] for run in runs), 2),
        }
        for name in runs[0]
    }


def install() -> dict[str, float]:
    """The base install in a new environment: seconds and MB."""
    uv = ROOT / ".tools" / "bin" / "uv"
    with tempfile.TemporaryDirectory() as name:
        env = os.environ | {"UV_PROJECT_ENVIRONMENT": str(Path(name) / "venv")}
        started = time.perf_counter()
        command = [str(uv), "sync", "--quiet", "--frozen", "--no-dev", "--no-editable", "--link-mode", "copy"]
        subprocess.run([*command, "--python", sys.executable], check=True, cwd=ROOT, env=env)
        seconds = time.perf_counter() - started
        size = sum(path.lstat().st_size for path in Path(name).rglob("*") if path.is_file()) / 1e6
    return {"seconds": round(seconds, 1), "mb": round(size)}


def demo() -> dict[str, float]:
    """The whole demo once: seconds and peak memory of its tree."""
    with tempfile.TemporaryDirectory() as name:
        env = os.environ | {"BOATHOUSE_CONFIG_DIR": f"{name}/config"}
        command = [sys.executable, "-m", "boathouse", "demo", "--root", f"{name}/lake", "--port", "0", "--spark-port", "0"]
        started = time.perf_counter()
        process = subprocess.Popen([*command, "--exit"], env=env, stdout=subprocess.DEVNULL)
        peak, ended = 0.0, threading.Event()
        while process.poll() is None:
            peak = max(peak, memory(psutil.Process(process.pid)))
            ended.wait(0.5)
        assert process.returncode == 0
        return {"seconds": round(time.perf_counter() - started, 1), "peak_memory_mb": round(peak)}


def main() -> None:
    """Measure, print, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--install", action="store_true")
    parser.add_argument("--demo", action="store_true")
    asked = parse(parser)
    one_start()  # not counted: it fills the file cache
    found: dict[str, Any] = {"start": summary([one_start() for _ in range(asked.runs)])}
    if asked.install:
        found["install"] = install()
    if asked.demo:
        found["demo"] = demo()
    report(found, asked)


if __name__ == "__main__":
    main()
