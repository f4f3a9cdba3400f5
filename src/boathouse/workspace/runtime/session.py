"""What user code finds: ``spark``, ``dbutils``, ``display`` and their like."""

import os
import re
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

from boathouse.workspace.runtime.assignment import KERNEL, Assignment
from boathouse.workspace.runtime.dbutils import DBUtils
from boathouse.workspace.runtime.dbutils.members import Talk
from boathouse.workspace.runtime.dbutils.unserved import Unserved
from boathouse.workspace.runtime.dbutils.widgets import Widgets
from boathouse.workspace.runtime.display import Display
from boathouse.workspace.runtime.outputs import Outputs
from boathouse.workspace.runtime.places import Places
from boathouse.workspace.runtime.server import Server
from boathouse.workspace.runtime.training import TrainingSource

_NO_CONTEXT = "clients of Spark Connect have no SparkContext. Use spark."
_SPARK = re.compile(r"\bspark\b")
_VALUE = re.compile(r"\$\{(\w+)\}")


class Session:
    """One process's surroundings of user code.

    Args:
        assignment: What the process was told.
        places: Where files are.
        server: The REST API.
        outputs: What is shown.
        widgets: The parameters.
        talk: The way to the job; None outside one.
        run: Runs another notebook.
    """

    def __init__(
        self,
        assignment: Assignment,
        places: Places,
        server: Server,
        outputs: Outputs,
        widgets: Widgets,
        talk: Talk | None,
        run: Callable[[str, float, Mapping[str, str]], str],
    ) -> None:
        self.assignment = assignment
        self.places = places
        self.outputs = outputs
        self.display = Display(outputs.show)
        self.dbutils = DBUtils(assignment, places, server, outputs.secrets, self.display, widgets, talk, run)
        self.training = TrainingSource(assignment, server)
        self._spark: Any = None

    def set_environment(self) -> None:
        """What libraries find in the environment: the SDK, MLflow and pyspark then need no arguments."""
        found = {
            "DATABRICKS_HOST": self.assignment.base_url,
            "DATABRICKS_TOKEN": self.assignment.token,
            "SPARK_REMOTE": self.training.remote,
            "MLFLOW_TRACKING_URI": "databricks",
            "MLFLOW_REGISTRY_URI": "databricks-uc",
            # Clients before 2.18 do not ask the server whether they may.
            "MLFLOW_USE_DATABRICKS_SDK_MODEL_ARTIFACTS_REPO_FOR_UC": "true",
        }
        if (experiment := self._experiment()) is not None:
            found["MLFLOW_EXPERIMENT_NAME"] = experiment
        found["MPLBACKEND"] = "module://matplotlib_inline.backend_inline" if self._is_notebook else "agg"
        os.environ.update(found)
        if self.assignment.reproduces is not None:
            # A registry of this process's own: what is trained again is compared, and not registered.
            os.environ["MLFLOW_REGISTRY_URI"] = f"sqlite:///{tempfile.mkdtemp(prefix='registry-')}/registry.db"
        self.training.set_environment()

    @property
    def _is_notebook(self) -> bool:
        return self.assignment.kind in {"notebook", KERNEL}

    def _experiment(self) -> str | None:
        """Where runs of MLflow go that name none: to the notebook's; to the job's, where there is none or it is gone after the run."""
        if self._is_notebook and self.assignment.repository is None:
            return self.assignment.path
        job = self.assignment.tags.get("jobName")
        return None if job is None else f"/Users/{self.assignment.user}/{job.replace('/', '-')}"

    @property
    def spark(self) -> Any:
        """The session at the gateway; made when it is first asked for, as that takes a second."""
        if self._spark is None:
            from pyspark.sql import SparkSession  # noqa: PLC0415 - see above

            self._spark = SparkSession.builder.remote(self.training.remote).getOrCreate()
        return self._spark

    def sql(self, *arguments: Any, **named: Any) -> Any:
        """``spark.sql``."""
        return self.spark.sql(*arguments, **named)

    def table(self, name: str) -> Any:
        """``spark.table``."""
        return self.spark.table(name)

    def namespace(self) -> dict[str, Any]:
        """The names that a notebook or file has without an import, but ``spark``."""
        return {
            "dbutils": self.dbutils,
            "display": self.display,
            "displayHTML": self.display.html,
            "getArgument": self.dbutils.widgets.getArgument,
            "sql": self.sql,
            "table": self.table,
            "udf": _udf,
            "sc": Unserved("sc", _NO_CONTEXT),
            "sqlContext": Unserved("sqlContext", _NO_CONTEXT),
        }

    def complete(self, namespace: dict[str, Any], source: str) -> None:
        """Add ``spark`` where code speaks of it."""
        if "spark" not in namespace and _SPARK.search(source):
            namespace["spark"] = self.spark

    def run_sql(self, text: str) -> Any:
        """Run statements; the DataFrame of the last, or None if there is none.

        ``:name`` is the value of a widget, and so is ``${name}`` as text.
        """
        from boathouse.engine.scripts import bound, statements  # noqa: PLC0415 - others do not need it

        values = self.dbutils.widgets.getAll()
        text = _VALUE.sub(lambda found: values.get(found[1], found[0]), text)
        frame = None
        for statement in statements(bound(text, values)):
            frame = self.spark.sql(statement)
        return frame


def _udf(*arguments: Any, **named: Any) -> Any:
    """``pyspark.sql.functions.udf``."""
    from pyspark.sql.functions import udf  # noqa: PLC0415 - see Session.spark

    return udf(*arguments, **named)
