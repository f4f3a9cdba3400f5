"""What a version has to hold to, and whether it does; nothing here asks a server."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from boathouse.deployment.steps.metrics import LEAST_ROWS, LOWER_IS_BETTER, Metric, judged


@dataclass(frozen=True)
class Threshold:
    """How good a version has to be.

    Attributes:
        metric: Of ``metrics.metrics_of``.
        at_least: The least that it may be.
        at_most: The most that it may be.
        most_worse: By which share of the champion's it may be worse than that, on the same rows: 0.05 is five percent.
        slices: Whether each slice has to hold to ``at_least`` and ``at_most`` too.
    """

    metric: str
    at_least: float | None = None
    at_most: float | None = None
    most_worse: float | None = None
    slices: bool = False


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
        theirs = None if champion is None else champion.get(one.metric)
        if one.most_worse is not None and theirs is not None:
            worse = value - theirs if one.metric in LOWER_IS_BETTER else theirs - value
            if worse > abs(theirs) * one.most_worse:
                faults.append(f"{one.metric} is {value:.6g}, the champion's {theirs:.6g}")
    details = {} if champion is None else {"champion": dict(champion), "champion_version": champion_version}
    return _finding("quality", faults, found, details)


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
        table = _by_value(rows, column, truth, found, metrics)
        faults: list[str] = []
        for one in table:
            for threshold in thresholds:
                if threshold.slices and one["rows"] >= LEAST_ROWS and threshold.metric in one:
                    faults += _outside(threshold, one[threshold.metric], f" of {column}={one['value']}")
        findings.append(_finding(f"slices of {column}", faults, {"slices": len(table)}, {"table": table}))
    return findings


def fairness(rows: Any, wanted: Sequence[Fairness], truth: Any, found: Any, metrics: Mapping[str, Metric]) -> list[Finding]:
    """Each metric between the groups of its column."""
    findings: list[Finding] = []
    for one in wanted:
        table = _by_value(rows, one.column, truth, found, {one.metric: metrics[one.metric]})
        judged_groups = {
            group["value"]: group[one.metric] for group in table if group["rows"] >= LEAST_ROWS and one.metric in group
        }
        apart = max(judged_groups.values()) - min(judged_groups.values()) if judged_groups else None
        faults: list[str] = []
        if apart is None or len(judged_groups) < 2:
            faults.append(f"{one.column} has fewer than two groups of {LEAST_ROWS} rows")
        elif apart > one.most_apart:
            low, high = (pick(judged_groups, key=lambda value: judged_groups[value]) for pick in (min, max))
            faults.append(
                f"{one.metric} is {judged_groups[low]:.6g} of {one.column}={low} and {judged_groups[high]:.6g} of {high}: "
                f"{apart:.6g} apart, and may be {one.most_apart:.6g}"
            )
        findings.append(_finding(f"fairness by {one.column}: {one.metric}", faults, {"apart": apart}, {"table": table}))
    return findings


def _by_value(rows: Any, column: str, truth: Any, found: Any, metrics: Mapping[str, Metric]) -> list[dict[str, Any]]:
    """The metrics of each value of a column, the commonest first; the rest beyond fifty is left out."""
    values = rows[column].astype("string").fillna("(none)").to_numpy()
    names, counts = _counted(values)
    table: list[dict[str, Any]] = []
    for name in sorted(names, key=lambda one: -counts[one])[:50]:
        inside = values == name
        table.append({"value": name, "rows": counts[name], **judged(metrics, truth[inside], found[inside])})
    return table


def _counted(values: Any) -> tuple[list[str], dict[str, int]]:
    counts: dict[str, int] = {}
    for value in values:
        counts[str(value)] = counts.get(str(value), 0) + 1
    return list(counts), counts


def resources(figures: Mapping[str, float], limits: Limits, environment: str) -> Finding:
    """What the packaged model takes."""
    faults: list[str] = []
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
