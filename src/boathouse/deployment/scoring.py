"""New rows of a table to a table of predictions, each exactly once, with the model version that scored it.

    from boathouse.deployment import scoring

    scoring.score_new_rows(
        spark, "models:/main.shop.price@champion", "main.shop.offers", "main.shop.scored", checkpoint="/Volumes/main/shop/state/scored"
    )

A streaming query reads what the source has that it had not, and its commit to the target carries the query's identifier and the
batch's number. So a run that is killed at any point, and started again with the same checkpoint, loses no row and writes none twice.
"""

import json
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

MODEL_NAME, MODEL_VERSION, SCORED_AT = "model_name", "model_version", "scored_at"
"""Columns of the target beside the source's and the prediction."""
_URI = re.compile(r"models:/(?P<name>[^/@]+)(?:/(?P<version>\d+)|@(?P<alias>[^/]+))")
_ANSWERS = "the model answers"
"""What is expected of a row, where those that do not fit are set aside."""
_BUSY_SECONDS = 300.0
_LOOK_SECONDS = 2.0


class RowRefused(ValueError):
    """A row that a model refuses."""

    def __init__(self, told: str) -> None:
        super().__init__(
            f"{told.rstrip('.')}. Nothing of its batch was written, and the next call begins with it: correct the row, score with another "
            "version, or have such rows set aside with set_aside='catalog.schema.table'."
        )


@dataclass(frozen=True)
class Scored:
    """What was done.

    Attributes:
        model: Full name of the model.
        version: Which has scored the rows.
        rows: How many were read.
    """

    model: str
    version: str
    rows: int


def score_new_rows(
    spark: "SparkSession",
    model_uri: str,
    source: str,
    target: str,
    *,
    checkpoint: str,
    columns: Sequence[str] | None = None,
    prediction: str = "prediction",
    result_type: str | None = None,
    options: Mapping[str, str] | None = None,
    set_aside: str | None = None,
    every_seconds: float | None = None,
    told: Callable[[Scored], None] | None = None,
) -> Scored:
    """Score the rows that a Delta table has got since the last call with this checkpoint; the first call scores all that it has.

    Features that the model looks up are looked up as ``score_batch`` does: as of the row's time, in the tables as they are then.

    Args:
        spark: The session; it needs SELECT on the source, MODIFY or CREATE TABLE on the target.
        model_uri: ``models:/catalog.schema.model/3``, or with an alias ``models:/catalog.schema.model@champion``.
        source: Full name of the table, whose rows are added and not changed.
        target: Full name of the table of predictions, which is made where it is missing.
        checkpoint: A folder of its own, below ``/Volumes`` for one, that says what was scored; for one source and one target.
        columns: Those that the target has, of the source and of the features that the model looks up; all of the source by default.
        prediction: The target's column with the model's answer.
        result_type: Its type; that of the model's signature by default.
        options: Of the streaming read, such as ``{"startingVersion": "latest"}`` or ``{"maxFilesPerTrigger": "100"}``.
        set_aside: Full name of a table for rows that the model refuses, which is made where it is missing: the target's columns, and
            ``_quarantine_reason``. Without it, such a row ends the call.
        every_seconds: Goes on for ever, and looks this often for new rows, and for the version that an alias then points to.
        told: Is given what each look has scored.

    Returns:
        What was scored.

    Raises:
        ValueError: If ``model_uri`` is no such address, a column would be there twice or is missing; it names it.
        RowRefused: If the model refuses a row; it names the row, and nothing of its batch is written. The next call begins with it.
        StreamingQueryException: If a batch fails otherwise; the next call begins with it.
    """
    match = _URI.fullmatch(model_uri)
    if match is None:
        message = f"model_uri {model_uri!r} is not valid. Valid: models:/catalog.schema.model/3, models:/catalog.schema.model@champion."
        raise ValueError(message)
    there = spark.table(source).columns
    kept = list(columns if columns is not None else there)
    own = {name.lower() for name in (prediction, MODEL_NAME, MODEL_VERSION, SCORED_AT)}
    twice = sorted(name for name in kept if name.lower() in own)
    if twice:
        message = f"{source} has a column {twice[0]!r} itself: leave it out with columns=[...], or call the answer otherwise with prediction='...'."
        raise ValueError(message)
    known: dict[str, Any] = {}
    while True:
        version = _version(match)
        if version not in known:
            # The one before is not needed any more.
            uri = f"models:/{match['name']}/{version}"
            scorer = _scorer(
                spark, uri, result_type, prediction, _Source(source, there, kept), tells_refusals=set_aside is not None
            )
            known = {version: scorer}
        rows = _round(
            spark,
            source,
            target,
            checkpoint,
            kept,
            options or {},
            _Made(match["name"], version, known[version], prediction, set_aside),
        )
        done = Scored(match["name"], version, rows)
        if told is not None:
            told(done)
        if every_seconds is None:
            return done
        time.sleep(every_seconds)


@dataclass(frozen=True)
class _Made:
    model: str
    version: str
    score: "Callable[[DataFrame], DataFrame]"
    prediction: str
    set_aside: str | None


@dataclass(frozen=True)
class _Source:
    """A table whose rows are scored, its columns, and those that the target is to have."""

    name: str
    columns: Sequence[str]
    kept: Sequence[str]

    def require(self, names: Iterable[str], whose: str, more: Iterable[str] = ()) -> None:
        """Go on only if it has columns, in whatever letters; ``more`` are there besides."""
        known = {name.lower() for name in (*self.columns, *more)}
        for name in names:
            if name.lower() not in known:
                message = f"{self.name} has no column '{name}', which {whose}. It has: {', '.join(self.columns)}."
                raise ValueError(message)


