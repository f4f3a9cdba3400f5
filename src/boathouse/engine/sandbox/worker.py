"""The process in which a user function runs. It serves one function, one call after the other."""

import io
import json
import os
import pickle
import socket
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any

import pyarrow as pa
import pyspark.cloudpickle
import pyspark.worker
from pyspark.serializers import CPickleSerializer

from boathouse.engine.sandbox import wire
from boathouse.engine.sandbox.definition import ANALYZE, STREAMS, Definition, Payload
from boathouse.engine.sandbox.wire import Kind, Lost

_MODULE = "utils.spark"
_WITH_BUFFER = "PySparkScalarPandasIterUdf"
_MOST_FRAME = 1 << 40
_MOST_TEXT = 1 << 16


def engine_module(source: str) -> None:
    """Make the engine's own Python module, with which it wraps functions, a module of this process."""
    module = ModuleType(_MODULE)
    sys.modules[_MODULE] = module
    exec(compile(source, "spark.py", "exec"), module.__dict__)  # noqa: S102 - the engine's own text, from the engine


@dataclass
class Worker:
    """Answers an engine's calls.

    Attributes:
        channel: To the engine.
        most: Bytes of the largest frame that the engine takes.
    """

    channel: socket.socket
    most: int

    def run(self) -> None:
        """Serve until the engine lets go."""
        try:
            call = self._define()
            while True:
                kind, body = wire.receive(self.channel, _MOST_FRAME)
                if kind is Kind.CALL:
                    self._guarded(call, pickle.loads(body))  # noqa: S301 - the engine's own
        except Lost:
            os._exit(0)

    def _define(self) -> Callable[[Any], None]:
        _, body = wire.receive(self.channel, _MOST_FRAME)
        definition: Definition = pickle.loads(body)  # noqa: S301 - the engine's own; the function in it is opaque bytes
        made: list[Any] = []

        def make() -> Any:
            if not made:
                made.append(_load(definition))
            return made[0]

        if definition.name == ANALYZE:
            return lambda arguments: self._analyze(make(), arguments)
        if definition.name in STREAMS:
            return lambda _: self._stream(make())
        return lambda shape: self._unary(make, shape)

    def _guarded(self, call: Callable[[Any], None], shape: Any) -> None:
        try:
            call(shape)
        except Lost:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever a function raises, its query is told
            self._send(Kind.FAILED, _told(error))

    def _unary(self, make: Callable[[], Any], shape: tuple[int | None, ...]) -> None:
        # All of the input is read first, so that a failure leaves the channel between two calls.
        arguments = [list(self._batch().columns) if value is None else value for value in shape]
        result: Any = make()(*arguments)
        if isinstance(result, pa.ChunkedArray):
            result = result.combine_chunks()
        if not isinstance(result, pa.Array):
            message = f"a function must give a pyarrow.Array here, not {type(result).__name__}"
            raise TypeError(message)
        self._send(Kind.BATCH, wire.pack(wire.as_batch([result])))

    def _stream(self, call: Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]) -> None:
        for batch in call(self._input()):
            # Empty ones are passed over as the engine does it: their schema need not fit.
            if batch.num_rows:
                self._send(Kind.BATCH, wire.pack(batch))
        self._send(Kind.END)

    def _analyze(self, handler: Any, arguments: list[Any]) -> None:
        schema: pa.Schema = getattr(sys.modules[_MODULE], ANALYZE)(handler, arguments)
        self._send(Kind.SCHEMA, schema.serialize())

    def _input(self) -> Iterator[pa.RecordBatch]:
        while True:
            self._send(Kind.NEXT)
            kind, body = wire.receive(self.channel, _MOST_FRAME)
            if kind is Kind.END:
                return
            if kind is Kind.FAILED:
                raise RuntimeError(json.loads(bytes(body))["message"])
            yield wire.unpack(body)

    def _batch(self) -> pa.RecordBatch:
        _, body = wire.receive(self.channel, _MOST_FRAME)
        return wire.unpack(body)

    def _send(self, kind: Kind, body: bytes | pa.Buffer = b"") -> None:
        if len(memoryview(body)) > self.most:
            message = f"a result has {len(memoryview(body))} bytes; one batch may have {self.most}"
            raise ValueError(message)
        wire.send(self.channel, kind, body)


def _load(definition: Definition) -> Any:
    """What the engine would have made in its own process."""
    function = _unpickle(definition.payload)
    if definition.name == ANALYZE:
        return function
    arguments = [SimpleNamespace(**value) if isinstance(value, dict) else value for value in definition.arguments]
    if definition.name == _WITH_BUFFER:
        # Its last argument keeps the columns that pass by; they never come here.
        arguments[-1] = SimpleNamespace(close=lambda: None)
    return getattr(sys.modules[_MODULE], definition.name)(function, *arguments)


def _unpickle(payload: Payload) -> Any:
    if payload.reader == "loads":
        return pyspark.cloudpickle.loads(payload.data)
    infile = io.BytesIO(payload.data)
    runner, evaluation = pyspark.worker.RunnerConf(infile), pyspark.worker.EvalConf(infile)
    read = getattr(pyspark.worker, payload.reader)
    return read(CPickleSerializer(), infile, payload.eval_type, runner, evaluation)[0]


def _told(error: BaseException) -> bytes:
    """An exception as JSON. Its text comes from the user's code, which may fail once more."""
    try:
        message = str(error)
    except Exception as failure:  # noqa: BLE001
        message = f"(its text cannot be made: {type(failure).__name__})"
    try:
        frames = error.__traceback__
        while frames is not None and frames.tb_frame.f_code.co_filename == __file__:
            frames = frames.tb_next
        trace = "".join(traceback.format_exception(type(error), error, frames))
    except Exception:  # noqa: BLE001
        trace = ""
    told = {"type": type(error).__name__, "message": message[:_MOST_TEXT], "traceback": trace[-_MOST_TEXT:]}
    return json.dumps(told).encode()
