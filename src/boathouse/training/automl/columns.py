"""What the columns of a data set are, and what in them a person should know before a model is trusted."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from boathouse.training.problems import Problem

Kind = Literal["numeric", "categorical", "high_cardinality", "datetime", "text"]

MOST_CATEGORIES = 30
"""More different values than these, and a column is not cut into one feature for each."""
_WORDS_OF_TEXT = 5
_PARSED_SHARE = 0.95
_MISSING_SHARE = 0.5
_RARE_SHARE = 0.05
_LEAK_SCORE = 0.99
_LEAST_ROWS = 20
_MOST_ROWS_LOOKED_AT = 20_000
_DATE = re.compile(r"^\d{4}-\d{1,2}-\d{1,2}")


@dataclass(frozen=True)
class Warning_:  # noqa: N801 - not the builtin
    """Something to know.

    Attributes:
        kind: ``leak``, ``imbalance``, ``high_cardinality``, ``constant``, ``identifier``, ``wrong_type``, ``missing`` or ``rows``.
        column: Which column; None where it is about the rows.
        message: In words.
    """

    kind: str
    column: str | None
    message: str


@dataclass
class Profile:
    """What was found.

    Attributes:
        rows: The rows that can be trained on, with converted types.
        kinds: What each feature is.
        conversions: Columns whose type was changed, with the type that they have now.
        warnings: What to know.
        given: The same rows with features of the types that they were given with.
    """

    rows: pd.DataFrame
    kinds: dict[str, Kind] = field(default_factory=dict[str, Kind])
    conversions: dict[str, str] = field(default_factory=dict[str, str])
    warnings: list[Warning_] = field(default_factory=list[Warning_])
    given: pd.DataFrame = field(default_factory=pd.DataFrame)

    def as_given(self) -> pd.DataFrame:
        """The rows as trials read them: as they were given, where files and MLflow's signatures have such a type."""
        plain = {name: self.given[name] for name in self.kinds if _is_plain(self.given[name])}
        return self.rows.assign(**plain)

    def of(self, *kinds: Kind) -> list[str]:
        """The features of some kinds, in the order of the columns."""
        return [name for name, kind in self.kinds.items() if kind in kinds]

    def warn(self, kind: str, column: str | None, message: str) -> None:
        """Note something to know."""
        self.warnings.append(Warning_(kind, column, message))


def profile(
    data: pd.DataFrame, target: str, problem: Problem, *, excluded: Sequence[str] = (), kept: Sequence[str] = ()
) -> Profile:
    """Look at a data set.

    Args:
        data: One row an example.
        target: The column to predict.
        problem: Whether it is a class or a number.
        excluded: Columns that are no features.
        kept: Columns that are no features and stay (of time, split, weight).

    Raises:
        ValueError: If the target is not there, or nothing can be learned of it.
    """
    if target not in data.columns:
        message = (
            f"target_col is {target!r}, which is no column of the dataset. Its columns: {', '.join(map(str, data.columns))}."
        )
        raise ValueError(message)
    found = Profile(data.reset_index(drop=True))
    _check_target(found, target, problem)
    found.given = found.rows.copy(deep=False)
    for name in [str(one) for one in data.columns]:
        if name == target or name in excluded or name in kept:
            continue
        _look_at(found, name)
    if not found.kinds:
        message = "no column is left to learn from: all are excluded, constant or identifiers."
        raise ValueError(message)
    _find_leaks(found, target, problem)
    return found


