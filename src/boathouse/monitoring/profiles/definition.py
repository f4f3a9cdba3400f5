"""What a monitor is to do: the part of its settings that figures depend on. ``monitor_version`` counts its changes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from boathouse.monitoring.profiles.windows import GRANULARITIES, Granularity

ALL_MODELS = "*"
TABLE = ":table"
Problem = Literal["regression", "classification"]


@dataclass(frozen=True)
class CustomMetric:
    """A metric of the monitor's owner.

    Attributes:
        name: Of the column that it gets in the metric table.
        kind: ``AGGREGATE``, ``DERIVED`` or ``DRIFT``.
        definition: SQL with placeholders.
        input_columns: For which columns it is computed, or ``:table``.
        type_text: Type of the result.
    """

    name: str
    kind: str
    definition: str
    input_columns: tuple[str, ...]
    type_text: str


@dataclass(frozen=True)
class Definition:
    """What is computed.

    Attributes:
        timestamp: The column that tells the windows; None where each refresh looks at the whole table.
        granularities: How long the windows are.
        slices: Expressions by whose values rows are looked at separately too.
        problem: What the predictions of an inference log are; None for other tables.
        prediction: The column of predictions.
        label: The column of what came true.
        proba: The column of probabilities.
        model_id: The column that tells models apart.
        custom: Metrics of the owner's.
    """

    timestamp: str | None = None
    granularities: tuple[Granularity, ...] = ()
    slices: tuple[str, ...] = ()
    problem: Problem | None = None
    prediction: str | None = None
    label: str | None = None
    proba: str | None = None
    model_id: str | None = None
    custom: tuple[CustomMetric, ...] = field(default=())

    @staticmethod
    def of(settings: Mapping[str, Any]) -> "Definition":
        """The definition of a monitor's settings, which have been checked."""
        log: Mapping[str, Any] = settings.get("inference_log") or {}
        timed: Mapping[str, Any] = log or settings.get("time_series") or {}
        problems: dict[str, Problem] = {
            "PROBLEM_TYPE_REGRESSION": "regression",
            "PROBLEM_TYPE_CLASSIFICATION": "classification",
        }
        return Definition(
            timestamp=timed.get("timestamp_col"),
            granularities=tuple(GRANULARITIES[text] for text in dict.fromkeys(timed.get("granularities", ()))),
            slices=tuple(dict.fromkeys(settings.get("slicing_exprs") or ())),
            problem=problems.get(log.get("problem_type", "")),
            prediction=log.get("prediction_col"),
            label=log.get("label_col"),
            proba=log.get("prediction_proba_col"),
            model_id=log.get("model_id_col"),
            custom=tuple(
                CustomMetric(
                    one["name"],
                    one["type"].removeprefix("CUSTOM_METRIC_TYPE_"),
                    one["definition"],
                    tuple(one["input_columns"]),
                    one["output_data_type"],
                )
                for one in settings.get("custom_metrics") or ()
            ),
        )
