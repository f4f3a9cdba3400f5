"""The notebook of a forecast's trial: the method, how it would have done in the past, and what it says of the future."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from boathouse.training.automl.columns import Warning_
from boathouse.training.automl.families import Family
from boathouse.training.automl.forecasting.series import offset_of
from boathouse.training.automl.notebook import markdown, notebook_of, packages_of


@dataclass(frozen=True)
class ForecastSetting:
    """What is the same in all trials of an experiment.

    Attributes:
        target: What is forecast.
        time: The column of time.
        keys: Columns that tell series apart.
        frequency: pandas' name of the period.
        season: Periods of a season.
        horizon: How many periods are forecast.
        folds: How often the past is forecast.
        country: Whose holidays trees know of; empty for none.
        experiment: Identifier of the experiment.
        data_run: The run that the data is an artifact of.
    """

    target: str
    time: str
    keys: Sequence[str]
    frequency: str
    season: int
    horizon: int
    folds: int
    country: str
    experiment: str
    data_run: str


def forecast_notebook(setting: ForecastSetting, family: Family, parameters: Mapping[str, Any], number: int) -> str:
    """The source of a trial's notebook."""
    values = {**family.fixed, **parameters}
    country = setting.country if family.framework == "lightgbm" and setting.frequency == "D" else ""
    cells = [
        markdown(
            f"# {family.name} for `{setting.target}`, trial {number}",
            "",
            "This is all that was done in this trial: run it, and it gives the same figures; change it, and it is yours.",
        ),
        _IMPORTS + _constants(setting, values, country),
        markdown("## The data", "", "As it was when the search began: one value a period in each series."),
        _DATA,
        markdown("## The method", "", *_TOLD[family.framework]),
        _METHODS[family.framework]
        .replace("<holidays>", _HOLIDAYS if country else "")
        .replace("<country>", _COUNTRY if country else ""),
        _FORECASTER,
        markdown(
            "## How it would have done",
            "",
            "The last periods are forecast from what was known before them, as often as the history allows. The metrics are means over these.",
        ),
        _BACKTEST,
        markdown("## The forecast"),
        _training(family, number),
    ]
    return notebook_of(cells)


def series_notebook(setting: ForecastSetting, warnings: Sequence[Warning_]) -> str:
    """The source of a notebook that looks at the data."""
    told = [f"- **{one.kind}**: {one.message}" for one in warnings] or ["Nothing that stands out."]
    cells = [
        markdown(f"# The series behind `{setting.target}`", "", *told),
        _IMPORTS + _constants(setting, {}, ""),
        _DATA + "\nrows.head(10)",
        "rows.groupby(KEYS)[TARGET].describe() if KEYS else rows[TARGET].describe().to_frame()",
        markdown("## All series together"),
        "rows.groupby(TIME)[TARGET].sum().plot(figsize=(12, 4), title=TARGET)",
    ]
    return notebook_of(cells)


def _constants(setting: ForecastSetting, values: Mapping[str, Any], country: str) -> str:
    given = "".join(f"    {key!r}: {value!r},\n" for key, value in values.items())
    lines = [
        f"EXPERIMENT_ID = {setting.experiment!r}",
        f"DATA_RUN_ID = {setting.data_run!r}",
        f"TARGET, TIME, KEYS = {setting.target!r}, {setting.time!r}, {json.dumps(list(setting.keys), ensure_ascii=False)}",
        f"OFFSET = pd.tseries.frequencies.to_offset({offset_of(setting.frequency)!r})",
        f"SEASON, HORIZON, FOLDS = {setting.season}, {setting.horizon}, {setting.folds}",
    ]
    if country:
        lines.append(f"COUNTRY = {country!r}")
    return "\n".join([*lines, f"PARAMETERS = {{\n{given}}}" if given else "PARAMETERS = {}"])


_IMPORTS = """from importlib.metadata import version

import mlflow
import numpy as np
import pandas as pd

"""
_DATA = """path = mlflow.artifacts.download_artifacts(run_id=DATA_RUN_ID, artifact_path="data/rows.parquet")
rows = pd.read_parquet(path)"""
_TOLD: Mapping[str, tuple[str, ...]] = {
    "naive": ("Each period is as it was a season ago. What is not better than this has learned nothing.",),
    "ets": ("Error, trend and season of each series, each added or multiplied (Hyndman et al., 2008), by statsmodels.",),
    "arima": ("The season is taken off each series by LOESS (STL), and what is left is an ARIMA; by statsmodels.",),
    "lightgbm": (
        "One model for all series, of their last values and the calendar. A tree cannot say what it has not seen, so it learns differences.",
    ),
}
_NAIVE = '''def learn(series):
    """What is learned of all series: nothing."""
    return None


def predict(learned, times, values, steps):
    """The next values of one series."""
    return np.resize(values[-SEASON:], steps)'''
