"""How good a model's predictions are, where labels are known. The figures are those of scikit-learn's functions of the same names."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute

from boathouse.monitoring.profiles.values import Floats

pc: Any = pyarrow.compute

_LEAST = 1e-15
"""Probabilities are kept from 0 and 1 by so much, or one sure mistake would be infinitely bad."""


def of_regression(prediction: pa.ChunkedArray, label: pa.ChunkedArray) -> dict[str, Any]:
    """The errors of predicted numbers; of rows that have both, and neither of them NaN."""
    both = [pc.cast(one, pa.float64(), safe=False).to_numpy(zero_copy_only=False) for one in (prediction, label)]
    known = ~(np.isnan(both[0]) | np.isnan(both[1]))
    predicted, actual = both[0][known], both[1][known]
    if not actual.size:
        return {}
    errors = predicted - actual
    mean_squared = float((errors**2).mean())
    spread = float(((actual - actual.mean()) ** 2).sum())
    return {
        "mean_squared_error": mean_squared,
        "root_mean_squared_error": float(np.sqrt(mean_squared)),
        "mean_average_error": float(np.abs(errors).mean()),
        "mean_absolute_percentage_error": float((np.abs(errors) / np.maximum(np.abs(actual), np.finfo(np.float64).eps)).mean()),
        "r2_score": 1 - float((errors**2).sum()) / spread if spread > 0 else None,
    }


def of_classification(prediction: pa.ChunkedArray, label: pa.ChunkedArray, proba: pa.ChunkedArray | None) -> dict[str, Any]:
    """How predicted classes fit; classes are texts, as in the confusion matrix."""
    table = pa.table({"prediction": _texts(prediction), "label": _texts(label)})
    known = pc.and_(pc.is_valid(table["prediction"]), pc.is_valid(table["label"]))
    table = table.filter(known)
    if not table.num_rows:
        return {}
    counted = table.group_by(["prediction", "label"]).aggregate([([], "count_all")]).to_pylist()
    matrix = sorted(
        ({"prediction": one["prediction"], "label": one["label"], "count": one["count_all"]} for one in counted), key=_key
    )
    classes = sorted({one[side] for one in matrix for side in ("prediction", "label")})
    hits = {one["label"]: one["count"] for one in matrix if one["label"] == one["prediction"]}
    predicted = {name: sum(one["count"] for one in matrix if one["prediction"] == name) for name in classes}
    actual = {name: sum(one["count"] for one in matrix if one["label"] == name) for name in classes}
    precision = {name: _ratio(hits.get(name, 0), predicted[name]) for name in classes}
    recall = {name: _ratio(hits.get(name, 0), actual[name]) for name in classes}
    f1 = {name: _ratio(2 * hits.get(name, 0), predicted[name] + actual[name]) for name in classes}
    found: dict[str, Any] = {
        "accuracy_score": sum(hits.values()) / table.num_rows,
        "confusion_matrix": matrix,
        **{
            name: _averaged(values, actual) for name, values in (("precision", precision), ("recall", recall), ("f1_score", f1))
        },
    }
    return found if proba is None else found | _of_probabilities(table["label"], proba.filter(known))


def _of_probabilities(label: pa.ChunkedArray, proba: pa.ChunkedArray) -> dict[str, Any]:
    """Log loss and areas under ROC curves. Probabilities are of the greater of two classes, or a map or struct from class to probability."""
    by_class = _by_class(label, proba)
    if not by_class:
        return {}
    labels = np.array(label.to_pylist(), dtype=object)
    known = ~np.any([np.isnan(values) for values in by_class.values()], axis=0)
    labels, by_class = labels[known], {name: values[known] for name, values in by_class.items()}
    if not labels.size:
        return {}
    total = np.maximum(np.sum(list(by_class.values()), axis=0), _LEAST)
    of_actual = np.zeros(labels.size)
    for name, values in by_class.items():
        of_actual[labels == name] = (values / total)[labels == name]
    eps = np.finfo(np.float64).eps
    areas = {name: _area(labels == name, values) for name, values in by_class.items()}
    counts = {name: int((labels == name).sum()) for name in by_class}
    return {
        "log_loss": float(-np.log(np.clip(of_actual, eps, 1 - eps)).mean()),
        "roc_auc_score": _averaged({name: area for name, area in areas.items() if area is not None}, counts),
    }


def _by_class(label: pa.ChunkedArray, proba: pa.ChunkedArray) -> dict[str, Floats]:
    kind = proba.type
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind) or pa.types.is_integer(kind):
        classes = sorted(pc.unique(label).to_pylist(), key=_numbers_first)
        if len(classes) > 2:
            return {}
        values = pc.cast(proba, pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        if len(classes) == 1:
            # Which of the two is missing, nobody can tell but for the usual names of no.
            is_no = classes[0].lower() in {"0", "false", "no", "0.0"}
            return {classes[0]: 1 - values if is_no else values, "": values if is_no else 1 - values}
        return {classes[0]: 1 - values, classes[1]: values}
    rows = [dict(one) if one is not None else {} for one in proba.to_pylist()] if pa.types.is_map(kind) else proba.to_pylist()
    if pa.types.is_map(kind) or pa.types.is_struct(kind):
        names = sorted({str(name) for row in rows if row for name in row})
        texts = [{str(name): value for name, value in (row or {}).items()} for row in rows]
        empty = float("nan")
        return {
            name: np.array([float(row.get(name) or 0.0) if row else empty for row in texts], dtype=np.float64) for name in names
        }
    return {}


def _area(is_it: npt.NDArray[np.bool_], scores: Floats) -> float | None:
    """The area under the ROC curve by ranks, ties in the middle; None where all rows are of one kind."""
    positive = int(is_it.sum())
    negative = is_it.size - positive
    if not positive or not negative:
        return None
    _, place, times = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(times) - (times - 1) / 2)[place]
    return float((ranks[is_it].sum() - positive * (positive + 1) / 2) / (positive * negative))


def _averaged(values: dict[str, float], weights: dict[str, int]) -> dict[str, Any]:
    total = sum(weights[name] for name in values)
    return {
        "one_vs_all": list(values.items()),
        "macro": sum(values.values()) / len(values) if values else None,
        "weighted": sum(value * weights[name] for name, value in values.items()) / total if total else None,
    }


def _texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Classes as texts; a whole number that came as a float is the same class as the integer."""
    if pa.types.is_floating(column.type):
        whole = pc.cast(column, pa.int64(), safe=False)
        is_whole = pc.and_(pc.is_finite(column), pc.equal(pc.cast(whole, column.type, safe=False), column))
        return pc.if_else(is_whole, pc.cast(whole, pa.string()), pc.cast(column, pa.string()))
    return pc.cast(column, pa.string())


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _key(one: dict[str, Any]) -> tuple[str, str]:
    return str(one["prediction"]), str(one["label"])


def _numbers_first(text: str) -> tuple[int, float, str]:
    try:
        return 0, float(text), text
    except ValueError:
        return 1, 0.0, text
