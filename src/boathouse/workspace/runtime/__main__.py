"""The process: ``python -m boathouse.workspace.runtime``.

It gets its assignment as the first line of its standard input and answers on the descriptor that is named there: it may ask for
task values, and at the end it tells its result. ``dbutils.library.restartPython()`` replaces the process's program by a new one,
which finds what has to stay in a file that it inherits.
"""

import errno
import json
import os
import sys
import tempfile
import traceback
from contextlib import closing
from dataclasses import asdict, replace
from typing import Any, NoReturn

from boathouse.kit.wire import Wire, read_assignment
from boathouse.workspace.runtime import below, patches
from boathouse.workspace.runtime.assignment import KERNEL, Assignment, Result
from boathouse.workspace.runtime.control import NotebookExit, PythonRestart
from boathouse.workspace.runtime.dbutils.widgets import Widget, Widgets
from boathouse.workspace.runtime.nested import COMMAND, run_notebook
from boathouse.workspace.runtime.outputs import Descriptors, Outputs, Stream
from boathouse.workspace.runtime.packages import Packages
from boathouse.workspace.runtime.places import Places
from boathouse.workspace.runtime.redaction import Secrets
from boathouse.workspace.runtime.server import Server, ServerRefused
from boathouse.workspace.runtime.session import Session
from boathouse.workspace.runtime.training import end_active_runs
from boathouse.workspace.runtime.waiting import WAIT, prepare


def main() -> NoReturn:
    """Do what the assignment on standard input says, or go on with what a program before this one has left."""
    # Programs that user code starts must not read what the server says.
    incoming = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    sys.stdin = os.fdopen(incoming, encoding="utf-8")
    left = _left()
    if sys.argv[1:] == [WAIT]:
        prepare()
    told: dict[str, Any] = left["assignment"] if left else read_assignment()
    wire = Wire(int(told["descriptor"]))
    is_kernel = told.get("kind") == KERNEL
    outputs = _outputs(Secrets(left.get("secrets")), is_kernel=is_kernel)
    result, restart = Result(), None
    descriptors: Descriptors | None = None
    try:
        assignment = Assignment.from_json(told)
        folder = str(told.get("folder") or tempfile.mkdtemp(prefix="run-"))
        temporary = _prepare(assignment, folder, again=bool(left))
        wire.listen()
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 - as long as the process
        run = _Run(assignment, wire if told.get("in_job", "jobId" in assignment.tags) else None, outputs, folder, temporary)
        if is_kernel:
            from boathouse.workspace.runtime.kernel import serve  # noqa: PLC0415 - an extra

            serve(
                *run.prepare(left),
                folder,
                wire,
                told | left,
                lambda stays: _again(
                    stays | {"assignment": told, "secrets": outputs.secrets.values}, incoming, int(told["descriptor"])
                ),
            )
        descriptors = Descriptors(outputs)
        sys.stdout, sys.stderr = (
            Stream(outputs, name, below) for name, below in (("stdout", sys.stdout), ("stderr", sys.stderr))
        )
        result, restart = run.carry_out(left)
        result = replace(result, source=run.source)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the run has failed with it
        trace = outputs.secrets.redact("".join(traceback.format_exception(error)))
        result = Result(error=outputs.secrets.redact(f"{type(error).__name__}: {error}"), trace=trace)
    if restart is None:
        end_active_runs("FINISHED" if result.error is None else "FAILED")
    if descriptors is not None:
        descriptors.end()
    if restart is not None:
        _again(restart | {"assignment": told, "secrets": outputs.secrets.values}, incoming, int(told["descriptor"]))
    wire.send(result=asdict(result))
    # Threads of user code must not keep it.
    os._exit(0)


def _outputs(secrets: Secrets, *, is_kernel: bool) -> Outputs:
    """What keeps or sends what is shown."""
    if not is_kernel:
        return Outputs(secrets)
    from boathouse.workspace.runtime.kernel import make_outputs  # noqa: PLC0415 - an extra

    return make_outputs(secrets)


def _prepare(assignment: Assignment, folder: str, *, again: bool) -> str | None:
    """Take from this process what it may not have; its folder for temporary files if it has no right on the machine's."""
    if assignment.confinement is None and not again:
        return None
    from boathouse.workspace.runtime import confinement  # noqa: PLC0415 - where there is none it is not needed

    temporary = confinement.use_folder(folder)
    if assignment.confinement is not None and not again:
        confinement.restrict(folder, assignment.confinement)
    return temporary if assignment.confinement is not None else None


