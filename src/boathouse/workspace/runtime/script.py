"""Runs a Python file as ``python FILE ARGUMENTS`` would, with the names of a notebook."""

import os
import sys
import traceback
from pathlib import Path
from types import ModuleType

from boathouse.workspace.runtime.assignment import Result
from boathouse.workspace.runtime.control import NotebookExit
from boathouse.workspace.runtime.outputs import Outputs
from boathouse.workspace.runtime.session import Session


def run_script(session: Session, outputs: Outputs) -> Result:
    """Run the file of the assignment."""
    path = session.assignment.path
    real = session.places.of(path).real
    try:
        source = Path(real).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return Result(error=f"The Python file {path} cannot be read: {error}")
    module = ModuleType("__main__")
    module.__dict__.update({"__file__": real, "__builtins__": __builtins__, **session.namespace()})
    session.complete(module.__dict__, source)
    sys.modules["__main__"] = module
    sys.argv = [real, *session.assignment.arguments]
    sys.path.insert(0, os.path.dirname(real))
    try:
        exec(compile(source, real, "exec"), module.__dict__)  # noqa: S102 - that is the task
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
        own = trace.tb_next if trace is not None else None
        lines = "".join(traceback.format_exception(type(error), error, own))
        sys.stderr.write(lines)
        secrets = outputs.secrets
        return Result(error=secrets.redact(f"{type(error).__name__}: {error}"), trace=secrets.redact(lines))
    return Result()
