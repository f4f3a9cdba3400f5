"""Functions over the groups of two frames, as functions over the groups of one that holds the rows of both.

The embedded engine gathers the rows of two frames in structs whose fields must not be NULL, and joins the groups by keys of which NULL is
none. So the gateway puts the rows of both below each other, those of each in a column of its own, and groups these. What is here runs
beside the function, takes the rows apart, and gives them to it as Spark does.
"""

import inspect
import pickle
from collections.abc import Callable
from typing import Any

import pyarrow as pa

LEFT, RIGHT = "__bh_left", "__bh_right"
"""The columns with the rows of either frame."""
KEY = "__bh_key"
"""What the columns with the keys are called, each with its number behind."""


class Cogrouped:
    """The pickled function of two frames, to be pickled once more as one of their rows together.

    Args:
        command: The function with its return type, pickled; it is not opened here.
        keys: How many keys there are.
        is_pandas: Whether it takes frames of pandas, and not tables of Arrow.
        time_zone: Of the session.
    """

    def __init__(self, command: bytes, keys: int, *, is_pandas: bool, time_zone: str) -> None:
        self._given = (command, keys, is_pandas, time_zone)

    def __reduce__(self) -> tuple[Any, ...]:
        """Opened, it is the function of the rows together with its return type."""
        return load, self._given

    def pickled(self) -> bytes:
        """The function of the rows together, as an engine gets it."""
        return pickle.dumps(self)


def load(command: bytes, keys: int, is_pandas: bool, time_zone: str) -> tuple[Callable[[pa.Table], pa.Table], Any]:
    """Open a function of two frames, where it runs; gives that of their rows together, and its return type."""
    from pyspark.cloudpickle import loads  # noqa: PLC0415 - where functions run, it is there

    function, return_type = loads(command)
    takes_key = len(inspect.getfullargspec(function).args) > 2

    def of_arrow(rows: pa.Table) -> pa.Table:
        key = [tuple(rows.column(number)[0] for number in range(keys))] if takes_key else []
        return function(*key, _side(rows, LEFT), _side(rows, RIGHT))

    def of_pandas(rows: pa.Table) -> pa.Table:
        return _with_frames(function, return_type, rows, keys if takes_key else 0, time_zone)

    return of_pandas if is_pandas else of_arrow, return_type


def _side(rows: pa.Table, name: str) -> pa.Table:
    """The rows of one frame."""
    column = rows.column(name).combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    held = column.filter(column.is_valid())
    return pa.Table.from_arrays(held.flatten(), names=[field.name for field in held.type])


def _with_frames(function: Callable[..., Any], return_type: Any, rows: pa.Table, keys: int, time_zone: str) -> pa.Table:
    """The result of a function that takes frames of pandas, converted there and back as Spark does it."""
    import pandas as pd  # noqa: PLC0415 - see above
    from pyspark.sql.conversion import ArrowBatchTransformer, PandasToArrowConversion  # noqa: PLC0415
    from pyspark.sql.pandas.types import to_arrow_schema  # noqa: PLC0415
    from pyspark.worker import verify_pandas_result  # noqa: PLC0415

    def series(table: pa.Table) -> list[Any]:
        return ArrowBatchTransformer.to_pandas(table, timezone=time_zone)

    key = [tuple(one[0] for one in series(rows.select(range(keys))))] if keys else []
    sides = [pd.concat(series(_side(rows, name)), axis=1) for name in (LEFT, RIGHT)]
    result = function(*key, *sides)
    verify_pandas_result(result, return_type, assign_cols_by_name=True, truncate_return_schema=False)
    batch = PandasToArrowConversion.convert(
        result, return_type, timezone=time_zone, safecheck=False, arrow_cast=True, assign_cols_by_name=True
    )
    # The same moments, in the zone in which they are asked for.
    return pa.Table.from_batches([batch]).cast(to_arrow_schema(return_type, timezone="UTC"))