class _Run:
    """One run.

    Args:
        assignment: What is to be run.
        talk: The way to the job; None outside one.
        outputs: What is shown.
        folder: For files of the run.
        temporary: Stands for /tmp; None if that can be used.
    """

    def __init__(self, assignment: Assignment, talk: Wire | None, outputs: Outputs, folder: str, temporary: str | None) -> None:
        self._assignment = assignment
        self._talk = talk
        self._outputs = outputs
        self._folder = folder
        self._server = Server(assignment.base_url, assignment.token)
        volumes = assignment.volumes
        self._places = Places(
            assignment.workspace, assignment.dbfs, volumes, self._why_no_volume, temporary, assignment.packages
        )
        self._path, self._temporary = assignment.path, temporary
        self.source: str | None = None

    def prepare(self, left: dict[str, Any]) -> tuple[Session, Packages]:
        """Give the process all that user code finds."""
        declared = {name: Widget(**value) for name, value in left.get("widgets", {}).items()}
        widgets = Widgets(left.get("given", self._assignment.parameters), declared)
        session = Session(self._assignment, self._places, self._server, self._outputs, widgets, self._talk, self._other)
        session.set_environment()
        self.source = session.training.name
        patches.install(self._places)
        below.tell(self._folder, self._assignment, self._temporary)
        from boathouse.workspace.runtime import shims  # noqa: PLC0415 - after the patches

        shims.install(session)
        packages = Packages(self._assignment.packages or self._folder, left.get("packages", ()))
        if not left:
            for words in self._assignment.requirements:
                packages.install(words)
        if self._assignment.repository is not None:
            sys.path.insert(0, self._places.real(f"/Workspace{self._assignment.repository}"))
        return session, packages

    def carry_out(self, left: dict[str, Any]) -> tuple[Result, dict[str, Any] | None]:
        """Run it; and what has to stay where a new Python is asked for."""
        session, packages = self.prepare(left)
        widgets = session.dbutils.widgets
        if self._assignment.kind == "dbt":
            from boathouse.workspace.runtime.dbt import run_dbt  # noqa: PLC0415 - the same

            return run_dbt(session, self._outputs, self._folder), None
        if self._assignment.kind != "notebook":
            from boathouse.workspace.runtime.script import run_program  # noqa: PLC0415 - one of the two is needed

            return run_program(session, self._outputs), None
        from boathouse.workspace.runtime.notebook import NotebookRun  # noqa: PLC0415 - the same
        from boathouse.workspace.runtime.report import write_results  # noqa: PLC0415

        self._outputs.cells.update({int(number): cell for number, cell in left.get("cells", {}).items()})
        run = NotebookRun(session, self._outputs, packages, self._folder)
        self._path = run.path
        try:
            with closing(run.kernels):
                result = run.run(int(left.get("next", 1)))
        except PythonRestart:
            kept = {name: asdict(widget) for name, widget in widgets.declared.items()}
            stays: dict[str, Any] = {
                "next": run.number + 1,
                "widgets": kept,
                "given": widgets.given,
                "cells": self._outputs.cells,
            }
            stays["packages"] = packages.installed
            return Result(), stays
        if self._assignment.outputs is not None:
            write_results(self._assignment.outputs, run.notebook, run.path, self._outputs, result)
        return result, None

    def _other(self, path: str, seconds: float, arguments: Any) -> str:
        from boathouse.workspace.runtime.notebook import resolve  # noqa: PLC0415 - see above

        return run_notebook(self._assignment, resolve(path, self._path), seconds, arguments, self._talk)

    def _why_no_volume(self, name: str, path: str) -> OSError:
        try:
            self._server.get(f"/api/2.1/unity-catalog/volumes/{name}")
        except ServerRefused as refused:
            kind, number = (FileNotFoundError, errno.ENOENT) if refused.code == 404 else (PermissionError, errno.EACCES)
            return kind(number, str(refused), path)
        why = "You have no READ VOLUME on it, or it was made after this run began, or it lies in an object store"
        return PermissionError(errno.EACCES, f"The files of the volume {name} cannot be opened. {why}", path)


def _left() -> dict[str, Any]:
    """What the program before this one has left."""
    if len(sys.argv) < 3 or sys.argv[1] != "--again":
        return {}
    with os.fdopen(int(sys.argv[2]), encoding="utf-8") as kept:
        return json.load(kept)


def _again(stays: dict[str, Any], incoming: int, descriptor: int) -> NoReturn:
    """Go on as a new program in the same process."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as kept:
        json.dump(stays, kept)
        kept.flush()
        kept.seek(0)
        handle = os.dup(kept.fileno())
    for number in (handle, descriptor):
        os.set_inheritable(number, True)  # noqa: FBT003 - takes no name
    os.dup2(incoming, 0)
    command = [sys.executable, *COMMAND, "--again", str(handle)]
    os.execve(sys.executable, command, below.untold())  # noqa: S606 - itself


if __name__ == "__main__":
    main()


__all__ = ["NotebookExit", "main"]
