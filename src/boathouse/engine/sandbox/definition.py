"""A user function as it goes from an engine to a worker: bytes that only the worker opens."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Payload:
    """The bytes with which the engine would have loaded a function.

    Attributes:
        reader: Name of the function of ``pyspark.worker`` that loads it; ``loads`` for a bare pickle.
        eval_type: Spark's number of the kind of function.
        data: What follows: settings, offsets and the pickled function.
    """

    reader: str
    eval_type: int
    data: bytes


@dataclass(frozen=True)
class Definition:
    """What a worker needs to make the callable that the engine would call.

    Attributes:
        name: Class of the engine's own Python module, or ``analyze_udtf``.
        payload: The function.
        arguments: What else the class is made with; the engine's settings object as a dict.
    """

    name: str
    payload: Payload
    arguments: tuple[Any, ...]


ANALYZE = "analyze_udtf"
"""The function of the engine's module that asks a table function for its schema."""
STREAMS = frozenset(
    {
        "PySparkMapPandasIterUdf",
        "PySparkMapArrowIterUdf",
        "PySparkScalarPandasIterUdf",
        "PySparkTableUdf",
        "PySparkArrowTableUdf",
    }
)
"""Classes of the engine's module whose objects take an iterator of batches and give one."""
CALLS = frozenset(
    {
        "PySparkBatchUdf",
        "PySparkArrowBatchUdf",
        "PySparkScalarPandasUdf",
        "PySparkScalarArrowUdf",
        "PySparkScalarArrowIterUdf",
        "PySparkGroupAggUdf",
        "PySparkGroupAggArrowUdf",
        "PySparkGroupMapUdf",
        "PySparkCoGroupMapUdf",
    }
)
"""Classes whose objects take arrays and give one."""
