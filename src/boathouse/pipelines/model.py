"""What a pipeline's source declares: datasets, the flows that fill them, and what their rows must be like."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

INVALID_SNAPSHOT = "INVALID_SNAPSHOT"
"""The condition where what a source of snapshots answers is none."""
Relation = Any
"""A relation of Spark Connect, as its message."""


@dataclass(frozen=True)
class Location:
    """A place in a pipeline's source; the first line is 1."""

    file: str
    line: int | None = None

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"


class Action(StrEnum):
    """What becomes of a row that does not meet an expectation."""

    WARN = "warn"
    DROP = "drop"
    FAIL = "fail"


@dataclass(frozen=True)
class Expectation:
    """A condition that every row of a dataset should meet; NULL does not meet it."""

    name: str
    constraint: str
    action: Action = Action.WARN


class Kind(StrEnum):
    """What a dataset is."""

    STREAMING_TABLE = "STREAMING_TABLE"
    MATERIALIZED_VIEW = "MATERIALIZED_VIEW"
    TEMPORARY_VIEW = "TEMPORARY_VIEW"
    SINK = "SINK"

    @property
    def is_table(self) -> bool:
        """Whether its rows are kept in a Delta table."""
        return self in {Kind.STREAMING_TABLE, Kind.MATERIALIZED_VIEW}


@dataclass(frozen=True)
class Policy:
    """A function that a table's rows or a column are read through, and the text of what it gets."""

    function: tuple[str, ...]
    arguments: str = ""


@dataclass(frozen=True)
class Column:
    """A declared column; without a type it only has what is said of a column of the query.

    Attributes:
        generated: The expression that it is computed by, or None.
        mask: What it is read through, or None.
    """

    name: str
    type: str | None = None
    comment: str | None = None
    not_null: bool = False
    generated: str | None = None
    mask: Policy | None = None


@dataclass(frozen=True)
class Dataset:
    """A dataset as declared.

    Attributes:
        name: As written, one to three parts.
        kind: What it is; None for ``dlt.table``, where its query says whether it streams.
        location: Where it is declared.
        comment: For people.
        columns: Those that are declared; none where they are those of its query.
        partition_by: Partition columns.
        cluster_by: Clustering columns.
        properties: Of the Delta table.
        expectations: In the order of their declaration.
        is_private: Whether it is of this pipeline alone.
        format: Of a sink; tables are Delta's.
        options: Of a sink.
        path: Where the table lies; None for a place of the catalog's.
        row_filter: Which rows readers get; None for all.
    """

    name: str
    kind: Kind | None
    location: Location
    comment: str | None = None
    columns: tuple[Column, ...] = ()
    partition_by: tuple[str, ...] = ()
    cluster_by: tuple[str, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict[str, str])
    expectations: tuple[Expectation, ...] = ()
    is_private: bool = False
    format: str | None = None
    options: Mapping[str, str] = field(default_factory=dict[str, str])
    path: str | None = None
    row_filter: Policy | None = None

    @property
    def may_be_reset(self) -> bool:
        """Whether it can be emptied and filled anew; some cannot, since what they were made of is gone."""
        return self.properties.get("pipelines.reset.allowed", "true").lower() != "false"


@dataclass(frozen=True)
class AutoCdc:
    """How rows of a source change those of a target.

    Attributes:
        source: Name of the dataset or table with the changes.
        keys: Columns that say which row is meant.
        sequence_by: Expression that orders the changes of one row.
        ignore_null_updates: Whether NULL leaves a column as it was.
        ignore_null_columns: The columns for which it does; None for all.
        apply_as_deletes: Condition under which a change deletes its row.
        apply_as_truncates: Condition under which a change deletes all rows.
        columns: Columns of the target; None for all but those excepted.
        except_columns: Columns of the source that the target does not have.
        scd_type: 1 for the newest state, 2 for all states with ``__START_AT`` and ``__END_AT``.
        track: Columns whose changes make a new state; None for all but those excepted.
        track_except: Columns whose changes make none.
    """

    source: str
    keys: tuple[str, ...]
    sequence_by: str
    ignore_null_updates: bool = False
    ignore_null_columns: tuple[str, ...] | None = None
    apply_as_deletes: str | None = None
    apply_as_truncates: str | None = None
    columns: tuple[str, ...] | None = None
    except_columns: tuple[str, ...] = ()
    scd_type: int = 1
    track: tuple[str, ...] | None = None
    track_except: tuple[str, ...] = ()


@dataclass(frozen=True)
class Snapshot:
    """All rows of a source at one time, and the version that it has among the others."""

    relation: Relation
    version: Any


@dataclass(frozen=True)
class SnapshotCdc:
    """How snapshots of a source become the states of a target.

    Attributes:
        source: Name of a dataset or table, or a function from the last version (None for none) to the next snapshot, or None.
        keys: Columns that say which row is meant.
        scd_type: 1 or 2.
        track: Columns whose changes make a new state; None for all but those excepted.
        track_except: Columns whose changes make none.
    """

    source: str | Callable[[Any], Snapshot | None]
    keys: tuple[str, ...]
    scd_type: int = 1
    track: tuple[str, ...] | None = None
    track_except: tuple[str, ...] = ()


@dataclass(frozen=True)
class Flow:
    """What fills a dataset.

    Attributes:
        name: As written; the target's for the flow that its declaration brings.
        target: Name of the dataset, as written.
        location: Where it is declared.
        query: Makes the rows' relation; None for changes.
        cdc: Changes to apply; None for a query.
        once: Whether it is done only once, and again at a full refresh.
        settings: Of the session, while it runs.
    """

    name: str
    target: str
    location: Location
    query: Callable[[], Relation] | None = None
    cdc: AutoCdc | SnapshotCdc | None = None
    once: bool = False
    settings: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def session_settings(self) -> dict[str, str]:
        """Those of the engine's session; the others are parameters of the source."""
        return {key: value for key, value in self.settings.items() if key.startswith("spark.")}


@dataclass
class Declarations:
    """All that a pipeline's sources declare, in their order."""

    datasets: list[Dataset] = field(default_factory=list[Dataset])
    flows: list[Flow] = field(default_factory=list[Flow])
