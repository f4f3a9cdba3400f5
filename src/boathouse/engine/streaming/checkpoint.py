"""A query's checkpoint, in the shape that Spark gives it: ``metadata``, ``offsets/N``, ``commits/N``, ``sources/``, ``state/``.

``offsets/N`` says what batch N is to read and is written before the batch; ``commits/N`` is written after it. A batch with the
first and without the second was in flight when the query ended, and is done again with the same offsets.
"""

import fcntl
import json
import os
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from boathouse.engine.streaming.errors import StreamRefused
from boathouse.engine.streaming.source import Offset

_VERSION = "v1"
_NOTHING = "-"
_KEPT = 100


@dataclass(frozen=True)
class Planned:
    """What one batch is to read.

    Attributes:
        ends: The end of each source; None where nothing of it was ever read.
        watermark_ms: The watermark that holds in it.
        time_ms: When it was planned.
    """

    ends: tuple[Offset | None, ...]
    watermark_ms: int
    time_ms: int


class Checkpoint:
    """A checkpoint that one query has for itself, until it is closed or its process ends.

    Args:
        folder: Where it lies; made if it is not there.

    Raises:
        StreamRefused: If another query has it, or what is there is not a checkpoint.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("offsets", "commits", "sources", "state"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self._lock = _locked(folder)
        try:
            self.query_id = self._identifier()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let another query have it."""
        self._lock.close()

    def _identifier(self) -> str:
        path = self.folder / "metadata"
        try:
            return str(json.loads(path.read_text())["id"])
        except FileNotFoundError:
            identifier = str(uuid.uuid4())
            write(path, json.dumps({"id": identifier}))
            return identifier
        except (ValueError, KeyError, TypeError) as error:
            message = (
                f"The file {path.name} in the checkpoint is damaged: it holds no query's id. Use another checkpointLocation."
            )
            raise StreamRefused(message) from error

    # ----------------------------------------------------------------------------------------------------- batches

    def last_planned(self) -> int | None:
        """The newest batch with offsets."""
        return _newest(self.folder / "offsets")

    def last_committed(self) -> int | None:
        """The newest batch that is in its sink."""
        return _newest(self.folder / "commits")

    def planned(self, batch: int) -> Planned:
        """What a batch was to read.

        Raises:
            StreamRefused: If its file is not there or damaged.
        """
        path = self.folder / "offsets" / str(batch)
        try:
            _, said, *ends = path.read_text().splitlines()
            values = json.loads(said)
            read = tuple(None if end == _NOTHING else json.loads(end) for end in ends)
            return Planned(read, int(values["batchWatermarkMs"]), int(values["batchTimestampMs"]))
        except (OSError, ValueError, KeyError) as error:
            message = f"The file offsets/{batch} of the checkpoint is missing or damaged. Use another checkpointLocation."
            raise StreamRefused(message) from error

    def plan(self, batch: int, planned: Planned) -> None:
        """Write down what a batch is to read, before it is begun."""
        said = {"batchWatermarkMs": planned.watermark_ms, "batchTimestampMs": planned.time_ms, "conf": {}}
        ends = [_NOTHING if end is None else json.dumps(end, separators=(",", ":")) for end in planned.ends]
        write(self.folder / "offsets" / str(batch), "\n".join([_VERSION, json.dumps(said), *ends]))

    def commit(self, batch: int, watermark_ms: int) -> None:
        """Write down that a batch is in its sink, and the watermark after it."""
        said = json.dumps({"nextBatchWatermarkMs": watermark_ms})
        write(self.folder / "commits" / str(batch), f"{_VERSION}\n{said}")
        for name in ("offsets", "commits"):
            (self.folder / name / str(batch - _KEPT)).unlink(missing_ok=True)

    def watermark_after(self, batch: int) -> int:
        """The watermark after a batch that was committed."""
        try:
            _, said = (self.folder / "commits" / str(batch)).read_text().splitlines()
            return int(json.loads(said)["nextBatchWatermarkMs"])
        except (OSError, ValueError, KeyError) as error:
            message = f"The file commits/{batch} of the checkpoint is damaged. Use another checkpointLocation."
            raise StreamRefused(message) from error


def write(path: Path, text: str) -> None:
    """Put a file in its place whole and durable, or not at all."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    with temporary.open("w", encoding="utf-8") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_json(path: Path) -> Any | None:
    """What a file written by ``write`` holds, or None where there is none."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None


def _newest(folder: Path) -> int | None:
    return max((int(path.name) for path in folder.iterdir() if path.name.isdigit()), default=None)


def _locked(folder: Path) -> IO[str]:
    handle = (folder / ".lock").open("w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        handle.close()
        message = (
            f"[CONCURRENT_QUERY] Another streaming query is running with the checkpoint {folder}. Stop it first, or give this one "
            "a checkpointLocation of its own."
        )
        raise StreamRefused(message) from error
    return handle
