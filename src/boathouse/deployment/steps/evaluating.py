"""The step that evaluates a version: it is loaded as it was packaged, in a clean process, and asked for rows with known answers."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from boathouse.deployment.steps import checks
from boathouse.deployment.steps.arguments import require_one_of
from boathouse.deployment.steps.errors import NotPassed
from boathouse.deployment.steps.ledger import Ledger
from boathouse.deployment.steps.looking_up import LookUpFailed, with_features
from boathouse.deployment.steps.metrics import RATES, Metric, judged, metrics_of
from boathouse.deployment.steps.packaged import ENVIRONMENTS, SINGLE, Package, PredictionEnded, Probed

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

NULL_ROWS = 20
_ALL = "rows"


def champion_of(model: str, alias: str, version: str) -> str | None:
    """The version that an alias points to, if it is another one."""
    from mlflow import MlflowClient  # noqa: PLC0415 - loaded late

    found = MlflowClient(registry_uri="databricks-uc").get_registered_model(model).aliases.get(alias)
    return None if found is None or str(found) == str(version) else str(found)


def evaluate(
    model: str,
    version: str | int,
    rows: Any,
    *,
    target: str,
    kind: str = "regressor",
    thresholds: Sequence[checks.Threshold] = (),
    slices: Sequence[str] = (),
    fairness: Sequence[checks.Fairness] = (),
    limits: checks.Limits | None = None,
    champion: str | None = "champion",
    positive: Any = 1,
    metrics: Mapping[str, Metric] | None = None,
    environment: str = "process",
    client: "WorkspaceClient | None" = None,
) -> list[checks.Finding]:
    """Evaluate a version and keep what was found.

    Args:
        model: Full name of the model.
        version: Which.
        rows: A pandas or Spark DataFrame of the inputs, the target, and the columns of slices and groups; in the target's unit. Of what
            the model looks up the keys and times are enough: it is looked up as ``score_batch`` does, in the tables as they are now.
        target: The column of the known answers.
        kind: ``regressor`` or ``classifier``.
        thresholds: How good it has to be, for itself and against the champion.
        slices: Columns by whose values the metrics are shown.
        fairness: How far groups may be apart.
        limits: What it may take of time and memory.
        champion: The alias of the version that it is compared with; None for no comparison. Where it points to no other version, there
            is none.
        positive: The label that rates of a classifier are about.
        metrics: Others, by name, from what is true and what was predicted to a number; a threshold of one with ``most_worse`` says
            which values are ``better``.
        environment: ``process`` or ``requirements``, see ``Package.ask``.
        client: The server; by default the one that the environment names.

    Returns:
        All findings, where all have passed.

    Raises:
        NotPassed: If one has not.
        ValueError: If an argument names something that there is not; then nothing is loaded, and nothing kept.
    """
    known = metrics_of(kind, positive, metrics)
    checks.require(list(rows.columns), target, slices, fairness, thresholds, known)
    require_one_of("environment", environment, ENVIRONMENTS)
    spark = getattr(rows, "sparkSession", None)
    if hasattr(rows, "toPandas"):
        rows = rows.toPandas()
    rows = rows.reset_index(drop=True)
    version, ledger = str(version), Ledger(model, str(version), client)
    unanswerable = checks.unanswerable(rows, target)
    if unanswerable is not None:
        return kept(ledger, "evaluation", [unanswerable], model, version)
    current = champion_of(model, champion, version) if champion else None
    with contextlib.ExitStack() as held:
        package = held.enter_context(contextlib.closing(Package(model, version)))
        other, problem = (None, "") if current is None else _champion(held, model, current)
        findings = [checks.schema(package.signature, None if other is None else other.signature)]
        asked = _ask(package, rows, target, kind, spark, environment)
        if isinstance(asked, checks.Finding):
            return kept(ledger, "evaluation", [*findings, asked], model, version)
        truth, found = rows[target], asked.predictions[_ALL]
        if kind == "classifier":
            held_to = [one.metric for one in (*thresholds, *fairness) if one.metric not in (metrics or {})]
            unlabelled = checks.unlabelled(positive, truth, found, held_to)
            if unlabelled is not None:
                findings.append(unlabelled)
                known = {name: one for name, one in known.items() if name not in RATES or name in (metrics or {})}
                thresholds = [one for one in thresholds if one.metric in known]
                fairness = [one for one in fairness if one.metric in known]
        beside = None
        if other is not None:
            theirs = _ask(other, rows, target, kind, spark, "process", single=0)
            if isinstance(theirs, checks.Finding):
                problem = theirs.reason
            else:
                beside = judged(known, truth, theirs.predictions[_ALL])
        findings.append(checks.quality(judged(known, truth, found), beside, thresholds, current))
        if current is not None and problem:
            findings.append(checks.without_champion(current, problem, thresholds))
        findings += [
            *checks.slices(rows, slices, truth, found, known, thresholds),
            *checks.fairness(rows, fairness, truth, found, known),
            checks.resources(asked.figures, limits or checks.Limits(), environment, asked.refused),
            checks.nulls(package.signature, asked.columns, asked.predictions, asked.errors),
        ]
    return kept(ledger, "evaluation", findings, model, version)


def _champion(held: contextlib.ExitStack, model: str, version: str) -> tuple[Package | None, str]:
    """The champion's files, or why there are none: whatever is wrong with it, the new version is evaluated."""
    try:
        return held.enter_context(contextlib.closing(Package(model, version))), ""
    except Exception as error:  # noqa: BLE001 - told in a finding
        return None, f"its files cannot be read: {type(error).__name__}: {str(error)[:500]}."


