"""Models as functions over columns: ``mlflow.pyfunc.spark_udf`` for an engine that shares neither files nor a network with the caller.

The model's files travel in the function's closure, as the processes that run functions can fetch nothing.
"""

import functools
import io
import os
import re
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from typing import Any, Union

from boathouse.kit.scores_with import MARK

_COLUMNS: dict[str, tuple[str, str]] = {
    **dict.fromkeys(("int", "integer"), ("iu", "int32")),
    **dict.fromkeys(("long", "bigint"), ("iu", "int64")),
    "float": ("iuf", "float32"),
    "double": ("iuf", "float64"),
    "boolean": ("b", "bool"),
    "string": ("", "object"),
}
"""A result's type -> the kinds of columns (numpy's letters) of the model's output that it takes, and as what; none: all, as text."""
_ASKED = re.compile(rf"(?P<plain>{'|'.join(_COLUMNS)})|array<\s*(?P<item>{'|'.join(_COLUMNS)})\s*>")
VALUE, REFUSED = "value", "refused"
"""What a function that goes on gives of each row: the model's answer, or why it has none."""
REFUSAL = "[MODEL_REFUSES_ROW]"
"""Before what is told of a row that a model refuses."""
MOST_BYTES = 96 * 1024 * 1024
"""What a message to the engine may be, with room for the rest of the plan."""


def spark_udf(
    spark: Any,  # noqa: ARG001 - MLflow's arguments
    model_uri: str,
    result_type: Any = None,
    env_manager: str | None = None,
    params: dict[str, Any] | None = None,
    **others: Any,
) -> Any:
    """What ``mlflow.pyfunc.spark_udf`` is in processes that run user code; see ``model_function``."""
    if env_manager not in {None, "local"}:
        message = (
            f"env_manager={env_manager!r} has no effect: functions run with the packages of the engine, and so does the model."
        )
        warnings.warn(message, stacklevel=2)
    given = sorted(name for name, value in others.items() if value is not None)
    if given:
        message = f"{given[0]} is not served by spark_udf here. Served: result_type, params."
        raise ValueError(message)
    return model_function(model_uri, result_type, params)


def model_function(model_uri: str, result_type: Any = None, params: dict[str, Any] | None = None) -> Any:
    """A pandas function that takes a struct of the model's columns, or the columns, and gives its first output.

    Without columns it takes those of the model's signature.

    Args:
        model_uri: The model.
        result_type: Spark's type of what it gives, as a type or text: the first of the model's output columns that has it, of an
            array all of them; ``string`` takes any, as text. That of the model's signature unless given, or double.
        params: What the model's ``predict`` takes besides.

    Raises:
        ValueError: If the model is too big to travel.
    """
    from mlflow.artifacts import download_artifacts  # noqa: PLC0415 - takes seconds, and most programs predict nothing

    with tempfile.TemporaryDirectory() as folder:
        return local_model_function(download_artifacts(artifact_uri=model_uri, dst_path=folder), model_uri, result_type, params)


def local_model_function(
    path: str,
    model_uri: str,
    result_type: Any = None,
    params: dict[str, Any] | None = None,
    *,
    tells_refusals: bool = False,
) -> Any:
    """The same for a model whose files are here, in a folder that may go afterwards.

    Args:
        path: The folder.
        model_uri: The model, for messages.
        result_type: See ``model_function``.
        params: The same.
        tells_refusals: Whether it gives a struct of the answer, ``VALUE``, and of why the model has none, ``REFUSED``, and goes on where
            the model refuses a row.
    """
    from mlflow.models import get_model_info  # noqa: PLC0415 - see above
    from pyspark.sql.functions import pandas_udf, struct  # noqa: PLC0415 - the same
    from pyspark.sql.types import StructType  # noqa: PLC0415 - the same

    signature = get_model_info(path).signature
    names = _column_names(signature)
    text = "" if result_type is None else result_type if isinstance(result_type, str) else result_type.simpleString()
    predictor = _predictor(_pack(path, model_uri), names, params, text, model_uri, tells_refusals=tells_refusals)
    if (version := _version(path)) is not None:
        # It travels with the function, so that the server knows which model has scored the rows.
        predictor.scores_with = f"{MARK}{version};"
    returns: Any = result_type or _result_type(signature)
    if tells_refusals:
        returns = StructType().add(VALUE, returns).add(REFUSED, "string")
    function = pandas_udf(predictor, returnType=returns)

    @functools.wraps(function)  # as spark.udf.register knows functions by what they hold
    def predict(*columns: Any) -> Any:
        if not columns and names is None:
            message = f"The model {model_uri} has no signature with names of columns: say which columns it takes."
            raise ValueError(message)
        return function(*(columns or (struct(*(f"`{name}`" for name in names or ())),)))

    return predict


