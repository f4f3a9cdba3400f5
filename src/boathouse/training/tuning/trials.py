"""One trial, in whichever process it is run."""

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mlflow
import optuna

from boathouse.training.tuning.storage import RunStorage

QUIET = "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"
"""MLflow prints two lines at each end of a run unless this is set."""
Objective = Callable[[optuna.Trial], Any]


@dataclass(frozen=True)
class Work:
    """What a process needs to run trials.

    Attributes:
        objective: What is minimised or maximised.
        study_name: The study.
        experiment_id: Where it is kept.
        sampler: Chooses parameters.
        pruner: Ends trials early.
        catch: Exceptions after which the study goes on.
        is_active: Whether a trial's run is MLflow's active one while the objective is called.
    """

    objective: Objective
    study_name: str
    experiment_id: str
    sampler: optuna.samplers.BaseSampler
    pruner: optuna.pruners.BasePruner
    catch: tuple[type[Exception], ...]
    is_active: bool = True

    def wrapped(self, asked: Callable[[str], None] = lambda _: None) -> Objective:
        """The objective, with its errors kept.

        Args:
            asked: Is told the trial's identifier when its turn has come.
        """

        def call(trial: optuna.Trial) -> Any:
            run_id = str(trial._trial_id)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - Optuna has no other name for it
            asked(run_id)
            if self.is_active:
                mlflow.start_run(run_id=run_id, nested=True)
            try:
                return self.objective(trial)
            except optuna.TrialPruned:
                raise
            except Exception:
                mlflow.MlflowClient().log_text(run_id, traceback.format_exc(), "error_message.txt")
                raise
            finally:
                if self.is_active:
                    # Its status is set with its value, by the storage.
                    mlflow.end_run("RUNNING")

        return call

    def study(self) -> optuna.Study:
        """The study, by a connection of this process's own."""
        storage = RunStorage(self.experiment_id)
        return optuna.load_study(study_name=self.study_name, storage=storage, sampler=self.sampler, pruner=self.pruner)
