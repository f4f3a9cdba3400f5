"""Which commits of a table's log a statement may have made: the engine writes nobody's name into them."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from boathouse.history.api import Commit
from boathouse.tables.api import commit_info, commit_time, commits

_NEWEST = 20
_ENGINES = re.compile(r"sail|apache-spark", re.IGNORECASE)


def commits_of_batch(places: Iterable[str], query_id: str, batch: int) -> tuple[Commit, ...]:
    """The commits of a batch of a streaming query, which have its identifier; among the newest few of each table."""
    found: list[Commit] = []
    for place in places:
        folder = Path(place)
        for version in reversed(commits(folder)[-_NEWEST:]):
            said = commit_info(folder, version).get("operationParameters") or {}
            if said.get("queryId") == query_id and str(said.get("epochId")) == str(batch):
                found.append(Commit(place, version, commit_time(folder, version), is_named=True))
                break
    return tuple(found)


def commits_of_query(place: str, query_id: str, before: int) -> tuple[Commit, ...]:
    """The commits of a streaming query to a table after a version."""
    found: list[Commit] = []
    folder = Path(place)
    for version in reversed(commits(folder)):
        if version <= before:
            break
        said = commit_info(folder, version).get("operationParameters") or {}
        if said.get("queryId") == query_id:
            found.append(Commit(place, version, commit_time(folder, version), is_named=True))
    return tuple(reversed(found))


def commits_since(places: Mapping[str, int], principal: str, since_ms: int) -> tuple[Commit, ...]:
    """The commits that a principal's statement can have made.

    Args:
        places: Folder of each table that it wrote -> the table's newest version before; -1 if there was none.
        principal: Its name.
        since_ms: When the statement began, in ms since the epoch.

    Returns:
        Those after that, with the principal's name or with nobody's; of the latter, the statement made one at most.
    """
    found: list[Commit] = []
    for place, before in places.items():
        folder = Path(place)
        for version in reversed(commits(folder)):
            committed_ms = commit_time(folder, version)
            if version <= before or committed_ms < since_ms:
                break
            info = commit_info(folder, version)
            name = info.get("userName")
            if name == principal or (name is None and _ENGINES.match(str(info.get("engineInfo") or ""))):
                found.append(Commit(place, version, committed_ms, is_named=name is not None))
    return tuple(found)
