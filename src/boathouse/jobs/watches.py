"""What triggers look at: the files of a folder, the versions of tables; and whether what is there is new enough to start a run."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from boathouse.catalog.api import CatalogService, Privilege
from boathouse.errors import InvalidState, NotImplementedHere
from boathouse.iam.api import Principal
from boathouse.jobs.errors import SettingsInvalid
from boathouse.storage.layout import Layout
from boathouse.storage.paths import from_url
from boathouse.tables.api import commits

LOOK_MS = 5_000
"""How often a trigger looks."""
MOST_FILES = 10_000
FILES, TABLES = "file_arrival", "table_update"
_VOLUMES = ("/Volumes/", "dbfs:/Volumes/")


@dataclass(frozen=True)
class Judged:
    """What follows from a look.

    Attributes:
        state: What the trigger remembers for the next one.
        fires: Whether a run starts.
    """

    state: dict[str, Any]
    fires: bool


def watched(settings: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]] | None:
    """What the trigger of a job looks at, if it looks at anything: its field, and that field's value."""
    trigger: Mapping[str, Any] = settings.get("trigger") or {}
    if trigger.get("pause_status") == "PAUSED":
        return None
    return next(((field, trigger[field]) for field in (FILES, TABLES) if trigger.get(field)), None)


def check(settings: Mapping[str, Any]) -> None:
    """Go on only if what the trigger looks at can be.

    Raises:
        SettingsInvalid: If not.
    """
    url = str(((settings.get("trigger") or {}).get(FILES) or {}).get("url") or "")
    if url and not url.startswith(_VOLUMES):
        raise SettingsInvalid(
            f"trigger.{FILES}.url", f"is '{url}'. Valid: a folder in a volume, /Volumes/<catalog>/<schema>/<volume>/<path>."
        )
    for number, name in enumerate(((settings.get("trigger") or {}).get(TABLES) or {}).get("table_names") or ()):
        if name.count(".") != 2:
            raise SettingsInvalid(f"trigger.{TABLES}.table_names[{number}]", f"is '{name}', which is no name of three parts.")


def look(session: Session, principal: Principal, layout: Layout, field: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """What is there now, as the one sees it with whose rights the job runs.

    Raises:
        BoathouseError: If it may not, or if it is not there.
    """
    catalog = CatalogService(session, principal, layout)
    if field == FILES:
        folder = catalog.volume_path(str(spec["url"]), Privilege.READ_VOLUME)
        found = sorted(_files(folder))
        if len(found) > MOST_FILES:
            message = f"{spec['url']} has more than {MOST_FILES} files, which is the most that a file_arrival trigger looks at."
            raise InvalidState(message)
        return {"files": found}
    versions: dict[str, int] = {}
    for name in spec["table_names"]:
        location = catalog.get_table(name, Privilege.SELECT).storage_location
        if not location.startswith("file:"):
            message = f"{name} lies at {location or 'no place of its own'}: table_update looks at Delta tables on disk."
            raise NotImplementedHere(message)
        versions[name] = max(commits(from_url(location)), default=-1)
    return {"versions": versions}


def _files(folder: Path) -> Iterator[str]:
    """A short mark for each file, which changes with its content."""
    for path in folder.rglob("*") if folder.is_dir() else ():
        if path.is_file() and not path.name.startswith((".", "_")):
            known = path.stat()
            text = f"{path.relative_to(folder)}|{known.st_mtime_ns}|{known.st_size}"
            yield hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def judge(field: str, spec: Mapping[str, Any], state: Mapping[str, Any], seen: Mapping[str, Any], now: int) -> Judged:
    """Whether what is there starts a run; the first look only remembers.

    Args:
        field: ``file_arrival`` or ``table_update``.
        spec: Its value.
        state: What was remembered.
        seen: What is there.
        now: In ms since the epoch.
    """
    base = dict(seen) if field == TABLES else {}
    if "seen" not in state:
        return Judged({"seen": dict(seen), "base": base}, fires=False)
    changed_at = state.get("changed_at")
    if _news(field, state["seen"], seen):
        changed_at = now
    new: dict[str, Any] = {**state, "seen": dict(seen), "changed_at": changed_at}
    new.pop("error", None)
    if changed_at is None or (field == TABLES and not _enough(spec, state["base"], seen)):
        return Judged(new, fires=False)
    wait = 1000 * int(spec.get("wait_after_last_change_seconds") or 0)
    between = 1000 * int(spec.get("min_time_between_triggers_seconds") or 0)
    if now - changed_at < wait or now - int(state.get("fired_at") or 0) < between:
        return Judged(new, fires=False)
    return Judged({**new, "changed_at": None, "fired_at": now, "base": base}, fires=True)


def _news(field: str, before: Mapping[str, Any], seen: Mapping[str, Any]) -> bool:
    if field == FILES:
        return not set(seen["files"]) <= set(before["files"])
    return seen["versions"] != before["versions"]


def _enough(spec: Mapping[str, Any], base: Mapping[str, Any], seen: Mapping[str, Any]) -> bool:
    changed = [seen["versions"].get(name) != base["versions"].get(name) for name in spec["table_names"]]
    return all(changed) if spec.get("condition") == "ALL_UPDATED" else any(changed)
