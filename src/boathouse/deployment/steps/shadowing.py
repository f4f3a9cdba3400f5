"""The step that has a version answer what people really asked, before anybody is asked to approve it."""

import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from boathouse.deployment.steps import checks
from boathouse.deployment.steps.arguments import require_one_of
from boathouse.deployment.steps.evaluating import kept
from boathouse.deployment.steps.ledger import Ledger
from boathouse.deployment.steps.looking_up import LookUpFailed, typed, with_features
from boathouse.deployment.steps.metrics import KINDS
from boathouse.deployment.steps.packaged import Package, PredictionEnded

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

_HOUR_MS = 3_600_000
_ALL = "rows"


def shadow(
    model: str,
    version: str | int,
    payload: Any,
    *,
    hours: float = 24,
    most_rows: int = 100_000,
    kind: str = "regressor",
    most_different: float | None = None,
    limits: checks.Limits | None = None,
    client: "WorkspaceClient | None" = None,
) -> list[checks.Finding]:
    """Have a version answer the requests of an inference table, beside what was answered then, and keep what came out.

    Features that the version looks up are looked up in the tables as they are now, as of a request's time where it has one.

    Args:
        model: Full name of the model.
        version: Which.
        payload: The inference table as a Spark DataFrame, ``spark.table("..._payload")``, or a pandas one of its columns.
        hours: How far back it looks.
        most_rows: Rows at most; the newest.
        kind: ``regressor`` or ``classifier``.
        most_different: How different the answers may be on average: of a regressor the mean difference as a share of the mean
            answer, of a classifier the share of rows with another label. None for any.
        limits: What it may take of time and memory.
        client: The server; by default the one that the environment names.

    Returns:
        The findings, where all have passed. Without requests there is one that says so, and has passed.

    Raises:
        NotPassed: If one has not: the version failed where an answer was given, is too different, or no request could be read.
        ValueError: If there is no such kind.
    """
    import pandas as pd  # noqa: PLC0415 - loaded late

    require_one_of("kind", kind, KINDS)
    version, ledger = str(version), Ledger(model, str(version), client)
    since = int(time.time() * 1000 - hours * _HOUR_MS)
    columns = ["timestamp_ms", "status_code", "request", "response"]
    if hasattr(payload, "toPandas"):
        wanted = payload.where(f"timestamp_ms >= {since} and status_code = 200").select(*columns)
        asked = wanted.orderBy(wanted["timestamp_ms"].desc()).limit(most_rows).toPandas()
    else:
        inside = (payload["timestamp_ms"] >= since) & (payload["status_code"] == 200)
        asked = payload[inside].sort_values("timestamp_ms", ascending=False).head(most_rows)
    rows: list[Mapping[str, Any]] = []
    answers: list[Any] = []
    unread = 0
    for request, response in zip(asked["request"], asked["response"], strict=True):
        found = _records(request), _predictions(response)
        if found[0] is None or found[1] is None or len(found[0]) != len(found[1]):
            unread += 1
            continue
        rows += found[0]
        answers += found[1]
    if not rows:
        return kept(ledger, "shadow", [_nothing(unread, hours)], model, version)
    rows, answers = rows[:most_rows], answers[:most_rows]
    package = Package(model, version)
    try:
        inputs = with_features(package, pd.DataFrame(rows), getattr(payload, "sparkSession", None), fill=True)
        probed = package.ask({_ALL: typed(inputs, package.signature)})
    except LookUpFailed as error:
        return kept(ledger, "shadow", [checks.Finding("look-ups", passed=False, reason=str(error))], model, version)
    except PredictionEnded as error:
        return kept(ledger, "shadow", [checks.Finding("answers", passed=False, reason=str(error))], model, version)
    except RuntimeError as error:
        return kept(ledger, "shadow", [checks.Finding("loading", passed=False, reason=str(error))], model, version)
    finally:
        package.close()
    refused = "" if _ALL in probed.errors else probed.refused
    findings = [checks.resources(probed.figures, limits or checks.Limits(), "process", refused)]
    if _ALL in probed.errors:
        findings.append(checks.Finding("answers", passed=False, reason=probed.errors[_ALL]))
    else:
        findings.append(_difference(pd.Series(answers), probed.predictions[_ALL], kind, most_different, unread))
    return kept(ledger, "shadow", findings, model, version)


def _nothing(unread: int, hours: float) -> checks.Finding:
    if not unread:
        reason = f"There was no request in the last {hours:g} hours that could be asked again."
        return checks.Finding("requests", passed=True, reason=reason)
    reason = (
        f"None of the {unread} requests of the last {hours:g} hours could be asked again. Those can that name their columns, in "
        "dataframe_records, dataframe_split, instances or inputs, and were answered with a prediction for each row."
    )
    return checks.Finding("requests", passed=False, reason=reason, metrics={"unread_requests": float(unread)})


def _records(request: str) -> list[dict[str, Any]] | None:
    """The rows of a request; None where it does not name their columns."""
    body = json.loads(request)
    for form in ("dataframe_records", "instances"):
        rows = body.get(form)
        if isinstance(rows, list) and rows and all(isinstance(row, dict) for row in rows):
            return list(rows)
    if "dataframe_split" in body:
        split = body["dataframe_split"]
        return [dict(zip(split["columns"], row, strict=True)) for row in split["data"]]
    inputs = body.get("inputs")
    if isinstance(inputs, dict):
        columns = [value if isinstance(value, list) else [value] for value in inputs.values()]
        return [dict(zip(inputs, row, strict=True)) for row in zip(*columns, strict=True)]
    return None


def _predictions(response: str) -> list[Any] | None:
    found = json.loads(response).get("predictions")
    if not isinstance(found, list):
        return None
    return [next(iter(one.values())) if isinstance(one, dict) and len(one) == 1 else one for one in found]


def _difference(then: Any, now: Any, kind: str, most: float | None, unread: int) -> checks.Finding:
    figures: dict[str, float | None] = {"requests_rows": float(len(then)), "unread_requests": float(unread)}
    empty = int(now.isna().sum())
    faults = [f"{empty} rows have no answer"] if empty else []
    if kind == "classifier":
        different = float((then.astype("string") != now.astype("string")).mean())
        figures["other_label"] = different
    else:
        then, now = then.astype("float64"), now.astype("float64")
        mean = float(then.abs().mean())
        figures |= {"mean_then": float(then.mean()), "mean_now": float(now.mean())}
        figures["mean_difference"] = float((now - then).abs().mean())
        figures["largest_difference"] = float((now - then).abs().max())
        different = figures["mean_difference"] / mean if mean else figures["mean_difference"]
        figures["different"] = different
    if most is not None and different > most:
        faults.append(f"the answers are different by {different:.4g}, and may be by {most:.4g}")
    beside = [f"{unread} requests have not the form of a table and were left out"] if unread else []
    return checks.Finding("answers", not faults, "; ".join([*faults, *beside]), figures)
