"""What the clients have in common."""

import datetime as dt
from collections.abc import Mapping, Sequence

from pyspark.sql import DataFrame
from pyspark.sql.types import StructType

from boathouse.features.client.lookups import names_of
from boathouse.features.client.tables import FeatureTable, FeatureTables


class Client:
    """What both have."""

    def __init__(self, tables: FeatureTables | None, model_registry_uri: str | None) -> None:
        self._tables = tables or FeatureTables()
        if model_registry_uri is not None:
            import mlflow  # noqa: PLC0415 - beside its only use

            mlflow.set_registry_uri(model_registry_uri)

    def get_table(self, name: str) -> FeatureTable:
        """What is known of a feature table."""
        return self._tables.get(name)

    def drop_table(self, name: str) -> None:
        """Delete a feature table."""
        self._tables.drop(name)

    def _create(
        self,
        name: str,
        primary_keys: str | Sequence[str],
        df: DataFrame | None,
        times: Sequence[str],
        partition_columns: str | Sequence[str] | None,
        schema: StructType | None,
        description: str | None,
        tags: Mapping[str, str] | None,
        available_at: str | None,
    ) -> FeatureTable:
        return self._tables.create(
            name,
            names_of(primary_keys, "primary_keys"),
            df=df,
            schema=schema,
            times=times,
            available_at=available_at,
            partition_columns=names_of(partition_columns, "partition_columns"),
            description=description,
            tags=tags,
        )

    def _read(self, name: str, time: dt.datetime | str | None) -> DataFrame:
        self._tables.keys(name)
        return self._tables.read(name, time=time)
