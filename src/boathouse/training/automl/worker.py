"""A process that runs trials' notebooks one after another, so that what they import is imported once.

Each line of its input is ``{"name": ..., "cells": [...]}``; each line of its answers is ``{"run_id": ..., "metrics": {...}}`` or
``{"error": ...}``. What notebooks print goes to the log.
"""

import json
import os
import sys
import traceback
from types import ModuleType
from typing import Any


def main() -> None:
    """Answer until the input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        told = json.loads(line)
        answers.write(json.dumps(_run(told["name"], told["cells"])) + "\n")
        answers.flush()


def _run(name: str, cells: list[str]) -> dict[str, Any]:
    module = ModuleType("__main__")
    module.__file__ = f"{name}.py"  # pyspark takes a main module without one for its tests
    # Classes and functions of the notebook are pickled with the model, as those of any main module.
    sys.modules["__main__"] = module
    try:
        for cell in cells:
            exec(compile(cell, name, "exec"), module.__dict__)  # noqa: S102 - what this process is for
    except BaseException as error:  # noqa: BLE001 - a trial's failure is its result, an exit too
        traceback.print_exc()
        return {"error": f"{type(error).__name__}: {error}"}
    return {"run_id": module.__dict__["run"].info.run_id, "metrics": module.__dict__["metrics"]}


if __name__ == "__main__":
    main()