def _check_target(found: Profile, target: str, problem: Problem) -> None:
    values = found.rows[target]
    missing = int(values.isna().sum())
    if missing:
        found.rows = found.rows[values.notna()].reset_index(drop=True)
        found.warn("missing", target, f"{missing} rows have no {target} and are left out.")
    if len(found.rows) < _LEAST_ROWS:
        message = (
            f"{len(found.rows)} rows have a value of {target}; {_LEAST_ROWS} are the least to train and judge a model with."
        )
        raise ValueError(message)
    if problem == "regress":
        numbers = pd.to_numeric(found.rows[target], errors="coerce")
        if numbers.isna().any():
            shown = found.rows[target][numbers.isna()].iloc[0]
            message = f"{target} has values that are no numbers, e.g. {shown!r}. Use classify for classes."
            raise ValueError(message)
        found.rows[target] = numbers.astype("float64")
        return
    counts = found.rows[target].value_counts()
    if len(counts) < 2:
        message = f"{target} has one value only, {counts.index[0]!r}: there is nothing to tell apart."
        raise ValueError(message)
    if len(counts) > MOST_CATEGORIES and pd.api.types.is_numeric_dtype(found.rows[target]):
        message = f"{target} is a number with {len(counts)} different values, which are too many for classes. Use regress."
        raise ValueError(message)
    if counts.iloc[-1] < 5:
        rare = [repr(value) for value, count in counts.items() if count < 5]
        message = (
            f"{target} has classes with fewer than 5 rows: {', '.join(rare[:5])}. Put them together, or leave their rows out."
        )
        raise ValueError(message)
    share = counts.iloc[-1] / len(found.rows)
    if share < _RARE_SHARE:
        found.warn(
            "imbalance",
            target,
            f"{counts.index[-1]!r} is {share:.1%} of the rows: accuracy says little, look at f1 or roc_auc.",
        )


def _look_at(found: Profile, name: str) -> None:
    values = _converted(found, name)
    present = values.dropna()
    different = present.nunique()
    if different < 2 and (different == 0 or len(present) == len(values)):
        found.warn("constant", name, f"{name} has the same value in every row and is left out.")
        return
    share = 1 - len(present) / len(values)
    if share > _MISSING_SHARE:
        found.warn("missing", name, f"{name} is missing in {share:.0%} of the rows.")
    if pd.api.types.is_datetime64_any_dtype(values):
        found.kinds[name] = "datetime"
    elif pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        if pd.api.types.is_integer_dtype(values) and different == len(values) and _is_counted(present):
            found.warn("identifier", name, f"{name} numbers the rows and is left out.")
            return
        found.kinds[name] = "numeric"
    else:
        _look_at_texts(found, name, present, different)


def _look_at_texts(found: Profile, name: str, present: "pd.Series[Any]", different: int) -> None:
    if different <= MOST_CATEGORIES:
        found.kinds[name] = "categorical"
        return
    texts = present.astype(str)
    if texts.str.count(" ").mean() >= _WORDS_OF_TEXT - 1:
        found.kinds[name] = "text"
    elif different == len(found.rows):
        found.warn("identifier", name, f"{name} is different in every row and is left out.")
    else:
        found.kinds[name] = "high_cardinality"
        told = f"{name} has {different} different values: each stands for the mean of its target, learned on other rows."
        found.warn("high_cardinality", name, told)


def _is_counted(present: "pd.Series[Any]") -> bool:
    steps = np.diff(np.sort(present.to_numpy()))
    return bool((steps == 1).all())


def _converted(found: Profile, name: str) -> "pd.Series[Any]":
    """A column under the type that its values are of."""
    values = found.rows[name]
    if pd.api.types.is_bool_dtype(values) or str(values.dtype) == "boolean":
        found.rows[name] = values.map(lambda one: None if pd.isna(one) else str(bool(one)))
    elif isinstance(values.dtype, pd.DatetimeTZDtype):
        found.rows[name] = values.dt.tz_convert("UTC").dt.tz_localize(None)
    elif _is_decimal(values):
        found.rows[name] = pd.to_numeric(values, errors="coerce").astype("float64")
    elif pd.api.types.is_object_dtype(values) or pd.api.types.is_string_dtype(values):
        _convert_texts(found, name, values)
    elif not (pd.api.types.is_numeric_dtype(values) or pd.api.types.is_datetime64_any_dtype(values)):
        found.rows[name] = values.astype(str)
    return found.rows[name]


def _is_decimal(values: "pd.Series[Any]") -> bool:
    first = values.dropna().head(1)
    return pd.api.types.is_object_dtype(values) and len(first) == 1 and type(first.iloc[0]).__name__ == "Decimal"


