"""Imports what a query and MLflow need; exits with a message where pyspark is imported outside the one way to it."""

import sys
from importlib.machinery import ModuleSpec

from boathouse.engine.gateway.messages.protocol import proto
from boathouse.kit import pyspark_import
from boathouse.registry.backend import import_mlflow


class Watch:
    """Is asked for every module before it is imported, and leaves it to the others; MLflow itself need not be loaded here."""

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        if name.startswith("pyspark.") and not pyspark_import._LOCK.locked():
            sys.exit(f"{name} is imported where another thread may import pyspark too")
        if name == "mlflow":
            raise ImportError(name)
        return None


sys.meta_path.insert(0, Watch())  # pyright: ignore[reportArgumentType]
match sys.argv[1]:
    case "query":
        proto()
    case "mlflow":
        try:
            import_mlflow()
        except ImportError:
            if "pyspark.sql.connect.proto" not in sys.modules:
                sys.exit("MLflow is imported before pyspark is")
