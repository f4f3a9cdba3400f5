"""What a model says of itself: the types of what it takes and gives, without which it is not registered."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import ParamSpec, TensorSpec

from boathouse.registry.artifacts import MLMODEL
from boathouse.registry.errors import SignatureMissing


def require_signature(folder: Path) -> None:
    """Go on only if the model in a folder has a signature with inputs and outputs, as Unity Catalog asks.

    Raises:
        SignatureMissing: If it has not, or its file cannot be read.
    """
    try:
        told: Any = yaml.safe_load((folder / MLMODEL).read_bytes())
        signature = told.get("signature") if isinstance(told, dict) else None
        parsed = ModelSignature.from_dict(signature) if signature else None
    except Exception as error:
        raise SignatureMissing(f"cannot be read ({type(error).__name__})") from error
    if parsed is None:
        raise SignatureMissing("did not contain any signature metadata")
    if parsed.inputs is None or parsed.outputs is None:
        missing = "inputs" if parsed.inputs is None else "outputs"
        raise SignatureMissing(f"has a signature without {missing}")


@dataclass(frozen=True)
class Column:
    """One of what a model takes or gives.

    Attributes:
        name: Its name, or "" where it has none.
        type: In MLflow's words: ``double``, ``Array(string)``, ``Tensor('float64', (-1, 3))``.
        required: Whether it has to be given.
    """

    name: str
    type: str
    required: bool


def columns_of(folder: Path) -> tuple[list[Column], list[Column], list[Column]]:
    """What the model in a folder takes, gives, and takes as parameters; nothing where its file does not say."""
    try:
        told: Any = yaml.safe_load((folder / MLMODEL).read_bytes())
        signature: Any = ModelSignature.from_dict(told["signature"])
    except (OSError, yaml.YAMLError, KeyError, TypeError, MlflowException):
        return [], [], []
    given, answered = (
        [
            Column(str(one.name or ""), _type(one), bool(getattr(one, "required", True)))
            for one in (schema.inputs if schema else ())
        ]
        for schema in (signature.inputs, signature.outputs)
    )
    params = [Column(one.name, _type(one), required=False) for one in (signature.params.params if signature.params else ())]
    return given, answered, params


def _type(spec: Any) -> str:
    return (
        f"Tensor('{spec.type}', {spec.shape})"
        if isinstance(spec, TensorSpec)
        else repr(spec.dtype if isinstance(spec, ParamSpec) else spec.type)
    )
