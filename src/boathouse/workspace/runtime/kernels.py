"""Cells in other languages than Python and SQL: each runs in the Jupyter kernel of its language, where one is installed.

A kernel is started by the first cell of its language, has the rights of this process, and ends with it. It speaks with this process alone, by
sockets in the run's own folder.
"""

import os
import queue
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from boathouse.workspace.runtime.outputs import Outputs

_START_SECONDS = 120.0
_LOOK_SECONDS = 1.0
_DIE_WITH_THIS = """
import os, sys
from boathouse.engine.sandbox.confine import die_with
die_with(int(sys.argv[1]))
os.execvp(sys.argv[2], sys.argv[2:])
"""


class LanguageMissing(Exception):
    """A cell is in a language that no kernel here runs."""

    def __init__(self, language: str, why: str) -> None:
        super().__init__(f"Cells in {language} need {why}. Python, SQL and shell cells need nothing.")


class LanguageFailed(Exception):
    """A cell has failed in its kernel; it has been shown already.

    Attributes:
        trace: Its traceback.
    """

    def __init__(self, message: str, trace: str = "") -> None:
        super().__init__(message)
        self.trace = trace or message


class Kernels:
    """The kernels of one run.

    Args:
        outputs: Where cells show things.
        folder: For files of the run.
    """

    def __init__(self, outputs: Outputs, folder: str) -> None:
        self._outputs = outputs
        self._folder = Path(folder)
        self._kernels: dict[str, _Kernel] = {}

    def run(self, language: str, code: str) -> None:
        """Run a cell.

        Raises:
            LanguageMissing: If there is no kernel of the language.
            LanguageFailed: If it fails.
        """
        if language not in self._kernels:
            self._kernels[language] = _Kernel(language, _command(language), self._folder / language.lower())
        self._kernels[language].run(code, self._outputs)

    def close(self) -> None:
        """End them."""
        for kernel in self._kernels.values():
            kernel.end()
        self._kernels.clear()


def _command(language: str) -> tuple[Sequence[str], dict[str, str]]:
    """What starts the kernel of a language, and its environment."""
    try:
        from jupyter_client.kernelspec import KernelSpecManager  # noqa: PLC0415 - an extra, and few notebooks need it
    except ImportError:
        raise LanguageMissing(language, "jupyter-client on the server: pip install 'boathouse[notebooks]'") from None
    specs: dict[str, Any] = KernelSpecManager().get_all_specs()
    for _, found in sorted(specs.items()):
        if str(found["spec"].get("language", "")).lower() == language.lower():
            return [str(word) for word in found["spec"]["argv"]], dict(found["spec"].get("env") or {})
    how = {
        "R": "for R the package r-cran-irkernel of Debian, or IRkernel::installspec(user = FALSE)",
        "Scala": "for Scala almond's installer with --global",
    }.get(language, "jupyter kernelspec install")
    raise LanguageMissing(language, f"a Jupyter kernel that is installed on the server for all users: {how}")


class _Kernel:
    """A kernel that runs.

    Args:
        language: Its language.
        command: What starts it, and its environment.
        place: What the names of its files begin with.
    """

    def __init__(self, language: str, command: tuple[Sequence[str], dict[str, str]], place: Path) -> None:
        from jupyter_client.blocking.client import BlockingKernelClient  # noqa: PLC0415 - see _command
        from jupyter_client.connect import write_connection_file  # noqa: PLC0415

        self._language = language
        file, _ = write_connection_file(f"{place}.json", ip=str(place), transport="ipc", key=os.urandom(32).hex().encode())
        words = [word.replace("{connection_file}", file) for word in command[0]]
        self._process = subprocess.Popen(
            [sys.executable, "-c", _DIE_WITH_THIS, str(os.getpid()), *words],
            stdin=subprocess.DEVNULL,
            env={**os.environ, **command[1]},
        )
        self._client = BlockingKernelClient(connection_file=file)
        self._client.load_connection_file()
        self._client.start_channels(stdin=False, hb=False)
        self._wait()

    def _wait(self) -> None:
        """Until it answers, and what it shows is heard."""
        deadline = time.monotonic() + _START_SECONDS
        while True:
            self._client.kernel_info()
            try:
                self._client.get_iopub_msg(timeout=_LOOK_SECONDS)
            except queue.Empty:
                self._see_alive()
                if time.monotonic() > deadline:
                    self.end()
                    message = f"The kernel of {self._language} has not begun within {_START_SECONDS:g} seconds."
                    raise LanguageFailed(message) from None
            else:
                return

    def _see_alive(self) -> None:
        status = self._process.poll()
        if status is not None:
            message = f"The kernel of {self._language} has ended unexpectedly (exit status {status}). The log tells more."
            raise LanguageFailed(message)

    def run(self, code: str, outputs: Outputs) -> None:
        """Run a cell.

        Raises:
            LanguageFailed: If it fails.
        """
        self._see_alive()
        asked = self._client.execute(code, allow_stdin=False)
        shown = False
        while True:
            message = self._next(self._client.get_iopub_msg, asked)
            kind, content = message["msg_type"], message["content"]
            if kind == "status" and content["execution_state"] == "idle":
                break
            shown = shown or kind == "error"
            _show(kind, content, outputs)
        reply = self._next(self._client.get_shell_msg, asked)["content"]
        if reply["status"] != "ok":
            if not shown:
                _show("error", {"ename": reply["status"], "evalue": "", "traceback": [], **reply}, outputs)
            trace = "\n".join(reply.get("traceback") or ())
            raise LanguageFailed(str(reply.get("evalue") or reply.get("ename") or reply["status"]).strip(), trace)

    def _next(self, get: Any, asked: str) -> dict[str, Any]:
        """The next message about what was asked."""
        while True:
            try:
                message: dict[str, Any] = get(timeout=_LOOK_SECONDS)
            except queue.Empty:
                self._see_alive()
                continue
            if message["parent_header"].get("msg_id") == asked:
                return message

    def end(self) -> None:
        """End it."""
        self._client.stop_channels()
        self._process.kill()
        self._process.wait()


def _show(kind: str, content: dict[str, Any], outputs: Outputs) -> None:
    match kind:
        case "stream":
            outputs.write(content["name"], content["text"])
        case "display_data" | "execute_result" | "update_display_data":
            outputs.show(content["data"], content.get("metadata"), content.get("execution_count"))
        case "error":
            outputs.fail(content["ename"], content["evalue"], list(content["traceback"]))
        case "clear_output":
            outputs.clear()
        case _:
            return
