"""The inference table: every request and response, written to a spool before the answer is sent, moved to Delta after.

A row is one line appended to the open segment of the endpoint's spool, so it outlives the process from the moment that the
answer is sent. The flusher closes the segment, appends it to the table under the segment's number as Delta transaction
identifier, and deletes it. Killed between any two of these steps, the next start goes on with the segments that are there:
one that is committed already is skipped. A torn last line was never answered.
"""

import datetime as dt
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import structlog
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError
from sqlalchemy.orm import Session

from boathouse.catalog.api import CatalogService, Privilege, SecurableNotFound, TableInfo
from boathouse.errors import BoathouseError
from boathouse.iam.api import Principal
from boathouse.serving.config import Capture
from boathouse.serving.errors import PayloadTableUnfit
from boathouse.storage.layout import Layout
from boathouse.storage.opening import opened
from boathouse.storage.paths import from_url
from boathouse.tables import api as tables

log = structlog.stdlib.get_logger(__name__)

PAYLOAD = pa.schema(
    [
        ("databricks_request_id", pa.string()),
        ("client_request_id", pa.string()),
        ("date", pa.date32()),
        ("timestamp_ms", pa.int64()),
        ("status_code", pa.int32()),
        ("sampling_fraction", pa.float64()),
        ("execution_time_ms", pa.int64()),
        ("request", pa.string()),
        ("response", pa.string()),
        ("request_metadata", pa.map_(pa.string(), pa.string())),
    ]
)
"""The columns of an inference table."""

SEGMENT_BYTES = 32 * 1024 * 1024
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


def ensure_payload_table(session: Session, creator: Principal, layout: Layout, capture: Capture) -> TableInfo:
    """The inference table of an endpoint, made where it is missing, as the endpoint's creator.

    Raises:
        PrivilegeMissing: Without CREATE TABLE on the schema, or MODIFY on the table that is there.
        PayloadTableUnfit: If the name is another table's.
    """
    catalog = CatalogService(session, creator, layout)
    try:
        info = catalog.get_table(capture.full_name, Privilege.MODIFY)
    except SecurableNotFound:
        location = catalog.staging_location(*capture.full_name.split("."))
        DeltaTable.create(from_url(location), schema=PAYLOAD, mode="ignore")
        return catalog.create_table(
            capture.full_name, storage_location=location, comment="Requests and responses of a serving endpoint"
        )
    have = {column["name"] for column in info.columns}
    for name in PAYLOAD.names:
        if name not in have:
            raise PayloadTableUnfit(capture.full_name, name)
    return info


@dataclass(frozen=True)
class Flushed:
    """What a flush did: rows appended now, and the table's version."""

    rows: int
    version: int


class Spool:
    """The spool of one endpoint and its way into the inference table. Safe for threads.

    Args:
        folder: Where the segments lie.
        location: The table.
        app_id: Delta's name for this writer.
        full_name: The table's governed name.
        told: Is called when rows have come into the table.
    """

    def __init__(
        self, folder: Path, location: str, app_id: str, full_name: str, told: Callable[[], None] = lambda: None
    ) -> None:
        self._told = told
        self.full_name = full_name
        self.location = location
        self.problem = ""
        self._folder = folder
        self._app_id = app_id
        self._writing, self._flushing = threading.Lock(), threading.Lock()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            committed = opened(from_url(location)).transaction_version(app_id) or 0
        except (TableNotFoundError, DeltaError):
            committed = 0
        self._number = max([committed, *(int(path.stem) for path in self._segments())])
        self._file = -1
        self._size = 0

    def _segments(self) -> list[Path]:
        return sorted(self._folder.glob("*.jsonl"))

    def _open_next(self) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._number += 1
        path = self._folder / f"{self._number:020d}.jsonl"
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
        self._size = 0

    def append(self, row: dict[str, Any]) -> None:
        """Keep a row; when this returns, a kill of the process does not lose it."""
        line = _encode(row) + b"\n"
        with self._writing:
            if self._file < 0 or self._size > SEGMENT_BYTES:
                self._open_next()
            written = os.write(self._file, line)
            while written < len(line):
                written += os.write(self._file, line[written:])
            self._size += len(line)

    @property
    def waiting(self) -> bool:
        """Whether there is something to flush."""
        return self._size > 0 or any(path.stem != f"{self._number:020d}" for path in self._segments())

    def flush(self) -> Flushed:
        """Move everything appended before this call into the table.

        Raises:
            BoathouseError: If the table cannot be written; the segments stay.
        """
        with self._flushing:
            with self._writing:
                if self._size > 0:
                    os.close(self._file)
                    self._file, self._size = -1, 0
                # Listed under the lock: a segment that is opened from here on is not this flush's.
                is_open = f"{self._number:020d}" if self._file >= 0 else None
                closed = [path for path in self._segments() if path.stem != is_open]
            rows = 0
            try:
                for path in closed:
                    rows += self._move(path)
            except (OSError, DeltaError, BoathouseError) as error:
                self.problem = f"Rows wait in the spool: {error}"
                raise
            self.problem = ""
            if rows:
                self._told()
            return Flushed(rows, opened(from_url(self.location)).version())

    def _move(self, path: Path) -> int:
        lines = path.read_bytes().split(b"\n")
        # What follows the last line end is empty, or was torn by a kill before its answer was sent.
        rows = [_decode(line) for line in lines[:-1]]
        appended = False
        if rows:
            for row in rows:
                row["date"] = dt.datetime.fromtimestamp(row["timestamp_ms"] / 1000, dt.UTC).date()
                row["request_metadata"] = list(row["request_metadata"].items())
            batch = pa.table({name: [row[name] for row in rows] for name in PAYLOAD.names}, schema=PAYLOAD)
            appended = tables.append(self.location, batch, app_id=self._app_id, app_version=int(path.stem))
        path.unlink()
        return len(rows) if appended else 0

    def close(self) -> None:
        """Flush what is left; what cannot be flushed stays for the next start."""
        try:
            self.flush()
        except (OSError, DeltaError, BoathouseError) as error:
            log.warning("inference_rows_wait", table=self.full_name, reason=str(error))
        with self._writing:
            if self._file >= 0:
                os.close(self._file)
                self._file = -1
