"""When a table got data, and how many rows, from its log alone."""

import json
from dataclasses import dataclass
from typing import Any

from boathouse.storage.paths import from_url
from boathouse.tables.log import Action, actions_of, commit_file, commits

_MOST_COMMITS = 5000
"""Of one table that are looked at, the newest."""


@dataclass(frozen=True)
class Arrival:
    """A commit that changed data.

    Attributes:
        time_ms: When, since the epoch.
        rows: How many rows its new files have, rewritten ones too; None where their statistics are missing.
    """

    time_ms: int
    rows: int | None


def arrivals(location: str, since_ms: int) -> list[Arrival]:
    """The commits that changed data since a moment, oldest first, as far back as the log goes.

    Raises:
        TruncatedLog: If a commit's file is not whole.
    """
    folder = from_url(location)
    found: list[Arrival] = []
    for version in reversed(commits(folder)[-_MOST_COMMITS:]):
        try:
            actions = actions_of(folder, version)
            at = _time(actions) or int(commit_file(folder, version).stat().st_mtime * 1000)
        except FileNotFoundError:
            # The log was cleaned up meanwhile.
            break
        if at < since_ms:
            break
        added, removed = _changes(actions, "add"), _changes(actions, "remove")
        if added or removed:
            found.append(Arrival(at, _rows(added, {one["path"] for one in removed})))
    return found[::-1]


def _time(actions: list[Action]) -> int | None:
    infos = (action["commitInfo"] for action in actions if "commitInfo" in action)
    return next((int(time) for info in infos if (time := info.get("inCommitTimestamp") or info.get("timestamp"))), None)


def _changes(actions: list[Action], kind: str) -> list[dict[str, Any]]:
    return [action[kind] for action in actions if kind in action and action[kind].get("dataChange", True)]


def _rows(added: list[dict[str, Any]], removed: set[str]) -> int | None:
    """Rows of new files; a file that only got a deletion vector is none."""
    total = 0
    for add in added:
        if add["path"] in removed:
            continue
        count = json.loads(add.get("stats") or "{}").get("numRecords")
        if count is None:
            return None
        total += int(count)
    return total
