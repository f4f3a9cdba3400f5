"""Classes and numbers: the data is looked at, split and kept, and models are searched for it."""

import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from boathouse.features.spec import FeatureSpec
from boathouse.training.automl.asked import Asked
from boathouse.training.automl.columns import Profile, profile, splits
from boathouse.training.automl.families import Family, families
from boathouse.training.automl.notebook import Setting, exploration_notebook, trial_notebook
from boathouse.training.automl.places import data_run, experiment_of, keep_data
from boathouse.training.automl.summary import AutoMLSummary
from boathouse.training.automl.trials import Search, check_metric_and_time, tell_best
from boathouse.training.problems import METRICS

MOST_ROWS = 500_000
"""More rows than these are sampled: a trial has to fit into memory several times."""
_SPLIT = "_automl_split"
_IMPUTERS: Mapping[str, Mapping[str, Any]] = {
    "mean": {"strategy": "mean"},
    "median": {"strategy": "median"},
    "most_frequent": {"strategy": "most_frequent"},
}


def search(data: pd.DataFrame, asked: Asked, name: str, spec: FeatureSpec | None = None) -> AutoMLSummary:
    """Try models on a data set.

    Args:
        data: One row an example.
        asked: What for.
        name: What the data set is called, for the experiment's name.
        spec: Of features that were looked up: models are logged with it.

    Raises:
        ValueError: If an argument is wrong; it is named.
        RuntimeError: If no trial ended well.
    """
    began = time.monotonic()
    _check(asked, data)
    chosen = families(asked.problem, asked.excluded_frameworks)
    sampled = len(data) > MOST_ROWS
    found = profile(
        data.sample(MOST_ROWS, random_state=0) if sampled else data,
        asked.target,
        asked.problem,
        excluded=asked.excluded,
        kept=[one for one in (asked.split_column, asked.weight_column) if one],
    )
    if sampled:
        found.warn("rows", None, f"{MOST_ROWS:,} of {len(data):,} rows were drawn to train with.")
    for warning in found.warnings:
        print(f"{warning.kind}: {warning.message}")  # noqa: T201 - for the person at the notebook
    found.rows[_SPLIT] = splits(
        found.rows, asked.target, asked.problem, time_column=asked.time_column, split_column=asked.split_column
    )
    positive = _positive(asked, found.rows[asked.target]) if asked.problem == "classify" else None
    imputers = {column: _imputer(column, given) for column, given in asked.imputers.items()}
    experiment, folder = experiment_of(asked, name)
    with tempfile.TemporaryDirectory() as place:
        with data_run(experiment.experiment_id, asked) as run_id:
            setting = Setting(
                asked.problem,
                asked.target,
                found.kinds,
                experiment.experiment_id,
                run_id,
                positive,
                asked.weight_column,
                imputers,
                None if spec is None else _narrowed(spec, asked, found),
            )
            keep_data(
                run_id, _rows(found, spec), found.warnings, exploration_notebook(setting, found.warnings), folder, Path(place)
            )

        def write(family: Family, parameters: Mapping[str, Any], number: int) -> str:
            return trial_notebook(setting, family, parameters, number)

        deadline = began + asked.minutes * 60
        trials = Search(asked, experiment.experiment_id, run_id, write, chosen, folder, Path(place), deadline).trials()
    conversions: dict[str, list[str]] = {}
    for column, kind in found.conversions.items():
        conversions.setdefault(kind, []).append(column)
    summary = AutoMLSummary(experiment, trials, METRICS[asked.problem][asked.metric][0], tuple(found.warnings), conversions)
    return tell_best(summary)


def _check(asked: Asked, data: pd.DataFrame) -> None:
    check_metric_and_time(asked)
    columns = {
        "exclude_cols": asked.excluded,
        "imputers": asked.imputers,
        "time_col": [asked.time_column],
        "split_col": [asked.split_column],
        "sample_weight_col": [asked.weight_column],
    }
    for argument, names in columns.items():
        unknown = [one for one in names if one is not None and one not in data.columns]
        if unknown:
            message = f"{argument} names {', '.join(map(repr, unknown))}, which is no column of the dataset."
            raise ValueError(message)
    if asked.time_column is not None and asked.split_column is not None:
        message = "time_col and split_col both say how rows are split; give one of them."
        raise ValueError(message)


def _imputer(column: str, given: Any) -> Mapping[str, Any]:
    """How a missing value is filled in: a name, or ``{"strategy": "constant", "fill_value": ...}``."""
    how = {"strategy": given} if isinstance(given, str) else dict(given)
    if how.get("strategy") == "constant" and how.keys() == {"strategy", "fill_value"}:
        return how
    known = _IMPUTERS.get(str(how.get("strategy")))
    if known is None or len(how) != 1:
        message = (
            f"imputers[{column!r}] is {given!r}; it is one of {', '.join(_IMPUTERS)}, or "
            "{'strategy': 'constant', 'fill_value': ...}."
        )
        raise ValueError(message)
    return known


def _rows(found: Profile, spec: FeatureSpec | None) -> pd.DataFrame:
    """The rows as trials read them; a feature that is looked up may be missing, so whole numbers among them are doubles."""
    rows = found.as_given()
    looked_up = () if spec is None else [name for lookup in spec.lookups for name in lookup.outputs if name in found.kinds]
    return rows.astype({name: "float64" for name in looked_up if pd.api.types.is_integer_dtype(rows[name])})


def _narrowed(spec: FeatureSpec, asked: Asked, found: Profile) -> FeatureSpec:
    """A spec of the features that models take, in their order."""
    looked_up = {name for lookup in spec.lookups for name in lookup.outputs}
    features = tuple(found.kinds)
    return replace(
        spec,
        inputs=tuple(name for name in features if name not in looked_up),
        features_order=features,
        labels=(asked.target,),
    )


def _positive(asked: Asked, target: "pd.Series[Any]") -> Any:
    """Which of two classes is looked for: the named one, or the last by order (1, True, yes)."""
    classes = sorted(target.unique(), key=str)
    if asked.positive is not None and asked.positive not in classes:
        message = f"pos_label is {asked.positive!r}; the values of {asked.target} are {', '.join(map(repr, classes[:10]))}."
        raise ValueError(message)
    if len(classes) != 2:
        if asked.positive is not None:
            message = (
                f"pos_label is {asked.positive!r}, and {asked.target} has {len(classes)} values: it is for two. Leave it out."
            )
            raise ValueError(message)
        return None
    chosen = classes[-1] if asked.positive is None else asked.positive
    return chosen.item() if hasattr(chosen, "item") else chosen
