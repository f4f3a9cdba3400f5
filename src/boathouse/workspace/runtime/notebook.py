"""Runs the cells of a notebook, one after the other, until one fails or ends the run."""

import os
import posixpath
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from boathouse.workspace.notebooks import Cell, Language, Notebook, parse
from boathouse.workspace.paths import PREFIX, parts_of, text_of
from boathouse.workspace.runtime.assignment import Assignment, Result
from boathouse.workspace.runtime.control import CellFailed, NotebookExit, PythonRestart
from boathouse.workspace.runtime.kernels import Kernels, LanguageFailed
from boathouse.workspace.runtime.magics import Magics
from boathouse.workspace.runtime.outputs import Outputs
from boathouse.workspace.runtime.packages import Packages
from boathouse.workspace.runtime.session import Session
from boathouse.workspace.runtime.shell import make_shell
from boathouse.workspace.tree import Kind, Tree

_LANGUAGES = {Language.SQL: "sql", Language.R: "r", Language.SCALA: "scala"}


class NotebookMissing(Exception):
    """No notebook is at a path."""

    def __init__(self, path: str) -> None:
        super().__init__(f"There is no notebook at {path}, or none that you may read.")


class Library:
    """Finds notebooks.

    Args:
        root: Folder of the workspace.
        ran: Is told of each that is read, to be run: its file and its text.
    """

    def __init__(self, root: str, ran: Callable[[str, str], None] = lambda _file, _text: None) -> None:
        self._tree = Tree(Path(root))
        self._ran = ran

    def find(self, path: str) -> tuple[str, Path]:
        """The path of a notebook in the API, and its file.

        Raises:
            NotebookMissing: If there is none.
        """
        parts = parts_of(posixpath.normpath(path))
        node = self._tree.find(parts)
        if node is None or node.kind is not Kind.NOTEBOOK:
            raise NotebookMissing(path)
        return text_of(parts), node.file

    def read(self, path: str) -> tuple[str, Notebook]:
        """A notebook, with its path in the API."""
        found, file = self.find(path)
        try:
            content = file.read_bytes()
        except PermissionError:
            raise NotebookMissing(path) from None
        notebook = parse(content, file.suffix)
        self._ran(str(file), content.decode(errors="replace"))
        return found, notebook


def resolve(path: str, beside: str) -> str:
    """A path as code gives it: absolute, or relative to the folder of the notebook that it stands in."""
    text = path.removeprefix(PREFIX) if path.startswith(f"{PREFIX}/") else path
    return posixpath.normpath(text if text.startswith("/") else posixpath.join(posixpath.dirname(beside), text))


