"""What a model says of itself: the types of what it takes and gives, without which it is not registered, and its feature spec."""

from pathlib import Path
from typing import Any

import yaml
from mlflow.models import ModelSignature

from boathouse.features.api import METADATA_KEY, FeatureSpec, FeatureSpecInvalid
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


def feature_spec(folder: Path) -> FeatureSpec | None:
    """What the model in a folder is fed with; None if it does not say that in a way that can be read."""
    try:
        told: Any = yaml.safe_load((folder / MLMODEL).read_bytes())
        return FeatureSpec.parse(told["metadata"][METADATA_KEY])
    except (OSError, yaml.YAMLError, KeyError, TypeError, FeatureSpecInvalid):
        return None
