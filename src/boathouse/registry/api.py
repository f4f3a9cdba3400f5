"""What other slices use of the registry."""

from boathouse.registry.artifacts import ArtifactPath, from_databricks, to_databricks
from boathouse.registry.backend import Loaded, MlflowBackend
from boathouse.registry.context import acting_as, acting_principal
from boathouse.registry.errors import our_errors

__all__ = [
    "ArtifactPath",
    "Loaded",
    "MlflowBackend",
    "acting_as",
    "acting_principal",
    "from_databricks",
    "our_errors",
    "to_databricks",
]
