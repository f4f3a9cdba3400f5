"""The notebook of a trial: everything that is done with the data, to read, change and run. A trial is this text, run."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pprint import pformat
from typing import Any

from boathouse.features.spec import METADATA_KEY, FeatureSpec
from boathouse.training.automl.columns import MOST_CATEGORIES, Kind, Warning_
from boathouse.training.automl.families import Family
from boathouse.training.problems import Problem

_BETWEEN = "\n\n# COMMAND ----------\n\n"
_MARKDOWN = "# MAGIC %md"


@dataclass(frozen=True)
class Setting:
    """What is the same in all trials of an experiment.

    Attributes:
        problem: Whether a class or a number is predicted.
        target: The column.
        kinds: What each feature is.
        experiment: Identifier of the experiment.
        data_run: The run that the data is an artifact of.
        positive: The class that is looked for, of two; None where there are more, or a number is predicted.
        weight: Name of the column with the rows' weights.
        imputers: By column, how a missing value is filled in, as sklearn's SimpleImputer takes it.
        spec: Of features that were looked up; None where there are none.
    """

    problem: Problem
    target: str
    kinds: Mapping[str, Kind]
    experiment: str
    data_run: str
    positive: Any = None
    weight: str | None = None
    imputers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    spec: FeatureSpec | None = None

    def of(self, kind: Kind) -> list[str]:
        """The features of a kind."""
        return [name for name, one in self.kinds.items() if one == kind]


def trial_notebook(setting: Setting, family: Family, parameters: Mapping[str, Any], number: int) -> str:
    """The source of a trial's notebook."""
    module, name = family.imports[setting.problem]
    cells = [
        markdown(f"# {family.name} for `{setting.target}`, trial {number}", "", *_INTRODUCTION),
        _IMPORTS
        + f"from {module} import {name}\n\nEXPERIMENT_ID = {setting.experiment!r}\nDATA_RUN_ID = {setting.data_run!r}\nTARGET = {setting.target!r}",
        markdown("## The data", "", "As it was when the search began, with the rows that train, validate and test."),
        _data(setting),
        markdown("## Features"),
        _features(setting, scales=family.is_linear),
        markdown("## The model"),
        _model(setting, family, name, parameters),
        markdown("## Training and figures"),
        _training(setting, family, number),
        markdown("## What the model looks at"),
        _importance(family),
    ]
    return notebook_of(cells)


def code_cells(notebook: str) -> list[str]:
    """What of a notebook is run."""
    cells = notebook.split("\n", 1)[1].split(_BETWEEN)
    return [cell for cell in cells if not cell.startswith(_MARKDOWN)]


def notebook_of(cells: Sequence[str]) -> str:
    """The source of a notebook of some cells."""
    return "# Databricks notebook source\n" + _BETWEEN.join(cells) + "\n"


def exploration_notebook(setting: Setting, warnings: Sequence[Warning_]) -> str:
    """The source of a notebook that looks at the data."""
    told = [f"- **{one.kind}**: {one.message}" for one in warnings] or ["Nothing that stands out."]
    cells = [
        markdown(f"# The data behind `{setting.target}`", "", *told),
        f"import mlflow\nimport pandas as pd\n\nDATA_RUN_ID = {setting.data_run!r}\nTARGET = {setting.target!r}",
        'path = mlflow.artifacts.download_artifacts(run_id=DATA_RUN_ID, artifact_path="data/rows.parquet")\nrows = pd.read_parquet(path)\nrows.head(10)',
        markdown("## Figures of each column"),
        'rows.drop(columns="_automl_split").describe(include="all").transpose()',
        'rows.isna().mean().sort_values(ascending=False).rename("missing").to_frame()',
        markdown("## The target"),
        "rows[TARGET].value_counts(normalize=True).to_frame()"
        if setting.problem == "classify"
        else "rows[TARGET].describe().to_frame()",
        markdown("## Beside the target"),
        _BESIDE[setting.problem],
    ]
    return notebook_of(cells)


def markdown(*lines: str) -> str:
    """A cell of text."""
    return "\n".join(f"# MAGIC {line}".rstrip() for line in ("%md", *lines))


_INTRODUCTION = (
    "This is all that was done in this trial: run it, and it gives the same figures; change it, and it is yours.",
    "It logs a run of its own with the model, its signature and its figures.",
)
_BESIDE: Mapping[Problem, str] = {
    "classify": 'numbers = rows.select_dtypes("number").columns.difference([TARGET])\nrows.groupby(TARGET)[list(numbers)].mean().transpose()',
    "regress": 'rows.select_dtypes("number").corr()[[TARGET]].sort_values(TARGET, ascending=False)',
}
_IMPORTS = """from importlib.metadata import version

import mlflow
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
"""


