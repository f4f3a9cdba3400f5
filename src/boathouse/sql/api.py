"""What other slices use of SQL."""

from boathouse.sql.acting import Acting
from boathouse.sql.references import SqlReferences
from boathouse.sql.task import SqlTaskKind

__all__ = ["Acting", "SqlReferences", "SqlTaskKind"]
