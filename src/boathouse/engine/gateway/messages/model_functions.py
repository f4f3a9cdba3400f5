"""Which model versions a client's Python functions score rows with: ``spark_udf`` writes it into the function, beside the packed model."""

import re

from boathouse.history.api import AssetRef
from boathouse.kit.scores_with import MARK

_MARK = MARK.encode()
_FOUND = re.compile(re.escape(_MARK) + rb"models:/([\w.-]{1,400})/(\d{1,10});")


def models_in(command: bytes) -> tuple[AssetRef, ...]:
    """The model versions that a pickled function names."""
    if _MARK not in command:
        return ()
    found = (
        AssetRef(kind="MODEL_VERSION", name=f"{name.decode().lower()}/{int(version)}")
        for name, version in _FOUND.findall(command)
    )
    return tuple(dict.fromkeys(found))
