"""Rows on their way from Parquet files to Kafka."""

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from boathouse.engine.streaming.errors import Stopped, StreamRefused
from boathouse.engine.streaming.kafka.client import library
from boathouse.engine.streaming.kafka.reading import failed

_AT_ONCE = 10_000
_FLUSH_SECONDS = 120.0
_HEADERS = pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary())]))
_FORMS = {
    "key": (pa.string(), pa.binary()),
    "value": (pa.string(), pa.binary()),
    "topic": (pa.string(),),
    "partition": (pa.int32(),),
}


class Sender:
    """A producer, connected when it is first needed.

    Args:
        options: Of the writer.
        configuration: Of the library.
    """

    def __init__(self, options: Mapping[str, str], configuration: Mapping[str, Any]) -> None:
        self._topic = next((value for key, value in options.items() if key.lower() == "topic"), None)
        self._configuration = configuration
        self._producer: Any = None
        self._failures: list[str] = []
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Send no more rows; from another thread."""
        self._stopped.set()

    def require_columns(self, schema: pa.Schema) -> None:
        """Go on only if rows have the columns that Spark's sink takes.

        Raises:
            StreamRefused: If one is missing or of another type.
        """
        _require_columns(schema, self._topic)

    def send(self, place: Path) -> int:
        """Send the rows of a folder's files, and wait until the brokers have them; how many there were.

        Raises:
            StreamRefused: If they do not take all.
            Stopped: If it was stopped before.
        """
        producer, count = self._connected(), 0
        self._failures.clear()
        for row in _rows(place):
            topic = self._topic or row.get("topic")
            if topic is None:
                message = "null topic present in the data. Use the topic option for setting a topic."
                raise StreamRefused(message)
            self._produce(producer, topic, row)
            count += 1
            if self._stopped.is_set():
                raise Stopped
            if self._failures:
                break
        left = producer.flush(_FLUSH_SECONDS)
        if self._failures or left:
            brokers = self._configuration.get("bootstrap.servers", "")
            late = f"{left} rows were not taken by the brokers {brokers} within {_FLUSH_SECONDS:.0f} s"
            cause = self._failures[0] if self._failures else late
            message = f"Kafka did not take all rows of the batch: {cause}. Some may be there."
            raise StreamRefused(message)
        return count

    def _produce(self, producer: Any, topic: str, row: Mapping[str, Any]) -> None:
        headers = row.get("headers")
        more: dict[str, Any] = {} if row.get("partition") is None else {"partition": row["partition"]}
        if headers is not None:
            more["headers"] = [(one["key"], one["value"]) for one in headers if one is not None]
        while True:
            try:
                producer.produce(topic, value=row.get("value"), key=row.get("key"), on_delivery=self._told, **more)
            except BufferError:
                producer.poll(1.0)
            except library().KafkaException as error:
                raise failed(error, self._configuration) from None
            else:
                producer.poll(0)
                return

    def _told(self, error: Any, _: Any) -> None:
        if error is not None:
            self._failures.append(error.str())

    def _connected(self) -> Any:
        if self._producer is None:
            kafka = library()
            try:
                self._producer = kafka.Producer({"acks": "all", **self._configuration})
            except (kafka.KafkaException, ValueError, TypeError) as error:
                raise failed(error, self._configuration) from None
        return self._producer


def _rows(place: Path) -> Iterator[dict[str, Any]]:
    for file in sorted(place.rglob("*.parquet")):
        with pq.ParquetFile(file) as parquet:
            for part in parquet.iter_batches(_AT_ONCE):
                yield from part.to_pylist()


def _require_columns(schema: pa.Schema, topic: str | None) -> None:
    """Go on only if the rows have the columns that Spark's sink takes.

    Raises:
        StreamRefused: If one is missing or of another type.
    """
    columns = {field.name.lower(): field.type for field in schema}
    if "value" not in columns:
        message = "Required attribute 'value' not found: the rows for Kafka need a column value, a string or binary."
        raise StreamRefused(message)
    if topic is None and "topic" not in columns:
        message = "topic option required when no 'topic' attribute is present. Use the topic option for setting a topic."
        raise StreamRefused(message)
    for name, kind in columns.items():
        valid = (_HEADERS,) if name == "headers" else _FORMS.get(name, ())
        if valid and not any(_same(kind, one) for one in valid):
            shown = " or ".join("array<struct<key: string, value: binary>>" if one is _HEADERS else str(one) for one in valid)
            message = f"{name} attribute unsupported type {kind}: it must be {shown}."
            raise StreamRefused(message)


def _same(kind: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether two types are the same, but for the names and nullability that Arrow tells apart."""
    if pa.types.is_list(wanted):
        fields = kind.value_type if pa.types.is_list(kind) and pa.types.is_struct(kind.value_type) else None
        return fields is not None and [(one.name, one.type) for one in fields] == [("key", pa.string()), ("value", pa.binary())]
    return kind == wanted
