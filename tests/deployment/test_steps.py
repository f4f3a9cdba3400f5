"""The steps that a deployment job is made of."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from boathouse.deployment.steps import checks, rollout
from boathouse.deployment.steps.metrics import metrics_of
from tests.deployment.conftest import Shop, told

CLIENT = Path(__file__).parent / "clients" / "steps_of_a_job.py"


@pytest.mark.timeout(400)
def test_from_evaluation_to_the_way_back(shop: Shop, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    told(shop.admin.put(f"{shop.url}/policy", json={"protected_aliases": ["guarded"]}))
    given = {"AUTHOR": shop.author_name, "SPARK": shop.server.spark_remote(shop.author_token)}
    done = subprocess.run(
        [sys.executable, str(CLIENT), shop.name, str(out)],
        env=shop.environment() | given,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=390,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert json.loads(out.read_text()) == {
        "evaluation": {
            "schema": True,
            "quality": True,
            "slices of district": True,
            "fairness by district: mae": True,
            "latency and memory": True,
            "nulls": True,
        },
        "champion": ["1", True],
        "nulls": "refused",
        "shadow": ["answers", 3.0, True],
        "not approved": ["wants it approved", ["1"]],
        "alias refused": ["traffic went back to", ["1"]],
        "deployed": [["2"], "2"],
        "taken back": [True, ["2"]],
        "back": [1, ["1"], True],
    }
    events = told(shop.reader.get(f"{shop.url}/versions/2"))["events"]
    kept = [(one["step"], one["name"], one["verdict"]) for one in events]
    assert kept[:6] == [("evaluation", name, "passed") for name in json.loads(out.read_text())["evaluation"]]
    endpoint = shop.name.replace(".", "-")
    assert ("deployment", f"{endpoint}: canary", "passed") in kept
    assert kept[-2:] == [("rollback", "champion", "done"), ("rollback", endpoint, "done")]
    failed = told(shop.reader.get(f"{shop.url}/versions/3"))["events"][-1]
    assert (failed["step"], failed["verdict"], failed["metrics"]["failed"] > 0) == ("deployment", "failed", True)


def test_thresholds_slices_and_groups() -> None:
    rows = pd.DataFrame({"group": ["a"] * 60 + ["b"] * 60 + ["c"] * 2})
    truth, known = pd.Series(np.zeros(122)), metrics_of("regressor", 1)
    found = pd.Series([1.0] * 60 + [3.0] * 60 + [50.0] * 2)
    thresholds = [checks.Threshold("mae", at_most=2.9, most_worse=0.1, slices=True), checks.Threshold("r2", at_least=0.5)]
    quality = checks.quality({"mae": 2.8, "r2": 0.5}, {"mae": 2.5, "r2": 0.4}, thresholds, "1")
    assert (quality.passed, quality.reason) == (False, "mae is 2.8, the champion's 2.5")
    assert checks.quality({"mae": 2.7, "r2": 0.5}, {"mae": 2.5}, thresholds, "1").passed
    assert "r2 is 0.4, and has to be 0.5 at least" in checks.quality({"mae": 1, "r2": 0.4}, None, thresholds, None).reason
    # Two rows of a group are no ground for a judgement.
    (by_group,) = checks.slices(rows, ["group"], truth, found, known, thresholds)
    assert by_group.reason == "mae of group=b is 3, and may be 2.9 at most"
    table: list[dict[str, Any]] = by_group.details["table"]
    assert [(one["value"], one["rows"], one["mae"]) for one in table] == [("a", 60, 1.0), ("b", 60, 3.0), ("c", 2, 50.0)]
    (apart,) = checks.fairness(rows, [checks.Fairness("group", "mae", 1.5)], truth, found, known)
    assert (apart.passed, apart.metrics) == (False, {"apart": 2.0})
    assert checks.fairness(rows, [checks.Fairness("group", "mae", 2.5)], truth, found, known)[0].passed


def test_rates_of_a_classifier() -> None:
    truth, found = pd.Series(["y", "y", "n", "n"]), pd.Series(["y", "n", "y", "n"])
    known = metrics_of("classifier", "y", {"mine": lambda _truth, _found: 7.0})
    values = {name: metric(truth, found) for name, metric in known.items()}
    assert {name: float(value) for name, value in values.items()} == {
        "accuracy": 0.5,
        "balanced_accuracy": 0.5,
        "f1": 0.5,
        "precision": 0.5,
        "recall": 0.5,
        "selection_rate": 0.5,
        "true_positive_rate": 0.5,
        "false_positive_rate": 0.5,
        "mine": 7.0,
    }


def test_a_canary_ends_early_where_nothing_can_save_it_and_waits_where_nobody_asks() -> None:
    asked = iter([{}, {"m": (0, 0)}, {"m": (3, 2), "a": (40, 0), "b": (9, 9)}])
    ended = rollout.watch(lambda: next(asked), "m", ["a"], 60, 50, 0.01)
    assert ended == rollout.Counted(3, 2, 40, 0)
    assert ended.is_worse(0.01, 50)
    asked = iter([{"m": (10, 5), "a": (7, 1)}, {"m": (60, 5), "a": (9, 2)}])
    assert rollout.watch(lambda: next(asked), "m", ["a"], 60, 50, 0.01) == rollout.Counted(50, 0, 2, 1)
    assert rollout.watch(dict, "m", [], 0, 50, 0.01) == rollout.Counted(0, 0)
    assert rollout.split({"a": 33, "b": 67}, "c", 10) == {"a": 29, "b": 61, "c": 10}


@pytest.mark.parametrize(
    ("counted", "is_worse"),
    [
        (rollout.Counted(100, 1, 900, 0), False),  # as many as may
        (rollout.Counted(100, 2, 900, 0), True),
        (rollout.Counted(100, 25, 900, 225), False),  # what people ask fails wherever it is asked
        (rollout.Counted(100, 30, 900, 225), False),  # by chance
        (rollout.Counted(100, 45, 900, 225), True),
        (rollout.Counted(100, 100, 900, 1), True),
        (rollout.Counted(4, 2, 4, 1), True),  # so few say nothing in its favour
        (rollout.Counted(0, 0, 0, 0), False),
    ],
)
def test_what_the_others_fail_on_too_is_not_the_new_versions_fault(counted: rollout.Counted, *, is_worse: bool) -> None:
    assert counted.is_worse(0.01, 50) is is_worse
