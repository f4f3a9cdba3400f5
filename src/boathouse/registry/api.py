"""What other slices use of the registry."""

from boathouse.registry.artifacts import ArtifactPath, from_databricks, to_databricks
from boathouse.registry.backend import Loaded, MlflowBackend
from boathouse.registry.context import acting_as, acting_principal
from boathouse.registry.dependencies import Registry
from boathouse.registry.deployments import APPROVAL, Connection, Decision, Deployments, VersionDeployment
from boathouse.registry.errors import ApprovalMissing, MlflowNotLoaded, ModelNameInvalid, ModelNotFound, our_errors
from boathouse.registry.files import INTERNAL, MODELS, files_resolver
from boathouse.registry.governance import canonical
from boathouse.registry.info import READY, ModelChange, ModelInfo, ModelVersionInfo
from boathouse.registry.older_webhooks import renew as renew_registry_webhooks
from boathouse.registry.references import MlflowReferences
from boathouse.registry.service import ModelRegistry

__all__ = [
    "APPROVAL",
    "INTERNAL",
    "MODELS",
    "READY",
    "ApprovalMissing",
    "ArtifactPath",
    "Connection",
    "Decision",
    "Deployments",
    "Loaded",
    "MlflowBackend",
    "MlflowNotLoaded",
    "MlflowReferences",
    "ModelChange",
    "ModelInfo",
    "ModelNameInvalid",
    "ModelNotFound",
    "ModelRegistry",
    "ModelVersionInfo",
    "Registry",
    "VersionDeployment",
    "acting_as",
    "acting_principal",
    "canonical",
    "files_resolver",
    "from_databricks",
    "our_errors",
    "renew_registry_webhooks",
    "to_databricks",
]
