"""The columns that a table is clustered by.

Neither delta-rs nor the embedded engine writes to a table with Delta's feature of that name. So the columns are kept in a
property of our own, by their physical names, and what OPTIMIZE has ordered along them is told by a tag of each file.
"""

import json
from collections.abc import Sequence

from boathouse.tables import fields
from boathouse.tables.alter import Edit, alter
from boathouse.tables.errors import DeltaRefused
from boathouse.tables.log import CLUSTERING, Action, Operation, State

MOST_COLUMNS = 4
TAG = "boathouse.clusteredBy"


def clustering_columns(state: State) -> list[str]:
    """The names of a table's clustering columns."""
    wanted = state.clustering()
    by_name = {fields.physical_name(one): one["name"] for one in state.schema["fields"]}
    return [by_name.get(name, name) for name in wanted]


def set_clustering(location: str, columns: Sequence[str], user: str | None = None) -> None:
    """Cluster a table by other columns, or with none no more. Files stay as they are until OPTIMIZE.

    Raises:
        DeltaRefused: If a column is not there, or cannot be clustered by; if the table is partitioned; for too many columns.
    """
    parameters = {"newClusteringColumns": ",".join(columns)}

    def work(edit: Edit) -> None:
        parameters["oldClusteringColumns"] = ",".join(clustering_columns(edit.state))
        cluster(edit, columns)

    alter(location, Operation("CLUSTER BY", parameters, user), work)


def cluster(edit: Edit, columns: Sequence[str]) -> None:
    """Cluster a table whose metadata is changed by columns, or with none no more.

    Raises:
        DeltaRefused: If a column is not there, or cannot be clustered by; if the table is partitioned; for too many columns.
    """
    if not columns:
        edit.configuration.pop(CLUSTERING, None)
        return
    if edit.partition_columns:
        message = "A table is either partitioned or clustered, not both. Make a copy without PARTITIONED BY."
        raise DeltaRefused("DELTA_CLUSTER_BY_WITH_PARTITIONED_BY", message)
    if len(columns) > MOST_COLUMNS or len({name.lower() for name in columns}) < len(columns):
        message = f"CLUSTER BY takes 1 to {MOST_COLUMNS} different columns, not ({', '.join(columns)})."
        raise DeltaRefused("DELTA_CLUSTER_BY_INVALID_NUM_COLUMNS", message)
    edit.configuration[CLUSTERING] = json.dumps([_physical(edit, name) for name in columns])


def _physical(edit: Edit, name: str) -> str:
    field = edit.columns[fields.index_of(edit.columns, [name])]
    if not isinstance(field["type"], str) or field["type"] in {"binary", "boolean", "variant"}:
        message = f"CLUSTER BY takes columns with an order that files keep statistics of; {name} is none."
        raise DeltaRefused("DELTA_CLUSTERING_COLUMNS_DATATYPE_NOT_SUPPORTED", message)
    return fields.physical_name(field)


def tag_of(columns: Sequence[str]) -> str:
    """What the tag of a file says that is ordered along some columns."""
    return json.dumps(list(columns))


def is_clustered(add: Action, columns: Sequence[str]) -> bool:
    """Whether a file is ordered along some columns."""
    return (add.get("tags") or {}).get(TAG) == tag_of(columns)
