"""``FeatureStoreClient``, the older client."""

import datetime as dt
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql.streaming.query import StreamingQuery
from pyspark.sql.types import StructType

from boathouse.features.client import models
from boathouse.features.client.base import Client
from boathouse.features.client.lookups import FeatureFunction, FeatureLookup, names_of
from boathouse.features.client.tables import FeatureTable, FeatureTables, times_of
from boathouse.features.client.training_set import TrainingSet, training_set


class FeatureStoreClient(Client):
    """The older client, whose arguments may be given by place.

    Args:
        feature_store_uri: Of no effect: the feature store is the catalog.
        model_registry_uri: Where models are registered; MLflow's setting unless given.
        tables: Session and REST API; those of the process unless given.
    """

    def __init__(
        self,
        feature_store_uri: str | None = None,
        model_registry_uri: str | None = None,
        *,
        tables: FeatureTables | None = None,
    ) -> None:
        del feature_store_uri
        super().__init__(tables, model_registry_uri)

    def create_table(
        self,
        name: str,
        primary_keys: str | Sequence[str],
        df: DataFrame | None = None,
        *,
        timestamp_keys: str | Sequence[str] | None = None,
        partition_columns: str | Sequence[str] | None = None,
        schema: StructType | None = None,
        description: str | None = None,
        tags: Mapping[str, str] | None = None,
        available_at: str | None = None,
    ) -> FeatureTable:
        """Make a feature table; see ``FeatureEngineeringClient.create_table``."""
        times = times_of(None, None, timestamp_keys)
        return self._create(name, primary_keys, df, times, partition_columns, schema, description, tags, available_at)

    def create_feature_table(
        self,
        name: str,
        keys: str | Sequence[str],
        features_df: DataFrame | None = None,
        schema: StructType | None = None,
        partition_columns: str | Sequence[str] | None = None,
        description: str | None = None,
        timestamp_keys: str | Sequence[str] | None = None,
    ) -> FeatureTable:
        """Make a feature table, by the oldest names of the arguments."""
        times = times_of(None, None, timestamp_keys)
        return self._create(name, keys, features_df, times, partition_columns, schema, description, None, None)

    def register_table(
        self,
        *,
        delta_table: str,
        primary_keys: str | Sequence[str],
        timestamp_keys: str | Sequence[str] | None = None,
        description: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> FeatureTable:
        """Make a feature table of a table that is there: its keys are declared, no row changes.

        Raises:
            ValueError: If a key is no column, or a row has none or shares it.
        """
        times = times_of(None, None, timestamp_keys)
        return self._tables.register(delta_table, names_of(primary_keys, "primary_keys"), times, description, tags)

    def get_feature_table(self, name: str) -> FeatureTable:
        """What is known of a feature table, by the oldest name."""
        return self.get_table(name)

    def set_feature_table_tag(self, table_name: str, key: str, value: str) -> None:
        """Set a tag of a feature table."""
        self._tables.set_tag(table_name, key, value)

    def delete_feature_table_tag(self, table_name: str, key: str) -> None:
        """Take a tag of a feature table off."""
        self._tables.delete_tag(table_name, key)

    def write_table(
        self,
        name: str,
        df: DataFrame,
        mode: str = "merge",
        checkpoint_location: str | None = None,
        trigger: Mapping[str, Any] | None = None,
    ) -> StreamingQuery | None:
        """Write rows; see ``FeatureEngineeringClient.write_table``."""
        return self._tables.write(name, df, mode, checkpoint_location=checkpoint_location, trigger=trigger)

    def read_table(self, name: str, as_of_delta_timestamp: dt.datetime | str | None = None) -> DataFrame:
        """The rows of a feature table, of now or as they were at a time."""
        return self._read(name, as_of_delta_timestamp)

    def create_training_set(
        self,
        df: DataFrame,
        feature_lookups: FeatureLookup | FeatureFunction | Sequence[FeatureLookup | FeatureFunction],
        label: str | Sequence[str] | None,
        exclude_columns: str | Sequence[str] | None = None,
    ) -> TrainingSet:
        """Rows with features; see ``FeatureEngineeringClient.create_training_set``."""
        return training_set(df, feature_lookups, label, exclude_columns, self._tables)

    def log_model(
        self,
        model: Any,
        artifact_path: str,
        *,
        flavor: ModuleType,
        training_set: TrainingSet | None = None,
        registered_model_name: str | None = None,
        await_registration_for: int = 300,
        infer_input_example: bool = False,
        **arguments: Any,
    ) -> Any:
        """Log a model; see ``FeatureEngineeringClient.log_model``."""
        return models.log_model(
            model,
            artifact_path,
            flavor,
            training_set,
            registered_model_name=registered_model_name,
            await_registration_for=await_registration_for,
            infer_input_example=infer_input_example,
            **arguments,
        )

    def score_batch(self, model_uri: str, df: DataFrame, result_type: Any = "double", env_manager: str = "local") -> DataFrame:
        """Rows with the model's features and its ``prediction``; see ``FeatureEngineeringClient.score_batch``."""
        return models.score_batch(model_uri, df, result_type, env_manager, self._tables)
