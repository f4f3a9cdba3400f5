"""What other slices use of SQL."""

from boathouse.sql.references import QueryReferences
from boathouse.sql.task import SqlTaskKind

__all__ = ["QueryReferences", "SqlTaskKind"]
