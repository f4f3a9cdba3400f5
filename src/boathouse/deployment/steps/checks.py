"""What a version has to hold to, and whether it does; nothing here asks a server."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Number
from typing import Any, get_args

from boathouse.deployment.steps.metrics import BETTER, LEAST_ROWS, RATES, Better, Metric, judged

SHOWN = 50
"""So many slices of a column are shown, the commonest, and besides those that do not hold."""
_TOLD = 20


@dataclass(frozen=True)
class Threshold:
    """How good a version has to be.

    Attributes:
        metric: Of ``metrics.metrics_of``.
        at_least: The least that it may be.
        at_most: The most that it may be.
        most_worse: By which share of the champion's it may be worse than that, on the same rows: 0.05 is five percent.
        slices: Whether each slice has to hold to ``at_least`` and ``at_most`` too.
        better: Which of two values is the better one, for ``most_worse``: the ``higher``, the ``lower``, or with ``zero`` the one
            that is nearer to 0. Known of the built-in metrics but for ``selection_rate``; ``mean_error`` is better near zero.
    """

    metric: str
    at_least: float | None = None
    at_most: float | None = None
    most_worse: float | None = None
    slices: bool = False
    better: Better | None = None


@dataclass(frozen=True)
class Fairness:
    """How far a metric may be apart between the groups of a column.

    Attributes:
        column: Of the rows.
        metric: Such as ``selection_rate``, ``true_positive_rate``, ``mean_error`` or ``mae``.
        most_apart: The most that two groups may be.
    """

    column: str
    metric: str
    most_apart: float


@dataclass(frozen=True)
class Limits:
    """What a version may take; None for no limit.

    Attributes:
        load_seconds: To load.
        latency_p95_ms: For 95 of 100 single rows.
        memory_mb: Of its process at most.
    """

    load_seconds: float | None = None
    latency_p95_ms: float | None = None
    memory_mb: float | None = None


@dataclass(frozen=True)
class Finding:
    """What came out of one check.

    Attributes:
        name: Of the check.
        passed: Whether it holds.
        reason: Why not, for people.
        metrics: The figures.
        details: What else is to be shown.
    """

    name: str
    passed: bool
    reason: str = ""
    metrics: Mapping[str, float | None] = field(default_factory=dict[str, float | None])
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])


def _finding(name: str, faults: Sequence[str], metrics: Mapping[str, Any], details: Mapping[str, Any] | None = None) -> Finding:
    return Finding(name, not faults, "; ".join(faults), dict(metrics), dict(details or {}))


def require(
    columns: Sequence[Any],
    target: str,
    slices: Sequence[str],
    fairness: Sequence[Fairness],
    thresholds: Sequence[Threshold],
    known: Mapping[str, Metric],
) -> None:
    """Go on only if what is asked for can be, before a model is loaded.

    Raises:
        ValueError: If there is no such column or metric, or it is not known which of its values are better; it names the argument.
    """
    asked = [("target", target), *(("slices", one) for one in slices), *(("fairness", one.column) for one in fairness)]
    for argument, column in asked:
        if column not in columns:
            message = f"{argument} names the column '{column}', which rows has not. Valid: {', '.join(map(str, columns))}."
            raise ValueError(message)
    metrics = [("thresholds", one.metric) for one in thresholds] + [("fairness", one.metric) for one in fairness]
    for argument, metric in metrics:
        if metric not in known:
            message = f"{argument} names the metric '{metric}', which there is not. Valid: {', '.join(known)}."
            raise ValueError(message)
    for one in thresholds:
        valid = ", ".join(get_args(Better))
        if one.better is not None and one.better not in get_args(Better):
            message = f"better is '{one.better}' in thresholds, for '{one.metric}'. Valid: {valid}."
            raise ValueError(message)
        if one.most_worse is not None and one.better is None and one.metric not in BETTER:
            message = (
                f"better is missing in thresholds: of '{one.metric}' it is not known which values are better. Valid: {valid}."
            )
            raise ValueError(message)


def unanswerable(rows: Any, target: str) -> Finding | None:
    """Why rows cannot judge anything, if they cannot."""
    empty = int(rows[target].isna().sum())
    if not len(rows):
        return Finding("rows", passed=False, reason="There are no rows to evaluate with.")
    if empty:
        reason = f"{empty} of {len(rows)} rows have no value of the target '{target}': leave them out."
        return Finding("rows", passed=False, reason=reason, metrics={"rows": float(len(rows)), "without_target": float(empty)})
    return None


def unanswered(rows: int, found: Any, *, numbers: bool = False) -> Finding | None:
    """Rows to which a model has said nothing that can be judged, if there are any.

    Args:
        rows: How many were asked for.
        found: The answers.
        numbers: Whether only numbers can be judged.
    """
    if len(found) != rows:
        return Finding("prediction", passed=False, reason=f"{rows} rows were asked for, and {len(found)} answered.")
    empty = int((found.isna() | found.isin([float("inf"), float("-inf")])).sum())
    if empty:
        reason = f"{empty} of {rows} rows have no answer (null, NaN or infinite)."
        return Finding("prediction", passed=False, reason=reason, metrics={"rows": float(rows), "without_answer": float(empty)})
    others = [one for one in found if not isinstance(one, Number)] if numbers else []
    if others:
        reason = f"{len(others)} of {rows} answers of a regressor are no numbers, such as {others[0]!r:.100}."
        return Finding(
            "prediction", passed=False, reason=reason, metrics={"rows": float(rows), "no_numbers": float(len(others))}
        )
    return None


def unlabelled(positive: Any, truth: Any, found: Any, asked: Sequence[str]) -> Finding | None:
    """Whether rates are about a label that is none; where one is asked for, that is a fault.

    Args:
        positive: The label.
        truth: What is true.
        found: What was predicted.
        asked: Metrics that are to be held to.

    Returns:
        Nothing, if it is a label.
    """
    labels = {*truth.unique(), *found.unique()}
    if positive in labels:
        return None
    rates = sorted({*asked} & {*RATES})
    told = ", ".join(sorted(repr(getattr(one, "item", lambda one=one: one)()) for one in labels)[:_TOLD])
    reason = f"positive is {positive!r}, which is no label; the rows and the answers have {told}. So nothing is said of {', '.join(rates or RATES)}."
    return Finding("positive", not rates, reason)


def quality(
    found: Mapping[str, float],
    champion: Mapping[str, float] | None,
    thresholds: Sequence[Threshold],
    champion_version: str | None,
) -> Finding:
    """The whole against absolute thresholds and against the champion."""
    faults: list[str] = []
    for one in thresholds:
        value = found.get(one.metric)
        if value is None:
            faults.append(f"{one.metric} is not known; there are {', '.join(found)}")
            continue
        faults += _outside(one, value, "")
        if one.most_worse is None or champion is None:
            continue
        theirs = champion.get(one.metric)
        if theirs is None:
            faults.append(f"{one.metric} of the champion is not known")
        elif _worse(value, theirs, one) > abs(theirs) * one.most_worse:
            faults.append(f"{one.metric} is {value:.6g}, the champion's {theirs:.6g}")
    details = {} if champion is None else {"champion": dict(champion), "champion_version": champion_version}
    return _finding("quality", faults, found, details)


def _worse(value: float, theirs: float, threshold: Threshold) -> float:
    """By how much a value is worse than another one."""
    match threshold.better or BETTER[threshold.metric]:
        case "higher":
            return theirs - value
        case "lower":
            return value - theirs
        case "zero":
            return abs(value) - abs(theirs)


def without_champion(version: str, why: str, thresholds: Sequence[Threshold]) -> Finding:
    """That there is nothing to compare with, although there is a champion: a fault, if a threshold compares."""
    reason = f"Version {version}, the champion, could not answer the same rows: {why} To go on without it, give champion=None."
    compares = any(one.most_worse is not None for one in thresholds)
    return Finding("champion", not compares, reason, details={"champion_version": version})


def _outside(one: Threshold, value: float, where: str) -> list[str]:
    faults: list[str] = []
    if one.at_least is not None and value < one.at_least:
        faults.append(f"{one.metric}{where} is {value:.6g}, and has to be {one.at_least:.6g} at least")
    if one.at_most is not None and value > one.at_most:
        faults.append(f"{one.metric}{where} is {value:.6g}, and may be {one.at_most:.6g} at most")
    return faults


def slices(
    rows: Any, columns: Sequence[str], truth: Any, found: Any, metrics: Mapping[str, Metric], thresholds: Sequence[Threshold]
) -> list[Finding]:
    """Each slice of the columns; those of few rows are shown, and not judged."""
    findings: list[Finding] = []
    for column in columns:
        table, total = _by_value(rows, column, truth, found, metrics)
        faults: list[str] = []
        shown: list[dict[str, Any]] = []
        for place, one in enumerate(table):
            its: list[str] = []
            for threshold in thresholds:
                if threshold.slices and one["rows"] >= LEAST_ROWS and threshold.metric in one:
                    its += _outside(threshold, one[threshold.metric], f" of {column}={one['value']}")
            if place < SHOWN or (its and len(shown) < 2 * SHOWN):
                shown.append(one)
            faults += its
        more = [f"and {len(faults) - _TOLD} more"] if len(faults) > _TOLD else []
        details = {"table": shown, "not_shown": total - len(shown)}
        findings.append(_finding(f"slices of {column}", [*faults[:_TOLD], *more], {"slices": total}, details))
    return findings


def fairness(rows: Any, wanted: Sequence[Fairness], truth: Any, found: Any, metrics: Mapping[str, Metric]) -> list[Finding]:
    """Each metric between the groups of its column."""
    findings: list[Finding] = []
    for one in wanted:
        table, total = _by_value(rows, one.column, truth, found, {one.metric: metrics[one.metric]})
        judged_groups = {
            group["value"]: group[one.metric] for group in table if group["rows"] >= LEAST_ROWS and one.metric in group
        }
        apart, ends, faults = None, set[str](), list[str]()
        if len(judged_groups) < 2:
            faults.append(f"{one.column} has fewer than two groups of {LEAST_ROWS} rows of which {one.metric} can be said")
        else:
            low, high = (pick(judged_groups, key=lambda value: judged_groups[value]) for pick in (min, max))
            apart, ends = judged_groups[high] - judged_groups[low], {low, high}
            if apart > one.most_apart:
                faults.append(
                    f"{one.metric} is {judged_groups[low]:.6g} of {one.column}={low} and {judged_groups[high]:.6g} of {high}: "
                    f"{apart:.6g} apart, and may be {one.most_apart:.6g}"
                )
        shown = [group for place, group in enumerate(table) if place < SHOWN or group["value"] in ends]
        details = {"table": shown, "not_shown": total - len(shown)}
        findings.append(_finding(f"fairness by {one.column}: {one.metric}", faults, {"apart": apart}, details))
    return findings


def _by_value(
    rows: Any, column: str, truth: Any, found: Any, metrics: Mapping[str, Metric]
) -> tuple[list[dict[str, Any]], int]:
    """The metrics of values of a column, the commonest first: of all with enough rows, and of the commonest; and how many there are."""
    values = rows[column].astype("string").fillna("(none)").reset_index(drop=True)
    places: Mapping[str, Any] = values.groupby(values, sort=False).indices
    table: list[dict[str, Any]] = []
    for name in sorted(places, key=lambda one: -len(places[one])):
        inside = places[name]
        if len(table) >= SHOWN and len(inside) < LEAST_ROWS:
            break
        table.append({"value": str(name), "rows": len(inside), **judged(metrics, truth.iloc[inside], found.iloc[inside])})
    return table, len(places)


def resources(figures: Mapping[str, float], limits: Limits, environment: str, refused: str = "") -> Finding:
    """What the packaged model takes.

    Args:
        figures: As ``Probed`` has them.
        limits: The most that they may be.
        environment: In which packages.
        refused: What the model raised where it was asked for a single row, as most requests to endpoints do.
    """
    faults = [f"a single row is refused: {refused}"] if refused else list[str]()
    for name in ("load_seconds", "latency_p95_ms", "memory_mb"):
        most = getattr(limits, name)
        if most is not None and figures.get(name, 0) > most:
            faults.append(f"{name} is {figures[name]:.4g}, and may be {most:.6g} at most")
    return _finding("latency and memory", faults, figures, {"environment": environment})


def schema(signature: Any, champion: Any) -> Finding:
    """The signature, and whether who asks the champion may ask this version the same."""
    faults: list[str] = []
    if signature is None or signature.inputs is None or signature.outputs is None:
        faults.append("the version has no signature of inputs and outputs: log it with signature=infer_signature(...)")
        return _finding("schema", faults, {})
    mine = {str(one.name): one for one in signature.inputs}
    details = {"inputs": signature.inputs.to_dict(), "outputs": signature.outputs.to_dict()}
    if champion is not None and champion.inputs is not None:
        theirs = {str(one.name): one for one in champion.inputs}
        for name, one in mine.items():
            if name not in theirs and one.required:
                faults.append(f"it asks for '{name}', which the champion does not")
            elif name in theirs and str(theirs[name].type) != str(one.type):
                faults.append(f"'{name}' is {one.type}, and {theirs[name].type} of the champion")
        if champion.outputs is not None and [str(one.type) for one in champion.outputs] != [
            str(one.type) for one in signature.outputs
        ]:
            faults.append("its outputs have other types than the champion's")
    return _finding("schema", faults, {"inputs": len(mine)}, details)


def nulls(signature: Any, columns: Sequence[str], predictions: Mapping[str, Any], errors: Mapping[str, str]) -> Finding:
    """What happens where one input is missing: optional ones have to be taken, required ones may be refused, none may give no answer."""
    required = (
        {str(one.name) for one in signature.inputs if one.required}
        if signature is not None and signature.inputs
        else set[str]()
    )
    faults: list[str] = []
    outcome: dict[str, str] = {}
    for column in columns:
        if column in errors:
            outcome[column] = f"refused: {errors[column][:200]}"
            if column not in required:
                faults.append(f"without '{column}', which is optional, it fails")
        elif predictions[column].isna().any():
            outcome[column] = "no answer"
            faults.append(f"without '{column}' it predicts nothing")
        else:
            outcome[column] = "predicted"
    return _finding("nulls", faults, {"columns": len(columns)}, {"columns": outcome})
