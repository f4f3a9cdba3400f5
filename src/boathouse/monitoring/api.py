"""What other slices use of monitoring."""

from boathouse.monitoring.results import NAME, TableResults
from boathouse.monitoring.watch import look_at_all

__all__ = ["NAME", "TableResults", "look_at_all"]
