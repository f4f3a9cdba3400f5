"""Forecasts: series are made regular and kept, methods are searched, and what the best says goes into a table."""

import tempfile
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from boathouse.training.automl.asked import Asked, ForecastAsked
from boathouse.training.automl.families import Family
from boathouse.training.automl.forecasting.families import forecasting_families
from boathouse.training.automl.forecasting.notebook import ForecastSetting, forecast_notebook, series_notebook
from boathouse.training.automl.forecasting.series import Series, offset_of, regular
from boathouse.training.automl.places import Folder, data_run, experiment_of, keep_data
from boathouse.training.automl.summary import AutoMLSummary, TrialInfo
from boathouse.training.automl.trials import Search, check_metric_and_time, tell_best
from boathouse.training.problems import METRICS, frequency_of


def search_forecast(
    data: pd.DataFrame, asked: Asked, more: ForecastAsked, name: str, spark: Callable[[], Any]
) -> AutoMLSummary:
    """Try methods on series.

    Args:
        data: A row for a series and a moment.
        asked: What for.
        more: What belongs to forecasts.
        name: What the data set is called, for the experiment's name.
        spark: Gives a session, for the table.

    Raises:
        ValueError: If an argument is wrong; it is named.
        RuntimeError: If no trial ended well.
    """
    began = time.monotonic()
    check_metric_and_time(asked)
    _check(data, asked, more)
    found = regular(data, asked.target, more.time, more.keys, frequency_of(more.frequency), more.horizon)
    is_positive = bool((found.rows[asked.target] > 0).all())
    chosen = forecasting_families(asked.excluded_frameworks, found.season, is_positive=is_positive)
    session = None if more.database is None else _session_for(more.database, spark)
    for warning in found.warnings:
        print(f"{warning.kind}: {warning.message}")  # noqa: T201 - for the person at the notebook
    experiment, folder = experiment_of(asked, name)
    with tempfile.TemporaryDirectory() as place:
        with data_run(experiment.experiment_id, asked) as run_id:
            setting = _store(found, asked, more, experiment.experiment_id, run_id, folder, Path(place))

        def write(family: Family, parameters: Mapping[str, Any], number: int) -> str:
            return forecast_notebook(setting, family, parameters, number)

        deadline = began + asked.minutes * 60
        trials = Search(asked, experiment.experiment_id, run_id, write, chosen, folder, Path(place), deadline).trials()
    table = None if session is None else _save(found, trials[0], more, session)
    metric = METRICS["forecast"][asked.metric][0]
    return tell_best(AutoMLSummary(experiment, trials, metric, tuple(found.warnings), {}, table))


def _check(data: pd.DataFrame, asked: Asked, more: ForecastAsked) -> None:
    columns = {"target_col": [asked.target], "time_col": [more.time], "identity_col": more.keys}
    for argument, names in columns.items():
        unknown = [one for one in names if one not in data.columns]
        if unknown:
            message = (
                f"{argument} names {', '.join(map(repr, unknown))}, which is no column of the dataset. "
                f"Its columns: {', '.join(map(str, data.columns))}."
            )
            raise ValueError(message)
    if len({asked.target, more.time, *more.keys}) < 2 + len(more.keys):
        message = "target_col, time_col and identity_col are different columns."
        raise ValueError(message)
    if more.horizon < 1:
        message = f"horizon is {more.horizon}; it is a number of periods greater than 0."
        raise ValueError(message)
    if more.country:
        from holidays import list_supported_countries  # noqa: PLC0415 - not for who says ""

        known = list_supported_countries()
        if more.country not in known:
            message = f"country_code is {more.country!r}; it is a code of two letters like 'US' or 'DE', or '' for no holidays."
            raise ValueError(message)


def _session_for(database: str, spark: Callable[[], Any]) -> Any:
    """A session of Spark, in which a table can be made in a schema: tried by a view, which needs the same privilege.

    Raises:
        ValueError: If it cannot.
    """
    from pyspark.errors import PySparkException  # noqa: PLC0415 - not for who wants no table

    session = spark()
    name = f"{database}.forecast_{uuid.uuid4().hex}"
    try:
        session.sql(f"CREATE VIEW {name} AS SELECT 1 AS one")
        session.sql(f"DROP VIEW {name}")
    except PySparkException as error:
        message = (
            f"output_database is {database!r}; it is catalog.schema of a schema in which you may create tables: "
            f"{str(error).splitlines()[0]}"
        )
        raise ValueError(message) from error
    return session


def _store(
    found: Series, asked: Asked, more: ForecastAsked, experiment: str, run_id: str, folder: Folder | None, place: Path
) -> ForecastSetting:
    """Keep the series as an artifact, from which every trial reads them."""
    setting = ForecastSetting(
        asked.target,
        found.time,
        found.keys,
        found.frequency,
        found.season,
        more.horizon,
        found.folds,
        more.country,
        experiment,
        run_id,
    )
    keep_data(run_id, found.rows, found.warnings, series_notebook(setting, found.warnings), folder, place)
    return setting


def _save(found: Series, best: TrialInfo, more: ForecastAsked, spark: Any) -> str:
    """What the best trial says of the coming periods, as a table."""
    name = f"{more.database}.forecast_prediction_{best.mlflow_run_id[:8]}"
    ends = found.rows.groupby(found.keys)[found.time].max() if found.keys else pd.Series({(): found.rows[found.time].max()})
    asked: list[pd.DataFrame] = []
    for key, end in ends.items():
        coming = pd.date_range(end, periods=more.horizon + 1, freq=offset_of(found.frequency))[1:]
        values: Any = key if isinstance(key, tuple) else (key,)
        asked.append(pd.DataFrame({**dict(zip(found.keys, values, strict=True)), found.time: coming}))
    model = best.load_model()
    spark.createDataFrame(model.predict(pd.concat(asked, ignore_index=True))).write.mode("overwrite").saveAsTable(name)
    return name
