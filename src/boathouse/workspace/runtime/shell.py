"""IPython's shell, with its outputs kept and its programs started as Boathouse starts them."""

import os
import subprocess
import sys
from types import TracebackType
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Type
from traitlets.config import Config

from boathouse.workspace.runtime.control import CellFailed, NotebookExit, PythonRestart
from boathouse.workspace.runtime.outputs import Outputs


class _Publisher(DisplayPublisher):
    """Keeps what cells display."""

    shell: "Shell"

    def publish(self, data: Any, metadata: Any = None, **_: Any) -> None:  # type: ignore[override]
        self.shell.outputs.show(data, metadata)

    def clear_output(self, wait: bool = False) -> None:  # noqa: ARG002 - IPython's signature
        self.shell.outputs.clear()


class _Hook(DisplayHook):
    """Keeps the value of a cell."""

    shell: "Shell"

    def write_output_prompt(self) -> None:
        pass

    def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None:
        self.shell.outputs.show(format_dict, md_dict, self.prompt_count)

    def finish_displayhook(self) -> None:
        pass


class Programs:
    """How IPython's shells start programs here."""

    def init_virtualenv(self) -> None:
        """The environment is the process's."""

    def system_piped(self: Any, cmd: str) -> None:
        """Run a command of ``!`` and show what it writes as it comes; its status is in ``_exit_code``."""
        self.user_ns["_exit_code"] = run_command(self.var_expand(cmd, depth=1))

    system = system_piped

    def getoutput(self: Any, cmd: str, split: bool = True, depth: int = 0) -> Any:
        """What a command writes."""
        from IPython.utils.text import LSString, SList  # noqa: PLC0415 - IPython's own way

        command = self.var_expand(cmd, depth=depth + 1)
        done = subprocess.run(command, shell=True, executable=_shell(), capture_output=True, text=True, check=False)  # noqa: S602
        sys.stderr.write(done.stderr)
        self.user_ns["_exit_code"] = done.returncode
        return SList(done.stdout.splitlines()) if split else LSString(done.stdout)

    def enable_gui(self, gui: str | None = None) -> None:
        """``%matplotlib inline`` needs no loop of a window system; there is none for the others."""
        if gui is not None:
            message = f"There is no window for {gui} here: figures are part of the result, with %matplotlib inline."
            raise NotImplementedError(message)


class Shell(Programs, InteractiveShell):
    """Runs the cells of one notebook."""

    display_pub_class = Type(_Publisher)
    displayhook_class = Type(_Hook)
    outputs: Outputs
    trace: str = ""
    """Of the last error."""

    def _showtraceback(self, etype: type[BaseException], evalue: BaseException, stb: Any) -> None:
        lines = stb.splitlines() if isinstance(stb, str) else list(stb)
        self.trace = "\n".join(lines)
        self.outputs.fail(etype.__name__, str(evalue), lines)


def make_shell(outputs: Outputs, folder: str, namespace: dict[str, Any]) -> Shell:
    """A shell.

    Args:
        outputs: Keeps what it shows.
        folder: For IPython's own files.
        namespace: What the cells find.
    """
    os.environ["IPYTHONDIR"] = folder
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    config.InteractiveShell.xmode = "Context"
    Shell.outputs = outputs
    shell = Shell.instance(config=config, user_ns=namespace)
    let_end_on_purpose(shell)
    return shell


def let_end_on_purpose(shell: InteractiveShell) -> None:
    """Let a shell show nothing of what is no error, or was shown already."""

    def on_purpose(
        _: Any, kind: type[BaseException], value: BaseException, trace: TracebackType, tb_offset: Any = None
    ) -> None: ...

    shell.set_custom_exc((NotebookExit, PythonRestart, CellFailed), on_purpose)


def run_command(command: str) -> int:
    """Run a command of a shell, its output shown as it comes; its exit status."""
    with subprocess.Popen(  # noqa: S602 - a shell is what is asked for
        command,
        shell=True,
        executable=_shell(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        if process.stdout is not None:
            for line in process.stdout:
                sys.stdout.write(line.decode("utf-8", "replace"))
    return process.returncode


def _shell() -> str:
    return next((one for one in ("/bin/bash", "/usr/bin/bash") if os.path.exists(one)), "/bin/sh")
