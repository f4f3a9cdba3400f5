"""Columns that pass a user function by: they stay in the engine, so that the function's process never has them.

Sail's plans hand the function's operator whole rows, of which the function is given some columns. The others can hold what its
author may not see, such as a column before its mask. They are put beside the function's results here.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from typing import Any

import pyarrow as pa

from boathouse.engine.endpoint_function import EndpointCall, answers
from boathouse.engine.sandbox import wire
from boathouse.engine.sandbox.definition import Payload
from boathouse.engine.sandbox.proxies import StreamProxy, WorkerCrashed

_ROW = "__row"


class ScalarIterProxy(StreamProxy):
    """Of ``PySparkScalarPandasIterUdf``: one row out for each row in, in order.

    A call of an endpoint of the server is no user function, and is made here.
    """

    def __init__(self, payload: Payload, passed: int, name: str, config: Any, buffer: Any) -> None:
        self._call = EndpointCall.found_in(payload.data)
        if self._call is None:
            super().__init__(payload, 0, name, config, None)
        self._passed = passed
        self._name = name
        self._buffer = buffer

    def __call__(self, source: Iterator[pa.RecordBatch]) -> Generator[pa.RecordBatch, None, None]:
        """Let a worker pull the function's columns, or ask the endpoint for its answers to them."""
        try:
            if self._call is not None:
                yield from self._asked(self._call, source)
                return
            with closing(super().__call__(self._kept(source))) as outputs:
                if self._passed:
                    yield from self._joined(outputs)
                else:
                    yield from outputs
        finally:
            self._buffer.close()

    def _asked(self, call: EndpointCall, source: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in source:
            found = answers(call, batch.column(self._passed))
            names = [*batch.schema.names[: self._passed], self._name]
            yield pa.RecordBatch.from_arrays([*batch.columns[: self._passed], found], names)

    def _kept(self, source: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in source:
            if self._passed:
                self._buffer.append(batch.select(range(self._passed)))
            yield batch.select(range(self._passed, batch.num_columns))

    def _joined(self, outputs: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        kept: pa.RecordBatch | None = None
        used = 0
        for output in outputs:
            done = 0
            while done < output.num_rows:
                if kept is None or used == kept.num_rows:
                    kept, used = self._buffer.popleft(), 0
                    if kept is None:
                        message = "a scalar iterator function gave more rows than its input has"
                        raise ValueError(message)
                length = min(output.num_rows - done, kept.num_rows - used)
                columns = [*kept.slice(used, length).columns, output.column(0).slice(done, length)]
                yield pa.RecordBatch.from_arrays(columns, [*kept.schema.names, self._name])
                done += length
                used += length


class TableProxy(StreamProxy):
    """Of the table functions: any number of rows out for each row in. The worker is given the row's number instead of the row."""

    def __init__(self, payload: Payload, *arguments: Any) -> None:
        *names, types, passed, schema, config = arguments
        self._passed: int = passed
        self._fields = [schema.field(index) for index in range(passed)]
        if passed:
            names = [[_ROW, *given[passed:]] for given in names]
            types = [pa.int64(), *types[passed:]]
            rest = [schema.field(index) for index in range(passed, len(schema))]
            schema = pa.schema([pa.field(_ROW, pa.int64()), *rest])
        super().__init__(payload, *names, types, min(passed, 1), schema, config)

    def __call__(self, source: Iterator[pa.RecordBatch]) -> Generator[pa.RecordBatch, None, None]:
        """Let a worker pull the function's arguments."""
        if not self._passed:
            yield from super().__call__(source)
            return
        kept: list[pa.RecordBatch] = []
        with closing(super().__call__(self._numbered(source, kept))) as outputs:
            for output in outputs:
                yield self._joined(output, kept)

    def _numbered(self, source: Iterator[pa.RecordBatch], kept: list[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        first = 0
        for batch in source:
            kept.append(batch.select(range(self._passed)))
            rows = pa.array(range(first, first + batch.num_rows), pa.int64())
            names = [_ROW, *batch.schema.names[self._passed :]]
            yield pa.RecordBatch.from_arrays([rows, *batch.columns[self._passed :]], names)
            first += batch.num_rows

    def _joined(self, output: pa.RecordBatch, kept: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
        rows = output.column(0)
        try:
            taken = pa.Table.from_batches(kept).take(rows).combine_chunks()
        except (pa.ArrowException, IndexError):
            raise WorkerCrashed("The process of a table function gave rows that it was never asked for.") from None
        columns = [wire.one_chunk(taken.column(index)) for index in range(self._passed)]
        fields = [*self._fields, *(output.schema.field(index) for index in range(1, output.num_columns))]
        return pa.RecordBatch.from_arrays([*columns, *output.columns[1:]], schema=pa.schema(fields))