def _data(setting: Setting) -> str:
    features = json.dumps(list(setting.kinds), ensure_ascii=False)
    lines = [
        'path = mlflow.artifacts.download_artifacts(run_id=DATA_RUN_ID, artifact_path="data/rows.parquet")',
        "rows = pd.read_parquet(path)",
        f"FEATURES = {features}",
        'train, validate, test = (rows[rows["_automl_split"] == name] for name in ("train", "validate", "test"))',
    ]
    if setting.spec is not None:
        told = pformat(setting.spec.as_dict(), width=120, sort_dicts=False)
        lines += [
            "# What endpoints and score_batch look up for rows with the keys; the model is logged with it.",
            f"FEATURE_SPEC = {told}",
        ]
    return "\n".join(lines)


def _features(setting: Setting, *, scales: bool) -> str:
    lines = ["from sklearn.impute import SimpleImputer"]
    steps: list[str] = []
    grouped = _grouped(setting)
    for number, (columns, imputer) in enumerate(grouped):
        name = "numeric" if number == 0 else f"numeric_{number}"
        more = ', ("scale", StandardScaler())' if scales else ""
        steps.append(
            f'        ("{name}", Pipeline([("impute", SimpleImputer({imputer}))'
            + more
            + f"]), {json.dumps(columns, ensure_ascii=False)}),"
        )
    if scales and (grouped or setting.of("datetime")):
        lines.append("from sklearn.preprocessing import StandardScaler")
    if setting.of("categorical"):
        lines.append("from sklearn.preprocessing import OneHotEncoder")
        encoder = f'OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories={MOST_CATEGORIES}, sparse_output=False)'
        fill = 'SimpleImputer(strategy="constant", fill_value="", missing_values=None)'
        steps.append(
            f'        ("categorical", Pipeline([("impute", {fill}), ("encode", {encoder})]), {json.dumps(setting.of("categorical"), ensure_ascii=False)}),'
        )
    if setting.of("high_cardinality"):
        folds = "StratifiedKFold" if setting.problem == "classify" else "KFold"
        lines.append(f"from sklearn.model_selection import {folds}\nfrom sklearn.preprocessing import TargetEncoder")
        steps.append(
            f'        ("means", TargetEncoder(cv={folds}(5, shuffle=True, random_state=0)), {json.dumps(setting.of("high_cardinality"), ensure_ascii=False)}),'
        )
    before: list[str] = []
    if setting.of("datetime"):
        before.append(_DATES)
        more = ', ("scale", StandardScaler())' if scales else ""
        steps.append(
            f'        ("dates", Pipeline([("parts", FunctionTransformer(parts_of_dates, feature_names_out=names_of_parts)), ("impute", SimpleImputer()){more}]), {json.dumps(setting.of("datetime"), ensure_ascii=False)}),'
        )
    if setting.of("text"):
        lines.append(
            "from sklearn.decomposition import TruncatedSVD\nfrom sklearn.feature_extraction.text import TfidfVectorizer"
        )
        before.append(_TEXTS)
    for number, column in enumerate(setting.of("text")):
        words = 'Pipeline([("fill", FunctionTransformer(without_gaps, feature_names_out="one-to-one")), ("words", TfidfVectorizer(max_features=5000)), ("topics", TruncatedSVD(16, random_state=0))])'
        steps.append(f'        ("text_{number}", {words}, {json.dumps(column, ensure_ascii=False)}),')
    lines.append("from sklearn.preprocessing import FunctionTransformer")
    body = ["by_kind = ColumnTransformer(", "    [", *steps, "    ],", "    sparse_threshold=0,", ")", _TYPED]
    head = "\n".join(dict.fromkeys("\n".join(lines).split("\n")))
    return "\n\n".join([head, _types(setting), *before, "\n".join(body)])


def _types(setting: Setting) -> str:
    """What the rows' columns are taken as."""
    categories = [name for name, kind in setting.kinds.items() if kind in {"categorical", "high_cardinality", "text"}]
    named = {"NUMBERS": setting.of("numeric"), "DATES": setting.of("datetime"), "TEXTS": categories}
    return "\n".join(f"{key} = {json.dumps(names, ensure_ascii=False)}" for key, names in named.items()) + "\n\n\n" + _TYPES


def _grouped(setting: Setting) -> list[tuple[list[str], str]]:
    """The numeric columns by how their gaps are filled."""
    found: dict[str, list[str]] = {}
    for name in setting.of("numeric"):
        how = setting.imputers.get(name, {"strategy": "mean"})
        found.setdefault(", ".join(f"{key}={value!r}" for key, value in how.items()), []).append(name)
    return [(columns, how) for how, columns in found.items()]


