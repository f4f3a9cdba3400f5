"""What MLflow's datasets say of where they are from."""

import json
from collections.abc import Iterable
from typing import Any


def versions_in(sources: Iterable[str]) -> list[tuple[str, int]]:
    """Name and version of each table that datasets' sources tell with its version."""
    found: list[tuple[str, int]] = []
    for source in sources:
        try:
            told: Any = json.loads(source)
        except ValueError:
            continue
        name, version = (
            (told.get("delta_table_name"), told.get("delta_table_version")) if isinstance(told, dict) else (None, None)
        )
        if isinstance(name, str) and isinstance(version, int | str) and str(version).isdigit():
            found.append((name, int(version)))
    return found
