"""What a test of a pipeline takes in a project of one's own that uses the harness ``boathouse.pipelines.testing``.

    python benchmarks/harness.py [--rounds 3] [--json FILE]

The project has a pipeline of three datasets with expectations in Python and the same in SQL, and tests that give it rows, run it
and compare what comes out. Each test's figure is all of it: its schema is made, inputs are written, the update is planned and run,
the result is read, the schema is dropped. ``wall`` is by the clock; ``cpu`` is that of the test's process, the server and the engine
together. The first test starts the server.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import environment, parse, report

CONFTEST = """
import json, time
import psutil, pytest

pytest_plugins = ["boathouse.pipelines.testing"]


def cpu():
    own = psutil.Process()
    times = [one.cpu_times() for one in (own, *own.children(recursive=True))]
    return sum(one.user + one.system for one in times)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    wall, used = time.perf_counter(), cpu()
    answer = yield
    with open("figures.jsonl", "a") as out:
        out.write(json.dumps({"name": item.name, "wall": time.perf_counter() - wall, "cpu": cpu() - used}) + "\\n")
    return answer
"""

PYTHON = """
from pyspark import pipelines as dp
from pyspark.sql import functions as F


@dp.materialized_view
@dp.expect("has_customer", "customer IS NOT NULL")
def bronze():
    return spark.read.table("orders")


@dp.materialized_view
@dp.expect_or_drop("positive", "amount > 0")
def silver():
    return spark.read.table("bronze").where("customer IS NOT NULL")


@dp.materialized_view
def gold():
    return spark.read.table("silver").groupBy("customer").agg(F.sum("amount").alias("total"))
"""

SQL = """
CREATE OR REFRESH MATERIALIZED VIEW bronze (CONSTRAINT has_customer EXPECT (customer IS NOT NULL)) AS SELECT * FROM orders;
CREATE OR REFRESH MATERIALIZED VIEW silver (CONSTRAINT positive EXPECT (amount > 0) ON VIOLATION DROP ROW)
AS SELECT * FROM bronze WHERE customer IS NOT NULL;
CREATE OR REFRESH MATERIALIZED VIEW gold AS SELECT customer, sum(amount) AS total FROM silver GROUP BY customer;
"""

TESTS = """
import pytest

ORDERS = [(1, "ann", 5), (2, "bob", -1), (3, None, 7), (4, "ann", 2)]


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("form", ["py", "sql"])
def test_gold(pipeline, form, number):
    pipeline.given("orders", ORDERS, "id INT, customer STRING, amount INT")
    result = pipeline.run(f"shop.{form}")
    assert pipeline.rows("gold") == [{"customer": "ann", "total": 7}]
    assert result.expectations == {"bronze": {"has_customer": (3, 1)}, "silver": {"positive": (2, 1)}}
    assert [row["id"] for row in pipeline.rows("silver_quarantine")] == [2]


def test_that_the_server_ends_after(spark):
    pass
"""


def once(folder: Path) -> tuple[float, dict[str, dict[str, float]]]:
    """Run the project's tests: the seconds of the whole run, and each test's figures."""
    for name, text in (("conftest.py", CONFTEST), ("shop.py", PYTHON), ("shop.sql", SQL), ("test_shop.py", TESTS)):
        (folder / name).write_text(text)
    started = time.perf_counter()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:xdist"]
    subprocess.run(command, cwd=folder, env=environment(), check=True, stdout=sys.stderr, timeout=300)
    seconds = time.perf_counter() - started
    figures = [json.loads(line) for line in (folder / "figures.jsonl").read_text().splitlines()]
    return seconds, {one["name"]: one for one in figures}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parse(parser)
    taken: dict[str, list[float]] = {}
    for _ in range(arguments.rounds):
        with tempfile.TemporaryDirectory() as folder:
            seconds, tests = once(Path(folder))
        taken.setdefault("run", []).append(seconds)
        own = [one for name, one in tests.items() if name.startswith("test_gold")]
        for measure in ("wall", "cpu"):
            taken.setdefault(f"first_{measure}", []).append(own[0][measure])
            taken.setdefault(f"later_{measure}", []).extend(one[measure] for one in own[1:])
    figures: dict[str, Any] = {name: round(statistics.median(values), 2) for name, values in taken.items()}
    figures["slowest_later_wall"] = round(max(taken["later_wall"]), 2)
    report({"rounds": arguments.rounds, **figures}, arguments)


if __name__ == "__main__":
    main()
