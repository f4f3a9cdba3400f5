"""What other slices use of tables."""

from boathouse.tables.delta import Commit, Detail, Sample, append, detail, history, row_count, sample
from boathouse.tables.errors import TableUnreadable, VersionNotFound

__all__ = [
    "Commit",
    "Detail",
    "Sample",
    "TableUnreadable",
    "VersionNotFound",
    "append",
    "detail",
    "history",
    "row_count",
    "sample",
]
