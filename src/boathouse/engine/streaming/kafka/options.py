"""The options of a read from Kafka."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from boathouse.engine.streaming.errors import StreamRefused
from boathouse.engine.streaming.kafka.client import PREFIX
from boathouse.engine.streaming.kafka.offsets import EARLIEST, LATEST, Partition, Positions, assigned, parsed
from boathouse.engine.streaming.sources.options import Options

_STRATEGIES = ("subscribe", "subscribePattern", "assign")
_STARTS = ("startingOffsets", "startingTimestamp", "startingOffsetsByTimestamp", "startingOffsetsByTimestampStrategy")
_ENDS = ("endingOffsets", "endingTimestamp", "endingOffsetsByTimestamp")
_OTHERS = ("failOnDataLoss", "maxOffsetsPerTrigger", "includeHeaders", "groupIdPrefix", "kafkaConsumer.pollTimeoutMs")
_IGNORED = (
    "minPartitions",
    "maxRecordsPerPartition",
    "fetchOffset.numRetries",
    "fetchOffset.retryIntervalMs",
    "useDeprecatedOffsetFetching",
)
_REFUSED = ("minOffsetsPerTrigger", "maxTriggerDelay")
_POLL_MS = 120_000


@dataclass(frozen=True)
class Bound:
    """Where to begin or to end.

    Attributes:
        everywhere: The offset of all partitions, -1 the latest and -2 the earliest; or None.
        offsets: Of each partition.
        times: In ms, of each partition; or of all under None.
        option: The option that says it.
    """

    everywhere: int | None = None
    offsets: Positions | None = None
    times: Mapping[Partition | None, int] | None = None
    option: str = ""


@dataclass(frozen=True)
class KafkaOptions:
    """What is read.

    Attributes:
        topics: By their names, or
        pattern: by a pattern of their names, or
        partitions: some partitions of them.
        start: Where to begin.
        end: Where to end; of a read without a stream.
        fails_on_loss: Whether rows that are gone before they were read are an error.
        most: Rows of a batch, or None.
        with_headers: Whether there is a column of the headers.
        group_prefix: Of the consumer group.
        poll_ms: How long to wait for rows.
        unknown_times_are_latest: Whether a time after all rows means their end; else it is an error.
    """

    topics: tuple[str, ...]
    pattern: re.Pattern[str] | None
    partitions: tuple[Partition, ...]
    start: Bound
    end: Bound
    fails_on_loss: bool
    most: int | None
    with_headers: bool
    group_prefix: str
    poll_ms: int
    unknown_times_are_latest: bool

    @property
    def description(self) -> str:
        """As Spark calls it."""
        if self.pattern is not None:
            return f"KafkaV2[SubscribePattern[{self.pattern.pattern}]]"
        if self.partitions:
            return f"KafkaV2[Assign[{', '.join(f'{topic}-{number}' for topic, number in self.partitions)}]]"
        return f"KafkaV2[Subscribe[{', '.join(self.topics)}]]"


def read_options(given: Mapping[str, str], *, is_stream: bool) -> KafkaOptions:
    """The options of a reader, checked.

    Raises:
        StreamRefused: If one is not valid.
    """
    own = {key: value for key, value in given.items() if not key.lower().startswith(PREFIX)}
    options = Options(own, "Kafka")
    options.require_known((*_STRATEGIES, *_STARTS, *_ENDS, *_OTHERS, *_IGNORED, *_REFUSED))
    for name in _REFUSED:
        options.refuse(name, "a batch begins as soon as there is a row.")
    chosen = [name for name in _STRATEGIES if options.text(name) is not None]
    if len(chosen) != 1:
        message = f"One of the options {', '.join(_STRATEGIES)} must be specified for a Kafka source, and only one."
        raise StreamRefused(message)
    value = (options.text(chosen[0]) or "").strip()
    if not value:
        message = f"The option '{chosen[0]}' of a Kafka source is empty."
        raise StreamRefused(message)
    strategy = (options.text(_STARTS[3]) or "error").strip().lower()
    if strategy not in {"error", "latest"}:
        raise StreamRefused(f"The option '{_STARTS[3]}' of a Kafka source is '{strategy}'. Valid: error, latest.")
    topics = tuple(one.strip() for one in value.split(",") if one.strip()) if chosen[0] == "subscribe" else ()
    if chosen[0] == "subscribe" and not topics:
        raise StreamRefused("The option 'subscribe' of a Kafka source names no topic.")
    start = _bound(options, _STARTS[:3], LATEST if is_stream else EARLIEST)
    end = _bound(options, _ENDS, LATEST)
    if is_stream and any(options.text(name) is not None for name in _ENDS):
        message = "The options endingOffsets, endingTimestamp and endingOffsetsByTimestamp are not valid in streaming queries."
        raise StreamRefused(message)
    if not is_stream and start.everywhere == LATEST:
        message = "starting offset can't be latest for batch queries on Kafka: use earliest, or a JSON object of offsets."
        raise StreamRefused(message)
    if not is_stream and end.everywhere == EARLIEST:
        message = "ending offset can't be earliest for batch queries on Kafka: use latest, or a JSON object of offsets."
        raise StreamRefused(message)
    return KafkaOptions(
        topics=topics,
        pattern=_pattern(value) if chosen[0] == "subscribePattern" else None,
        partitions=tuple(assigned(value)) if chosen[0] == "assign" else (),
        start=start,
        end=end,
        fails_on_loss=options.text("failOnDataLoss") is None or options.flag("failOnDataLoss"),
        most=options.number("maxOffsetsPerTrigger") if is_stream else None,
        with_headers=options.flag("includeHeaders"),
        group_prefix=options.text("groupIdPrefix") or "spark-kafka-source",
        poll_ms=options.number("kafkaConsumer.pollTimeoutMs") or _POLL_MS,
        unknown_times_are_latest=strategy == "latest",
    )


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        message = f"The option 'subscribePattern' is not a regular expression: {error}."
        raise StreamRefused(message) from error


def _bound(options: Options, names: tuple[str, ...], default: int) -> Bound:
    """Where an option says; times come before offsets, as in Spark."""
    offsets, time, times = names
    if options.text(time) is not None:
        return Bound(times={None: options.number(time, least=0) or 0}, option=time)
    text = options.text(times)
    if text is not None:
        return Bound(times={**parsed(text, times)}, option=times)
    text = (options.text(offsets) or "").strip()
    if text.lower() in {"earliest", "latest"}:
        return Bound(everywhere=EARLIEST if text.lower() == "earliest" else LATEST, option=offsets)
    return Bound(offsets=parsed(text, offsets), option=offsets) if text else Bound(everywhere=default, option=offsets)
