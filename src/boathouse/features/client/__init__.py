"""What Databricks' modules ``databricks.feature_engineering`` and ``databricks.feature_store`` have; user code finds it under their names."""

from boathouse.features.client.engineering import FeatureEngineeringClient
from boathouse.features.client.feature_specs import EndpointCoreConfig, FeatureSpecInfo, ServedEntity
from boathouse.features.client.lookups import FeatureFunction, FeatureLookup
from boathouse.features.client.store import FeatureStoreClient
from boathouse.features.client.tables import FeatureTable, FeatureTables
from boathouse.features.client.training_set import TrainingSet

__all__ = [
    "EndpointCoreConfig",
    "FeatureEngineeringClient",
    "FeatureFunction",
    "FeatureLookup",
    "FeatureSpecInfo",
    "FeatureStoreClient",
    "FeatureTable",
    "FeatureTables",
    "ServedEntity",
    "TrainingSet",
]
