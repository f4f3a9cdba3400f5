"""AutoML: what it sees in data, and a search whose trials are notebooks that give the same figures again."""

import json
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from boathouse.training import automl
from boathouse.training.automl.asked import Asked
from boathouse.training.automl.columns import Problem, profile, splits
from boathouse.training.automl.families import families
from boathouse.training.automl.places import data_run, experiment_of
from tests.conftest import Server

SEARCH = """
import json, sys
import numpy as np
import pandas as pd
from boathouse.training import automl
from boathouse.training.automl.notebook import code_cells
from boathouse.training.automl.worker import _run
from boathouse.training.automl import trials
import mlflow
from pathlib import Path

trials._PATIENCE = 2

problem, path, out = sys.argv[1:]
rows = pd.read_parquet(path)
given = {"classify": {"pos_label": "yes", "primary_metric": "roc_auc"}, "regress": {"exclude_frameworks": ["xgboost", "sklearn"]}}[problem]
found = getattr(automl, problem)(rows, target_col="y", timeout_minutes=3, **given)
best = found.best_trial
source = mlflow.artifacts.load_text(f"{best.artifact_uri}/notebooks/" + mlflow.artifacts.list_artifacts(f"{best.artifact_uri}/notebooks")[0].path.split("/")[-1])
again = _run("again", code_cells(source))
table = mlflow.artifacts.load_dict(f"runs:/{again['run_id']}/feature_importance.json")
importance = pd.DataFrame(table["data"], columns=table["columns"])


def same(native, packed):
    # Both flavours, of rows as they were given, by themselves and beside others.
    asked = rows.head(30)
    answer, other = native.predict(asked), packed.predict(asked.drop(columns="y"))
    if problem == "classify":
        return [*answer] == [*other] and native.predict(asked.tail(1))[0] == answer[-1]
    return bool(np.allclose(answer, other) and np.isclose(native.predict(asked.tail(1))[0], answer[-1]))


Path(out).write_text(json.dumps({
    "same": [same(one.load_model(), mlflow.pyfunc.load_model(one.model_path)) for one in found.trials[:2]],
    "models": sorted({one.model_description for one in found.trials}),
    "scores": [one.evaluation_metric_score for one in found.trials],
    "metrics": best.metrics,
    "again": again["metrics"],
    "run": again["run_id"] != best.mlflow_run_id,
    "top": [name.split("__")[-1] for name in importance.sort_values("importance", ascending=False)["feature"].head(2)],
    "warnings": [one.kind for one in found.warnings],
    "answer": [str(one) for one in best.load_model().predict(rows.head(2))],
    "runs": len(mlflow.search_runs([found.experiment.experiment_id], "attributes.status = 'FINISHED'")),
    "board": list(found.leaderboard().columns),
}))
"""


def made(problem: Problem, rows: int = 600) -> pd.DataFrame:
    """Rows whose target follows from two columns, with gaps, a date and texts."""
    chance = np.random.default_rng(3)
    x, noise = chance.normal(size=rows), chance.normal(size=rows)
    place = chance.choice(["north", "south", "east"], rows)
    value = x + 1.5 * (place == "south") + 0.5 * noise
    return pd.DataFrame(
        {
            "x": np.where(chance.random(rows) < 0.1, np.nan, x),
            "place": pd.Series(place).where(chance.random(rows) > 0.1),
            "when": pd.date_range("2024-01-01", periods=rows, freq="h"),
            "shop": chance.choice([f"shop {number}" for number in range(60)], rows),
            "other": chance.normal(size=rows),
            "y": np.where(value > 0.5, "yes", "no") if problem == "classify" else value,
        }
    )


def test_what_is_seen_in_data() -> None:
    rows = made("classify", 400)
    rows["same"], rows["number"], rows["leak"] = 1, range(400), (rows["y"] == "yes").astype(int)
    rows["money"], rows["day"] = rows["other"].round(2).astype(str), rows["when"].dt.strftime("%Y-%m-%d")
    rows["name"] = [f"n{one * 7919 % 400}" for one in range(400)]
    rows["words"] = [f"the {one % 90} rooms were clean and the view was {one % 7}" for one in range(400)]
    rows.loc[:2, "y"] = None
    found = profile(rows, "y", "classify", excluded=["other"])
    told = {(one.kind, one.column) for one in found.warnings}
    assert told == {
        ("missing", "y"),
        ("constant", "same"),
        ("identifier", "number"),
        ("identifier", "name"),
        ("high_cardinality", "shop"),
        ("wrong_type", "money"),
        ("wrong_type", "day"),
        ("leak", "leak"),
    }
    assert found.conversions == {"money": "double", "day": "timestamp"}
    assert found.kinds == {
        "x": "numeric",
        "place": "categorical",
        "when": "datetime",
        "shop": "high_cardinality",
        "leak": "numeric",
        "money": "numeric",
        "day": "datetime",
        "words": "text",
    }
    assert len(found.rows) == 397
    rare = rows.assign(y=["a"] * 390 + ["b"] * 10)
    assert "imbalance" in {one.kind for one in profile(rare, "y", "classify").warnings}


