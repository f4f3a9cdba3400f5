"""Modules and methods that user code imports and that no package has: present only in the processes that run user code."""

import sys
from types import ModuleType
from typing import Any

from boathouse.workspace.runtime.after_import import after_import
from boathouse.workspace.runtime.session import Session

_FRAME = "pyspark.sql.connect.dataframe"


def install(session: Session) -> None:
    """Add them."""
    _dbruntime(session)
    _dbutils(session)
    after_import(_FRAME, lambda module: _add_display(module, session))


def _dbruntime(session: Session) -> None:
    """What ``databricks.sdk.runtime`` looks for to find the names of a notebook."""

    class UserNamespaceInitializer:
        """Tells the names of the notebook."""

        @staticmethod
        def getOrCreate() -> "UserNamespaceInitializer":  # noqa: N802 - Databricks' name
            return UserNamespaceInitializer()

        def get_namespace_globals(self) -> dict[str, Any]:
            return {**session.namespace(), "spark": session.spark}

    module = ModuleType("dbruntime", "Where databricks.sdk.runtime finds the names of a notebook.")
    module.__dict__["UserNamespaceInitializer"] = UserNamespaceInitializer
    sys.modules["dbruntime"] = module


def _dbutils(session: Session) -> None:
    """``from pyspark.dbutils import DBUtils``; it is given a session of Spark, or nothing."""

    def make(spark: Any = None) -> Any:  # noqa: ARG001 - there is one
        return session.dbutils

    module = ModuleType("pyspark.dbutils", "The dbutils of this process.")
    module.__dict__["DBUtils"] = make
    sys.modules["pyspark.dbutils"] = module


def _add_display(module: ModuleType, session: Session) -> None:
    def display(self: Any, *_: Any, **__: Any) -> None:
        """Show the first rows."""
        session.display.frame(self)

    module.DataFrame.display = display
