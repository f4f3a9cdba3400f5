"""The process as a Jupyter kernel: the same names, magics and files as a task's notebook has, spoken to by Jupyter's messages."""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import zmq
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp
from ipykernel.zmqshell import ZMQInteractiveShell
from jupyter_client.session import Session as Messages
from traitlets import Type
from traitlets.config import Config

from boathouse.kit.ids import new_id
from boathouse.kit.wire import Wire
from boathouse.workspace.notebooks import Cell
from boathouse.workspace.runtime.control import NotebookExit, PythonRestart
from boathouse.workspace.runtime.interrupts import Interrupts
from boathouse.workspace.runtime.notebook import Cells
from boathouse.workspace.runtime.outputs import Outputs
from boathouse.workspace.runtime.packages import Packages
from boathouse.workspace.runtime.redaction import Secrets
from boathouse.workspace.runtime.session import Session
from boathouse.workspace.runtime.shell import Programs, let_end_on_purpose

Again = Callable[[dict[str, Any]], NoReturn]
_CHANNELS = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")
_SECONDS_TO_ANSWER = 0.2
"""What a cell has shown and its answer have left the process by then."""
SQL = "sql"


class _Messages(Messages):
    """Jupyter's messages, with the secrets taken out of what is sent."""

    secrets: ClassVar[Secrets]

    def send(self, stream: Any, msg_or_type: Any, content: Any = None, *more: Any, **named: Any) -> Any:
        if isinstance(msg_or_type, dict):
            msg_or_type = {**msg_or_type, "content": self._redacted(msg_or_type.get("content"))}
        return super().send(stream, msg_or_type, self._redacted(content), *more, **named)

    def _redacted(self, value: Any) -> Any:
        if not self.secrets.values:
            return value
        if isinstance(value, str):
            return self.secrets.redact(value)
        if isinstance(value, Mapping):
            return {key: self._redacted(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [self._redacted(one) for one in value]
        return value


class _Outputs(Outputs):
    """What the runtime shows, as messages."""

    shell: Any

    def show(self, data: Mapping[str, Any], metadata: Mapping[str, Any] | None = None, count: int | None = None) -> None:
        del count
        self.shell.display_pub.publish(dict(data), dict(metadata or {}))

    def write(self, name: str, text: str) -> None:
        getattr(sys, name).write(text)

    def fail(self, name: str, value: str, trace: list[str]) -> None:
        del name, value
        sys.stderr.write("\n".join(trace) + "\n")

    def clear(self) -> None:
        self.shell.display_pub.clear_output()


class _Shell(Programs, ZMQInteractiveShell):
    """IPython's shell of a kernel, whose cells may begin with the runtime's magics."""

    cells: Cells
    by_sql: bool = False
    trace: str = ""
    """Of the last error."""
    interrupts: Interrupts

    async def run_code(self, code_obj: Any, result: Any = None, *, async_: bool = False) -> bool:
        with self.interrupts.code():
            return await super().run_code(code_obj, result, async_=async_)

    def _showtraceback(self, etype: Any, evalue: Any, stb: Any) -> None:
        self.trace = "\n".join(stb)
        super()._showtraceback(etype, evalue, stb)

    def carry_out(self, name: str, text: str) -> None:
        """Do what a cell's magic says with its text."""
        self.cells.magics.of(name)(text)

    def read(self, lines: list[str]) -> list[str]:
        """A cell as IPython understands it: one that begins with a magic of the runtime is all that magic's, as in a task."""
        cell = Cell("".join(lines))
        name = cell.magic
        if name is None and self.by_sql and cell.source.strip():
            return [f"get_ipython().carry_out({SQL!r}, {cell.source!r})\n"]
        if name == "python":
            return cell.body.splitlines(keepends=True)
        if name is None or name == "pip" or self.cells.magics.of(name) is None:
            return lines
        return [f"get_ipython().carry_out({name!r}, {cell.body!r})\n"]


class _Kernel(IPythonKernel):
    """The kernel."""

    shell_class = Type(_Shell)
    interrupts: Interrupts
    restart: Callable[[], None]
    ends: bool = False

    def _abort_queues(self, subshell_id: str | None = None) -> None:
        if self.ends:
            # Cells that wait, or come before the end of this program, are told that they were not run.
            self._aborting = True
            return
        super()._abort_queues(subshell_id)

    async def execute_request(self, stream: Any, ident: Any, parent: Any) -> None:
        self.interrupts.begin()
        await super().execute_request(stream, ident, parent)

    async def do_execute(self, code: Any, silent: Any, *more: Any, **named: Any) -> Any:
        answer = await super().do_execute(code, silent, *more, **named)
        if answer.get("ename") == PythonRestart.__name__:
            self.ends = True
            asyncio.get_running_loop().call_later(_SECONDS_TO_ANSWER, self.restart)
        return answer


def serve(session: Session, packages: Packages, folder: str, wire: Wire, told: Mapping[str, Any], again: Again) -> NoReturn:
    """Be a kernel until the end of the process.

    Args:
        session: What its code finds.
        packages: Of its own.
        folder: For its files.
        wire: The way to the server, which is told how the kernel is spoken to.
        told: The ``language`` of plain cells, whether tables are to be shown as ``cells`` too, and the ``connection`` if it is to be
            spoken to as the kernel before it was.
        again: Goes on as a new program.
    """
    outputs = session.outputs
    if not isinstance(outputs, _Outputs):
        raise TypeError(outputs)
    _Messages.secrets = outputs.secrets
    os.environ["IPYTHONDIR"] = folder
    connection = Path(folder) / "connection.json"
    connection.touch(mode=0o600)
    connection.write_text(json.dumps(told.get("connection") or _fresh()), encoding="utf-8")
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.xmode = "Context"
    config.InteractiveShellApp.exec_PYTHONSTARTUP = False
    # Its log goes to the server's, where messages of users have no place.
    config.Application.log_level = "CRITICAL"
    namespace = session.namespace()
    _Kernel.interrupts = _Shell.interrupts = Interrupts()
    app = IPKernelApp.instance(
        config=config, kernel_class=_Kernel, connection_file=str(connection), session=_Messages(), user_ns=namespace
    )
    app.initialize([])
    shell: Any = app.shell
    cells = Cells(session, outputs, packages, folder, session.assignment.path)
    outputs.shell = shell
    shell.cells, shell.by_sql = cells, told.get("language") == SQL
    cells.enter()
    cells.install(shell)
    session.display.with_cells = bool(told.get("cells"))
    let_end_on_purpose(shell)
    shell.input_transformers_cleanup.insert(0, shell.read)
    shell.events.register("pre_run_cell", lambda info: session.complete(shell.user_ns, info.raw_cell))
    shell.events.register("post_run_cell", _tell_exit)
    spoken_to = json.loads(connection.read_text(encoding="utf-8"))
    widgets = session.dbutils.widgets

    def restart() -> None:
        kept = {name: asdict(widget) for name, widget in widgets.declared.items()}
        again({"widgets": kept, "given": widgets.given, "packages": packages.installed, "connection": spoken_to})

    app.kernel.restart = restart
    _Kernel.interrupts.watch()
    wire.send(connection=spoken_to)
    app.start()
    os._exit(0)


def make_outputs(secrets: Secrets) -> Outputs:
    """What a kernel shows things by."""
    return _Outputs(secrets)


def _fresh() -> dict[str, Any]:
    """How a new kernel is spoken to: by this machine alone, encrypted, as other users have processes on it too."""
    public, secret = zmq.curve_keypair()
    return {
        "transport": "tcp",
        "ip": "127.0.0.1",
        "key": new_id() + new_id(),
        "signature_scheme": "hmac-sha256",
        "curve_publickey": public.decode(),
        "curve_secretkey": secret.decode(),
        **dict.fromkeys(_CHANNELS, 0),
    }


def _tell_exit(result: Any) -> None:
    error = getattr(result, "error_in_exec", None)
    if isinstance(error, NotebookExit):
        print(f"Notebook exited: {error.value}")  # noqa: T201 - what the cell shows