def test_rows_are_split() -> None:
    rows = made("classify", 500)
    by_chance = splits(rows, "y", "classify")
    assert by_chance.value_counts(normalize=True).round(1).to_dict() == {"train": 0.6, "validate": 0.2, "test": 0.2}
    shares = [(rows["y"][by_chance == part] == "yes").mean() for part in ("train", "validate", "test")]
    assert max(shares) - min(shares) < 0.02
    by_time = splits(rows, "y", "classify", time_column="when")
    assert rows["when"][by_time == "train"].max() < rows["when"][by_time == "validate"].min()
    assert rows["when"][by_time == "validate"].max() < rows["when"][by_time == "test"].min()
    rows["part"] = ["train", "val", "test", "train", "train"] * 100
    assert splits(rows, "y", "classify", split_column="part").value_counts()["train"] == 300
    with pytest.raises(ValueError, match="split_col 'place' must hold"):
        splits(rows, "y", "classify", split_column="place")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"target_col": "z"}, "target_col is 'z', which is no column"),
        ({"target_col": "y", "primary_metric": "r2"}, "primary_metric is 'r2'; it is one of f1"),
        ({"target_col": "y", "exclude_cols": ["no"]}, "exclude_cols names 'no'"),
        ({"target_col": "y", "exclude_frameworks": ["torch"]}, "the frameworks are sklearn, lightgbm, xgboost"),
        ({"target_col": "y", "exclude_frameworks": ["lightgbm", "sklearn", "xgboost"]}, "leaves none"),
        ({"target_col": "y", "timeout_minutes": 0}, "timeout_minutes is 0"),
        ({"target_col": "y", "max_trials": 3}, "say timeout_minutes"),
        ({"target_col": "y", "time_col": "when", "split_col": "place"}, "both say how rows are split"),
        ({"target_col": "shop"}, "fewer than 5 rows"),
        ({"target_col": "other"}, "other is a number with 130 different values, .* Use regress"),
        ({"target_col": "y", "feature_store_lookups": [{"table": "t"}]}, r"feature_store_lookups\[0\] has table_name"),
    ],
)
def test_what_is_wrong_is_named(given: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("boathouse.training.automl.api._spark", lambda: None) if "feature_store_lookups" in given else None
    rows = made("classify", 130)
    with pytest.raises(ValueError, match=message):
        automl.classify(rows if "feature_store_lookups" not in given else object(), **given)


@pytest.mark.parametrize("problem", ["classify", "regress"])
def test_a_search(server: Server, tmp_path: Path, problem: Problem) -> None:
    rows = made(problem)
    rows["day"], rows["money"], rows["sure"] = rows["when"].astype(str), rows["other"].round(1).astype(str), rows["other"] > 0
    rows["words"] = [f"the {one % 90} rooms were clean and the view was {one % 7}" for one in range(len(rows))]
    rows.loc[:4, "day"] = None
    rows.to_parquet(tmp_path / "rows.parquet")
    (tmp_path / "search.py").write_text(SEARCH)
    command = [sys.executable, "search.py", problem, "rows.parquet", "out.json"]
    environment = {"MLFLOW_TRACKING_URI": server.url, "MLFLOW_TRACKING_TOKEN": server.token, "HOME": str(tmp_path)}
    done = subprocess.run(
        command, cwd=tmp_path, env={"PATH": "/usr/bin", **environment}, capture_output=True, text=True, timeout=400, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found = json.loads((tmp_path / "out.json").read_text())
    metric = "val_roc_auc" if problem == "classify" else "val_r2_score"
    assert found["scores"] == sorted(found["scores"], reverse=True)
    assert found["scores"][0] > (0.85 if problem == "classify" else 0.5)
    assert found["metrics"][metric] == found["scores"][0]
    assert found["again"] == pytest.approx(found["metrics"], rel=1e-9)
    assert found["run"]
    assert found["runs"] >= len(found["scores"]) + 2
    assert found["top"][0] in {"x", "place_south"}
    assert found["warnings"] == ["high_cardinality", "wrong_type", "wrong_type"]
    assert all(found["same"])
    assert "LightGBM" in found["models"]
    assert problem == "classify" or found["models"] == ["LightGBM"]
    assert found["board"][0] == "model"


def test_what_is_begun_ends(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url)
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", server.token)
    client, rows, name = MlflowClient(server.url), made("classify", 130), uuid.uuid4().hex
    # What is wrong is seen before there is an experiment.
    given: dict[str, Any] = {"target_col": "y", "experiment_name": name, "experiment_dir": "/Shared", "timeout_minutes": 1}
    with pytest.raises(ValueError, match="pos_label is 'maybe'; the values of y are 'no', 'yes'"):
        automl.classify(rows, **given, pos_label="maybe")
    with pytest.raises(ValueError, match=r"pos_label is 'a', and y has 3 values: it is for two\. Leave it out"):
        automl.classify(rows.assign(y=["abc"[number % 3] for number in range(len(rows))]), **given, pos_label="a")
    with pytest.raises(ValueError, match=r"imputers\['x'\] is 'guess'"):
        automl.classify(rows, **given, imputers={"x": "guess"})
    assert client.get_experiment_by_name(f"/Shared/{name}") is None

    # Two of one second are two.
    asked = Asked("classify", "y", "f1", 1, "/Shared", None, (), (), {}, None, None, None, None)
    experiments = [experiment_of(asked, "dataset")[0].experiment_id for _ in range(2)]
    assert experiments[0] != experiments[1]
    for error, status in ((ValueError, "FAILED"), (KeyboardInterrupt, "KILLED")):
        with pytest.raises(error), data_run(experiments[0], asked) as run_id:
            raise error
        assert client.get_run(run_id).info.status == status


def test_kinds_of_models_are_named_by_what_they_are() -> None:
    names = {problem: [one.name for one in families(problem, [])] for problem in ("classify", "regress")}
    trees = ["LightGBM", "Random forest", "XGBoost"]
    assert names == {"classify": ["Logistic regression", *trees], "regress": ["Elastic net", *trees]}
