"""``FeatureEngineeringClient``."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

import pandas as pd
from databricks.sdk.service import ml, serving
from pyspark.sql import DataFrame
from pyspark.sql.streaming.query import StreamingQuery
from pyspark.sql.types import StructType

from boathouse.features.client import backfilling, checks, feature_specs, models
from boathouse.features.client.backfilling import Backfilled
from boathouse.features.client.base import Client
from boathouse.features.client.feature_specs import EndpointCoreConfig, FeatureSpecInfo
from boathouse.features.client.lookups import FeatureFunction, FeatureLookup
from boathouse.features.client.tables import FeatureTable, FeatureTables, times_of
from boathouse.features.client.training_set import TrainingSet, training_set


def _one_name(table_name: str | None, name: str | None) -> str:
    found = table_name or name
    if not found:
        raise ValueError("table_name is needed: the feature table.")
    return found


class FeatureEngineeringClient(Client):
    """Feature tables, training sets and models with look-ups.

    Args:
        model_registry_uri: Where models are registered; MLflow's setting unless given.
        tables: Session and REST API; those of the process unless given.
    """

    def __init__(self, *, model_registry_uri: str | None = None, tables: FeatureTables | None = None) -> None:
        super().__init__(tables, model_registry_uri)

    def create_table(
        self,
        *,
        name: str,
        primary_keys: str | Sequence[str],
        df: DataFrame | None = None,
        timeseries_columns: str | Sequence[str] | None = None,
        timeseries_column: str | None = None,
        timestamp_keys: str | Sequence[str] | None = None,
        partition_columns: str | Sequence[str] | None = None,
        schema: StructType | None = None,
        description: str | None = None,
        tags: Mapping[str, str] | None = None,
        available_at: str | None = None,
    ) -> FeatureTable:
        """Make a feature table, with the rows of ``df`` if it is given.

        One that is there with the same columns and keys stays as it is, with a warning.

        Args:
            name: ``catalog.schema.table``, or shorter in the session's catalog and schema.
            primary_keys: Columns that say which entity a row is of; the time may be among them.
            df: Its columns, and its first rows.
            timeseries_columns: The column with the time from when on a row holds.
            timeseries_column: Another name of it.
            timestamp_keys: Another name of it.
            partition_columns: Columns that its files are split by.
            schema: Its columns, where there is no ``df``.
            description: Its comment.
            tags: Its tags.
            available_at: The column with the time from when on a row was known, where that is later than its time. Boathouse's own.

        Raises:
            ValueError: If an argument is not valid; it names it.
        """
        times = times_of(timeseries_columns, timeseries_column, timestamp_keys)
        return self._create(name, primary_keys, df, times, partition_columns, schema, description, tags, available_at)

    def write_table(
        self,
        *,
        name: str,
        df: DataFrame,
        mode: str = "merge",
        checkpoint_location: str | None = None,
        trigger: Mapping[str, Any] | None = None,
    ) -> StreamingQuery | None:
        """Write rows: ``merge`` updates those whose keys are there and adds the others, ``overwrite`` replaces all.

        Returns:
            The query, if ``df`` streams.

        Raises:
            ValueError: If a row has no key, two have the same, or a column is not the table's; nothing is written then.
        """
        return self._tables.write(name, df, mode, checkpoint_location=checkpoint_location, trigger=trigger)

    def set_feature_table_tag(self, *, table_name: str | None = None, name: str | None = None, key: str, value: str) -> None:
        """Set a tag of a feature table."""
        self._tables.set_tag(_one_name(table_name, name), key, value)

    def delete_feature_table_tag(self, *, table_name: str | None = None, name: str | None = None, key: str) -> None:
        """Take a tag of a feature table off."""
        self._tables.delete_tag(_one_name(table_name, name), key)

    def read_table(self, *, name: str, as_of_delta_timestamp: dt.datetime | str | None = None) -> DataFrame:
        """The rows of a feature table, of now or as they were at a time."""
        return self._read(name, as_of_delta_timestamp)

    def create_training_set(
        self,
        *,
        df: DataFrame,
        feature_lookups: FeatureLookup | FeatureFunction | Sequence[FeatureLookup | FeatureFunction] | None = None,
        label: str | Sequence[str] | None,
        exclude_columns: str | Sequence[str] | None = None,
    ) -> TrainingSet:
        """Rows with features: of each feature table the row that was known at the row's time.

        Args:
            df: Rows with keys, times and the label.
            feature_lookups: What is looked up, and computed after it.
            label: Column that is to be predicted, or columns.
            exclude_columns: Columns that are not trained on.

        Raises:
            ValueError: If something is not there or not of the right type; it names it.
        """
        return training_set(df, feature_lookups or (), label, exclude_columns, self._tables)

    def log_model(
        self,
        *,
        model: Any,
        artifact_path: str,
        flavor: ModuleType,
        training_set: TrainingSet | None = None,
        registered_model_name: str | None = None,
        await_registration_for: int = 300,
        infer_input_example: bool = False,
        **arguments: Any,
    ) -> Any:
        """Log a model with MLflow, with what it looks up, so that scoring and endpoints need but the keys.

        Args:
            model: The model.
            artifact_path: Its name in the run.
            flavor: MLflow's module for it, as ``mlflow.lightgbm``.
            training_set: What it was trained on.
            registered_model_name: Under which name it is registered.
            await_registration_for: Seconds to wait for that.
            infer_input_example: Whether rows of the training set are logged with it.
            arguments: What ``flavor.log_model`` takes.
        """
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

    def score_batch(
        self, *, model_uri: str, df: DataFrame, result_type: Any = "double", env_manager: str = "local"
    ) -> DataFrame:
        """Rows with the model's features and its ``prediction``.

        Args:
            model_uri: The model, logged with ``log_model``.
            df: Rows with the keys, times and other columns that the model takes. A feature that is a column of it is not looked up.
            result_type: Spark's type of the prediction.
            env_manager: ``local``: the model runs with the engine's packages.

        Raises:
            ValueError: If the model has no feature spec, or a column is missing.
        """
        return models.score_batch(model_uri, df, result_type, env_manager, self._tables)

    def publish_table(
        self, *, online_store: Any, source_table_name: str, online_table_name: str, publish_mode: str = "TRIGGERED"
    ) -> Any:
        """Copy a feature table into an online store, where endpoints look it up.

        Args:
            online_store: The store, or its name.
            source_table_name: The feature table.
            online_table_name: The online table, ``catalog.schema.table``.
            publish_mode: ``TRIGGERED``, ``SNAPSHOT`` or ``CONTINUOUS``: also whenever the table changes.
        """
        store = online_store if isinstance(online_store, str) else online_store.name
        mode = ml.PublishSpecPublishMode(publish_mode)
        spec = ml.PublishSpec(online_store=store, online_table_name=online_table_name, publish_mode=mode)
        return self._tables.workspace.feature_store.publish_table(self._tables.full_name(source_table_name), spec)

    def drop_online_table(self, *, name: str, online_store: Any = None) -> None:
        """Delete an online table; what it was published from stays.

        Args:
            name: The online table, ``catalog.schema.table``.
            online_store: Its store; of no effect, as the name says which it is.
        """
        del online_store
        self._tables.workspace.feature_store.delete_online_table(self._tables.full_name(name))

    def create_feature_spec(
        self,
        *,
        name: str,
        features: Sequence[FeatureLookup | FeatureFunction],
        exclude_columns: str | Sequence[str] | None = None,
    ) -> FeatureSpecInfo:
        """Put look-ups and functions under a name of the catalog, for endpoints that answer features.

        Args:
            name: ``catalog.schema.name``.
            features: What is looked up, and computed after it.
            exclude_columns: Columns that are not answered.

        Raises:
            ValueError: If a table, feature or function is not there, or named twice; it names it.
        """
        return feature_specs.create_feature_spec(name, features, exclude_columns, self._tables)

    def get_feature_spec(self, *, name: str) -> FeatureSpecInfo:
        """A feature spec."""
        return feature_specs.get_feature_spec(name, self._tables)

    def delete_feature_spec(self, *, name: str) -> None:
        """Delete a feature spec."""
        feature_specs.delete_feature_spec(name, self._tables)

    def create_feature_serving_endpoint(self, *, name: str, config: EndpointCoreConfig) -> serving.ServingEndpointDetailed:
        """Start an endpoint that answers features, and wait until it does.

        Args:
            name: The endpoint.
            config: The feature spec that it serves; its tables have to be published.
        """
        return feature_specs.create_endpoint(name, config, self._tables)

    def get_feature_serving_endpoint(self, *, name: str) -> serving.ServingEndpointDetailed:
        """An endpoint."""
        return self._tables.workspace.serving_endpoints.get(name)

    def delete_feature_serving_endpoint(self, *, name: str) -> None:
        """Delete an endpoint."""
        self._tables.workspace.serving_endpoints.delete(name)

    def preview_lookup(
        self, *, lookup: FeatureLookup, key: Mapping[str, Any], time: dt.datetime | str | None = None
    ) -> DataFrame:
        """The rows of one entity, newest first, each with what the as-of join makes of it. Boathouse's own.

        Args:
            lookup: The look-up.
            key: Column of ``lookup_key`` -> value.
            time: The time to look up as of, if the look-up has one.

        Returns:
            The column ``as_of_status`` (``chosen``, ``an older row``, ``after the time``, ``not known yet``, ``too old``), the times of
            the row, and the features; 1,000 rows at most.

        Raises:
            ValueError: If the key or time does not fit the look-up.
        """
        return checks.preview(lookup, key, time, self._tables)

    def backfill(
        self,
        *,
        name: str,
        compute: Callable[[dt.datetime], DataFrame],
        start: dt.datetime,
        end: dt.datetime,
        every: dt.timedelta,
        delay: dt.timedelta | None = None,
    ) -> Backfilled:
        """Compute features as of past moments, and merge them into a feature table. Boathouse's own.

        Doing it again for the same moments updates the same rows.

        Args:
            name: The feature table; it has a time in its primary key.
            compute: Gives the rows as of a moment (in UTC): the table's columns, of which the time and since when a row is known may be
                left out. They are the moment then, and ``delay`` after it.
            start: The first moment; in UTC unless it says otherwise.
            end: After the last one.
            every: From one to the next.
            delay: How long after its moment a row became known, in the table's ``available_at``; 0 by default.

        Returns:
            How many moments were filled, and by how many commits.

        Raises:
            ValueError: If an argument is not valid, or rows are after their moment; moments before may be written then.
        """
        return backfilling.backfill(name, compute, start, end, every, delay, self._tables)

    def check_skew(self, *, endpoint: str, df: DataFrame, sample: int = 100, tolerance: float = 1e-6) -> pd.DataFrame:
        """Compare what an endpoint of a feature spec, or of a model that looks features up, answers with what a batch has now. Boathouse's own.

        Args:
            endpoint: The endpoint.
            df: Rows with the columns of its requests.
            sample: How many rows are compared.
            tolerance: By how much numbers may differ, relative to the batch's where that is above 1.

        Returns:
            A row for each feature, of a model for its ``prediction``: ``feature``, ``rows``, ``different`` (how many), ``largest_difference`` and an ``example``.

        Raises:
            ValueError: If the endpoint serves neither, or more than one, or ``df`` has not what it asks for.
        """
        return checks.check_skew(endpoint, df, sample, tolerance, self._tables)

    def create_online_store(
        self, *, name: str, capacity: str = "CU_1", read_replica_count: int | None = None
    ) -> ml.OnlineStore:
        """Make an online store."""
        store = ml.OnlineStore(name=name, capacity=capacity, read_replica_count=read_replica_count)
        return self._tables.workspace.feature_store.create_online_store(store)

    def get_online_store(self, *, name: str) -> ml.OnlineStore | None:
        """An online store, or None."""
        from databricks.sdk.errors import NotFound  # noqa: PLC0415 - beside its only use

        try:
            return self._tables.workspace.feature_store.get_online_store(name)
        except NotFound:
            return None

    def list_online_stores(self) -> list[ml.OnlineStore]:
        """All online stores."""
        return list(self._tables.workspace.feature_store.list_online_stores())

    def delete_online_store(self, *, name: str) -> None:
        """Delete an empty online store."""
        self._tables.workspace.feature_store.delete_online_store(name)