def _version(match: "re.Match[str]") -> str:
    if match["version"] is not None:
        return match["version"]
    from mlflow import MlflowClient  # noqa: PLC0415 - loaded late

    return str(MlflowClient().get_model_version_by_alias(match["name"], match["alias"]).version)


def _scorer(
    spark: "SparkSession", uri: str, result_type: str | None, prediction: str, source: _Source, *, tells_refusals: bool
) -> "Callable[[DataFrame], DataFrame]":
    """A version as what adds its prediction to rows, and before it the features that it looks up."""
    from mlflow.artifacts import download_artifacts  # noqa: PLC0415 - loaded late
    from mlflow.models import get_model_info  # noqa: PLC0415 - the same
    from pyspark.sql.functions import struct  # noqa: PLC0415 - the same

    from boathouse.features.api import METADATA_KEY  # noqa: PLC0415 - beside its only use
    from boathouse.features.client.columns import column_named  # noqa: PLC0415 - the same
    from boathouse.features.client.models import scorer, spec_of  # noqa: PLC0415 - the same
    from boathouse.features.client.tables import FeatureTables  # noqa: PLC0415 - the same
    from boathouse.workspace.runtime.model_function import local_model_function  # noqa: PLC0415 - the same

    with tempfile.TemporaryDirectory() as folder:
        path = download_artifacts(artifact_uri=uri, dst_path=folder)
        info = get_model_info(path)
        if METADATA_KEY in (info.metadata or {}):
            spec = spec_of(path, uri)
            looked_up = [name for lookup in spec.lookups for name in lookup.outputs]
            source.require(spec.inputs, f"the model {uri} takes")
            source.require(source.kept, "columns names", [*looked_up, *(one.output for one in spec.functions)])
            return scorer(path, uri, result_type, FeatureTables(spark), prediction, tells_refusals=tells_refusals)
        source.require(source.kept, "columns names")
        signature = info.signature
        names = None if signature is None or signature.inputs is None else signature.inputs.input_names()
        if not names or not all(isinstance(name, str) for name in names):
            message = f"{uri} has no signature with names of columns: log it with an example that has them."
            raise ValueError(message)
        inputs: Any = signature.inputs if signature is not None else None
        source.require(inputs.required_input_names(), f"the model {uri} takes")
        there = {name.lower() for name in source.columns}
        predict = local_model_function(path, uri, result_type, tells_refusals=tells_refusals)
    # In the letters of the signature, whatever the table's are.
    found = predict(struct(*(column_named(name).alias(name) for name in names if name.lower() in there)))
    return lambda rows: rows.withColumn(prediction, found)


def _round(
    spark: "SparkSession",
    source: str,
    target: str,
    checkpoint: str,
    kept: Sequence[str],
    options: Mapping[str, str],
    made: _Made,
) -> int:
    """Score what there is now; the number of rows."""
    from pyspark.errors import PySparkException  # noqa: PLC0415 - loaded late
    from pyspark.sql.functions import current_timestamp, expr, lit, when  # noqa: PLC0415 - the same

    from boathouse.engine.expected import KEPT, OPTION, REASON, columns  # noqa: PLC0415 - the same
    from boathouse.features.client.columns import column_named  # noqa: PLC0415 - the same
    from boathouse.workspace.runtime.model_function import REFUSAL, REFUSED, VALUE  # noqa: PLC0415 - the same

    reader = spark.readStream
    for key, value in options.items():
        reader = reader.option(key, value)
    scored, answer = made.score(reader.table(source)), column_named(made.prediction)
    aside: dict[str, Column] = {}
    if made.set_aside is not None:
        refused = answer[REFUSED]
        answer = when(refused.isNull(), answer[VALUE])
        aside = {
            columns([_ANSWERS])[_ANSWERS]: when(refused.isNotNull(), expr("true")),
            KEPT: refused.isNull(),
            REASON: refused,
        }
    rows = scored.select(
        *map(column_named, kept),
        answer.alias(made.prediction),
        lit(made.model).alias(MODEL_NAME),
        lit(made.version).alias(MODEL_VERSION),
        current_timestamp().alias(SCORED_AT),
        *(column.alias(name) for name, column in aside.items()),
    )
    writer = rows.writeStream.option("checkpointLocation", checkpoint).trigger(availableNow=True)
    if aside:
        said = {"names": [_ANSWERS], "failing": [], "dropping": [_ANSWERS], "quarantine": made.set_aside}
        writer = writer.option(OPTION, json.dumps(said))
        # The write takes them as they are: it commits to both, or to none.
        own = {*aside} - {REASON}
        _make(spark, target, rows.drop(*own, REASON))
        _make(spark, made.set_aside or "", rows.drop(*own))
    query = _started(lambda: writer.toTable(target))
    try:
        query.awaitTermination()
    except PySparkException as error:
        refusal = re.search(rf"{re.escape(REFUSAL)} (.*)", str(error))
        if refusal is None:
            raise
        raise RowRefused(refusal[1]) from error
    return sum(int(one["numInputRows"]) for one in query.recentProgress)


def _make(spark: "SparkSession", name: str, rows: "DataFrame") -> None:
    """Make a table for rows, where there is none."""
    if not spark.catalog.tableExists(name):
        spark.createDataFrame([], rows.schema).write.saveAsTable(name)


def _started(start: Callable[[], Any]) -> Any:
    """A query, once the one of a run that was killed has let go of the checkpoint."""
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            return start()
        except Exception as error:
            if "checkpoint" not in str(error).lower() or "CONCURRENT" not in str(error) or time.monotonic() > deadline:
                raise
        time.sleep(_LOOK_SECONDS)
