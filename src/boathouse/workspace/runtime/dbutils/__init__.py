"""``dbutils`` as user code sees it: the members have Databricks' names."""

from boathouse.workspace.runtime.dbutils.members import DBUtils

__all__ = ["DBUtils"]
