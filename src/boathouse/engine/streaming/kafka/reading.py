"""What a consumer finds on a broker: partitions, their bounds, and the rows between two offsets."""

import datetime as dt
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from boathouse.engine.streaming.errors import SourceChanged, Stopped, StreamRefused
from boathouse.engine.streaming.kafka.client import BROKERS, library
from boathouse.engine.streaming.kafka.offsets import EARLIEST, LATEST, Partition, Positions, require_same
from boathouse.engine.streaming.kafka.options import Bound, KafkaOptions

_HEADERS = pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary())]))
_COLUMNS = pa.schema(
    [
        ("key", pa.binary()),
        ("value", pa.binary()),
        ("topic", pa.string()),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("timestamp", pa.timestamp("us", "UTC")),
        ("timestampType", pa.int32()),
    ]
)
_AT_ONCE = 10_000
_POLL_SECONDS = 0.5
_META_SECONDS = 30.0
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def schema_of(options: KafkaOptions) -> pa.Schema:
    """The columns of Spark's connector."""
    return _COLUMNS.append(pa.field("headers", _HEADERS)) if options.with_headers else _COLUMNS


class Broker:
    """A connection for one source, made when it is first needed.

    Args:
        options: What is read.
        configuration: Of the library.
    """

    def __init__(self, options: KafkaOptions, configuration: Mapping[str, Any]) -> None:
        self._options = options
        self._configuration = dict(configuration)
        self._seconds = float(configuration.get("request.timeout.ms", _META_SECONDS * 1000)) / 1000
        # Of a producer, in the library; of all requests in Kafka's own client.
        self._configuration.pop("request.timeout.ms", None)
        self._consumer: Any = None
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Break off what is being read; from another thread."""
        self._stopped.set()

    def close(self) -> None:
        """Disconnect."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    # -------------------------------------------------------------------------------------------------------- bounds

    def partitions(self) -> list[Partition]:
        """What is there to be read now.

        Raises:
            StreamRefused: If a topic that is named is not there.
        """
        named = self._options.topics or tuple(dict.fromkeys(topic for topic, _ in self._options.partitions))
        topics = self._ask(lambda consumer: consumer.list_topics(timeout=self._seconds)).topics
        for name in named:
            if name not in topics or topics[name].error is not None:
                message = f"[UNKNOWN_TOPIC_OR_PARTITION] The Kafka topic '{name}' does not exist, or may not be read with these options."
                raise StreamRefused(message)
        if self._options.partitions:
            return list(self._options.partitions)
        pattern = self._options.pattern
        chosen = named if pattern is None else sorted(name for name in topics if pattern.fullmatch(name))
        return [(name, number) for name in chosen for number in sorted(topics[name].partitions)]

    def bounds(self, partitions: Iterable[Partition]) -> dict[Partition, tuple[int, int]]:
        """The earliest offset of each partition, and that after its latest row."""
        kafka = library()
        return {
            one: self._ask(
                lambda consumer, one=one: consumer.get_watermark_offsets(kafka.TopicPartition(*one), timeout=self._seconds)
            )
            for one in partitions
        }

    def resolved(self, bound: Bound, bounds: Mapping[Partition, tuple[int, int]], *, is_start: bool) -> Positions:
        """The offsets that a bound means."""
        if bound.everywhere is not None:
            return {one: low if bound.everywhere == EARLIEST else high for one, (low, high) in bounds.items()}
        if bound.offsets is not None:
            require_same(bound.offsets, bounds, bound.option)
            meant = {EARLIEST: 0, LATEST: 1}
            return {one: bounds[one][meant[offset]] if offset in meant else offset for one, offset in bound.offsets.items()}
        return self._at_times(bound, bounds, is_start=is_start)

    def _at_times(self, bound: Bound, bounds: Mapping[Partition, tuple[int, int]], *, is_start: bool) -> Positions:
        times = dict(bound.times or {})
        if None in times:
            times = dict.fromkeys(bounds, times[None])
        require_same([one for one in times if one is not None], bounds, bound.option)
        kafka = library()
        asked = [kafka.TopicPartition(*one, times[one]) for one in bounds]
        found = self._ask(lambda consumer: consumer.offsets_for_times(asked, timeout=self._seconds))
        positions: Positions = {}
        for one in found:
            partition = (one.topic, one.partition)
            if one.offset < 0 and is_start and not self._options.unknown_times_are_latest:
                message = (
                    f"No offset matched from request of topic-partition {one.topic}-{one.partition} and timestamp {times[partition]}: "
                    "there is no row at or after it. Set startingOffsetsByTimestampStrategy to latest to begin with the next one."
                )
                raise StreamRefused(message)
            positions[partition] = bounds[partition][1] if one.offset < 0 else one.offset
        return positions

    # ---------------------------------------------------------------------------------------------------------- rows

    def fetch(self, start: Positions, end: Positions, file: Path) -> int:
        """Write the rows from a start to before an end to a Parquet file; how many there were.

        Raises:
            SourceChanged: If some of them are gone, and that is an error.
            StreamRefused: If they do not come in time.
            Stopped: If it was stopped before they were there.
        """
        left = self._readable(start, end)
        kafka, schema, count = library(), schema_of(self._options), 0
        with pq.ParquetWriter(file, schema) as writer:
            consumer = self._connected()
            consumer.assign([kafka.TopicPartition(*one, start[one]) for one in left])
            last = time.monotonic()
            while left:
                if self._stopped.is_set():
                    raise Stopped
                messages = consumer.consume(_AT_ONCE, timeout=_POLL_SECONDS)
                if messages:
                    last = time.monotonic()
                elif time.monotonic() - last > self._options.poll_ms / 1000:
                    waiting = ", ".join(f"{topic}-{number}" for topic, number in sorted(left))
                    message = f"Cannot fetch the rows of {waiting} from Kafka before the timeout of {self._options.poll_ms} ms."
                    raise StreamRefused(message)
                rows = [one for one in messages if self._is_row(one, left)]
                if rows:
                    writer.write_table(pa.Table.from_pylist([self._row(one) for one in rows], schema))
                    count += len(rows)
            consumer.unassign()
        return count

    def _readable(self, start: Positions, end: Positions) -> Positions:
        """The ends of partitions with rows to be read, once it is known that their rows are there."""
        wanted = {one: offset for one, offset in end.items() if offset > start[one]}
        left: Positions = {}
        for one, (low, high) in self.bounds(wanted).items():
            if start[one] < low:
                self.lost(f"offset {start[one]} of {one[0]}-{one[1]} is before the earliest, {low}")
                start[one] = low
            if high < wanted[one]:
                self.lost(f"offset {wanted[one]} of {one[0]}-{one[1]} is after the latest, {high}")
            if min(high, wanted[one]) > start[one]:
                left[one] = min(high, wanted[one])
        return left

    def lost(self, what: str) -> None:
        """Rows are gone that were not read yet.

        Raises:
            SourceChanged: Unless that is to be so.
        """
        if self._options.fails_on_loss:
            raise SourceChanged(
                "KAFKA_DATA_LOSS",
                f"[KAFKA_DATA_LOSS] Some data may have been lost because they are not available in Kafka any more: {what}. Either the "
                "data was aged out by Kafka or the topic may have been deleted before all the data in the topic was processed. If you "
                'do not want your query to fail on such cases, set the source option "failOnDataLoss" to "false".',
            )

    def _is_row(self, message: Any, left: Positions) -> bool:
        """Whether a message is one of the wanted rows; notes which partitions are done."""
        one = (message.topic(), message.partition())
        error = message.error()
        if error is not None:
            if error.code() == library().KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
                # At the end may be what is no row: the marks of transactions.
                if message.offset() >= left.get(one, 0):
                    left.pop(one, None)
                return False
            message = f"Kafka: {error.str()}"
            raise StreamRefused(message)
        end = left.get(one)
        if end is None:
            return False
        if message.offset() >= end - 1:
            del left[one]
        return message.offset() < end

    def _row(self, message: Any) -> dict[str, Any]:
        kind, moment = message.timestamp()
        row = {
            "key": message.key(),
            "value": message.value(),
            "topic": message.topic(),
            "partition": message.partition(),
            "offset": message.offset(),
            "timestamp": _EPOCH + dt.timedelta(milliseconds=moment),
            "timestampType": kind - 1,
        }
        if self._options.with_headers:
            headers = message.headers()
            row["headers"] = None if headers is None else [{"key": key, "value": value} for key, value in headers]
        return row

    # ---------------------------------------------------------------------------------------------------- connection

    def _connected(self) -> Any:
        if self._consumer is None:
            kafka = library()
            try:
                self._consumer = kafka.Consumer(
                    {
                        "group.id": f"{self._options.group_prefix}-{uuid.uuid4()}",
                        # As Kafka's own client has it; the library has the other.
                        "isolation.level": "read_uncommitted",
                        **self._configuration,
                        "enable.auto.commit": False,
                        "enable.partition.eof": True,
                        "auto.offset.reset": "error",
                    }
                )
            except (kafka.KafkaException, ValueError, TypeError) as error:
                raise failed(error, self._configuration) from None
        return self._consumer

    def _ask(self, question: Callable[[Any], Any]) -> Any:
        consumer = self._connected()
        kafka = library()
        try:
            return question(consumer)
        except kafka.KafkaException as error:
            raise failed(error, self._configuration) from None


_UNREACHABLE = frozenset({"_TRANSPORT", "_ALL_BROKERS_DOWN", "_RESOLVE", "_TIMED_OUT", "_TIMED_OUT_QUEUE"})


def failed(error: Exception, configuration: Mapping[str, Any]) -> StreamRefused:
    """An error of the library; of wrong configuration it does not tell the values, but where nobody answers."""
    first: Any = error.args[0] if error.args else None
    if first is None or not hasattr(first, "name") or first.name() == "_INVALID_ARG":
        return StreamRefused("The options 'kafka.*' are not valid: Kafka's client refuses the value of one of them.")
    if first.name() in _UNREACHABLE:
        brokers = str(configuration.get("bootstrap.servers", ""))
        return StreamRefused(
            f"[KAFKA_BROKERS_UNREACHABLE] None of the Kafka brokers in '{BROKERS}' answers: {brokers} ({first.str()}). It takes host:port, several with "
            "commas, of brokers that run, that the server can reach, and that let it in by 'kafka.security.protocol' and its credentials."
        )
    return StreamRefused(f"Kafka cannot be used with these options: {first.str()}")
