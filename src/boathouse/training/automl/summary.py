"""What a search gives back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from boathouse.training.automl.columns import Warning_


@dataclass(frozen=True)
class TrialInfo:
    """One trial.

    Attributes:
        mlflow_run_id: Its run.
        model_description: Which kind of model.
        metrics: Its figures, ``training_...``, ``val_...`` and ``test_...``.
        params: What was searched for.
        evaluation_metric_score: The figure that trials are compared by, on the rows that validate.
        duration: Seconds.
        notebook_path: The notebook in the workspace; None where no workspace is.
        artifact_uri: Where the run's files are.
        model_path: The model, as ``runs:/...``.
        flavor: By which it is loaded.
    """

    mlflow_run_id: str
    model_description: str
    metrics: Mapping[str, float]
    params: Mapping[str, Any]
    evaluation_metric_score: float
    duration: float
    notebook_path: str | None
    artifact_uri: str
    model_path: str
    flavor: Literal["sklearn", "pyfunc"] = "sklearn"

    def load_model(self) -> Any:
        """The fitted pipeline of scikit-learn; of a forecast, MLflow's model of Python."""
        if self.flavor == "pyfunc":
            from mlflow.pyfunc import load_model  # noqa: PLC0415 - takes seconds

            return load_model(self.model_path)
        from mlflow.sklearn import load_model  # noqa: PLC0415 - takes seconds

        return load_model(self.model_path)


@dataclass(frozen=True)
class AutoMLSummary:
    """All trials of a search.

    Attributes:
        experiment: MLflow's experiment.
        trials: The best first.
        primary_metric: What they are compared by.
        warnings: What was found in the data.
        semantic_type_conversions: Columns whose type was changed, by the type that they were given.
        output_table_name: Of a forecast, the table with what the best trial says, if a database was given.
    """

    experiment: Any
    trials: Sequence[TrialInfo]
    primary_metric: str
    warnings: Sequence[Warning_] = ()
    semantic_type_conversions: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    output_table_name: str | None = None

    @property
    def best_trial(self) -> TrialInfo:
        """The first of the leaderboard."""
        return self.trials[0]

    @property
    def metric_distribution(self) -> str:
        """How the trials' scores lie."""
        scores = sorted(one.evaluation_metric_score for one in self.trials)
        return f"min: {scores[0]:.4g}, median: {scores[len(scores) // 2]:.4g}, max: {scores[-1]:.4g}"

    def leaderboard(self) -> Any:
        """The trials as a pandas frame: model, score, test score, seconds."""
        import pandas as pd  # noqa: PLC0415 - with the rest of what a search needs

        return pd.DataFrame(
            {
                "model": [one.model_description for one in self.trials],
                f"val_{self.primary_metric}": [one.evaluation_metric_score for one in self.trials],
                f"test_{self.primary_metric}": [one.metrics.get(f"test_{self.primary_metric}") for one in self.trials],
                "seconds": [round(one.duration, 1) for one in self.trials],
                "run_id": [one.mlflow_run_id for one in self.trials],
            }
        )
