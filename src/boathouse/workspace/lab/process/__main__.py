"""The process: ``python -m boathouse.workspace.lab.process``."""

import os
import sys
from pathlib import Path

from boathouse.kit.wire import Wire, read_assignment
from boathouse.workspace.runtime import confinement


def main() -> None:
    """Take the assignment, give up all rights on the lake, and serve until the server ends or says stop."""
    told = read_assignment()
    wire = Wire(int(told["descriptor"]))
    folder = Path(told["folder"])
    confinement.use_folder(str(folder))
    os.environ.pop("TMPDIR", None)
    os.environ.update(
        JUPYTER_CONFIG_DIR=str(folder / "config"),
        JUPYTER_DATA_DIR=str(folder / "data"),
        JUPYTER_RUNTIME_DIR=str(folder / "runtime"),
    )
    for name in ("config", "data", "runtime"):
        (folder / name).mkdir(mode=0o700, exist_ok=True)
    # Before what would start threads is imported.
    if told["confined"]:
        confinement.restrict(str(folder), {"read": [], "write": [], "own": []})
    os.chdir(folder)
    # Two thirds of the time to start: jsonschema would make a parser of IRIs from a grammar, for a format that nothing here has.
    sys.modules["rfc3987_syntax"] = None  # pyright: ignore[reportArgumentType]
    from boathouse.workspace.lab.process.application import serve  # noqa: PLC0415 - see above

    serve(told, wire)


if __name__ == "__main__":
    main()
    sys.exit(0)
