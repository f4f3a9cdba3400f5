"""Trials on the engine's workers: parameters travel there and values come back; nothing there knows MLflow or a token."""

import traceback
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution

from boathouse.training.tuning.storage import RunStorage
from boathouse.training.tuning.trials import Objective

_SCHEMA = "place long, values array<double>, pruned boolean, error string"


def run_round(
    study: optuna.Study,
    storage: RunStorage,
    objective: Objective,
    space: Mapping[str, BaseDistribution],
    count: int,
    spark: Any,
) -> Iterator[tuple[optuna.Trial, str | None]]:
    """Run some trials at once; each with its error, if it failed.

    Args:
        study: The study.
        storage: Where it is kept.
        objective: Gets an ``optuna.trial.FixedTrial``, which nothing prunes.
        space: All parameters: they are chosen before the objective is called.
        count: How many trials.
        spark: A session.
    """
    trials = [study.ask(dict(space)) for _ in range(count)]
    identifiers = [trial._trial_id for trial in trials]  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    with storage.beating(identifiers):
        evaluate = _evaluation(objective, [(trial.number, trial.params) for trial in trials])
        rows = spark.range(0, count, 1, count).mapInPandas(evaluate, _SCHEMA).collect()
    for row in sorted(rows, key=lambda one: one["place"]):
        trial = trials[row["place"]]
        if row["pruned"]:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        elif row["error"] is not None:
            storage.log_error(trial, row["error"])
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            study.tell(trial, list(row["values"]))
        yield trial, row["error"]


def _evaluation(objective: Objective, asked: Sequence[tuple[int, Mapping[str, Any]]]) -> Any:
    """A function that travels by itself: the engine's machines may have Optuna and not Boathouse."""

    def evaluate(frames: Iterator[Any]) -> Iterator[Any]:
        import pandas as pd  # noqa: PLC0415 - this runs elsewhere

        def row(place: int) -> tuple[Any, ...]:
            number, params = asked[place]
            trial: Any = optuna.trial.FixedTrial(dict(params), number=number)
            try:
                values = objective(trial)
                return place, [float(one) for one in (values if isinstance(values, list | tuple) else [values])], False, None
            except optuna.TrialPruned:
                return place, None, True, None
            except Exception:  # noqa: BLE001 - it is told where the study is
                return place, None, False, traceback.format_exc()

        for frame in frames:
            yield pd.DataFrame([row(int(one)) for one in frame["id"]], columns=["place", "values", "pruned", "error"])

    return evaluate
