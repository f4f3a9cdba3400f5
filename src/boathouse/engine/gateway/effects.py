"""What the statements of one request do to tables beside what their plan says, noted for lineage and history."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from boathouse.catalog.api import TableInfo
from boathouse.history.api import AssetRef


@dataclass
class Effects:
    """Filled while a request is looked at.

    Attributes:
        view: Full name of the view that was defined, or None.
        copied: Location and table of each table whose files became another table's; None for a table of no catalog.
        versions: Folder of each Delta table that is written -> its newest version before.
        temporary: Names of the temporary views that are read, in lower case.
        defined: Names of those that are made.
        asked: The endpoints that are asked and the model versions that rows are scored with.
    """

    view: str | None = None
    copied: list[tuple[str, TableInfo | None]] = field(default_factory=list[tuple[str, TableInfo | None]])
    versions: dict[str, int] = field(default_factory=dict[str, int])
    temporary: set[str] = field(default_factory=set[str])
    defined: set[str] = field(default_factory=set[str])
    asked: dict[AssetRef, None] = field(default_factory=dict[AssetRef, None])

    def asks(self, *assets: AssetRef) -> None:
        """Note that endpoints are asked, or rows are scored with model versions."""
        self.asked.update(dict.fromkeys(assets))

    def writes(self, folder: Path, version: int) -> None:
        """Note that a Delta table is written, and its newest version before."""
        self.versions.setdefault(str(folder), version)


@dataclass(frozen=True)
class Sources:
    """What a temporary view was made of.

    Attributes:
        tables: The tables and views that it reads, by full name.
        paths: The paths that it reads.
        files: Name of a relation in its plan -> the table whose files it holds.
        asked: The endpoints that it asks and the model versions that it scores rows with.
    """

    tables: Mapping[str, TableInfo] = field(default_factory=dict[str, TableInfo])
    paths: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict[str, str])
    asked: tuple[AssetRef, ...] = ()
