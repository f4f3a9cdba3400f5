"""The steps that a deployment job is made of."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cloudpickle
import mlflow
import numpy as np
import pandas as pd
import pytest

from boathouse.deployment import steps
from boathouse.deployment.steps import checks, rollout, shadowing
from boathouse.deployment.steps.metrics import metrics_of
from boathouse.deployment.steps.packaged import Package, PredictionEnded
from tests.deployment.conftest import Shop, told

CLIENT = Path(__file__).parent / "clients" / "steps_of_a_job.py"


@pytest.mark.timeout(600)
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
        timeout=590,
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
        "unanswered": ["rows", "champion"],
        "shadow": ["answers", 3.0, True],
        "not approved": ["wants it approved", ["1"]],
        "alias refused": ["traffic went back to", ["1"]],
        "deployed": [["2"], "2"],
        "taken back": [True, ["2"]],
        "back": [1, ["1"], True],
    }
    events = told(shop.reader.get(f"{shop.url}/versions/2"))["events"]
    kept = [(one["step"], one["name"], one["verdict"]) for one in events]
    # What could not be checked is kept, too.
    failed = [one for one in kept if one[0] == "evaluation" and one[2] == "failed"]
    assert failed == [("evaluation", "rows", "failed"), ("evaluation", "champion", "failed")]
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


def test_which_value_is_better() -> None:
    def passes(metric: str, value: float, theirs: float, **given: Any) -> bool:
        return checks.quality(
            {metric: value}, {metric: theirs}, [checks.Threshold(metric, most_worse=0.05, **given)], "1"
        ).passed

    # An error of 5 in the mean is as bad on either side.
    assert [passes("mean_error", value, -2.0) for value in (2.05, -2.05, 5.0, -5.0)] == [True, True, False, False]
    assert [passes("cost", value, 10.0, better="lower") for value in (1.0, 10.4, 11.0)] == [True, True, False]
    assert [passes("gain", value, 10.0, better="higher") for value in (20.0, 9.6, 9.0)] == [True, True, False]
    assert not checks.quality({"mae": 1.0}, {}, [checks.Threshold("mae", most_worse=0.05)], "1").passed
    assert checks.without_champion("4", "x", [checks.Threshold("mae", at_most=1)]).passed


def test_no_slice_and_no_group_is_too_rare_to_be_judged_if_it_has_enough_rows() -> None:
    rows = pd.DataFrame({"group": [f"g{number}" for number in range(60) for _ in range(40)] + ["bad"] * 30 + ["few"] * 29})
    truth = pd.Series(np.zeros(len(rows)))
    found = pd.Series(np.where(rows["group"].isin(["bad", "few"]), 9.0, 1.0))
    known = metrics_of("regressor", 1)
    (one,) = checks.slices(rows, ["group"], truth, found, known, [checks.Threshold("mae", at_most=2, slices=True)])
    assert one.reason == "mae of group=bad is 9, and may be 2 at most"
    assert one.metrics == {"slices": 62}
    assert (len(one.details["table"]), one.details["table"][-1]["value"], one.details["not_shown"]) == (51, "bad", 11)
    (apart,) = checks.fairness(rows, [checks.Fairness("group", "mae", 2)], truth, found, known)
    assert (apart.passed, apart.metrics, apart.details["table"][-1]["value"]) == (False, {"apart": 8.0}, "bad")


def test_rates_of_what_is_no_label() -> None:
    truth, found = pd.Series(["yes", "no", "no"]), pd.Series(["no", "no", "no"])
    assert checks.unlabelled("yes", truth, found, ["selection_rate"]) is None
    asked = checks.unlabelled(1, truth, found, ["accuracy", "selection_rate"])
    assert asked is not None
    assert not asked.passed
    assert (
        asked.reason
        == "positive is 1, which is no label; the rows and the answers have 'no', 'yes'. So nothing is said of selection_rate."
    )
    not_asked = checks.unlabelled(1, truth, found, ["accuracy"])
    assert not_asked is not None
    assert not_asked.passed


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"target": "cost"}, "target names the column 'cost', which rows has not. Valid: price, size"),
        ({"slices": ["distrct"]}, "slices names the column 'distrct'"),
        ({"fairness": [checks.Fairness("distrct", "mae", 1)]}, "fairness names the column 'distrct'"),
        ({"fairness": [checks.Fairness("size", "f1", 1)]}, "fairness names the metric 'f1', which there is not. Valid: mae, "),
        ({"thresholds": [checks.Threshold("mine", most_worse=0.1)]}, "better is missing in thresholds: of 'mine'"),
        (
            {"thresholds": [checks.Threshold("mae", better="less")]},
            "better is 'less' in thresholds, for 'mae'. Valid: higher, lower, zero",
        ),  # type: ignore[arg-type]
        ({"environment": "docker"}, "environment is 'docker'. Valid: process, requirements"),
        ({"kind": "classification"}, "kind is 'classification'. Valid: regressor, classifier"),
    ],
)
def test_what_cannot_be_asked_is_told_before_anything_is_loaded(given: dict[str, Any], told: str) -> None:
    rows = pd.DataFrame({"price": [1.0], "size": [1.0]})
    with pytest.raises(ValueError, match=told.replace(".", r"\.")):
        steps.evaluate("a.b.c", 1, rows, **{"target": "price", "metrics": {"mine": lambda _truth, _found: 7.0}, **given})


def test_rows_and_answers_that_judge_nothing() -> None:
    rows = pd.DataFrame({"price": [1.0, None, 3.0]})
    found = [
        checks.unanswerable(rows, "price"),
        checks.unanswerable(rows.head(0), "price"),
        checks.unanswerable(rows.head(1), "price"),
    ]
    assert [one and (one.passed, one.reason) for one in found] == [
        (False, "1 of 3 rows have no value of the target 'price': leave them out."),
        (False, "There are no rows to evaluate with."),
        None,
    ]
    answers = [checks.unanswered(2, pd.Series(one)) for one in ([1.0, float("inf")], ["a", None], [1.0], [1.0, 2.0])]
    assert [one and one.reason for one in answers] == [
        "1 of 2 rows have no answer (null, NaN or infinite).",
        "1 of 2 rows have no answer (null, NaN or infinite).",
        "2 rows were asked for, and 1 answered.",
        None,
    ]


class Moody(mlflow.pyfunc.PythonModel):
    """Answers by what is in the first row."""

    def predict(self, context: Any, model_input: pd.DataFrame) -> Any:  # noqa: ARG002
        if len(model_input) == 1:
            message = "one row is too few"
            raise ValueError(message)
        match model_input["mood"].iloc[0]:
            case "end":
                os._exit(7)
            case "none":
                return None
            case "pairs":
                return np.ones((len(model_input), 2))
            case "column":
                return np.ones((len(model_input), 1))
            case mood:
                return [mood] * len(model_input)


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
def test_what_a_model_does_wrong_is_told_as_that(tmp_path: Path) -> None:
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    try:
        mlflow.pyfunc.save_model(tmp_path / "model", python_model=Moody(), pip_requirements=[])
    finally:
        cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
    package = Package.__new__(Package)
    package.folder, package.name = tmp_path / "model", "m/1"
    moods = {mood: pd.DataFrame({"mood": [mood] * 2}) for mood in ("text", "none", "pairs", "column")}
    told = package.ask(moods, single=3)
    assert told.errors == {
        "none": "TypeError: the answer is of type NoneType, and has to be a value for each row",
        "pairs": "TypeError: the answer to a row is of type ndarray, and has to be one value",
    }
    assert told.predictions["column"].tolist() == [1.0, 1.0]
    no_numbers = checks.unanswered(2, told.predictions["text"], numbers=True)
    assert no_numbers is not None
    assert no_numbers.reason == "2 of 2 answers of a regressor are no numbers, such as 'text'."
    assert checks.unanswered(2, told.predictions["column"], numbers=True) is None
    alone = checks.resources(told.figures, checks.Limits(), "process", told.refused)
    assert (alone.passed, alone.reason) == (False, "a single row is refused: ValueError: one row is too few")
    with pytest.raises(PredictionEnded, match=r"has ended while the model predicted \(exit status 7\)"):
        package.ask({"rows": pd.DataFrame({"mood": ["end"] * 2})}, single=0)


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


def test_what_shadow_reads() -> None:
    for body in (
        {"instances": [{"x": 1}, {"x": 2}]},
        {"dataframe_records": [{"x": 1}, {"x": 2}]},
        {"dataframe_split": {"columns": ["x"], "data": [[1], [2]]}},
        {"inputs": {"x": [1, 2]}},
    ):
        assert shadowing._records(json.dumps(body)) == [{"x": 1}, {"x": 2}]  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(ValueError, match="kind is 'classification'"):
        steps.shadow("a.b.c", 1, pd.DataFrame(), kind="classification")


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
