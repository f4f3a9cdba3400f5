"""Runs a Python file as ``python FILE ARGUMENTS`` would, with the names of a notebook, or what a wheel says is to be run."""

import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from boathouse.workspace.runtime.assignment import Result
from boathouse.workspace.runtime.control import NotebookExit
from boathouse.workspace.runtime.outputs import Outputs
from boathouse.workspace.runtime.session import Session


class EntryPointMissing(Exception):
    """A wheel has no such entry point, or is not there."""


def run_program(session: Session, outputs: Outputs) -> Result:
    """Run the file or the entry point of the assignment."""
    return (_run_wheel if session.assignment.kind == "wheel" else _run_file)(session, outputs)


def _run_wheel(session: Session, outputs: Outputs) -> Result:
    package, name = session.assignment.path, session.assignment.entry_point
    sys.argv = [name, *session.assignment.arguments]

    def program() -> None:
        _entry_point(package, name)()

    return _run(program, outputs)


def _entry_point(package: str, name: str) -> Callable[[], Any]:
    """What a package calls by a name; else its function of that name, as Databricks has it."""
    import importlib.metadata  # noqa: PLC0415 - slow, and files do not need it

    try:
        found = [one for one in importlib.metadata.distribution(package).entry_points if one.name == name]
    except importlib.metadata.PackageNotFoundError:
        message = f"The package {package} is not installed: give its wheel in libraries, or in the task's environment."
        raise EntryPointMissing(message) from None
    if found:
        return found[0].load()
    function = getattr(importlib.import_module(package.replace("-", "_")), name, None)
    if function is None:
        message = f"The package {package} has neither an entry point nor a function {name}."
        raise EntryPointMissing(message)
    return function


def _run_file(session: Session, outputs: Outputs) -> Result:
    path = session.assignment.path
    real = session.places.of(path).real
    try:
        source = Path(real).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return Result(error=f"The Python file {path} cannot be read: {error}")
    session.training.ran(real, source)
    module = ModuleType("__main__")
    module.__dict__.update({"__file__": real, "__builtins__": __builtins__, **session.namespace()})
    session.complete(module.__dict__, source)
    sys.modules["__main__"] = module
    sys.argv = [real, *session.assignment.arguments]
    sys.path.insert(0, os.path.dirname(real))
    return _run(lambda: exec(compile(source, real, "exec"), module.__dict__), outputs)  # noqa: S102 - that is the task


def _run(program: Callable[[], Any], outputs: Outputs) -> Result:
    try:
        program()
    except NotebookExit as ended:
        return Result(value=outputs.secrets.redact(ended.value))
    except SystemExit as ended:
        if ended.code in {None, 0}:
            return Result()
        if not isinstance(ended.code, int):
            print(ended.code, file=sys.stderr)  # noqa: T201 - as Python does
        return Result(error=f"The file has ended with status {ended.code}.")
    except BaseException as error:  # noqa: BLE001 - whatever it is, the file has failed with it
        trace = error.__traceback__
        # Without the frames of this module.
        own = trace.tb_next.tb_next if trace is not None and trace.tb_next is not None else None
        lines = "".join(traceback.format_exception(type(error), error, own))
        sys.stderr.write(lines)
        secrets = outputs.secrets
        return Result(error=secrets.redact(f"{type(error).__name__}: {error}"), trace=secrets.redact(lines))
    return Result()
