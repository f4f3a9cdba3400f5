"""Commits that lost the race against another writer's: when the whole operation may be done again, and when it may not.

The engine settles by itself only appends to a table that nobody changed otherwise. Everything else fails there; but an operation
that has left nothing behind is, done again, simply a later transaction, and correct as long as the table still has the schema
and properties that it was planned for.
"""

import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

import structlog
from grpc.aio import AioRpcError

from boathouse.engine.gateway.statuses import refused_write
from boathouse.engine.gateway.writes.delta_target import DeltaTarget, load
from boathouse.engine.write_errors import (
    ConcurrentModification,
    metadata_changed,
    protocol_changed,
    same_transaction,
    still_lost,
)
from boathouse.storage.opening import is_torn

log = structlog.get_logger(__name__)

MOST_ATTEMPTS = 60
MOST_READS = 12
"""Attempts to read a log while others write it: if files are really missing, it must not take long to say so."""
MOST_SECONDS = 120.0
_FIRST_WAIT = 0.02
_LONGEST_WAIT = 1.0


class Loss(Enum):
    """Why a commit lost, by Delta's condition and exception."""

    APPEND = ("DELTA_CONCURRENT_APPEND", "ConcurrentAppendException")
    DELETE_READ = ("DELTA_CONCURRENT_DELETE_READ", "ConcurrentDeleteReadException")
    DELETE_DELETE = ("DELTA_CONCURRENT_DELETE_DELETE", "ConcurrentDeleteDeleteException")
    WRITE = ("DELTA_CONCURRENT_WRITE", "ConcurrentWriteException")
    METADATA = ("DELTA_METADATA_CHANGED", "MetadataChangedException")
    PROTOCOL = ("DELTA_PROTOCOL_CHANGED", "ProtocolChangedException")
    TRANSACTION = ("DELTA_CONCURRENT_TRANSACTION", "ConcurrentTransactionException")


_SIGNS = (
    (Loss.METADATA, re.compile(r"[Mm]etadata changed since last commit")),
    (Loss.PROTOCOL, re.compile(r"Protocol changed since last commit")),
    (Loss.TRANSACTION, re.compile(r"Concurrent transaction failed")),
    (Loss.APPEND, re.compile(r"a concurrent transactions? added new data")),
    (Loss.DELETE_READ, re.compile(r"a concurrent transaction deleted data this operation read")),
    (Loss.DELETE_DELETE, re.compile(r"a concurrent transaction deleted the same data")),
    (Loss.WRITE, re.compile(r"Failed to commit transaction: \d+|Tried committing existing table version")),
)


def is_torn_read(error: AioRpcError) -> bool:
    """Whether the engine failed to read a log since a checkpoint was written meanwhile: it then looks for too few files."""
    return is_torn(error.details() or "")


def jittered(attempt: int) -> float:
    """Seconds to wait after an attempt, the first of which is 1."""
    wait = min(_LONGEST_WAIT, _FIRST_WAIT * 1.6 ** min(attempt, 20))
    return random.uniform(wait / 4, wait)  # noqa: S311 - spreads writers, keeps no secret


def loss_of(error: AioRpcError) -> Loss | None:
    """Which race an engine's error tells of, if it does."""
    text = error.details() or ""
    return next((loss for loss, sign in _SIGNS if sign.search(text)), None)


def change_of(target: DeltaTarget, *, replaces: bool = False) -> ConcurrentModification | None:
    """What has changed of a table since an operation on it was planned, so that it may not be done any more; blocks.

    Args:
        target: The table as it was then.
        replaces: Whether the operation brings its own schema.
    """
    now = load(str(target.folder), target.name)
    if now is None:
        return metadata_changed(target.name)
    if now.protocol != target.protocol:
        return protocol_changed(target.name)
    return metadata_changed(target.name) if not replaces and now.fingerprint != target.fingerprint else None


@dataclass
class Retry:
    """How often one operation has been tried.

    Attributes:
        target: The table that it writes, as it was when the operation was planned.
        replaces: Whether it brings its own schema, so that a change of the table's does not matter.
        reads: How often in a row the log could not be read.
    """

    target: DeltaTarget
    replaces: bool = False
    attempts: int = 1
    reads: int = 0
    began: float = field(default_factory=time.monotonic)

    def next_wait(self, error: AioRpcError) -> float | None:
        """Seconds to wait before the operation is to be done again, or None for an error that is no lost race.

        Reads the table's log, so it is to be called on a worker thread.

        Raises:
            ConcurrentModification: If it lost and may not be repeated.
        """
        if is_torn_read(error):
            self.reads += 1
            return None if self.reads > MOST_READS else jittered(self.reads)
        loss = loss_of(error)
        if loss is None:
            return None
        refusal = self._refusal(loss)
        if refusal is not None:
            log.info("gateway.commit_lost", table=self.target.name, condition=refusal.condition, attempts=self.attempts)
            raise refusal from error
        self.attempts += 1
        self.reads = 0
        return jittered(self.attempts - 1)

    def _refusal(self, loss: Loss) -> ConcurrentModification | None:
        name = self.target.name
        if loss is Loss.TRANSACTION:
            return same_transaction(name)
        changed = change_of(self.target, replaces=self.replaces)
        if changed is not None:
            return changed
        seconds = time.monotonic() - self.began
        if self.attempts >= MOST_ATTEMPTS or seconds >= MOST_SECONDS:
            return still_lost(name, *loss.value, self.attempts, seconds)
        return None


def until_committed(retry: Retry, work: Callable[[], object]) -> None:
    """Do a piece of work that commits, again where its commit loses; blocks.

    Raises:
        ConcurrentModification: If it lost and may not be repeated.
        WriteRefused: If what is written does not fit.
        AioRpcError: The engine's error.
    """
    while True:
        try:
            work()
        except AioRpcError as error:
            wait = retry.next_wait(error)
            if wait is None:
                refusal = refused_write(error)
                raise error if refusal is None else refusal from error
            time.sleep(wait)
        else:
            return
