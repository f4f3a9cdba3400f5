"""Which versions of tables an execution reads, for those who want to know and for those who want to read old ones again.

A process that trains names itself in a header of its connection. Its queries read the version that a table had when they were
looked at, whatever is committed meanwhile, so what is recorded is what was read. Another header names a run of MLflow: then
tables are read in the versions that were recorded for it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Protocol

from boathouse.engine.errors import StatementRefused
from boathouse.iam.api import Principal

SOURCE_HEADER, AS_OF_HEADER = "x-boathouse-source", "x-boathouse-as-of"
_NAME = re.compile(r"[\w.-]{1,100}")


@dataclass(frozen=True)
class TableRead:
    """A version of a table that was read.

    Attributes:
        full_name: Of the table.
        location: Of its files, as a URL.
        version: In the table's log.
        is_sure: Whether no commit came between, where the version was only looked up before and after.
    """

    full_name: str
    location: str
    version: int
    is_sure: bool = True


class Reads(Protocol):
    """Takes what was read, and knows what a run has read; the slice of training does."""

    def read(self, principal: Principal, source: str, tables: Sequence[TableRead]) -> None:
        """A process of a principal has read tables; blocks."""
        ...

    def versions_of(self, principal: Principal, run_id: str) -> Mapping[str, int]:
        """Full name of each table that a run has read -> its version; blocks.

        Raises:
            NotFound: If there is no such run.
        """
        ...


@dataclass
class Reading:
    """What one request says of the versions that it reads.

    Attributes:
        principal: Who asks.
        source: The process that wants it recorded; None for nobody.
        as_of: The run whose versions are read; None for the newest ones.
        reads: Who knows of runs; None where nobody does.
        versions: Full name and version of what has been resolved so far.
    """

    principal: Principal
    source: str | None = None
    as_of: str | None = None
    reads: Reads | None = None
    versions: dict[tuple[str, int], None] = field(default_factory=dict[tuple[str, int], None])

    @classmethod
    def of(cls, principal: Principal, headers: Mapping[str, str], reads: Reads | None) -> "Reading":
        """Read it from a call's headers; what is no name is none."""
        source, as_of = (
            value if _NAME.fullmatch(value) else None
            for value in (headers.get(SOURCE_HEADER, ""), headers.get(AS_OF_HEADER, ""))
        )
        return cls(principal, source, as_of, reads)

    @property
    def is_recorded(self) -> bool:
        """Whether somebody wants to know what is read."""
        return self.source is not None and self.reads is not None

    @cached_property
    def fixed(self) -> Mapping[str, int]:
        """The versions that the named run has read."""
        if self.as_of is None or self.reads is None:
            return MappingProxyType({})
        return self.reads.versions_of(self.principal, self.as_of)

    def require_changeable(self, what: str) -> None:
        """Go on only if tables are read as they are now.

        Raises:
            StatementRefused: If they are read as of a run: what is made of old rows must not take the place of new ones.
        """
        if self.as_of is not None:
            message = f"{what} is not changed: this connection reads tables as run {self.as_of} did ({AS_OF_HEADER}), and writes none."
            raise StatementRefused(message)

    def note(self, full_name: str, version: int) -> None:
        """Remember a version that is read."""
        self.versions[full_name, version] = None
