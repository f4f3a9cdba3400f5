"""The step that evaluates a version: it is loaded as it was packaged, in a clean process, and asked for rows with known answers."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from boathouse.deployment.steps import checks
from boathouse.deployment.steps.errors import NotPassed
from boathouse.deployment.steps.ledger import Ledger
from boathouse.deployment.steps.metrics import Metric, judged, metrics_of
from boathouse.deployment.steps.packaged import Package, Probed

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
        rows: A pandas or Spark DataFrame of the inputs, the target, and the columns of slices and groups; in the target's unit.
        target: The column of the known answers.
        kind: ``regressor`` or ``classifier``.
        thresholds: How good it has to be, for itself and against the champion.
        slices: Columns by whose values the metrics are shown.
        fairness: How far groups may be apart.
        limits: What it may take of time and memory.
        champion: The alias of the version that it is compared with; None for no comparison.
        positive: The label that rates of a classifier are about.
        metrics: Others, by name, from what is true and what was predicted to a number.
        environment: ``process`` or ``requirements``, see ``Package.ask``.
        client: The server; by default the one that the environment names.

    Returns:
        All findings, where all have passed.

    Raises:
        NotPassed: If one has not.
    """
    if hasattr(rows, "toPandas"):
        rows = rows.toPandas()
    rows = rows.reset_index(drop=True)
    version, ledger = str(version), Ledger(model, str(version), client)
    known = metrics_of(kind, positive, metrics)
    for name in {*(one.metric for one in thresholds), *(one.metric for one in fairness)} - known.keys():
        message = f"There is no metric '{name}'. Valid: {', '.join(known)}."
        raise ValueError(message)
    current = champion_of(model, champion, version) if champion else None
    package = Package(model, version)
    other = Package(model, current) if current is not None else None
    try:
        findings = [checks.schema(package.signature, None if other is None else other.signature)]
        inputs = _inputs(rows, package.signature, target)
        columns = list(inputs.columns)
        try:
            probed = package.ask({_ALL: inputs, **_without(inputs)}, environment)
        except RuntimeError as error:
            findings.append(checks.Finding("loading", passed=False, reason=str(error)))
        else:
            findings += _asked(rows, target, columns, package, probed, thresholds, slices, fairness, limits, known, environment)
            if other is not None and current is not None and _ALL in probed.predictions:
                theirs = other.ask({_ALL: _inputs(rows, other.signature, target)}, single=0)
                beside = judged(known, rows[target], theirs.predictions[_ALL]) if _ALL in theirs.predictions else None
            else:
                beside = None
            if _ALL in probed.predictions:
                found = judged(known, rows[target], probed.predictions[_ALL])
                findings.insert(1, checks.quality(found, beside, thresholds, current))
    finally:
        package.close()
        if other is not None:
            other.close()
    return kept(ledger, "evaluation", findings, model, version)


def _asked(
    rows: Any,
    target: str,
    columns: Sequence[str],
    package: Package,
    probed: Probed,
    thresholds: Sequence[checks.Threshold],
    slices: Sequence[str],
    fairness: Sequence[checks.Fairness],
    limits: checks.Limits | None,
    known: Mapping[str, Metric],
    environment: str,
) -> list[checks.Finding]:
    if _ALL in probed.errors:
        return [checks.Finding("prediction", passed=False, reason=probed.errors[_ALL])]
    truth, found = rows[target], probed.predictions[_ALL]
    return [
        *checks.slices(rows, slices, truth, found, known, thresholds),
        *checks.fairness(rows, fairness, truth, found, known),
        checks.resources(probed.figures, limits or checks.Limits(), environment),
        checks.nulls(package.signature, columns, probed.predictions, probed.errors),
    ]


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
