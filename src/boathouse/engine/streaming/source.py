"""What a streaming read of a query is to the engine: offsets, and the rows between two of them as a relation.

The engine has sources of its own (Delta tables, files, rates); other slices bring theirs as factories, which the server hands
down when it is put together.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from boathouse.engine.catalog_access import CatalogAccess
from boathouse.engine.gateway.paths.guard import PathGuard
from boathouse.engine.gateway.session import EngineSession
from boathouse.errors import BoathouseError
from boathouse.history.api import TableRef
from boathouse.iam.api import Principal

Offset: TypeAlias = dict[str, Any]
"""How far a source was read: a JSON object that only the source understands. It is kept in the checkpoint's ``offsets/N``."""


class StreamSchemaChanged(BoathouseError):
    """A source's rows have columns that the running query does not know; the next start of the query goes on with them."""

    error_code = "UNKNOWN_FIELD_EXCEPTION"


@dataclass(frozen=True)
class ReadLimits:
    """How much one micro-batch may take, as far as that is the same for every source.

    Attributes:
        available_now: Whether only what is there when the query starts is to be read: the end is fixed at the first call of
            ``latest``, which still may go to it in several batches.
        once: Whether all of that is to be one batch, whatever the source's own limits.
    """

    available_now: bool = False
    once: bool = False


@dataclass(frozen=True)
class SourceContext:
    """What a source works with.

    Attributes:
        principal: Who runs the query.
        access: The catalog, to resolve names and paths with the principal's privileges.
        guard: Turns the paths that the principal names into real ones, or refuses them.
        session: Asks the engine, in the query's session.
        folder: The source's own durable state: ``<checkpointLocation>/sources/<index>``. It need not be there yet. Where only
            a schema is asked for, an empty folder that is removed afterwards. The principal can read and write there: a path
            that is read from it has to be checked like one from a client, and nothing may lie there that it must not see.
        staging: Where it may write files for a batch, as durable as the folder and as open; what is of committed batches the
            source removes.
        scratch: A folder of the server's own, which the principal does not reach; gone when the query ends.
    """

    principal: Principal
    access: CatalogAccess
    guard: PathGuard
    session: EngineSession
    folder: Path
    staging: Path
    scratch: Path


class StreamSource(ABC):
    """One streaming read of a query. Its methods block and are called on a worker thread, one at a time."""

    @abstractmethod
    def schema(self) -> Any:
        """The rows' schema as a DataType message with a struct; fixed for the life of a run of the query."""

    @abstractmethod
    def latest(self, start: Offset | None, limits: ReadLimits) -> Offset | None:
        """The end to which one micro-batch after a start may go; None where there is nothing new.

        Args:
            start: The end of the batch before, or None at the very beginning.
            limits: Of the query's trigger.

        Returns:
            An end for which ``relation(start, end)`` gives the same rows after a crash too.

        Raises:
            StreamSchemaChanged: If the rows have columns that the schema has not.
        """

    @abstractmethod
    def relation(self, start: Offset | None, end: Offset) -> Any:
        """The rows after a start up to and with an end, as a Relation message; nothing in it is governed again."""

    def rows(self, start: Offset | None, end: Offset) -> int | None:
        """How many rows that relation has, where the source can tell it without reading them."""
        del start, end
        return None

    @property
    def reads(self) -> tuple[TableRef, ...]:
        """The tables and paths that it reads, for the lineage."""
        return ()

    @property
    def description(self) -> str:
        """What a query's progress calls it."""
        return ", ".join(one.full_name or one.path or "" for one in self.reads) or type(self).__name__

    @abstractmethod
    def committed(self, end: Offset) -> None:
        """Hear that the batch that ends there is in its sink; may be told twice."""

    def stop(self) -> None:  # noqa: B027 - most are stopped with the engine's work
        """Break off what it is doing; from another thread."""

    @abstractmethod
    def close(self) -> None:
        """Let go of what the source holds."""


SourceFactory: TypeAlias = Callable[[Any, SourceContext], StreamSource]
"""Makes a source of a ``Read.DataSource`` message, as the client has sent it. May raise any BoathouseError."""

Sources: TypeAlias = Mapping[str, SourceFactory]
"""Factories by the format that ``readStream.format`` names, in lower case."""
