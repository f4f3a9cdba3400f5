"""Callables that the engine has in the place of user functions: each asks a worker."""

import builtins
import hashlib
import json
import pickle
from collections.abc import Generator, Iterator
from typing import Any, NoReturn

import pyarrow as pa

from boathouse.engine.sandbox import wire
from boathouse.engine.sandbox.definition import Definition, Payload
from boathouse.engine.sandbox.wire import Kind
from boathouse.engine.sandbox.workers import Worker, Workers


class RemoteTraceback(Exception):
    """Where in a worker an exception came from."""

    def __str__(self) -> str:
        """The worker's own traceback."""
        return f'\n"""\n{self.args[0]}"""'


class WorkerCrashed(RuntimeError):
    """The process of a user function ended while it worked."""


class PythonFunctionsOff(PermissionError):
    """User functions may not run."""


class Sandbox:
    """How the proxies reach the workers.

    Args:
        workers: The workers, or why there are none.
    """

    def __init__(self, workers: Workers | str) -> None:
        self._workers = workers
        self.source: str | None = None
        """Text of the engine's own Python module, once it was compiled."""

    def call(self, key: str, definition: Definition, shape: Any, batches: list[pa.RecordBatch]) -> tuple[Kind, memoryview]:
        """One question and one answer."""
        worker = self._take(key, definition)
        try:
            self._begin(worker, shape)
            for batch in batches:
                wire.send(worker.channel, Kind.BATCH, wire.pack(batch))
            kind, body = wire.receive(worker.channel, self._ready().most)
        except wire.Lost:
            self._crashed(worker)
        except BaseException:
            self._ready().discard(worker)
            raise
        self._ready().give_back(worker)
        if kind is Kind.FAILED:
            _raise(body)
        return kind, body

    def stream(
        self, key: str, definition: Definition, source: Iterator[pa.RecordBatch]
    ) -> Generator[pa.RecordBatch, None, None]:
        """A conversation: the worker asks for input and gives output until it says that this was all."""
        worker = self._take(key, definition)
        held = True
        try:
            self._begin(worker, None)
            while True:
                kind, body = wire.receive(worker.channel, self._ready().most)
                match kind:
                    case Kind.NEXT:
                        _answer_next(worker, source)
                    case Kind.BATCH:
                        yield wire.unpack_checked(body)
                    case Kind.FAILED:
                        _raise(body)
                    case _:
                        held = False
                        self._ready().give_back(worker)
                        return
        except wire.Lost:
            held = False
            self._crashed(worker)
        finally:
            if held:
                self._ready().discard(worker)

    def _begin(self, worker: Worker, shape: Any) -> None:
        wire.send(worker.channel, Kind.CALL, pickle.dumps(shape))

    def _ready(self) -> Workers:
        if isinstance(self._workers, str):
            raise PythonFunctionsOff(self._workers)
        return self._workers

    def _take(self, key: str, definition: Definition) -> Worker:
        return self._ready().take(key, definition, self.source)

    def _crashed(self, worker: Worker) -> NoReturn:
        how = self._ready().discard(worker, crashed=True)
        raise WorkerCrashed(
            f"The process of a Python function ended unexpectedly ({how}), and this query with it. Nothing else is affected; the "
            "next call starts a new process."
        ) from None


class Proxy:
    """Stands in for an object of the engine's module."""

    sandbox: Sandbox
    name: str

    def __init__(self, payload: Payload, *arguments: Any) -> None:
        plain = tuple(_plain(argument) for argument in arguments)
        self._definition = Definition(self.name, payload, plain)
        self._key = hashlib.sha256(pickle.dumps(self._definition)).hexdigest()
        self.sandbox._ready()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - refuse before any row is read


class CallProxy(Proxy):
    """Arrays in, an array out."""

    def __call__(self, *arguments: Any) -> pa.Array:
        """Ask a worker."""
        shape = tuple(None if isinstance(argument, list) else argument for argument in arguments)
        batches = [wire.as_batch(argument) for argument in arguments if isinstance(argument, list)]
        kind, body = self.sandbox.call(self._key, self._definition, shape, batches)
        if kind is not Kind.BATCH:
            raise WorkerCrashed("The process of a Python function gave no rows.")
        return wire.unpack_checked(body).column(0)


class StreamProxy(Proxy):
    """Batches in, batches out."""

    def __call__(self, source: Iterator[pa.RecordBatch]) -> Generator[pa.RecordBatch, None, None]:
        """Let a worker pull the batches."""
        return self.sandbox.stream(self._key, self._definition, source)


def _answer_next(worker: Worker, source: Iterator[pa.RecordBatch]) -> None:
    try:
        batch = next(source, None)
    except Exception as error:  # noqa: BLE001 - the function may want to know; the engine hears it again from the worker
        wire.send(worker.channel, Kind.FAILED, json.dumps({"message": str(error)}).encode())
        return
    if batch is None:
        wire.send(worker.channel, Kind.END)
    else:
        wire.send(worker.channel, Kind.BATCH, wire.pack(batch))


def _plain(value: Any) -> Any:
    """A constructor's argument without the engine's own types: its settings object becomes a dict."""
    kind = type(value)
    if getattr(builtins, kind.__name__, None) is kind or kind.__module__.startswith("pyarrow"):
        return value
    return {name: getattr(value, name) for name in dir(value) if not name.startswith("_")}


def _raise(body: memoryview) -> NoReturn:
    """What a worker raised, as an exception of the same name and text."""
    try:
        told = json.loads(bytes(body))
        name, message, trace = str(told["type"]), str(told["message"]), str(told["traceback"])
    except (ValueError, KeyError, TypeError):
        raise WorkerCrashed("The process of a Python function failed and said nothing that can be read.") from None
    kind = type(name if name.isidentifier() else "Exception", (_Told,), {"__module__": "builtins"})
    raise kind(message) from RemoteTraceback(trace)


class _Told(Exception):
    """An exception of a worker; its class is made anew, with the name that it had there."""

    def __str__(self) -> str:
        return str(self.args[0])