_ETS = '''import warnings

from statsmodels.tsa.exponential_smoothing.ets import ETSModel


def learn(series):
    """What is learned of all series together: nothing, each is by itself."""
    return None


def predict(learned, times, values, steps):
    """The next values of one series."""
    trend, season = PARAMETERS["trend"], PARAMETERS["seasonal"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that an optimum is not exact
        model = ETSModel(
            values[-1000:],
            error=PARAMETERS["error"],
            trend=None if trend == "none" else "add",
            damped_trend=trend == "damped",
            seasonal=None if season == "none" else season,
            seasonal_periods=None if season == "none" else SEASON,
        )
        return np.asarray(model.fit(disp=False).forecast(steps))'''
_ARIMA = '''import warnings

from statsmodels.tsa.arima.model import ARIMA
from statsmodels.tsa.forecasting.stl import STLForecast


def learn(series):
    """What is learned of all series together: nothing, each is by itself."""
    return None


def predict(learned, times, values, steps):
    """The next values of one series."""
    values = np.log(values[-1000:]) if PARAMETERS["log"] else values[-1000:]
    order = (PARAMETERS["p"], PARAMETERS["d"], PARAMETERS["q"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that an optimum is not exact
        if SEASON > 1:
            found = STLForecast(values, ARIMA, model_kwargs={"order": order}, period=SEASON, robust=True).fit().forecast(steps)
        else:
            found = ARIMA(values, order=order).fit().forecast(steps)
    return np.exp(np.asarray(found)) if PARAMETERS["log"] else np.asarray(found)'''
_COUNTRY = """from holidays import country_holidays

HOLIDAYS = country_holidays(COUNTRY)"""
_HOLIDAYS = """
    parts.append([day in HOLIDAYS for day in times.date])"""
_TREES = '''import lightgbm as lgb
<country>
LAGS = PARAMETERS["lags"]
BACK = {"none": 0, "last": 1, "season": SEASON}[PARAMETERS["difference"]]
FIRST = max(LAGS, BACK)


def calendar(times):
    """What the calendar says of some moments, a row each."""
    times = pd.DatetimeIndex(times)
    parts = [times.month, times.day, times.dayofweek, times.hour, times.minute]<holidays>
    return np.column_stack([np.asarray(part, dtype="float64") for part in parts])


def recent(values):
    """For the moment after each window of FIRST values: the last LAGS, as differences where these are learned, and their means."""
    windows = np.lib.stride_tricks.sliding_window_view(values, FIRST)
    base = windows[:, -BACK] if BACK else np.zeros(len(windows))
    last = windows[:, -LAGS:] - base[:, None]
    return np.column_stack([last, last.mean(axis=1), last[:, -SEASON:].mean(axis=1), last.std(axis=1)]), base


def learn(series):
    """One model for all series, a row for each moment that has enough values before it."""
    features, targets = [], []
    for times, values in series:
        if len(values) > FIRST:
            past, base = recent(values[:-1])
            features.append(np.column_stack([past, calendar(times[FIRST:])]))
            targets.append(values[FIRST:] - base)
    given = {name: value for name, value in PARAMETERS.items() if name not in {"lags", "difference"}}
    rounds = given.pop("n_estimators")
    return lgb.train({**given, "objective": "regression"}, lgb.Dataset(np.concatenate(features), np.concatenate(targets)), rounds)


def predict(learned, times, values, steps):
    """The next values of one series, each from those before it."""
    known = np.array(values[-FIRST:], dtype="float64")
    coming = calendar(pd.date_range(times[-1], periods=steps + 1, freq=OFFSET)[1:])
    for step in range(steps):
        past, base = recent(known[-FIRST:])
        known = np.append(known, base[0] + learned.predict(np.column_stack([past, coming[step : step + 1]]))[0])
    return known[-steps:]'''
_METHODS: Mapping[str, str] = {"naive": _NAIVE, "ets": _ETS, "arima": _ARIMA, "lightgbm": _TREES}
_FORECASTER = '''def series_of(frame):
    """Each series as its key, times and values."""
    groups = frame.groupby(KEYS) if KEYS else [((), frame)]
    for key, group in groups:
        group = group.sort_values(TIME)
        yield key if isinstance(key, tuple) else (key,), pd.DatetimeIndex(group[TIME]), group[TARGET].to_numpy("float64")


def future(frame, steps):
    """The next periods of every series, without values."""
    found = []
    for key, times, _ in series_of(frame):
        found.append(pd.DataFrame({**dict(zip(KEYS, key)), TIME: pd.date_range(times[-1], periods=steps + 1, freq=OFFSET)[1:]}))
    return pd.concat(found, ignore_index=True)


def forecast(learned, frame, steps):
    """The next periods of every series."""
    found = []
    for key, times, values in series_of(frame):
        coming = pd.date_range(times[-1], periods=steps + 1, freq=OFFSET)[1:]
        found.append(pd.DataFrame({**dict(zip(KEYS, key)), TIME: coming, "yhat": predict(learned, times, values, steps)}))
    return pd.concat(found, ignore_index=True)'''
