"""Search for the parameters of a model: kill it whenever you like, and run it again; it goes on.

export MLFLOW_TRACKING_URI=http://127.0.0.1:8080 MLFLOW_TRACKING_TOKEN=$(boathouse token)
python examples/tuning/tune.py --trials 20 --jobs 2
"""

import argparse

import lightgbm as lgb
import mlflow
import optuna
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from boathouse.training.tuning import tune

features, target = load_breast_cancer(return_X_y=True, as_frame=True)
TRAIN, VALIDATE, TRAIN_TARGET, VALIDATE_TARGET = train_test_split(features, target, random_state=0, stratify=target)


def objective(trial: optuna.Trial) -> float:
    parameters = {
        "objective": "binary",
        "metric": "binary_logloss",
        "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.3, log=True),
        "num_leaves": trial.suggest_int("num_leaves", 4, 64, log=True),
        "min_child_samples": trial.suggest_int("min_child_samples", 2, 64, log=True),
        "verbose": -1,
        "num_threads": 1,  # trials at once share the processors
    }
    validation = lgb.Dataset(VALIDATE, VALIDATE_TARGET)

    def report(state: lgb.callback.CallbackEnv) -> None:
        if state.iteration % 10 == 0:
            trial.report(state.evaluation_result_list[0][2], state.iteration)
            if trial.should_prune():
                raise optuna.TrialPruned

    model = lgb.train(
        parameters,
        lgb.Dataset(TRAIN, TRAIN_TARGET),
        num_boost_round=200,
        valid_sets=[validation],
        callbacks=[lgb.early_stopping(20, verbose=False), report],
    )
    mlflow.log_metric("trees", model.best_iteration)  # into the run of the trial
    return float(log_loss(VALIDATE_TARGET, model.predict(VALIDATE)))


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--trials", type=int, default=20)
    arguments.add_argument("--jobs", type=int, default=2)
    arguments.add_argument("--experiment", default="/Shared/tuning")
    told = arguments.parse_args()
    study = tune(objective, study_name="breast cancer", experiment=told.experiment, n_trials=told.trials, n_jobs=told.jobs)
    print(f"Best of {len(study.trials)}: {study.best_value:.4f} with {study.best_params}")
