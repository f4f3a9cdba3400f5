"""Features under new names: online tables are fed from the same table after a rename, and feature specs mean what they meant.

An online table keeps its own name, by which stores and models know it. A feature that is a column with a new name is given under the old one.
"""

import json
from typing import Any

from sqlalchemy import Connection, select, update

from boathouse.catalog.api import COLUMN, FEATURE_SPEC, Rename, SecurableType, change_function_bodies
from boathouse.features.models import OnlineTableRow


def follow(connection: Connection, rename: Rename) -> None:
    """Let all online tables and feature specs follow a new name."""
    if rename.type == COLUMN:
        # An online table has its columns from when it is published next.
        change_function_bodies(connection, FEATURE_SPEC, lambda body: _with_column(body, rename))
        return
    for row in connection.execute(select(OnlineTableRow.full_name, OnlineTableRow.source_table)).all():
        source = rename.of(row.source_table, SecurableType.TABLE)
        if source != row.source_table:
            of_row = update(OnlineTableRow).where(OnlineTableRow.full_name == row.full_name)
            connection.execute(of_row.values(source_table=source))
    change_function_bodies(connection, FEATURE_SPEC, lambda body: _renamed(body, rename))


def _renamed(body: str, rename: Rename) -> str:
    """The JSON of a feature spec; as it is where nothing in it has a new name."""
    spec: dict[str, Any] = json.loads(body)
    changed = False
    for part, key, kind in (("lookups", "table", SecurableType.TABLE), ("functions", "udf", SecurableType.FUNCTION)):
        for one in spec.get(part, ()):
            old = str(one[key]).lower()
            new = rename.of(old, kind)
            if new != old:
                one[key], changed = new, True
    return json.dumps(spec) if changed else body


def _with_column(body: str, rename: Rename) -> str:
    """The JSON of a feature spec after a column of a table has a new name; what the spec gives is called as before."""
    (*parts, old), new = rename.old.split(".", 3), rename.new.split(".", 3)[3]
    table, spec, changed = ".".join(parts).lower(), json.loads(body), False
    for one in spec.get("lookups", ()):
        named = next((name for name in one["features"] if name.lower() == old.lower()), None)
        if str(one["table"]).lower() != table or named is None:
            continue
        outputs = dict(one.get("rename") or {})
        shown = outputs.pop(named, named)
        one["features"] = [new if name == named else name for name in one["features"]]
        one["rename"] = outputs | ({new: shown} if shown != new else {})
        changed = True
    return json.dumps(spec) if changed else body
