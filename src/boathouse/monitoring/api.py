"""What other slices use of monitoring."""

from boathouse.catalog.api import on_rename
from boathouse.monitoring.profiles.runtime import Monitors
from boathouse.monitoring.renames import follow
from boathouse.monitoring.results import NAME, TableResults
from boathouse.monitoring.watch import look_at_all

on_rename(follow)

__all__ = ["NAME", "Monitors", "TableResults", "look_at_all"]