class Cells:
    """Runs cells, and what their magics ask for.

    Args:
        session: What their code finds.
        outputs: What they show.
        packages: Of their own.
        folder: For files of the run.
        path: Of the notebook that they are of.
    """

    def __init__(self, session: Session, outputs: Outputs, packages: Packages, folder: str, path: str) -> None:
        self._session = session
        self._outputs = outputs
        self.packages = packages
        self._library = Library(session.assignment.workspace, session.training.ran)
        self.dbutils = session.dbutils
        self.display = session.display
        self.path = path
        self.kernels = Kernels(outputs, folder)
        self.magics = Magics(self)
        self._within = [path]
        self._folder = folder
        self.shell: Any
        self.number = 0

    @property
    def assignment(self) -> Assignment:
        """What the process was told."""
        return self._session.assignment

    def enter(self) -> None:
        """Go to the folder of the notebook: its files and modules are found from there."""
        folder = f"{PREFIX}{posixpath.dirname(self.path)}"
        os.chdir(folder)
        # "" is where the notebook has gone to by %cd, as in any IPython.
        sys.path[:0] = ["", self._session.places.real(folder)]

    def install(self, shell: Any) -> None:
        """Let a shell run the cells."""
        self.shell = shell
        formatter: Any = shell.display_formatter
        self.display.render_with(formatter.format)
        self.magics.install(shell)

    def _cell(self, cell: Cell, language: Language) -> None:
        magic = cell.magic
        action = None if magic is None else self.magics.of(magic)
        if magic is None and language is not Language.PYTHON:
            action = self.magics.of(_LANGUAGES[language])
        if cell.is_markdown:
            return
        text = cell.source if action is None and magic != "python" else cell.body if magic is not None else cell.source
        if not text.strip():
            return
        self._session.complete(self.shell.user_ns, text)
        if action is None or magic == "pip":
            # IPython's, line by line: such cells often have more than one.
            self._python(cell, cell.source if magic == "pip" else text)
            return
        try:
            action(text)
        except (NotebookExit, PythonRestart, CellFailed):
            raise
        except LanguageFailed as error:
            raise CellFailed(error, self._where(cell), error.trace) from error
        except SystemExit:
            raise
        except BaseException as error:
            self.shell.showtraceback()
            raise CellFailed(error, self._where(cell), self.shell.trace) from error

    def _python(self, cell: Cell, text: str) -> None:
        result = self.shell.run_cell(text, store_history=True)
        error = result.error_before_exec or result.error_in_exec
        if error is None:
            return
        if isinstance(error, NotebookExit | PythonRestart | CellFailed):
            raise error
        if isinstance(error, SystemExit) and error.code in {None, 0}:
            raise NotebookExit("")
        raise CellFailed(error, self._where(cell), self.shell.trace) from error

    def _where(self, cell: Cell) -> str:
        number = (
            str(self.number) if len(self._within) == 1 else f"at line {cell.line} of {self._within[-1]}, in cell {self.number}"
        )
        return f"Cell {number}" + (f" ({cell.title})" if cell.title else "")

    # ------------------------------------------------------------------------------------------------- what magics do

    def sql(self, text: str) -> Any:
        """Run SQL statements."""
        return self._session.run_sql(text)

    def include(self, path: str, values: Mapping[str, str]) -> None:
        """Run another notebook here, as ``%run`` does."""
        if not path:
            message = '%run needs the path of a notebook, as in %run ./setup $name="value".'
            raise ValueError(message)
        found, notebook = self._library.read(resolve(path, self._within[-1]))
        if found in self._within:
            message = f"The notebook {found} runs itself: {' -> '.join([*self._within, found])}."
            raise RecursionError(message)
        self.dbutils.widgets.give(values)
        self._within.append(found)
        try:
            for cell in notebook.cells:
                self._cell(cell, notebook.language)
        except NotebookExit:
            # It ends the notebook that it stands in, and the one that runs it goes on.
            return
        except PythonRestart:
            message = f"dbutils.library.restartPython() in {found} would forget the notebook that runs it: call it in that one."
            raise RuntimeError(message) from None
        finally:
            self._within.pop()

    def pip(self, text: str) -> None:
        """Change the packages of the notebook."""
        self.packages.run(text)


class NotebookRun(Cells):
    """The run of one notebook.

    Args:
        session: What its code finds.
        outputs: What it shows.
        packages: Of its own.
        folder: For files of the run.
    """

    def __init__(self, session: Session, outputs: Outputs, packages: Packages, folder: str) -> None:
        path, self.notebook = Library(session.assignment.workspace, session.training.ran).read(session.assignment.path)
        super().__init__(session, outputs, packages, folder, path)

    def run(self, first: int) -> Result:
        """Run the cells from one on.

        Raises:
            PythonRestart: If a cell asks for a new Python; ``number`` tells which.
        """
        self.enter()
        self.install(make_shell(self._outputs, self._folder, self._session.namespace()))
        for number in range(first, len(self.notebook.cells) + 1):
            self.number, cell = number, self.notebook.cells[number - 1]
            self._outputs.begin(number)
            try:
                self._cell(cell, self.notebook.language)
            except NotebookExit as ended:
                return Result(value=self._outputs.secrets.redact(ended.value))
            except CellFailed as failed:
                return self._failed(failed)
            finally:
                self._outputs.flush()
        return Result()

    def _failed(self, failed: CellFailed) -> Result:
        secrets = self._outputs.secrets
        error = f"{failed.where}: {type(failed.error).__name__}: {failed.error}"
        return Result(error=secrets.redact(error), trace=secrets.redact(failed.trace))


__all__ = ["Cells", "Library", "NotebookMissing", "NotebookRun", "resolve"]
