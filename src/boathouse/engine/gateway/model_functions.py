"""Which model versions a client's Python functions score rows with: ``spark_udf`` writes it into the function, beside the packed model."""

import re

from boathouse.history.api import AssetRef

MARK = b"boathouse-scores-with:"
"""Before the address of a model version, ``models:/catalog.schema.model/3``, and a semicolon."""

_FOUND = re.compile(re.escape(MARK) + rb"models:/([\w.-]{1,400})/(\d{1,10});")


def models_in(command: bytes) -> tuple[AssetRef, ...]:
    """The model versions that a pickled function names."""
    if MARK not in command:
        return ()
    found = (
        AssetRef(kind="MODEL_VERSION", name=f"{name.decode().lower()}/{int(version)}")
        for name, version in _FOUND.findall(command)
    )
    return tuple(dict.fromkeys(found))