_TYPES = '''def typed(rows):
    """The features of rows as they are in the table: numbers and dates that are texts there are taken as what they are."""
    frame = rows[FEATURES].copy()
    for name in NUMBERS:
        frame[name] = pd.to_numeric(frame[name], errors="coerce").astype("float64")
    for name in DATES:
        frame[name] = pd.to_datetime(frame[name], errors="coerce", utc=True, format="mixed").dt.tz_localize(None)
    for name in TEXTS:
        texts = [str(one) if is_there else None for one, is_there in zip(frame[name], frame[name].notna())]
        frame[name] = pd.Series(texts, frame.index, dtype=object)
    return frame'''
_TYPED = (
    """preprocess = Pipeline([("types", FunctionTransformer(typed, feature_names_out="one-to-one")), ("by_kind", by_kind)])"""
)
_DATES = '''def parts_of_dates(frame):
    """Year, month, day of the month and of the week, hour, and the moment itself in days."""
    parts = []
    for name in frame.columns:
        moment = frame[name].dt
        days = (frame[name] - pd.Timestamp("1970-01-01")) / pd.Timedelta(days=1)
        parts += [moment.year, moment.month, moment.day, moment.dayofweek, moment.hour, days]
    return pd.concat(parts, axis=1).astype("float64").to_numpy()


def names_of_parts(transformer, names):
    """The names of those features."""
    return [f"{name}.{part}" for name in names for part in ("year", "month", "day", "weekday", "hour", "moment")]'''
_TEXTS = '''def without_gaps(texts):
    """A missing text is an empty one."""
    return texts.fillna("")'''


def _model(setting: Setting, family: Family, name: str, parameters: Mapping[str, Any]) -> str:
    values = {**family.fixed, **parameters}
    given = "".join(f"    {key}={value!r},\n" for key, value in values.items())
    named = family.framework == "xgboost" and setting.problem == "classify"
    last = "NamedClasses(estimator)" if named else "estimator"
    before = _NAMED_CLASSES if named else ""
    return f'{before}estimator = {name}(\n{given})\nmodel = Pipeline([("preprocess", preprocess), ("model", {last})])'


_NAMED_CLASSES = '''from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.preprocessing import LabelEncoder


class NamedClasses(ClassifierMixin, BaseEstimator):
    """XGBoost counts classes from 0; this gives them their own names."""

    def __init__(self, model=None):
        self.model = model

    def fit(self, X, y, **more):
        self.names_ = LabelEncoder().fit(y)
        self.classes_ = self.names_.classes_
        self.model.fit(X, self.names_.transform(y), **more)
        return self

    def predict(self, X):
        return self.names_.inverse_transform(self.model.predict(X))

    def predict_proba(self, X):
        return self.model.predict_proba(X)


'''


def _training(setting: Setting, family: Family, number: int) -> str:
    weights = "" if setting.weight is None else f", model__sample_weight=train[{setting.weight!r}]"
    weighed = "None" if setting.weight is None else f"part[{setting.weight!r}]"
    figures = _CLASSES.replace("<positive>", repr(setting.positive)) if setting.problem == "classify" else _NUMBERS
    return "\n".join(
        [
            figures.replace("<weights>", weighed),
            "",
            "",
            f'tags = {{"automl.trial": "{number}", "automl.model": {family.name!r}, "automl.data_run": DATA_RUN_ID}}',
            f'with mlflow.start_run(experiment_id=EXPERIMENT_ID, run_name="{family.name} {number}", tags=tags) as run:',
            f"    model.fit(train[FEATURES], train[TARGET]{weights})",
            "    mlflow.log_params({key: value for key, value in estimator.get_params().items() if value is not None})",
            "    metrics = {}",
            '    for prefix, part in (("training", train), ("val", validate), ("test", test)):',
            '        metrics |= {f"{prefix}_{name}": value for name, value in figures(model, part).items()}',
            "    mlflow.log_metrics(metrics)",
            "    example = train[FEATURES].head(5)",
            f"    requirements = [f'{{name}}=={{version(name)}}' for name in {packages_of(family)!r}]",
            "    signature = mlflow.models.infer_signature(train[FEATURES].head(100), model.predict(train[FEATURES].head(100)))",
            "    mlflow.sklearn.log_model(",
            '        model, name="model", signature=signature, input_example=example,',
            '        pip_requirements=requirements, serialization_format="cloudpickle",',
            *([] if setting.spec is None else [f'        metadata={{"{METADATA_KEY}": FEATURE_SPEC}},']),
            "    )",
            'pd.Series(metrics).to_frame("value")',
        ]
    )


