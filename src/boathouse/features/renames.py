"""Features under new names: online tables are fed from the same table after a rename, and feature specs mean what they meant.

An online table keeps its own name, by which stores and models know it.
"""

import json
from typing import Any

from sqlalchemy import Connection, select, update

from boathouse.catalog.api import FEATURE_SPEC, Rename, SecurableType, change_function_bodies
from boathouse.features.models import OnlineTableRow


def follow(connection: Connection, rename: Rename) -> None:
    """Let all online tables and feature specs follow a new name."""
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
