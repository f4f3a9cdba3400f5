"""The engine's own streaming sources. Their factories take the whole Relation message of a read, a table's too."""

from boathouse.engine.streaming.source import Sources
from boathouse.engine.streaming.sources.delta import delta_source
from boathouse.engine.streaming.sources.files import FORMATS, file_source
from boathouse.engine.streaming.sources.rate import rate_micro_batch_source, rate_source

OWN: Sources = {
    "delta": delta_source,
    **dict.fromkeys(FORMATS, file_source),
    "rate": rate_source,
    "rate-micro-batch": rate_micro_batch_source,
}
"""By the format that they are asked for by."""

__all__ = ["OWN"]