_CLASSES = '''from sklearn.metrics import accuracy_score, f1_score, log_loss, precision_score, recall_score, roc_auc_score

POSITIVE_CLASS = <positive>


def figures(model, part):
    """How well classes are told apart; of two the positive one counts, of more each by its rows."""
    weights = <weights>
    answer, chances = model.predict(part[FEATURES]), model.predict_proba(part[FEATURES])
    two = POSITIVE_CLASS is not None
    how = {"pos_label": POSITIVE_CLASS} if two else {"average": "weighted"}
    truth = part[TARGET]
    found = {"accuracy_score": accuracy_score(truth, answer, sample_weight=weights)}
    for name, score in (("f1_score", f1_score), ("precision_score", precision_score), ("recall_score", recall_score)):
        found[name] = score(truth, answer, sample_weight=weights, zero_division=0, **how)
    found["log_loss"] = log_loss(truth, chances, labels=model.classes_, sample_weight=weights)
    if two:
        chance = chances[:, list(model.classes_).index(POSITIVE_CLASS)]
        found["roc_auc"] = roc_auc_score(truth == POSITIVE_CLASS, chance, sample_weight=weights)
    else:
        found["roc_auc"] = roc_auc_score(truth, chances, multi_class="ovr", average="weighted", labels=model.classes_, sample_weight=weights)
    return {name: float(value) for name, value in found.items()}'''
_NUMBERS = '''from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score


def figures(model, part):
    """How far predictions are from the truth."""
    weights, truth, answer = <weights>, part[TARGET], model.predict(part[FEATURES])
    squared = mean_squared_error(truth, answer, sample_weight=weights)
    return {
        "r2_score": float(r2_score(truth, answer, sample_weight=weights)),
        "root_mean_squared_error": float(np.sqrt(squared)),
        "mean_squared_error": float(squared),
        "mean_absolute_error": float(mean_absolute_error(truth, answer, sample_weight=weights)),
    }'''


def packages_of(family: Family) -> list[str]:
    """What the model needs where it is loaded: the packages behind the modules."""
    own = "scikit-learn" if family.flavor == "sklearn" else _package_of(family.flavor)
    return sorted({"mlflow", "numpy", "pandas", "scikit-learn", own})


@cache
def _package_of(module: str) -> str:
    """The package that brings a module; most have its name, and to look at every file of every other takes seconds."""
    try:
        version(module)
    except PackageNotFoundError:
        return packages_distributions().get(module, [module])[0]
    return module


def _importance(family: Family) -> str:
    how = _SHAP.get("linear" if family.is_linear else family.framework, _PERMUTED)
    return how + "\n" + _SHOWN


_SHAP: Mapping[str, str] = {
    "lightgbm": """# The model's own SHAP values (Lundberg, 2020): what each feature adds to each prediction; the last one is the mean.
sample = model["preprocess"].transform(test[FEATURES].head(2000))
shares = estimator.booster_.predict(sample, pred_contrib=True)
names = model["preprocess"].get_feature_names_out()
sizes = np.abs(np.asarray(shares)).reshape(len(sample), -1, len(names) + 1).mean(axis=(0, 1))[:-1]""",
    "xgboost": """# The model's own SHAP values (Lundberg, 2020): what each feature adds to each prediction; the last one is the mean.
import xgboost

sample = model["preprocess"].transform(test[FEATURES].head(2000))
shares = estimator.get_booster().predict(xgboost.DMatrix(sample), pred_contribs=True)
names = model["preprocess"].get_feature_names_out()
sizes = np.abs(np.asarray(shares)).reshape(len(sample), -1, len(names) + 1).mean(axis=(0, 1))[:-1]""",
    "linear": """# SHAP values of a linear model: what a feature is away from its mean, times its coefficient.
sample = model["preprocess"].transform(test[FEATURES].head(2000))
names = model["preprocess"].get_feature_names_out()
away = np.abs(sample - sample.mean(axis=0)).mean(axis=0)
sizes = away * np.abs(np.atleast_2d(estimator.coef_)).mean(axis=0)""",
}
_PERMUTED = """# How much worse the model gets where a feature is shuffled (Breiman, 2001); a forest has no SHAP values of its own.
from sklearn.inspection import permutation_importance

sample = test.sample(min(len(test), 1000), random_state=0)
names = FEATURES
sizes = permutation_importance(model, sample[FEATURES], sample[TARGET], n_repeats=3, random_state=0).importances_mean"""
_SHOWN = """importance = pd.DataFrame({"feature": names, "importance": sizes}).sort_values("importance", ascending=False)
with mlflow.start_run(run_id=run.info.run_id):
    mlflow.log_table(importance, "feature_importance.json")
importance.head(20)"""
