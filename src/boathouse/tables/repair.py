"""Files that a log names and that are not there, and manifests for readers that know no Delta log."""

from collections.abc import Sequence

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from boathouse.kit.clock import now_ms
from boathouse.storage.paths import from_url
from boathouse.tables.errors import TableUnreadable
from boathouse.tables.files import data_path
from boathouse.tables.log import Action, Operation, State, change, removal, replay


def _missing(state: State) -> list[Action]:
    return [add for add in state.files.values() if not data_path(state.folder, add["path"]).exists()]


def missing_files(location: str) -> list[str]:
    """The paths, as in the log, of a table's files that are not there.

    Raises:
        TableUnreadable: If there is no Delta log.
    """
    return sorted(add["path"] for add in _missing(replay(location)))


def remove_missing(location: str, user: str | None = None) -> list[str]:
    """Take files that are not there out of a table's log; their paths. What was in them is lost.

    Raises:
        TableUnreadable: If there is no Delta log.
        CommitLost: If other writers were faster every time.
    """
    gone: list[str] = []
    operation = Operation("FSCK", {}, user)

    def work(state: State) -> Sequence[Action] | None:
        nonlocal gone
        found = _missing(state)
        gone = sorted(add["path"] for add in found)
        operation.metrics["numRemovedFiles"] = len(found)
        now = now_ms()
        return [removal(add, now) for add in found] or None

    change(location, operation, work)
    return gone


def generate_manifest(location: str) -> None:
    """Write the table's files into ``_symlink_format_manifest``, for readers such as Presto and Athena.

    Raises:
        TableUnreadable: If delta-rs cannot: there is no Delta table, or it has deletion vectors or column mapping.
    """
    try:
        DeltaTable(from_url(location)).generate()
    except (DeltaError, OSError) as error:
        raise TableUnreadable(location, str(error).splitlines()[0]) from error
