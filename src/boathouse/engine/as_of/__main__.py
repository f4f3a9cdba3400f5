"""The process that joins: an order as JSON on standard input, parts of the result as Parquet files in a folder.

It ends with status 3 and says why on standard error where it does not make the join as the engine would.
"""

import json
import sys
from itertools import count
from pathlib import Path
from typing import Any

import polars as pl

from boathouse.engine.as_of.local import NotLocal, join
from boathouse.engine.as_of.request import AsOfRequest

NOT_LOCAL = 3


def main() -> int:
    """Carry out one order."""
    order: dict[str, Any] = json.load(sys.stdin)
    request = AsOfRequest.loads(order["request"])
    folder, numbers = Path(order["result"]), count()
    folder.mkdir()

    def write(part: pl.DataFrame) -> None:
        part.select(request.outputs).write_parquet(folder / f"{next(numbers)}.parquet", compression="lz4")

    try:
        tables = [
            (lookup, pl.scan_delta(table["folder"], version=table["version"]), table["rows"])
            for lookup, table in zip(request.lookups, order["tables"], strict=True)
        ]
        join(pl.scan_parquet(f"{order['rows']}/*.parquet"), tables, write, order["budget"])
    except (NotLocal, pl.exceptions.PolarsError) as error:
        sys.stderr.write(f"{type(error).__name__}: {error}".splitlines()[0])
        return NOT_LOCAL
    return 0


if __name__ == "__main__":
    sys.exit(main())
