"""The streaming reads of a plan: found, numbered, and given their sources."""

import shutil
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boathouse.engine.catalog_access import CatalogAccess
from boathouse.engine.gateway.messages.protocol import local_relation, nullable_schema, proto
from boathouse.engine.gateway.names.stream_reads import StreamReads, streaming_reads
from boathouse.engine.gateway.paths.guard import PathGuard
from boathouse.engine.gateway.paths.time_travel import refuse_moment
from boathouse.engine.gateway.session import EngineSession
from boathouse.engine.streaming.errors import NotOnThisEngine, StreamRefused
from boathouse.engine.streaming.source import SourceContext, SourceFactory, Sources, StreamSource
from boathouse.engine.streaming.sources.own import OWN
from boathouse.iam.api import Principal
from boathouse.tables.api import Operation


def factory_of(read: Any, sources: Sources) -> SourceFactory:
    """What makes the source of a streaming read: it takes the read's whole Relation message.

    Raises:
        NotOnThisEngine: If there is no source of that format.
    """
    if read.WhichOneof("rel_type") == "relation_changes" or read.read.HasField("named_table"):
        return OWN["delta"]
    name = read.read.data_source.format.lower() or "delta"
    own = OWN.get(name)
    if own is not None:
        return own
    other = sources.get(name)
    if other is None:
        valid = ", ".join(sorted({*OWN, *sources}))
        raise NotOnThisEngine(f"The streaming source '{read.read.data_source.format}'", f"Sources here: {valid}.")
    return lambda message, context: other(message.read.data_source, context)


@dataclass(frozen=True)
class Readers:
    """Opens the sources of one principal's plans.

    Attributes:
        access: The catalog.
        principal: Who reads.
        session: The session that reads.
        sources: Those that are not the engine's own.
    """

    access: CatalogAccess
    principal: Principal
    session: EngineSession
    sources: Sources

    def open(self, read: Any, folder: Path, scratch: Path) -> StreamSource:
        """The source of a streaming read, with its state in one folder and what is only for this run in another."""
        guard = PathGuard(self.access, self.principal)
        context = SourceContext(self.principal, self.access, guard, self.session, folder, folder / "staging", scratch)
        return factory_of(read, self.sources)(read, context)

    @contextmanager
    def opened(self, read: Any, kept: Path | None = None) -> Generator[StreamSource]:
        """A source that is only asked for its schema.

        Args:
            read: The streaming read.
            kept: The source's folder in a checkpoint, if it has one.
        """
        folder = Path(tempfile.mkdtemp(prefix="boathouse-stream-"))
        try:
            source = self.open(read, folder / "state" if kept is None else kept, folder / "scratch")
            try:
                yield source
            finally:
                source.close()
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def kept_folders(rows: Any, readers: Readers, checkpoint: Path) -> dict[bytes, Path]:
    """The folders in a checkpoint of those sources of a query that infer their schemas and keep them there, by their reads."""
    return {
        _key(read): folder
        for index, read in enumerate(streaming_reads(rows))
        if read.read.data_source.format.lower() in readers.sources and (folder := checkpoint / "sources" / str(index)).is_dir()
    }


def _key(read: Any) -> bytes:
    return read.SerializeToString(deterministic=True)


class AnalysedReads(StreamReads):
    """For plans that are only analysed: a relation of the same columns takes the place of a streaming read.

    Args:
        readers: Opens the sources.
        batches: By its identifier, the rows of a batch of ``foreachBatch``.
        kept: Folders of sources, as ``kept_folders`` gives them.
    """

    def __init__(
        self, readers: Readers, batches: Mapping[str, Any] | None = None, kept: Mapping[bytes, Path] | None = None
    ) -> None:
        super().__init__(batches)
        self._readers = readers
        self._kept = kept or {}

    def of_read(self, relation: Any) -> Any:
        """What stands in its place: the same table or files without the stream, or no rows."""
        self.found = True
        if relation.WhichOneof("rel_type") == "read":
            refuse_moment(relation.read, PathGuard(self._readers.access, self._readers.principal))
        still = _not_streaming(relation)
        if still is not None:
            factory_of(relation, self._readers.sources)
            return still
        with self._readers.opened(relation, self._kept.get(_key(relation))) as source:
            return empty(source.schema())


class BatchReads(StreamReads):
    """For the plan of one micro-batch.

    Args:
        rows: By its reference, the rows of each source.
        operation: What a commit says of itself.
    """

    def __init__(self, rows: dict[str, Any], operation: Operation) -> None:
        super().__init__(rows)
        self.operation = operation

    def of_read(self, relation: Any) -> Any:
        """None is left in a numbered plan.

        Raises:
            StreamRefused: Always.
        """
        del relation
        message = "A streaming read came to be in the plan only after the query was started: read it with readStream."
        raise StreamRefused(message)


def empty(schema: Any) -> Any:
    """A relation of no rows with a schema."""
    return local_relation(nullable_schema(schema)[0].empty_table())


def _not_streaming(read: Any) -> Any | None:
    """A table or path as it is read without a stream, so that its columns and their lineage are those; None for other sources."""
    still = proto().Relation()
    if read.WhichOneof("rel_type") == "read" and not asks_for_feed(read):
        if read.read.HasField("named_table"):
            still.read.named_table.unparsed_identifier = read.read.named_table.unparsed_identifier
            return still
        source = read.read.data_source
        if source.format.lower() in {"", "delta"}:
            still.read.data_source.format = "delta"
            still.read.data_source.paths.extend(source.paths or [source.options.get("path", "")])
            return still
    return None


def asks_for_feed(read: Any) -> bool:
    """Whether a read is one of the change data feed, by its options."""
    options = read.read.named_table.options if read.read.HasField("named_table") else read.read.data_source.options
    return any(
        key.lower() in {"readchangefeed", "readchangedata"} and value.lower() == "true" for key, value in options.items()
    )
