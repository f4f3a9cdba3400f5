"""Which files COPY INTO has loaded into a table.

Each load writes a list of its files beside the log (``_delta_log/_copy_into_log``), and then commits its rows together with a
transaction identifier whose version is the number of the load, in one commit. A list counts as soon as that commit is there,
and not before: so a file is loaded exactly once, whenever the server may stop. One identifier for all loads, rather than one for
each file, keeps the table's checkpoints small; and two loads at a time conflict in it, as they should.
"""

import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from boathouse.engine.gateway.writes.delta_target import DeltaTarget
from boathouse.engine.gateway.writes.transactions import Identifier, last_transaction
from boathouse.tables.api import commit_info, commits

APP_ID = "boathouse.copy-into"
PARAMETER = "copyIntoLog"
_FOLDER = "_copy_into_log"


@dataclass(frozen=True)
class Load:
    """A load that is being made.

    Attributes:
        token: The name of its list, until its number is known.
        files: Where the files lie.
    """

    token: str
    files: tuple[str, ...]


def last_load(target: DeltaTarget) -> int:
    """The number of loads that a table has."""
    return last_transaction(target, APP_ID) or 0


def loaded(target: DeltaTarget, after: int = 0) -> set[str]:
    """The files that were loaded, or those that were after a number of loads."""
    found: set[str] = set()
    for number in range(after + 1, last_load(target) + 1):
        found.update(_files(target, number))
    return found


def begin(target: DeltaTarget, files: Iterable[str]) -> Load:
    """Write down what is going to be loaded."""
    load = Load(uuid.uuid4().hex, tuple(files))
    folder = _folder(target)
    folder.mkdir(exist_ok=True)
    (folder / f"{load.token}.json").write_text(json.dumps({"files": list(load.files)}))
    return load


def give_up(target: DeltaTarget, load: Load) -> None:
    """Forget a load that was not made."""
    (_folder(target) / f"{load.token}.json").unlink(missing_ok=True)


def identifier(number: int) -> Identifier:
    """The transaction identifier of a load."""
    return Identifier(APP_ID, number)


def settle(target: DeltaTarget, load: Load, number: int) -> None:
    """Name a list by its number once its commit is there."""
    folder = _folder(target)
    (folder / f"{load.token}.json").rename(folder / _name(number))


def _files(target: DeltaTarget, number: int) -> list[str]:
    folder = _folder(target)
    path = folder / _name(number)
    if not path.exists():
        # The server stopped between the commit and the renaming: the commit knows the name.
        token = _token_of(target, number)
        if token is None:
            return []
        (folder / f"{token}.json").rename(path)
    return list(json.loads(path.read_text())["files"])


def _token_of(target: DeltaTarget, number: int) -> str | None:
    for version in reversed(commits(target.folder)):
        parameters = commit_info(target.folder, version).get("operationParameters") or {}
        if PARAMETER in parameters and parameters.get("load") == str(number):
            token = str(parameters[PARAMETER])
            return token if (_folder(target) / f"{token}.json").exists() else None
    return None


def _folder(target: DeltaTarget) -> Path:
    return target.folder / "_delta_log" / _FOLDER


def _name(number: int) -> str:
    return f"{number:020}.json"
