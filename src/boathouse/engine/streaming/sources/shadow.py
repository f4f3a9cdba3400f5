"""Some files of a Delta table as a Delta table of its own: a log that names them, beside a link to the table's folder.

So an increment is read with all that its files mean: partition values, deletion vectors, column mapping, types. The link is
there because the engine takes no paths in a log that lead out of the table.
"""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from boathouse.engine.gateway.messages.protocol import proto
from boathouse.tables.api import Action, data_path, quoted, vector_path
from boathouse.tables.bounds import Unsaid, stats_without, unsaid_of

_LINK = "data"
_KEPT = ("path", "partitionValues", "size", "modificationTime", "stats", "deletionVector")


def shadow(
    place: Path,
    table: Path,
    protocol: Action,
    metadata: Action,
    files: Iterable[Action],
    *,
    kept: tuple[str, ...] = ("delta.columnMapping.",),
) -> Any:
    """Make a table of some files, and the relation that reads it.

    Args:
        place: Where it is to lie; what is there is replaced.
        table: The folder of the real table.
        protocol: Its ``protocol`` action.
        metadata: The ``metaData`` action with the schema that the rows are to have.
        files: The ``add`` actions.
        kept: How the properties begin that it is to have as well.
    """
    shutil.rmtree(place, ignore_errors=True)
    log = place / "_delta_log"
    log.mkdir(parents=True)
    (place / _LINK).symlink_to(table)
    configuration = metadata.get("configuration") or {}
    properties = {key: value for key, value in configuration.items() if key.startswith(kept)}
    unsaid = unsaid_of(metadata["schemaString"])
    with (log / f"{0:020}.json").open("w", encoding="utf-8") as lines:
        for action in (
            {"protocol": protocol},
            {"metaData": {**metadata, "configuration": properties}},
            *({"add": _linked(one, table, unsaid)} for one in files),
        ):
            lines.write(json.dumps(action, separators=(",", ":"), ensure_ascii=False) + "\n")
    relation = proto().Relation()
    relation.read.data_source.format = "delta"
    relation.read.data_source.paths.append(str(place))
    return relation


def _linked(add: Action, table: Path, unsaid: Unsaid) -> Action:
    """A file as it is reached through the link, and with the statistics that the engine may have."""
    linked = {key: add[key] for key in _KEPT if add.get(key) is not None}
    if linked.get("stats"):
        linked["stats"] = stats_without(linked["stats"], unsaid)
    linked.setdefault("partitionValues", {})
    linked |= {"path": f"{_LINK}/{quoted(data_path(table, add['path']).relative_to(table))}", "dataChange": True}
    linked.setdefault("modificationTime", 0)
    vector = add.get("deletionVector")
    if vector and vector_path(table, vector) is not None and vector["storageType"] == "u":
        # Before the twenty letters of its identifier stands the folder that it lies in.
        linked["deletionVector"] = {**vector, "pathOrInlineDv": f"{_LINK}/{vector['pathOrInlineDv']}"}
    return linked
