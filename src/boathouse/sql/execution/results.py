"""The rows of a statement, in a file of Arrow's as long as somebody may fetch them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from boathouse.sql.errors import StatementFailed
from boathouse.sql.execution.schemas import ResultColumn
from boathouse.sql.execution.values import columns_of

INLINE_BYTES = 25 * 1024**2
"""What a result may have that is answered inline."""
MOST_BYTES = 10 * 1024**3
"""What a result may have where no ``byte_limit`` is given."""
_CHUNK_BYTES = 8 * 1024**2


class Enough(Exception):
    """A result has all the rows that it may have."""


@dataclass
class Chunk:
    """Some of a result's rows: those of consecutive batches of the file."""

    first_batch: int
    batches: int = 0
    row_offset: int = 0
    row_count: int = 0
    byte_count: int = 0


class Result:
    """What a statement has given. Written by one thread, then read by any.

    Attributes:
        schema: Its columns; None for a statement that gives none.
        columns: The same as the API tells them.
        chunks: In their order; a result has at least one.
        row_count: Of all chunks.
        byte_count: The same, as Arrow keeps them.
        truncated: Whether there were more rows.

    Args:
        path: Of the file, which is made with the first batch.
        rows: Rows that are kept at most; None for all.
        size: Bytes that are kept at most.
        refused: Bytes above which the statement fails.
    """

    def __init__(self, path: Path, rows: int | None, size: int, refused: int | None) -> None:
        self.schema: pa.Schema | None = None
        self.columns: list[ResultColumn] = []
        self.chunks = [Chunk(0)]
        self.row_count = self.byte_count = 0
        self.truncated = False
        self._path = path
        self._rows, self._size, self._refused = rows, size, refused
        self._batches = 0
        self._file: pa.OSFile | None = None
        self._writer: Any = None

    def add(self, batch: pa.RecordBatch) -> None:
        """Keep the rows of a batch.

        Raises:
            Enough: If no more are wanted.
            StatementFailed: If they are more than an answer may have inline, or of a type that cannot be told.
        """
        if self._writer is None:
            self.columns = columns_of(batch.schema)
            self.schema = batch.schema
            self._file = pa.OSFile(str(self._path), "wb")
            self._writer = pa.ipc.new_file(self._file, batch.schema)
        kept = batch.slice(0, self._room(batch))
        if kept.num_rows:
            self._keep(kept)
        if kept.num_rows < batch.num_rows:
            self.truncated = True
            raise Enough

    def close(self) -> None:
        """All rows are there."""
        writer, file, self._writer, self._file = self._writer, self._file, None, None
        if writer is not None and file is not None:
            writer.close()
            file.close()

    def drop(self) -> None:
        """Forget the rows."""
        self.close()
        self._path.unlink(missing_ok=True)

    def table(self, index: int) -> pa.Table:
        """The rows of a chunk."""
        if self.schema is None:
            return pa.table({})
        chunk = self.chunks[index]
        with pa.memory_map(str(self._path)) as file:
            reader = pa.ipc.open_file(file)
            batches = [reader.get_batch(chunk.first_batch + number) for number in range(chunk.batches)]
            return pa.Table.from_batches(batches, self.schema)

    def _room(self, batch: pa.RecordBatch) -> int:
        rows = batch.num_rows if self._rows is None else min(batch.num_rows, self._rows - self.row_count)
        left = self._size - self.byte_count
        if batch.nbytes > left:
            rows = min(rows, int(batch.num_rows * left / batch.nbytes))
        return rows

    def _keep(self, batch: pa.RecordBatch) -> None:
        if self._refused is not None and self.byte_count + batch.nbytes > self._refused:
            message = (
                f"Inline byte limit exceeded. Statements executed with disposition=INLINE can have a result size of at most "
                f"{self._refused} bytes. Execute the statement with disposition=EXTERNAL_LINKS to get the full result."
            )
            raise StatementFailed(message)
        chunk = self.chunks[-1]
        if chunk.byte_count >= _CHUNK_BYTES:
            chunk = Chunk(self._batches, row_offset=self.row_count)
            self.chunks.append(chunk)
        self._writer.write_batch(batch)
        self._batches += 1
        chunk.batches += 1
        chunk.row_count += batch.num_rows
        chunk.byte_count += batch.nbytes
        self.row_count += batch.num_rows
        self.byte_count += batch.nbytes
