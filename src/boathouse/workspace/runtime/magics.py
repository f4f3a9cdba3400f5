"""The magics of Databricks: ``%sql``, ``%md``, ``%fs``, ``%sh``, ``%python``, ``%run``, and those of other languages."""

import functools
import re
import shlex
from typing import TYPE_CHECKING, Any

from boathouse.workspace.runtime.shell import run_command

if TYPE_CHECKING:
    from boathouse.workspace.runtime.notebook import Cells

_ARGUMENT = re.compile(r"""\$(\w+)\s*=\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\S+)""")
_KERNELS = {"r": "R", "scala": "Scala", "java": "Java"}


class CommandFailed(Exception):
    """A command of ``%sh`` has ended with another status than 0."""


class Magics:
    """What a cell that begins with a magic does.

    Args:
        run: Runs the cells.
    """

    def __init__(self, run: "Cells") -> None:
        self._run = run
        self.cells = {
            "sql": self.sql,
            "md": self.md,
            "markdown": self.md,
            "fs": self.fs,
            "sh": self.sh,
            "run": self.run,
            "pip": self.pip,
            **{name: functools.partial(self._in_kernel, language) for name, language in _KERNELS.items()},
        }

    def of(self, name: str) -> Any:
        """What a magic does with its text, or None if it is IPython's."""
        return self.cells.get(name)

    def install(self, shell: Any) -> None:
        """Let cells use them in the middle too."""
        for name in self.cells:
            action = self.of(name)
            if name not in {"md", "markdown"}:
                shell.register_magic_function(lambda line, action=action: action(line), "line", name)
            shell.register_magic_function(lambda line, cell, action=action: action(f"{line}\n{cell}"), "cell", name)

    def _in_kernel(self, language: str, text: str) -> None:
        """Run a cell in another language."""
        self._run.kernels.run(language, text)

    def md(self, text: str) -> None:
        """Text for people; it is in the result as it is."""

    def sql(self, text: str) -> None:
        """Run statements and show the rows of the last, which ``_sqldf`` is then."""
        frame = self._run.sql(text)
        if frame is not None:
            self._run.shell.user_ns["_sqldf"] = frame
            self._run.display.frame(frame)

    def sh(self, text: str) -> None:
        """Run a script of the shell. ``-e`` before it makes it an error if that fails."""
        strict = text.lstrip().startswith("-e")
        status = run_command(text.lstrip().removeprefix("-e") if strict else text)
        if status and strict:
            message = f"The script has ended with status {status}."
            raise CommandFailed(message)

    def fs(self, text: str) -> None:
        """Call a member of ``dbutils.fs``."""
        words = shlex.split(text, comments=True)
        if not words:
            message = "%fs needs a command: ls, head, mkdirs, put, cp, mv or rm."
            raise ValueError(message)
        name, given = words[0], words[1:]
        flags = {word for word in given if word in {"-r", "--recurse", "recurse=true"}}
        plain = [word for word in given if word not in flags]
        member = getattr(self._run.dbutils.fs, name)
        answer = member(*plain, **({"recurse": True} if flags else {}))
        if name == "ls":
            self._run.display.table(["path", "name", "size", "modificationTime"], answer)
        elif isinstance(answer, str):
            print(answer)  # noqa: T201 - it is the output
        else:
            print(f"res: {answer}")  # noqa: T201

    def run(self, text: str) -> None:
        """Run another notebook in this one's namespace; ``$name="value"`` sets its widgets."""
        line = " ".join(text.split("\n")).strip()
        found = _ARGUMENT.search(line)
        path = (line if found is None else line[: found.start()]).strip().strip("\"'")
        values = {name: _unquoted(value) for name, value in _ARGUMENT.findall(line)}
        self._run.include(path, values)

    def pip(self, text: str) -> None:
        """Change the packages of this notebook."""
        self._run.pip(text)


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return re.sub(r"\\(.)", r"\1", value[1:-1])
    return value