_BACKTEST = '''def figures(truth, answer):
    """How far a forecast is from the truth."""
    error, size = answer - truth, np.abs(answer) + np.abs(truth)
    share = np.abs(error) / np.where(truth == 0, np.nan, np.abs(truth))
    return {
        "smape": float(np.mean(np.where(size == 0, 0.0, 2 * np.abs(error) / np.where(size == 0, 1.0, size)))),
        "mse": float(np.mean(error**2)),
        "rmse": float(np.sqrt(np.mean(error**2))),
        "mae": float(np.mean(np.abs(error))),
        "mdape": float(np.nanmedian(share)) if np.isfinite(share).any() else 0.0,
    }


folds = []
back = rows.groupby(KEYS).cumcount(ascending=False) if KEYS else pd.Series(np.arange(len(rows))[::-1], index=rows.index)
for fold in range(FOLDS, 0, -1):
    known, coming = rows[back >= fold * HORIZON], rows[(back < fold * HORIZON) & (back >= (fold - 1) * HORIZON)]
    learned = learn([(times, values) for _, times, values in series_of(known)])
    answer = forecast(learned, known, HORIZON).merge(coming, on=[*KEYS, TIME])
    folds.append(answer.assign(error=answer["yhat"] - answer[TARGET]))
each = pd.DataFrame([figures(one[TARGET].to_numpy(), one["yhat"].to_numpy()) for one in folds])
metrics = {f"val_{name}": float(value) for name, value in each.mean().items()}
each'''


def _training(family: Family, number: int) -> str:
    return _MODEL + "\n".join(
        [
            f'tags = {{"automl.trial": "{number}", "automl.model": {family.name!r}, "automl.data_run": DATA_RUN_ID}}',
            f'with mlflow.start_run(experiment_id=EXPERIMENT_ID, run_name="{family.name} {number}", tags=tags) as run:',
            '    mlflow.log_params({**PARAMETERS, "season": SEASON, "horizon": HORIZON, "folds": FOLDS})',
            "    mlflow.log_metrics(metrics)",
            "    learned = learn([(times, values) for _, times, values in series_of(rows)])",
            "    model = Forecast(learned, rows, spread)",
            "    coming = model.predict(None, future(rows, HORIZON))",
            '    mlflow.log_table(coming.astype({TIME: str}), "forecast.json")',
            f"    requirements = [f'{{name}}=={{version(name)}}' for name in {packages_of(family)!r}]",
            "    example = coming[[*KEYS, TIME]].head(5)",
            "    mlflow.pyfunc.log_model(",
            '        name="model", python_model=model, signature=mlflow.models.infer_signature(example, coming.head(5)),',
            "        pip_requirements=requirements,",
            "    )",
            "coming.head(HORIZON)",
        ]
    )


_MODEL = '''errors = pd.concat(folds)
# 95 % of normal errors of this size, as they were in the past; by series where there are some.
spread = 1.96 * (errors.groupby(KEYS)["error"].agg(lambda error: np.sqrt((error**2).mean())) if KEYS else np.sqrt((errors["error"] ** 2).mean()))


class Forecast(mlflow.pyfunc.PythonModel):
    """Takes rows with the identifying columns and times after the data's end; gives yhat with its limits."""

    def __init__(self, learned, history, spread):
        self.learned, self.history, self.spread = learned, history, spread

    def predict(self, context, model_input, params=None):
        asked = model_input[[*KEYS, TIME]].copy()
        asked[TIME] = pd.to_datetime(asked[TIME])
        for name in KEYS:
            asked[name] = asked[name].astype(str)
        history = self.history
        if KEYS:
            history = history.merge(asked[KEYS].drop_duplicates(), on=KEYS)
        if asked.empty or history.empty:
            raise ValueError(f"none of these series is known; the model knows those of its column(s) {KEYS}.")
        first, last = history[TIME].max(), asked[TIME].max()
        steps = max(1, len(pd.date_range(history.groupby(KEYS)[TIME].max().min() if KEYS else first, last, freq=OFFSET)) - 1)
        found = asked.merge(forecast(self.learned, history, steps), on=[*KEYS, TIME], how="left")
        width = found[KEYS].merge(self.spread.rename("width").reset_index(), on=KEYS, how="left")["width"].to_numpy() if KEYS else self.spread
        return found.assign(yhat_lower=found["yhat"] - width, yhat_upper=found["yhat"] + width)


'''
