"""``classify``, ``regress`` and ``forecast``, as ``databricks.automl`` has them."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from boathouse.features.spec import FeatureSpec
from boathouse.training.automl.asked import Asked, ForecastAsked
from boathouse.training.automl.summary import AutoMLSummary
from boathouse.training.problems import Problem

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


def forecast(
    dataset: Any,
    *,
    target_col: str,
    time_col: str,
    primary_metric: str = "smape",
    country_code: str = "US",
    frequency: str = "D",
    horizon: int = 1,
    data_dir: str | None = None,
    experiment_dir: str | None = None,
    experiment_name: str | None = None,
    exclude_frameworks: Sequence[str] | None = None,
    feature_store_lookups: Sequence[Mapping[str, Any]] | None = None,
    identity_col: str | Sequence[str] | None = None,
    sample_weight_col: str | None = None,
    output_database: str | None = None,
    max_trials: int | None = None,
    timeout_minutes: float | None = None,
) -> AutoMLSummary:
    """Find a method that forecasts series.

    Args:
        dataset: A pandas or Spark DataFrame, or the name of a table: a row for a series and a moment.
        target_col: The column with what is forecast, a number.
        time_col: The column with the moments.
        primary_metric: ``smape`` (0 to 2), ``mse``, ``rmse``, ``mae`` or ``mdape``.
        country_code: Whose holidays trees on daily series know of; ``""`` for none.
        frequency: The period: ``D``, ``W``, ``month``, ``quarter``, ``year``, ``hour``, ``min`` or ``s``.
        horizon: How many periods are forecast.
        data_dir: Taken and not used: the data is kept with the experiment.
        experiment_dir: Folder of the workspace for the experiment; of one's own by default.
        experiment_name: Its name; by default of target, table and time.
        exclude_frameworks: Of ``naive``, ``ets``, ``arima``, ``lightgbm``; ``prophet`` and ``deepar`` are not there and may be named.
        feature_store_lookups: Refused: methods here look at the series and the calendar only.
        identity_col: The column, or columns, that tell series apart.
        sample_weight_col: Refused: all series count the same.
        output_database: ``catalog.schema`` for a table with the forecast of the best trial.
        max_trials: Refused: it went with Databricks Runtime 11.
        timeout_minutes: When the search ends at the latest; 120 by default.

    Raises:
        ValueError: If an argument is wrong; it is named.
        RuntimeError: If no trial ended well.
    """
    del data_dir
    for name, given in (("feature_store_lookups", feature_store_lookups), ("sample_weight_col", sample_weight_col)):
        if given:
            message = f"{name} is not supported for forecasts here: methods look at the series and the calendar only."
            raise ValueError(message)
    asked = _asked(
        "forecast",
        {**locals(), "exclude_cols": None, "imputers": None, "time_col": None, "split_col": None, "sample_weight_col": None},
    )
    keys = (identity_col,) if isinstance(identity_col, str) else tuple(identity_col or ())
    more = ForecastAsked(time_col, keys, frequency, horizon, country_code, output_database)
    try:
        from boathouse.training.automl.forecasting.search import search_forecast  # noqa: PLC0415 - needs the extra
    except ModuleNotFoundError as error:
        raise _without_extra(error) from error
    return search_forecast(_frame(dataset, None)[0], asked, more, _name(dataset), _spark)


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
        raise _without_extra(error) from error
    frame, spec = _frame(dataset, lookups)
    return search(frame, asked, _name(dataset), spec)


def _without_extra(error: ModuleNotFoundError) -> ModuleNotFoundError:
    return ModuleNotFoundError(f"AutoML needs the package {error.name}: pip install 'boathouse[automl]'", name=error.name)


def _frame(dataset: Any, lookups: Sequence[Mapping[str, Any]] | None) -> tuple[pd.DataFrame, FeatureSpec | None]:
    """The data set as a pandas frame, with the features that were asked for and their spec."""
    spec = None
    if lookups:
        found = _with_features(dataset, lookups)
        dataset, spec = found.load_df(), found.feature_spec
    if isinstance(dataset, pd.DataFrame):
        return dataset.copy(), spec
    if isinstance(dataset, str):
        dataset = _spark().table(dataset)
    if not hasattr(dataset, "toPandas"):
        message = f"dataset is a {type(dataset).__name__}; it is a pandas or Spark DataFrame, or the name of a table."
        raise ValueError(message)
    return dataset.toPandas(), spec


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
    return FeatureEngineeringClient().create_training_set(df=dataset, feature_lookups=wanted, label=None)


def _spark() -> Any:
    from pyspark.sql import SparkSession  # noqa: PLC0415 - not for data that is there

    return SparkSession.builder.getOrCreate()


def _name(dataset: Any) -> str:
    return dataset if isinstance(dataset, str) else "dataset"
