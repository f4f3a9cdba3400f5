"""What a run shows: to its log at once, and kept by cell for its result."""

import os
import sys
import threading
from collections.abc import Mapping
from io import TextIOBase
from typing import Any, TextIO

from boathouse.workspace.runtime.redaction import Filter, Secrets

MOST_CHARACTERS = 2_000_000
"""Of text that a cell's part of the result has; the log has everything."""
_CUT = "\n... the rest is in the log of the run.\n"


class Outputs:
    """The outputs of all cells in the form of nbformat, and the log.

    Args:
        secrets: What is taken out of everything.
    """

    def __init__(self, secrets: Secrets) -> None:
        self.secrets = secrets
        self.cells: dict[int, list[dict[str, Any]]] = {}
        self._current: list[dict[str, Any]] | None = None
        self._characters = 0
        self._lock = threading.RLock()
        self._log = sys.__stdout__
        self._streams = {name: Filter(secrets) for name in ("stdout", "stderr")}

    def begin(self, number: int) -> None:
        """What comes from now on is a cell's."""
        with self._lock:
            self.flush()
            self._current = self.cells.setdefault(number, [])
            self._characters = 0

    def write(self, name: str, text: str) -> None:
        """Text of a stream."""
        with self._lock:
            self._emit(name, self._streams[name].feed(text))

    def flush(self) -> None:
        """Let nothing wait."""
        with self._lock:
            for name, stream in self._streams.items():
                self._emit(name, stream.end())
            self._log_text("")

    def _emit(self, name: str, text: str) -> None:
        if not text:
            return
        self._log_text(text)
        cell = self._current
        if cell is None or self._characters > MOST_CHARACTERS:
            return
        self._characters += len(text)
        if self._characters > MOST_CHARACTERS:
            text = text[: MOST_CHARACTERS // 2] + _CUT
        if cell and cell[-1].get("name") == name:
            cell[-1]["text"] += text
        else:
            cell.append({"output_type": "stream", "name": name, "text": text})

    def _log_text(self, text: str) -> None:
        if self._log is not None:
            self._log.write(text)
            self._log.flush()

    def show(self, data: Mapping[str, Any], metadata: Mapping[str, Any] | None = None, count: int | None = None) -> None:
        """Something rich: by its type, as Jupyter has it; with a count it is the value of a cell."""
        with self._lock:
            self.flush()
            shown = {key: self.secrets.redact(value) if isinstance(value, str) else value for key, value in data.items()}
            if "text/plain" in shown:
                self._log_text(f"{shown['text/plain']}\n")
            output: dict[str, Any] = {"output_type": "display_data", "data": shown, "metadata": dict(metadata or {})}
            if count is not None:
                output |= {"output_type": "execute_result", "execution_count": count}
            if self._current is not None:
                self._current.append(output)

    def fail(self, name: str, value: str, trace: list[str]) -> None:
        """An error, with its traceback."""
        with self._lock:
            self.flush()
            lines = [self.secrets.redact(line) for line in trace]
            self._log_text("\n".join(lines) + "\n")
            if self._current is not None:
                told = {"ename": name, "evalue": self.secrets.redact(value), "traceback": lines}
                self._current.append({"output_type": "error", **told})

    def clear(self) -> None:
        """Forget what the cell has shown so far."""
        with self._lock:
            self.flush()
            if self._current is not None:
                self._current.clear()


class Stream(TextIOBase):
    """``sys.stdout`` or ``sys.stderr`` of user code.

    Args:
        outputs: Where it goes.
        name: Of the stream.
        below: The process's own; compiled code and other programs write to that.
    """

    def __init__(self, outputs: Outputs, name: str, below: TextIO) -> None:
        self._outputs, self._name, self._below = outputs, name, below

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Of the log."""
        return "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override]
        """What becomes of what cannot be encoded."""
        return "replace"

    @property
    def buffer(self) -> "Bytes":
        """Where bytes are written to."""
        return Bytes(self)

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, text: str, /) -> int:
        """Write text."""
        self._outputs.write(self._name, text)
        return len(text)

    def fileno(self) -> int:
        """The descriptor of the log."""
        return self._below.fileno()


class Bytes:
    """Bytes to a stream of text.

    Args:
        stream: The stream.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def write(self, value: bytes) -> int:
        """Write bytes."""
        self._stream.write(value.decode("utf-8", "replace"))
        return len(value)

    def flush(self) -> None:
        """Nothing waits."""


class Descriptors:
    """What compiled code and other programs write to the descriptors of this process, with the secrets taken out.

    Args:
        outputs: Where it goes.
    """

    def __init__(self, outputs: Outputs) -> None:
        self._outputs = outputs
        log = os.dup(1)
        outputs._log = os.fdopen(log, "w", encoding="utf-8", errors="replace")  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        self._ends: list[int] = []
        self._threads: list[threading.Thread] = []
        for number, name in ((1, "stdout"), (2, "stderr")):
            read, write = os.pipe()
            os.dup2(write, number)
            os.close(write)
            thread = threading.Thread(target=self._pump, args=(read, name), name=f"output-{name}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def _pump(self, read: int, name: str) -> None:
        with os.fdopen(read, "r", encoding="utf-8", errors="replace", newline="") as lines:
            for line in lines:
                self._outputs.write(name, line)

    def end(self) -> None:
        """Put the descriptors back, once everything in the pipes has been read."""
        log = self._outputs._log  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        if log is None:
            return
        for number in (1, 2):
            os.dup2(log.fileno(), number)
        for thread in self._threads:
            # A program that was left behind may hold the other end.
            thread.join(1.0)
        self._outputs.flush()