@dataclass(frozen=True)
class _Asked(Probed):
    """What a model has answered, and the columns that it was asked with."""

    columns: Sequence[str]


def _ask(
    package: Package, rows: Any, target: str, kind: str, spark: Any, environment: str, single: int = SINGLE
) -> _Asked | checks.Finding:
    """The answers to all rows, and with latency (``single``) to some without each column; or why there are none."""
    try:
        inputs = _inputs(with_features(package, rows, spark), package.signature, target)
    except LookUpFailed as error:
        return checks.Finding("look-ups", passed=False, reason=str(error))
    try:
        probed = package.ask({_ALL: inputs, **(_without(inputs) if single else {})}, environment, single)
    except PredictionEnded as error:
        return checks.Finding("prediction", passed=False, reason=str(error))
    except RuntimeError as error:
        return checks.Finding("loading", passed=False, reason=str(error))
    if _ALL in probed.errors:
        return checks.Finding("prediction", passed=False, reason=probed.errors[_ALL])
    unanswered = checks.unanswered(len(rows), probed.predictions[_ALL], numbers=kind == "regressor")
    columns = [str(one) for one in inputs.columns]
    return unanswered or _Asked(probed.predictions, probed.errors, probed.figures, probed.refused, columns)


def _inputs(rows: Any, signature: Any, target: str) -> Any:
    """The columns that the model asks for; without a signature all but the target."""
    if signature is None or signature.inputs is None or not signature.inputs.has_input_names():
        return rows.drop(columns=target)
    return rows[[name for name in signature.inputs.input_names() if name in rows.columns]]


def _without(inputs: Any) -> dict[str, Any]:
    """Some rows once more for each column, without a value there."""
    some = inputs.head(NULL_ROWS)
    return {str(column): some.assign(**{column: some[column].where([False] * len(some))}) for column in some.columns}


def kept(ledger: Ledger, step: str, findings: Sequence[checks.Finding], model: str, version: str) -> list[checks.Finding]:
    """Keep findings; go on only if all have passed.

    Raises:
        NotPassed: If one has not.
    """
    for one in findings:
        verdict = "passed" if one.passed else "failed"
        print(f"{verdict:6} {one.name}{': ' + one.reason if one.reason else ''}")  # noqa: T201 - the task's log
        ledger.note(step, one.name, verdict, reason=one.reason, metrics=one.metrics, details=one.details)
    failed = [f"{one.name} ({one.reason})" for one in findings if not one.passed]
    if failed:
        message = f"Version {version} of {model} has not passed: {'; '.join(failed)}"
        raise NotPassed(message)
    return list(findings)
