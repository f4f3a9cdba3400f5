"""The one way by which the server's threads come to pyspark."""

import threading

_LOCK = threading.Lock()


def import_pyspark() -> None:
    """Import pyspark's packages: a second or more at first, nothing afterwards.

    They import one another in circles. Two threads that began at different ends of such a circle, as a query and MLflow
    do when a server starts, would each hold what the other waits for, and Python would fail one of them.
    """
    with _LOCK:
        import pyspark.sql.connect.proto  # noqa: F401, PLC0415  # pyright: ignore[reportUnusedImport]
