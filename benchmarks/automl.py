"""AutoML beside FLAML and AutoGluon: the same rows, the same seconds, judged on rows that none has seen.

    python benchmarks/automl.py [--flaml PYTHON] [--autogluon PYTHON] [--seconds 60] [--only DATASET]

The four datasets come with scikit-learn. A quarter of each is put aside; each of the searches gets the rest and the time, one after the
other, and optimises log loss (classes) or R2 (numbers). A PYTHON is an interpreter of an environment of its own that has pyarrow and
``flaml[automl]``, as FLAML looks for a whole PySpark when it is imported and ends where it finds a client only, or
``autogluon.tabular[lightgbm,xgboost]``, which runs with its preset ``best_quality``. Ours keeps its runs in SQLite, without a server.
Prints what each scored, by which model, and the processor seconds, as JSON.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

DATASETS = ("breast_cancer", "digits", "wine", "diabetes")
_OURS = """
import sys, json
import pandas as pd
from boathouse.training import automl
train, test, problem, seconds = sys.argv[1:5]
train, test = pd.read_parquet(train), pd.read_parquet(test)
metric = "log_loss" if problem == "classify" else "r2"
found = getattr(automl, problem)(train, target_col="y", primary_metric=metric, timeout_minutes=float(seconds) / 60)
model, features = found.best_trial.load_model(), test.drop(columns="y")
answer = model.predict_proba(features).tolist() if problem == "classify" else model.predict(features).tolist()
print(json.dumps({"answer": answer, "model": found.best_trial.model_description, "trials": len(found.trials)}))
"""
_FLAML = """
import sys, json
import pandas as pd
from flaml import AutoML
train, test, problem, seconds = sys.argv[1:5]
train, test = pd.read_parquet(train), pd.read_parquet(test)
task, metric = ("classification", "log_loss") if problem == "classify" else ("regression", "r2")
search = AutoML()
search.fit(train.drop(columns="y"), train["y"], task=task, metric=metric, time_budget=float(seconds), seed=0, verbose=0)
features = test.drop(columns="y")
answer = search.predict_proba(features).tolist() if problem == "classify" else search.predict(features).tolist()
print(json.dumps({"answer": answer, "model": search.best_estimator, "trials": len(search.config_history)}))
"""

_AUTOGLUON = """
import sys, json
import pandas as pd
from autogluon.tabular import TabularPredictor
train, test, problem, seconds = sys.argv[1:5]
train, test = pd.read_parquet(train), pd.read_parquet(test)
metric = "log_loss" if problem == "classify" else "r2"
found = TabularPredictor(label="y", eval_metric=metric, verbosity=0, path="models")
found.fit(train, time_limit=float(seconds), presets="best_quality")
features = test.drop(columns="y")
if problem == "classify":
    answer = found.predict_proba(features)[sorted(train["y"].unique())].to_numpy().tolist()
else:
    answer = found.predict(features).tolist()
print(json.dumps({"answer": answer, "model": found.model_best, "trials": len(found.model_names())}))
"""


def scores(problem: str, truth: Any, answer: Any) -> dict[str, float]:
    import numpy as np
    from sklearn.metrics import accuracy_score, log_loss, r2_score, root_mean_squared_error

    given = np.asarray(answer)
    if problem == "classify":
        classes = sorted(set(truth))
        shares = given / given.sum(axis=1, keepdims=True)
        named = np.asarray(classes)[shares.argmax(axis=1)]
        return {"log_loss": float(log_loss(truth, shares, labels=classes)), "accuracy": float(accuracy_score(truth, named))}
    return {"r2": float(r2_score(truth, given)), "rmse": float(root_mean_squared_error(truth, given))}


def run(python: str, code: str, folder: Path, problem: str, seconds: float, truth: Any) -> dict[str, Any]:
    (folder / "search.py").write_text(code)
    command = [python, "search.py", "train.parquet", "test.parquet", problem, str(seconds)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    told = json.loads(done.stdout.splitlines()[-1])
    answer = told.pop("answer")
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return told | scores(problem, truth, answer) | {"cpu_seconds": round(spent, 1)}


def main() -> None:
    from sklearn import datasets
    from sklearn.model_selection import train_test_split

    parser = argparse.ArgumentParser()
    parser.add_argument("--flaml")
    parser.add_argument("--autogluon")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--only", choices=DATASETS)
    told = parser.parse_args()
    found: dict[str, Any] = {}
    for name in [told.only] if told.only else DATASETS:
        rows = getattr(datasets, f"load_{name}")(as_frame=True).frame.rename(columns={"target": "y"})
        problem = "regress" if name == "diabetes" else "classify"
        stratify = rows["y"] if problem == "classify" else None
        train, test = train_test_split(rows, random_state=0, stratify=stratify)
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            train.to_parquet(folder / "train.parquet")
            test.to_parquet(folder / "test.parquet")
            searches = {
                "ours": (sys.executable, _OURS),
                "flaml": (told.flaml, _FLAML),
                "autogluon": (told.autogluon, _AUTOGLUON),
            }
            found[name] = {
                which: run(python, code, folder, problem, told.seconds, test["y"].to_numpy())
                for which, (python, code) in searches.items()
                if python is not None
            }
            print(json.dumps({name: found[name]}), file=sys.stderr, flush=True)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
