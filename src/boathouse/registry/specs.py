"""What a model is fed with. Without MLflow, whose import takes seconds, and which the server starts on a thread of its own."""

from pathlib import Path
from typing import Any

import yaml

from boathouse.features.api import METADATA_KEY, FeatureSpec, FeatureSpecInvalid
from boathouse.registry.artifacts import MLMODEL


def feature_spec(folder: Path) -> FeatureSpec | None:
    """What the model in a folder is fed with; None if it does not say that in a way that can be read."""
    try:
        told: Any = yaml.safe_load((folder / MLMODEL).read_bytes())
        return FeatureSpec.parse(told["metadata"][METADATA_KEY])
    except (OSError, yaml.YAMLError, KeyError, TypeError, FeatureSpecInvalid):
        return None
