"""Lineage under new names: what was recorded of a table, function, model or column goes with it when it is renamed."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

from boathouse.catalog.api import COLUMN, Rename, SecurableType
from boathouse.history.records import TableKind
from boathouse.history.rows import asset_key

_TABLES = frozenset(get_args(TableKind)) - {"PATH"}
_CONTAINERS = frozenset({SecurableType.CATALOG, SecurableType.SCHEMA})
_OF: Mapping[str, str] = {
    SecurableType.TABLE: "TABLE",
    SecurableType.FUNCTION: "FUNCTION",
    SecurableType.MODEL: "MODEL_VERSION",
}
"""How edges call what a securable of a type is."""


def key_starts(rename: Rename) -> tuple[str, ...]:
    """How the keys of edges begin that a rename can be about."""
    return (rename.old, asset_key("FUNCTION", rename.old), asset_key("MODEL_VERSION", rename.old))


def after(rows: Iterable[Mapping[str, Any]], renames: Sequence[Rename]) -> list[dict[str, Any]]:
    """Edges between things or between columns, with the names that these have after some renames, so far as they were seen before those."""
    found: list[dict[str, Any]] = []
    for row in rows:
        new = dict(row)
        for rename in (one for one in renames if row["last_at"] <= one.at):
            for end in ("source", "target"):
                new[end] = _key(new[end], new[f"{end}_kind"], rename)
                column = f"{end}_column"
                if column in new and rename.type == COLUMN and f"{new[end]}.{new[column]}".lower() == rename.old.lower():
                    new[column] = rename.new.removeprefix(f"{new[end]}.")
            if new.get("entity_type") == "MODEL_VERSION":
                new["entity_id"] = _name(new["entity_id"], "MODEL_VERSION", rename)
        found.append(new)
    return found


def _key(key: str, kind: str, rename: Rename) -> str:
    if kind in _TABLES:
        return _name(key, "TABLE", rename)
    if kind not in _OF.values():
        return key
    return asset_key(kind, _name(key[len(kind) + 1 :], kind, rename))


def _name(name: str, kind: str, rename: Rename) -> str:
    """The name that something has after a rename; of a model version with its number."""
    if rename.type in _CONTAINERS:
        inside = f"{rename.old}."
        return f"{rename.new}.{name[len(inside) :]}" if name.lower().startswith(inside) else name
    own, slash, version = name.partition("/")
    is_it = own.lower() == rename.old and kind == _OF.get(rename.type)
    return f"{rename.new}{slash}{version}" if is_it else name
