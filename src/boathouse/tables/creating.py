"""A new table whose first commit says all of it: what an engine has written elsewhere, and what it has not said."""

import json
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

from boathouse.kit.clock import now_ms
from boathouse.storage.paths import from_url
from boathouse.tables.alter import Edit, alter
from boathouse.tables.errors import CommitLost
from boathouse.tables.files import data_path
from boathouse.tables.log import Operation, actions_of, info_action, replay, write_commit


def make_empty(location: str) -> None:
    """Make a table without columns.

    Raises:
        CommitLost: If a table is there.
    """
    metadata = {
        "id": str(uuid.uuid4()),
        "format": {"provider": "parquet", "options": {}},
        "schemaString": json.dumps({"type": "struct", "fields": []}),
        "partitionColumns": [],
        "createdTime": now_ms(),
        "configuration": {},
    }
    protocol = {"minReaderVersion": 1, "minWriterVersion": 2}
    actions = [info_action(Operation("CREATE TABLE"), None, {}), {"protocol": protocol}, {"metaData": metadata}]
    if not write_commit(location, 0, actions):
        raise CommitLost("CREATE TABLE", "another writer made a table at its location.")


def publish_first(source: str, target: str, work: Callable[[Edit], None]) -> None:
    """Make a table of one that an engine has made elsewhere in one commit.

    No engine has seen a log at the new place before, so none can have kept an older first version of it.

    Args:
        source: What the engine has made; its files are moved.
        target: Where the table is to lie, on the same disk.
        work: Changes its metadata.

    Raises:
        DeltaRefused: If ``work`` says so.
        CommitLost: If a table was made there meanwhile.
    """
    state = replay(source)
    edit = Edit(state)
    work(edit)
    changed = {name: value for action in edit.actions() or () for name, value in action.items()}
    actions = [{name: changed.get(name, value) for name, value in one.items()} for one in actions_of(state.folder, 0)]
    folder = from_url(target)
    for add in state.files.values():
        _move(data_path(state.folder, add["path"]), data_path(folder, add["path"]))
    if not write_commit(target, 0, actions):
        raise CommitLost("CREATE TABLE", "another writer made a table at its location.")


def put_in_order(edit: Edit, names: Sequence[str]) -> None:
    """Give the columns of a table whose metadata is changed the order of their names; those not among them come last."""
    places = {name.lower(): number for number, name in enumerate(names)}
    edit.columns.sort(key=lambda column: places.get(column["name"].lower(), len(places)))


def set_order(location: str, names: Sequence[str], user: str | None = None) -> None:
    """Give the columns of a table the order of their names, where they stand otherwise."""
    alter(location, Operation("CHANGE COLUMNS", {"columns": ",".join(names)}, user), lambda edit: put_in_order(edit, names))


def _move(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    source.replace(target)
