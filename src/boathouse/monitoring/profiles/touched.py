"""Which time a table's new commits have brought rows of, or taken or changed them in, by the statistics in its log."""

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

from boathouse.monitoring.profiles.windows import Stretch, joined
from boathouse.tables.api import Action, TableUnreadable, actions_of, physical_name, replay

_MILLISECOND = 1000


def touched(location: str, since: int, version: int, column: str) -> list[Stretch] | None:
    """The time between the least and the greatest timestamp of each file that came or went after a version.

    Args:
        location: Of the table.
        since: The last version that was looked at.
        version: The newest.
        column: Of the timestamps.

    Returns:
        Stretches of µs since the epoch; None where the log cannot tell.
    """
    try:
        state = replay(location, since)
    except TableUnreadable:
        return None
    name = next((physical_name(one) for one in state.schema["fields"] if one["name"].lower() == column.lower()), column)
    # A file that goes says nothing of what is in it; when it came it did.
    known = {path: add for (path, _), add in state.files.items()}
    found: list[Stretch] = []
    for number in range(since + 1, version + 1):
        try:
            actions = actions_of(state.folder, number)
        except FileNotFoundError:
            return None
        for kind, action in _changes(actions):
            one = _range(action if kind == "add" else known.get(action["path"], {}), name)
            if one is None:
                return None
            found.append(one)
        known |= {action["add"]["path"]: action["add"] for action in actions if "add" in action}
    return joined(found)


def _changes(actions: list[Action]) -> Iterator[tuple[str, dict[str, Any]]]:
    for action in actions:
        for kind in ("add", "remove"):
            if kind in action and action[kind].get("dataChange", True):
                yield kind, action[kind]


def _range(action: dict[str, Any], name: str) -> Stretch | None:
    values = action.get("partitionValues") or {}
    if name in values:
        moment = None if values[name] is None else _moment(str(values[name]))
        return None if moment is None else Stretch(moment, moment + _MILLISECOND)
    stats = json.loads(action.get("stats") or "{}")
    least, most = (stats.get(kind, {}).get(name) for kind in ("minValues", "maxValues"))
    if least is None or most is None:
        return None
    begin, end = _moment(str(least)), _moment(str(most))
    # Statistics are cut to milliseconds.
    return None if begin is None or end is None else Stretch(begin, end + _MILLISECOND)


def _moment(text: str) -> int | None:
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=dt.UTC)
    return (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)
