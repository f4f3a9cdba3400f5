"""Models with their feature spec: logged with it, and scored by it."""

import inspect
import tempfile
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import pandas as pd
from mlflow.artifacts import download_artifacts
from mlflow.models import ModelSignature, get_model_info, infer_signature
from mlflow.types import ColSpec, DataType, Schema
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - what everybody calls it

from boathouse.features.client.columns import column_named, is_among
from boathouse.features.client.tables import FeatureTables
from boathouse.features.client.training_set import TrainingSet, add_features, in_order
from boathouse.features.spec import METADATA_KEY, FeatureSpec
from boathouse.workspace.runtime.model_function import local_model_function

_SAMPLE_ROWS = 5


def log_model(
    model: Any,
    artifact_path: str,
    flavor: ModuleType,
    training_set: TrainingSet | None,
    *,
    registered_model_name: str | None,
    await_registration_for: int,
    infer_input_example: bool,
    **arguments: Any,
) -> Any:
    """Log a model with MLflow, with the feature spec of what it was trained on in its metadata.

    The signature is inferred from the training set where none is given. A feature that is looked up may be missing, so whole numbers
    among them are doubles there.
    """
    asked: dict[str, Any] = dict(arguments)
    if training_set is not None:
        spec = training_set.feature_spec
        asked["metadata"] = {**(asked.get("metadata") or {}), METADATA_KEY: spec.as_dict()}
        if asked.get("signature") is None or infer_input_example:
            sample = training_set.load_df().limit(_SAMPLE_ROWS).toPandas()
            rows = _as_looked_up(sample[list(spec.features_order)], spec)
            if infer_input_example:
                asked.setdefault("input_example", rows)
            if asked.get("signature") is None:
                asked["signature"] = _signature(model, rows, sample, spec)
    if registered_model_name is not None:
        asked |= {"registered_model_name": registered_model_name, "await_registration_for": await_registration_for}
    # MLflow 3 calls it name, MLflow 2 knows no other.
    parameters = inspect.signature(flavor.log_model).parameters
    asked["name" if "name" in parameters else "artifact_path"] = artifact_path
    if "python_model" not in parameters:
        return flavor.log_model(model, **asked)
    # Of pyfunc alone the model is not the first argument.
    return flavor.log_model(**(asked if model is None else {"python_model": model, **asked}))


def _as_looked_up(rows: pd.DataFrame, spec: FeatureSpec) -> pd.DataFrame:
    looked_up = [name for lookup in spec.lookups for name in lookup.outputs if name in rows and name not in lookup.defaults]
    whole = [name for name in looked_up if pd.api.types.is_integer_dtype(rows[name])]
    return rows.astype(dict.fromkeys(whole, "float64"))


def _signature(model: Any, rows: pd.DataFrame, sample: pd.DataFrame, spec: FeatureSpec) -> ModelSignature:
    """Of what the model predicts; of the label, where it does not predict by a call of ``predict`` with rows."""
    predict = getattr(model, "predict", None)
    try:
        return infer_signature(rows, predict(rows)) if predict is not None else _of_label(rows, sample, spec)
    except Exception:  # noqa: BLE001 - models are of any kind
        return _of_label(rows, sample, spec)


def _of_label(rows: pd.DataFrame, sample: pd.DataFrame, spec: FeatureSpec) -> ModelSignature:
    inputs = infer_signature(rows).inputs
    if not spec.labels:
        return ModelSignature(inputs, Schema([ColSpec(DataType.double)]))
    return infer_signature(rows, sample[list(spec.labels)])


def score_batch(model_uri: str, df: DataFrame, result_type: Any, env_manager: str, tables: FeatureTables) -> DataFrame:
    """Rows, in their order, with the model's features and its ``prediction``; a column that is there already is not looked up.

    Raises:
        ValueError: If the model has no feature spec, a column that it needs is not there, or there is no such ``env_manager``.
    """
    if env_manager != "local":
        message = f"env_manager is {env_manager!r}; valid: local, which runs the model with the engine's packages."
        raise ValueError(message)
    # Once and whole: older clients of the registry cannot fetch one file of a version.
    with tempfile.TemporaryDirectory() as folder:
        path = download_artifacts(artifact_uri=model_uri, dst_path=folder)
        return scorer(path, model_uri, result_type, tables)(df)


def scorer(
    path: str,
    model_uri: str,
    result_type: Any,
    tables: FeatureTables,
    prediction: str = "prediction",
    *,
    tells_refusals: bool = False,
) -> Callable[[DataFrame], DataFrame]:
    """What looks up a model's features for rows, as the tables are when these are asked for, and predicts.

    Args:
        path: The folder with its files, which may go afterwards.
        model_uri: The model, for messages.
        result_type: Spark's type of what it predicts; that of its signature unless given.
        tables: Where features are looked up.
        prediction: The column with what it predicts.
        tells_refusals: See ``local_model_function``.

    Raises:
        ValueError: If the model has no feature spec; from what is returned, if a column that it needs is not there.
    """
    spec = spec_of(path, model_uri)
    predict = local_model_function(path, model_uri, result_type, tells_refusals=tells_refusals)

    def score(df: DataFrame) -> DataFrame:
        missing = [name for name in spec.inputs if not is_among(name, df.columns)]
        if missing:
            message = f"df has no column '{missing[0]}', which the model {model_uri} takes. It has: {', '.join(df.columns)}."
            raise ValueError(message)
        found = predict(F.struct(*(column_named(name).alias(name) for name in spec.features_order)))
        return in_order(df, lambda rows: add_features(rows, spec, tables, latest=True).withColumn(prediction, found))

    return score


def spec_of(path: str, model_uri: str) -> FeatureSpec:
    """The feature spec of a model, whose files are in a folder.

    Raises:
        ValueError: If it has none.
        FeatureSpecInvalid: If it is not valid.
    """
    metadata: Mapping[str, Any] = get_model_info(path).metadata or {}
    if METADATA_KEY not in metadata:
        message = f"The model {model_uri} has no feature spec: log it with log_model(..., training_set=...) of this client."
        raise ValueError(message)
    return FeatureSpec.parse(metadata[METADATA_KEY])
