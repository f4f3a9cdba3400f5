"""Modules and methods that user code imports and that no package has: present only in the processes that run user code."""

import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from boathouse.workspace.runtime.after_import import after_import
from boathouse.workspace.runtime.session import Session

_FRAME = "pyspark.sql.connect.dataframe"
_MODULES = {
    "databricks.feature_engineering": "boathouse.features.client",
    "databricks.feature_store": "boathouse.features.client",
    "databricks.automl": "boathouse.training.automl",
}
"""By name: they are imported if user code does, and take seconds."""
_BELOW = ("entities", "client", "training_set")
"""The modules below those of features whose names are taken from them; any other does not exist."""

_TRAINING = "boathouse.training"
_CHANGED = {
    "mlflow.optuna.storage": ("tuning.spark_study", "keep_in_runs"),
    "mlflow.pyspark.optuna.study": ("tuning.spark_study", "run_in_processes"),
    "hyperopt": ("hyperopt_trials", "use_processes"),
}
"""Modules whose work on executors is done in processes here, and what changes them."""


def install(session: Session) -> None:
    """Add them."""
    _dbruntime(session)
    _dbutils(session)
    after_import(_FRAME, lambda module: _add_display(module, session))
    after_import("mlflow.pyfunc", _change_spark_udf)
    for name, change in _CHANGED.items():
        after_import(name, lambda module, change=change: _change(module, *change))
    sys.meta_path.insert(0, _DatabricksModules())


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


def _change_spark_udf(module: ModuleType) -> None:
    """MLflow's own hands the model to executors by files or a network that they share with the caller."""
    from boathouse.workspace.runtime.model_function import spark_udf  # noqa: PLC0415 - beside its only use

    module.__dict__["spark_udf"] = spark_udf


def _change(module: ModuleType, place: str, change: str) -> None:
    getattr(importlib.import_module(f"{_TRAINING}.{place}"), change)(module)


class _DatabricksModules(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Databricks' modules that are no package of their own, and all below them: each has the names of ours."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The module, if it is one of them."""
        del path, target
        return None if _ours(fullname) is None else importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def exec_module(self, module: ModuleType) -> None:
        """Give it the names."""
        ours = importlib.import_module(_ours(module.__name__) or "")
        module.__doc__ = ours.__doc__
        module.__dict__.update({name: getattr(ours, name) for name in ours.__all__})


def _ours(name: str) -> str | None:
    for theirs, ours in _MODULES.items():
        words = name.removeprefix(theirs).split(".") if name == theirs or name.startswith(f"{theirs}.") else []
        if words and (len(words) == 1 or words[1] in _BELOW):
            return ours
    return None
