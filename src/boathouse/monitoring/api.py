"""What other slices use of monitoring."""

from boathouse.monitoring.profiles.runtime import Monitors
from boathouse.monitoring.results import NAME, TableResults
from boathouse.monitoring.watch import look_at_all

__all__ = ["NAME", "Monitors", "TableResults", "look_at_all"]
