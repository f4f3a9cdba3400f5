"""``mlflow.pyspark.optuna.study.MlflowSparkStudy`` where functions on the engine's workers reach no server.

Its trials are processes beside the notebook instead: everything else, and all that is kept, is as it was.
"""

import time
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

from mlflow.exceptions import ExecutionException
from optuna.study import Study
from optuna.trial import FrozenTrial
from pyspark.sql import SparkSession

from boathouse.training.tuning.storage import RunStorage
from boathouse.training.tuning.study import Search, at_once, classes, require_end
from boathouse.training.tuning.trials import Objective, Work


def keep_in_runs(module: ModuleType) -> None:
    """Have ``mlflow.optuna.storage`` give out a storage that knows which trials are lost."""
    module.__dict__["MlflowStorage"] = RunStorage


def run_in_processes(module: ModuleType) -> None:
    """Change the study's class."""
    theirs: Any = module.__dict__["MlflowSparkStudy"]
    begin: Callable[..., None] = theirs.__init__

    def __init__(self: Any, *arguments: Any, **named: Any) -> None:  # noqa: N807
        SparkSession.builder.getOrCreate()  # it asks for the active one, which a notebook may not have made yet
        begin(self, *arguments, **named)

    theirs.__init__ = __init__
    theirs.optimize = _optimize


def _optimize(
    self: Any,
    func: Objective,
    n_trials: int | None = None,
    timeout: float | None = None,
    n_jobs: int = -1,
    catch: Iterable[type[Exception]] | type[Exception] = (),
    callbacks: Iterable[Callable[[Study, FrozenTrial], None]] | None = None,
) -> None:
    """Run so many more trials, ``n_jobs`` at once; -1 is one for each processor.

    Raises:
        ValueError: If nothing says when it ends.
        ExecutionException: If a trial has failed by what was not to be caught.
    """
    require_end(n_trials, timeout)
    experiment = self._storage._experiment_id  # noqa: SLF001
    work = Work(func, self.study_name, experiment, self.sampler, self.pruner, classes(catch), is_active=False)
    search = Search(self._study, self._storage, work, tuple(callbacks or ()))
    deadline = None if timeout is None else time.monotonic() + timeout
    try:
        with search.running():
            search.run(n_trials, deadline, at_once(n_jobs))
    except Exception as error:
        message = (
            f"Optimization run for Optuna MlflowSparkStudy failed. See full error details in the failed MLflow runs. {error}"
        )
        raise ExecutionException(message) from error
