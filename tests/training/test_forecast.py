"""Forecasts by AutoML: rows made into series, and a search whose notebooks give the same figures again."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from boathouse.training import automl
from boathouse.training.automl.forecasting.series import regular
from boathouse.training.problems import frequency_of
from tests.training.conftest import Trainer

NOTEBOOK = """
import json, mlflow
import numpy as np, pandas as pd
from databricks import automl
from boathouse.training.automl import trials
from boathouse.training.automl.notebook import code_cells
from boathouse.training.automl.worker import _run

trials._PATIENCE = 0  # each method once
refused = []
for database in ("SCHEMA_none", "main.default"):
    try:
        automl.forecast(dataset="SCHEMA.sales", target_col="sold", time_col="day", identity_col="shop", horizon=7, output_database=database)
    except ValueError as error:
        refused.append(str(error))
found = automl.forecast(
    dataset="SCHEMA.sales", target_col="sold", time_col="day", identity_col="shop", horizon=7, country_code="DE",
    primary_metric="mae", output_database="SCHEMA", timeout_minutes=4,
)
best = found.best_trial
trees = next(one for one in found.trials if one.model_description == "LightGBM on lags")
folder = f"{trees.artifact_uri}/notebooks"
name = mlflow.artifacts.list_artifacts(folder)[0].path.split("/")[-1]
again = _run("again", code_cells(mlflow.artifacts.load_text(f"{folder}/{name}")))["metrics"]
asked = pd.DataFrame({"shop": ["north", "south", "?"], "day": pd.to_datetime(["2024-03-13", "2024-03-11", "2024-03-11"])})
dbutils.notebook.exit(json.dumps({
    "refused": refused,
    "models": sorted(one.model_description for one in found.trials),
    "scores": [one.evaluation_metric_score for one in found.trials],
    "metrics": trees.metrics,
    "again": again,
    "answer": trees.load_model().predict(asked)["yhat"].tolist(),
    "table": found.output_table_name,
    "warnings": [one.kind for one in found.warnings],
    "notebook": best.notebook_path,
    "board": len(found.leaderboard()),
}))
"""


def sales(days: int = 70) -> pd.DataFrame:
    """Two shops with a week and a trend, one day missing and one twice."""
    chance = np.random.default_rng(2)
    count = np.arange(days)
    shops = [
        pd.DataFrame(
            {
                "shop": name,
                "day": pd.date_range("2024-01-01", periods=days, freq="D"),
                "sold": base + 0.1 * count + 8 * np.sin(count * 2 * np.pi / 7) + chance.normal(size=days),
            }
        )
        for name, base in (("north", 50), ("south", 90))
    ]
    rows = pd.concat(shops, ignore_index=True).drop(index=days * 2 // 9)
    return pd.concat([rows, rows.tail(1)], ignore_index=True)


def test_rows_become_series() -> None:
    found = regular(sales(), "sold", "day", ["shop"], "D", 7)
    assert len(found.rows) == 2 * 70
    assert (found.season, found.folds, found.count) == (7, 3, 2)
    assert sorted(one.kind for one in found.warnings) == ["missing", "rows"]
    north = found.rows[found.rows["shop"] == "north"]["sold"].to_numpy()
    assert north[15] == pytest.approx((north[14] + north[16]) / 2)

    monthly = sales().assign(day=lambda rows: rows["day"].dt.strftime("%Y-%m-%d"))
    found = regular(monthly, "sold", "day", [], "W", 2)
    assert found.rows["day"].dt.dayofweek.unique().tolist() == [0]
    assert (len(found.rows), found.season) == (10, 1)
    assert found.rows["sold"].iloc[0] == pytest.approx(monthly[monthly["day"] < "2024-01-08"]["sold"].mean())

    short = pd.concat([sales(), sales(9).assign(shop="new")])
    found = regular(short, "sold", "day", ["shop"], "D", 7)
    assert found.count == 2
    assert "1 series are too short" in " ".join(one.message for one in found.warnings)
    assert [frequency_of(one) for one in ("D", "weeks", "month", "hr", "T", "MS")] == ["D", "W", "MS", "h", "min", "MS"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"time_col": "when"}, "time_col names 'when', which is no column"),
        ({"identity_col": ["shop", "x"]}, "identity_col names 'x'"),
        ({"identity_col": "day"}, "are different columns"),
        ({"target_col": "shop", "identity_col": None}, "target_col is 'shop', which has 'north': what is forecast is a number"),
        ({"time_col": "shop", "identity_col": None}, "time_col is 'shop', which has 'north': its values are dates"),
        ({"frequency": "fortnight"}, "frequency is 'fortnight'; it is one of years, quarters"),
        ({"frequency": "h"}, "mostly 86400 seconds lie between rows: say frequency='days'"),
        ({"horizon": 0}, "horizon is 0"),
        ({"horizon": 500}, "no series has 508 periods of days"),
        ({"primary_metric": "r2"}, "primary_metric is 'r2'; it is one of smape, mse, rmse, mae, mdape"),
        ({"country_code": "XX"}, "country_code is 'XX'"),
        ({"exclude_frameworks": ["torch"]}, "the frameworks are naive, ets, lightgbm, arima"),
        ({"exclude_frameworks": ["prophet", "naive", "ets", "lightgbm", "arima"]}, "leaves none"),
        ({"sample_weight_col": "sold"}, "sample_weight_col is not supported"),
        ({"timeout_minutes": -1}, "timeout_minutes is -1"),
    ],
)
def test_what_is_wrong_is_named(given: dict[str, Any], message: str) -> None:
    usual: dict[str, Any] = {"target_col": "sold", "time_col": "day", "identity_col": "shop", "horizon": 7}
    with pytest.raises(ValueError, match=message):
        automl.forecast(sales(), **(usual | given))


def test_a_forecast_in_a_notebook(trainer: Trainer, spark: SparkSession) -> None:
    spark.createDataFrame(sales()).write.saveAsTable(f"{trainer.schema}.sales")
    (ran,) = trainer.person.run(trainer.notebook("forecast", NOTEBOOK))
    assert ran.state == "SUCCESS", ran.trace + ran.error + ran.log
    found = json.loads(ran.result or "")
    assert found["models"] == ["ARIMA", "Exponential smoothing", "LightGBM on lags", "Seasonal naive"]
    assert found["board"] == 4
    missing, forbidden = found["refused"]
    assert missing.startswith(f"output_database is '{trainer.schema}_none'; it is catalog.schema of a schema in which you may")
    assert "SCHEMA_NOT_FOUND" in missing
    assert forbidden.startswith("output_database is 'main.default'; ")
    assert "main.default" in forbidden.partition(": ")[2]
    assert [
        row.tableName for row in spark.sql(f"SHOW TABLES IN {trainer.schema}").collect() if "forecast" in row.tableName
    ] == [found["table"].rpartition(".")[2]]
    assert found["scores"] == sorted(found["scores"])
    assert found["scores"][0] < 1.1
    assert found["again"] == pytest.approx(found["metrics"], rel=1e-6)
    # The curve goes on, and a series that is not known has no forecast.
    day = np.array([70 + 2, 70])
    truth = np.array([50, 90]) + 0.1 * day + 8 * np.sin(day * 2 * np.pi / 7)
    assert found["answer"][:2] == pytest.approx(truth, abs=4)
    assert np.isnan(found["answer"][2])
    assert sorted(found["warnings"]) == ["missing", "rows"]
    assert found["notebook"].startswith(f"/Users/{trainer.person.name}/databricks_automl/")

    table = spark.table(found["table"]).toPandas().sort_values(["shop", "day"])
    assert list(table.columns) == ["shop", "day", "yhat", "yhat_lower", "yhat_upper"]
    assert table["day"].dt.strftime("%m-%d").tolist() == [f"03-{day}" for day in range(11, 18)] * 2
    assert (table["yhat_lower"] < table["yhat"]).all()
    assert (table["yhat"] < table["yhat_upper"]).all()
