"""The engine's own sources, by the format that they are asked for by."""

from boathouse.engine.streaming.kafka.source import kafka_source
from boathouse.engine.streaming.source import Sources
from boathouse.engine.streaming.sources.delta import delta_source
from boathouse.engine.streaming.sources.files import FORMATS, file_source
from boathouse.engine.streaming.sources.rate import rate_micro_batch_source, rate_source

OWN: Sources = {
    "delta": delta_source,
    **dict.fromkeys(FORMATS, file_source),
    "kafka": kafka_source,
    "rate": rate_source,
    "rate-micro-batch": rate_micro_batch_source,
}
