"""What a model has to say of itself before it is registered: the types of what it takes and gives."""

from pathlib import Path
from typing import Any

import yaml
from mlflow.models import ModelSignature

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
