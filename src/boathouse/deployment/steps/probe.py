"""A process of its own that loads a packaged model and predicts; it needs nothing but what the model needs.

Run as ``python probe.py FOLDER``. The folder has ``task.json`` (where the model is, the names of the parts, how often single rows
are asked for) and a Parquet file for each part, by its number; it gets ``loaded`` once the model is loaded, ``done.json`` and
``predictions.json``. Nothing of Boathouse is imported: the environment is the model's.
"""

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd


def peak_mb() -> float:
    """The most memory that this process has had since it began to run this program."""
    # On Linux the rusage of a process has the peak of the one that has started it, too: it is kept by exec.
    status = Path("/proc/self/status")
    if status.is_file():
        found = next((line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM:")), None)
        if found is not None:
            return int(found) / 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def values_of(answer: Any) -> list[Any]:
    """A model's answer as a value for each row.

    Raises:
        TypeError: If it is none.
    """
    if isinstance(answer, pd.DataFrame):
        answer = answer.iloc[:, 0]
    if isinstance(answer, (str, bytes, dict)) or not hasattr(answer, "__iter__"):
        message = f"the answer is of type {type(answer).__name__}, and has to be a value for each row"
        raise TypeError(message)
    rows: list[Any] = [one[0] if isinstance(one, (list, tuple)) and len(one) == 1 else one for one in answer]
    values: list[Any] = [one.item() if getattr(one, "size", 0) == 1 and hasattr(one, "item") else one for one in rows]
    wrong = next((one for one in values if not pd.api.types.is_scalar(one)), None)
    if wrong is not None:
        message = f"the answer to a row is of type {type(wrong).__name__}, and has to be one value"
        raise TypeError(message)
    return [None if pd.isna(one) else one for one in values]


def main(folder: Path) -> None:
    """Load, predict, measure."""
    task = json.loads((folder / "task.json").read_text())
    before = peak_mb()
    started = time.perf_counter()
    model = mlflow.pyfunc.load_model(task["model"])
    load_seconds = time.perf_counter() - started
    (folder / "loaded").touch()
    parts = [pd.read_parquet(folder / f"{number}.parquet") for number in range(len(task["parts"]))]
    answers: dict[str, Any] = {}
    seconds: float | None = None
    for part, inside in zip(task["parts"], parts):  # noqa: B905 - in models' older Pythons too
        began = time.perf_counter()
        try:
            answer = model.predict(inside)
            took = time.perf_counter() - began
            answers[part] = {"values": values_of(answer)}
        except Exception as error:  # noqa: BLE001 - whatever the model raises is what is asked for
            answers[part] = {"error": f"{type(error).__name__}: {error}"[:2000]}
            continue
        if seconds is None:
            seconds = took
    single, first, refused = [], parts[0], ""
    for number in range(task["single"]):
        row = first.iloc[[number % len(first)]]
        began = time.perf_counter()
        try:
            model.predict(row)
        except Exception as error:  # noqa: BLE001 - whatever the model raises is what is asked for
            refused = f"{type(error).__name__}: {error}"[:2000]
            break
        single.append(time.perf_counter() - began)
    single.sort()
    found = {"load_seconds": load_seconds, "memory_mb": peak_mb(), "model_memory_mb": peak_mb() - before}
    if seconds is not None:
        found["rows_per_second"] = len(first) / max(seconds, 1e-9)
    if single:
        found["latency_p50_ms"] = 1000 * single[len(single) // 2]
        found["latency_p95_ms"] = 1000 * single[min(len(single) - 1, int(len(single) * 0.95))]
    (folder / "predictions.json").write_text(json.dumps(answers, default=str))
    (folder / "done.json").write_text(json.dumps({"figures": found, "refused": refused}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
