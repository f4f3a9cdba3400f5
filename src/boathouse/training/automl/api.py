"""``classify`` and ``regress``, as ``databricks.automl`` has them."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from boathouse.training.automl.asked import Asked
from boathouse.training.automl.columns import Problem
from boathouse.training.automl.summary import AutoMLSummary

DEFAULT_MINUTES = 120.0


def classify(
    dataset: Any,
    *,
    target_col: str,
    primary_metric: str = "f1",
    data_dir: str | None = None,
    experiment_dir: str | None = None,
    experiment_name: str | None = None,
    exclude_cols: Sequence[str] | None = None,
    exclude_frameworks: Sequence[str] | None = None,
    feature_store_lookups: Sequence[Mapping[str, Any]] | None = None,
    imputers: Mapping[str, Any] | None = None,
    pos_label: Any = None,
    time_col: str | None = None,
    split_col: str | None = None,
    sample_weight_col: str | None = None,
    max_trials: int | None = None,
    timeout_minutes: float | None = None,
) -> AutoMLSummary:
    """Find a model that tells classes apart.

    Args:
        dataset: A pandas or Spark DataFrame, or the name of a table.
        target_col: The column with the classes.
        primary_metric: ``f1``, ``log_loss``, ``precision``, ``accuracy`` or ``roc_auc``.
        data_dir: Taken and not used: the data is kept with the experiment.
        experiment_dir: Folder of the workspace for the experiment; of one's own by default.
        experiment_name: Its name; by default of target, table and time.
        exclude_cols: Columns that are no features.
        exclude_frameworks: Of ``lightgbm``, ``sklearn``, ``xgboost``.
        feature_store_lookups: Feature tables to join first: ``table_name``, ``lookup_key``, perhaps ``timestamp_lookup_key``.
        imputers: By column, ``mean``, ``median``, ``most_frequent`` or ``{"strategy": "constant", "fill_value": ...}``.
        pos_label: Of two classes the one that is looked for; the last by order by default.
        time_col: By its order rows train, validate and test, instead of by chance.
        split_col: A column that says ``train``, ``validate`` or ``test``.
        sample_weight_col: How much each row counts.
        max_trials: Refused: it went with Databricks Runtime 11.
        timeout_minutes: When the search ends at the latest; 120 by default.

    Raises:
        ValueError: If an argument is wrong; it is named.
        RuntimeError: If no trial ended well.
    """
    del data_dir
    return _search(dataset, feature_store_lookups, _asked("classify", locals()))


def regress(
    dataset: Any,
    *,
    target_col: str,
    primary_metric: str = "r2",
    data_dir: str | None = None,
    experiment_dir: str | None = None,
    experiment_name: str | None = None,
    exclude_cols: Sequence[str] | None = None,
    exclude_frameworks: Sequence[str] | None = None,
    feature_store_lookups: Sequence[Mapping[str, Any]] | None = None,
    imputers: Mapping[str, Any] | None = None,
    time_col: str | None = None,
    split_col: str | None = None,
    sample_weight_col: str | None = None,
    max_trials: int | None = None,
    timeout_minutes: float | None = None,
) -> AutoMLSummary:
    """Find a model that predicts a number.

    Args as in ``classify``, with ``primary_metric`` one of ``r2``, ``mae``, ``rmse`` and ``mse``.

    Raises:
        ValueError: If an argument is wrong; it is named.
        RuntimeError: If no trial ended well.
    """
    del data_dir
    return _search(dataset, feature_store_lookups, _asked("regress", locals()))


def _asked(problem: Problem, given: Mapping[str, Any]) -> Asked:
    if given["max_trials"] is not None:
        message = "max_trials is not supported any more, as on Databricks; say timeout_minutes."
        raise ValueError(message)
    minutes = given["timeout_minutes"]
    return Asked(
        problem,
        given["target_col"],
        given["primary_metric"],
        DEFAULT_MINUTES if minutes is None else float(minutes),
        given["experiment_dir"],
        given["experiment_name"],
        tuple(given["exclude_cols"] or ()),
        tuple(given["exclude_frameworks"] or ()),
        dict(given["imputers"] or {}),
        given.get("pos_label"),
        given["time_col"],
        given["split_col"],
        given["sample_weight_col"],
    )


def _search(dataset: Any, lookups: Sequence[Mapping[str, Any]] | None, asked: Asked) -> AutoMLSummary:
    try:
        from boathouse.training.automl.search import search  # noqa: PLC0415 - needs the extra
    except ModuleNotFoundError as error:
        message = f"AutoML needs the package {error.name}: pip install 'boathouse[automl]'"
        raise ModuleNotFoundError(message, name=error.name) from error
    return search(_frame(dataset, lookups), asked, _name(dataset))


def _frame(dataset: Any, lookups: Sequence[Mapping[str, Any]] | None) -> pd.DataFrame:
    """The data set as a pandas frame, with the features that were asked for."""
    if lookups:
        dataset = _with_features(dataset, lookups)
    if isinstance(dataset, pd.DataFrame):
        return dataset.copy()
    if isinstance(dataset, str):
        dataset = _spark().table(dataset)
    if not hasattr(dataset, "toPandas"):
        message = f"dataset is a {type(dataset).__name__}; it is a pandas or Spark DataFrame, or the name of a table."
        raise ValueError(message)
    return dataset.toPandas()


def _with_features(dataset: Any, lookups: Sequence[Mapping[str, Any]]) -> Any:
    from boathouse.features.client import FeatureEngineeringClient, FeatureLookup  # noqa: PLC0415 - takes seconds

    spark = _spark()
    if isinstance(dataset, str):
        dataset = spark.table(dataset)
    elif isinstance(dataset, pd.DataFrame):
        dataset = spark.createDataFrame(dataset)
    wanted: list[Any] = []
    for number, one in enumerate(lookups):
        unknown = one.keys() - {"table_name", "lookup_key", "timestamp_lookup_key"}
        if unknown or not {"table_name", "lookup_key"} <= one.keys():
            message = f"feature_store_lookups[{number}] has table_name, lookup_key and perhaps timestamp_lookup_key."
            raise ValueError(message)
        wanted.append(FeatureLookup(**one))
    return FeatureEngineeringClient().create_training_set(df=dataset, feature_lookups=wanted, label=None).load_df()


def _spark() -> Any:
    from pyspark.sql import SparkSession  # noqa: PLC0415 - not for data that is there

    return SparkSession.builder.getOrCreate()


def _name(dataset: Any) -> str:
    return dataset.rpartition(".")[2] if isinstance(dataset, str) else "dataset"