def _convert_texts(found: Profile, name: str, values: "pd.Series[Any]") -> None:
    present = values.dropna().astype(str)
    if present.empty:
        return
    numbers = pd.to_numeric(present, errors="coerce")
    if numbers.notna().mean() >= _PARSED_SHARE:
        found.rows[name] = pd.to_numeric(values, errors="coerce").astype("float64")
        found.conversions[name] = "double"
        found.warn("wrong_type", name, f"{name} is text that holds numbers; it is taken as numbers.")
    elif present.head(100).str.match(_DATE).all():
        dates = pd.to_datetime(values, errors="coerce", utc=True, format="mixed").dt.tz_localize(None)
        if dates.notna().sum() >= _PARSED_SHARE * len(present):
            found.rows[name] = dates
            found.conversions[name] = "timestamp"
            found.warn("wrong_type", name, f"{name} is text that holds dates; it is taken as dates.")
            return
    if name not in found.conversions:
        found.rows[name] = values.map(lambda one: None if one is None or one is pd.NA or one != one else str(one))  # noqa: PLR0124


def _is_plain(values: "pd.Series[Any]") -> bool:
    """Whether a column is kept as it was given: numbers, moments without a zone, truth values without gaps, texts."""
    if pd.api.types.is_object_dtype(values):
        return all(isinstance(one, str) for one in values.dropna())
    return isinstance(values.dtype, np.dtype)


def _find_leaks(found: Profile, target: str, problem: Problem) -> None:
    """Features that tell the target nearly alone: a small tree on each, judged on rows that it has not seen."""
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor  # noqa: PLC0415 - takes a second

    rows = found.rows.sample(min(len(found.rows), _MOST_ROWS_LOOKED_AT), random_state=0)
    half = len(rows) // 2
    labels = rows[target] if problem == "regress" else pd.Series(pd.factorize(rows[target])[0], index=rows.index)
    usual = 0.0 if problem == "regress" else float(labels.iloc[half:].value_counts(normalize=True).iloc[0])
    for name in found.of("numeric", "categorical", "datetime"):
        column = rows[name]
        codes = column if pd.api.types.is_numeric_dtype(column) else pd.Series(pd.factorize(column)[0], index=rows.index)
        features = codes.astype("float64").fillna(-1.0).to_numpy().reshape(-1, 1)
        kind = DecisionTreeRegressor if problem == "regress" else DecisionTreeClassifier
        tree: Any = kind(max_leaf_nodes=64, random_state=0).fit(features[:half], labels.iloc[:half])
        score = float(tree.score(features[half:], labels.iloc[half:]))
        if score >= _LEAK_SCORE and score > usual + (1 - usual) * 0.9:
            told = f"{name} alone tells {target} ({'R2' if problem == 'regress' else 'accuracy'} {score:.3f}): is it known when one predicts?"
            found.warn("leak", name, told)


def splits(
    rows: pd.DataFrame, target: str, problem: Problem, *, time_column: str | None = None, split_column: str | None = None
) -> "pd.Series[Any]":
    """Which rows are to train (60 %), to validate and to test with (20 % each).

    Args:
        rows: The data.
        target: What is predicted; classes are spread evenly.
        problem: Whether it is a class.
        time_column: If given, the oldest rows train and the newest test.
        split_column: If given, its values are the answer: ``train``, ``validate`` and ``test``.

    Raises:
        ValueError: If the split column holds anything else.
    """
    if split_column is not None:
        names: Mapping[str, str] = {"train": "train", "validate": "validate", "val": "validate", "test": "test"}
        found = rows[split_column].map(lambda one: names.get(str(one)))
        if found.isna().any() or set(found) != {"train", "validate", "test"}:
            message = f"split_col {split_column!r} must hold 'train', 'validate' and 'test', each of them, and nothing else."
            raise ValueError(message)
        return found
    if time_column is not None:
        order = rows[time_column].rank(method="first", pct=True)
        return pd.Series(np.where(order <= 0.6, "train", np.where(order <= 0.8, "validate", "test")), index=rows.index)
    chance = pd.Series(np.random.default_rng(0).permutation(len(rows)), index=rows.index)
    share = chance.groupby(rows[target]).rank(pct=True) if problem == "classify" else chance.rank(pct=True)
    return pd.Series(np.where(share <= 0.6, "train", np.where(share <= 0.8, "validate", "test")), index=rows.index)