def _version(path: str) -> str | None:
    """The address of the registered model's version that MLflow has fetched into a folder; None for any other model."""
    import yaml  # noqa: PLC0415 - see above

    try:
        with open(os.path.join(path, "registered_model_meta"), encoding="utf-8") as file:
            told = yaml.safe_load(file)
        return f"models:/{told['model_name']}/{int(told['model_version'])}"
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        return None


def _pack(path: str, model_uri: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for folder, _, names in os.walk(path):
            for name in names:
                whole = os.path.join(folder, name)
                archive.write(whole, os.path.relpath(whole, path))
    packed = buffer.getvalue()
    if len(packed) > MOST_BYTES:
        size = len(packed) // (1024 * 1024)
        message = (
            f"The model {model_uri} is {size} MB when packed, and a function may carry {MOST_BYTES // (1024 * 1024)} MB. "
            "Serve it by an endpoint, or load it with mlflow.pyfunc.load_model and predict with toPandas()."
        )
        raise ValueError(message)
    return packed


def _column_names(signature: Any) -> list[str] | None:
    names = None if signature is None or signature.inputs is None else signature.inputs.input_names()
    return list(names) if names and all(isinstance(name, str) for name in names) else None


def _result_type(signature: Any) -> Any:
    outputs = None if signature is None else signature.outputs
    if outputs is None or outputs.is_tensor_spec() or not outputs.inputs:
        return "double"
    kind = outputs.inputs[0].type
    return kind.to_spark() if hasattr(kind, "to_spark") else "double"


def _predictor(
    packed: bytes,
    names: list[str] | None,
    params: dict[str, Any] | None,
    result: str,
    model_uri: str,
    *,
    tells_refusals: bool,
) -> Any:
    import pandas as pd  # noqa: PLC0415 - the types of its arguments tell Spark what it takes

    Frame = Union[pd.Series, pd.DataFrame]  # noqa: N806, UP007 - Spark does not know the other form
    typed, chosen = _typed(), _chosen(result)
    parts, value, refused = _in_parts(model_uri, tells_refusals=tells_refusals), VALUE, REFUSED

    def predict(batches: Iterator[tuple[Frame, ...]]) -> Iterator[pd.Series]:  # pyright: ignore[reportInvalidTypeForm]
        import io  # noqa: PLC0415 - it runs in another process, where it brings nothing of this module
        import tempfile  # noqa: PLC0415
        import warnings  # noqa: PLC0415
        import zipfile  # noqa: PLC0415

        import pandas as pd  # noqa: PLC0415

        with tempfile.TemporaryDirectory() as folder:
            with zipfile.ZipFile(io.BytesIO(packed)) as archive:
                archive.extractall(folder)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                import mlflow.pyfunc  # noqa: PLC0415
                from mlflow.utils import requirements_utils  # noqa: PLC0415

                # To compare versions, of which nobody here reads, MLflow would look at every installed file: see serving.scoring.
                modules = "_MODULES_TO_PACKAGES"
                if getattr(requirements_utils, modules, False) is None:
                    setattr(requirements_utils, modules, {})
                model = mlflow.pyfunc.load_model(folder)
            schema = model.metadata.get_input_schema()
            columns = [] if schema is None or schema.is_tensor_spec() or not names else schema.inputs
            kinds = {one.name: getattr(one.type, "name", "") for one in columns}

            def answers(rows: Any) -> Any:
                rows = typed(rows, kinds)
                return model.predict(rows, params=params) if params else model.predict(rows)

            for batch in batches:
                # Of one column Spark gives no tuple, whatever the type says.
                given = batch if isinstance(batch, tuple) else (batch,)  # pyright: ignore[reportUnnecessaryIsInstance]
                rows = given[0] if isinstance(given[0], pd.DataFrame) else pd.concat(given, axis=1, keys=names)
                found = list(parts(answers, chosen, rows))
                answered = (
                    found[0][0] if len(found) == 1 else pd.Series([one for some, _ in found for one in some], dtype=object)
                )
                answer: Any = answered
                if tells_refusals:
                    reasons = [reason for some, reason in found for _ in some]
                    answer = pd.DataFrame({value: answered, refused: pd.Series(reasons, dtype=object)})
                yield answer

    return predict


def _typed() -> Any:
    """What gives rows the types of a model's signature. It travels, like what calls it."""
    integers, floats = {"integer": "int32", "long": "int64"}, {"double", "float"}

    def typed(rows: Any, kinds: dict[str, str]) -> Any:
        # A column of whole numbers is one of doubles as soon as one is missing, be it in a row that the model is not asked for now.
        wanted: dict[str, str] = {}
        for name, kind in kinds.items():
            if name not in rows:
                continue
            letter = rows[name].dtype.kind
            if kind in floats and letter in "iuO":
                wanted[name] = "float64"
            elif kind in integers and letter == "f" and rows[name].notna().all():
                wanted[name] = integers[kind]
        return rows.astype(wanted)

    return typed


def _chosen(result: str) -> Any:
    """What takes a column of a model's answers, or an array of them. It travels, like what calls it."""
    asked = _ASKED.fullmatch(result.strip().lower())
    wanted = (
        None
        if asked is None
        else (asked["plain"] or asked["item"], _COLUMNS[asked["plain"] or asked["item"]], bool(asked["item"]))
    )

    def chosen(found: Any) -> Any:
        import numpy as np  # noqa: PLC0415 - it runs in another process
        import pandas as pd  # noqa: PLC0415 - the same

        if wanted is None:
            if isinstance(found, pd.DataFrame):
                found = found.iloc[:, 0]
            elif getattr(found, "ndim", 1) > 1:
                found = found[:, 0]
            return pd.Series(found).reset_index(drop=True)
        word, (kinds, kind), is_array = wanted
        frame = pd.DataFrame(found).reset_index(drop=True).infer_objects()
        if kinds:
            frame = frame[[name for name in frame.columns if frame[name].dtype.kind in kinds]].astype(np.dtype(kind))
        else:
            frame = frame.map(lambda value: None if value is None else str(value))
        if not frame.shape[1]:
            message = f"The model gives no column that result_type '{word}' could take. Valid: 'string', 'double', 'boolean', arrays of these."
            raise ValueError(message)
        return pd.Series(frame.to_numpy().tolist()) if is_array else frame.iloc[:, 0]

    return chosen


def _in_parts(model_uri: str, *, tells_refusals: bool) -> Any:
    """How rows are put before a model: as many at once as it takes, down to the one that it refuses. It travels, like what calls it."""
    refusal = REFUSAL

    def told(row: Any, error: Exception) -> str:
        values = row.astype(object).iloc[0]
        shown = ", ".join(f"{name} = {None if is_null else values[name]!r}" for name, is_null in values.isna().items())
        empty = [str(name) for name, is_null in values.isna().items() if is_null]
        missing = f" It has no value in {', '.join(empty)}." if empty else ""
        why = " ".join(str(error).split())[:300].rstrip(".")
        return f"{model_uri} refuses a row: {type(error).__name__}: {why}.{missing} The row: {shown[:1000]}"

    def parts(answers: Any, chosen: Any, rows: Any) -> Any:
        waiting = [rows]
        while waiting:
            some = waiting.pop()
            try:
                found = answers(some)
            except Exception as error:
                half = len(some) // 2
                if half:
                    waiting += [some.iloc[half:], some.iloc[:half]]
                elif not len(some):
                    raise
                elif tells_refusals:
                    yield [None], told(some, error)
                else:
                    message = f"{refusal} {told(some, error)}"
                    raise ValueError(message) from error
            else:
                yield chosen(found), None

    return parts
