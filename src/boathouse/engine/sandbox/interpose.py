"""In the engine's process: user functions are never loaded here, only passed on to workers.

Sail loads a function with ``pyspark.worker`` and wraps it in a class of its own module ``utils.spark``; the object takes Arrow
and gives Arrow. Both places are taken here: loading gives the function's bytes unopened, and the class is a proxy that asks a
worker, in which the genuine ones do their work. An audit hook sees to it that nothing else in this process opens a pickle.
"""

import hashlib
import io
import pickle
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from types import ModuleType
from typing import Any, NoReturn

import pyarrow as pa
import pyspark.cloudpickle
import pyspark.worker

from boathouse.engine.sandbox.definition import ANALYZE, CALLS, STREAMS, Definition, Payload
from boathouse.engine.sandbox.passthrough import ScalarIterProxy, TableProxy
from boathouse.engine.sandbox.proxies import CallProxy, Proxy, PythonFunctionsOff, Sandbox, StreamProxy, WorkerCrashed
from boathouse.engine.sandbox.wire import Kind
from boathouse.engine.sandbox.workers import Workers

MODULE = "utils.spark"
_FILE = "spark.py"
_MOST_OWN_PICKLES = 10_000
_OF_WHOLE_ROWS: dict[str, type[Proxy]] = {
    "PySparkScalarPandasIterUdf": ScalarIterProxy,
    "PySparkTableUdf": TableProxy,
    "PySparkArrowTableUdf": TableProxy,
}


class Handler:
    """A pickled class that stays shut: a table function that is asked for its schema, or a data source, which is not supported."""

    def __init__(self, data: bytes) -> None:
        self.payload = Payload("loads", 0, data)

    def __getattr__(self, name: str) -> NoReturn:
        """Refuse every use but the one of ``analyze_udtf``."""
        raise PythonFunctionsOff(
            "Data sources written in Python cannot be used here: they would run in the engine's own process."
        )

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse to be made an object."""
        self.__getattr__("__call__")


class _Module(ModuleType):
    """The engine's own Python module, whose classes are not to be had."""

    def __init__(self, replaced: dict[str, Any]) -> None:
        super().__init__(MODULE)
        object.__setattr__(self, "_replaced", replaced)

    def __getattribute__(self, name: str) -> Any:
        replaced: dict[str, Any] = object.__getattribute__(self, "_replaced")
        if name in replaced:
            return replaced[name]
        if name.startswith("PySpark") or name == ANALYZE:
            message = f"{name} is not known to the sandbox of Python functions"
            raise AttributeError(message)
        return super().__getattribute__(name)


def install(workers: Workers | str) -> Sandbox:
    """Take the places at which Sail would load and call user functions. Before Sail is imported, by the main thread.

    Args:
        workers: The workers, or the message with which every user function is refused.
    """
    sandbox = Sandbox(workers)
    kinds: dict[str, type[Proxy]] = dict.fromkeys(CALLS, CallProxy) | dict.fromkeys(STREAMS, StreamProxy) | _OF_WHOLE_ROWS
    replaced: dict[str, Any] = {name: type(name, (kind,), {"sandbox": sandbox, "name": name}) for name, kind in kinds.items()}
    replaced[ANALYZE] = lambda handler, arguments: _analyze(sandbox, handler, arguments)
    sys.modules[MODULE] = _Module(replaced)
    worker: Any = pyspark.worker
    for reader in ("read_udfs", "read_udtf"):
        setattr(worker, reader, _reader(reader))
    own = _OwnPickles(pyspark.cloudpickle)
    own.install()
    sys.addaudithook(_hook(sandbox, own))
    return sandbox


def _reader(name: str) -> Callable[..., tuple[Payload]]:
    def read(_serializer: Any, infile: io.BytesIO, eval_type: int, *_settings: Any) -> tuple[Payload]:
        return (Payload(name, eval_type, infile.getvalue()),)

    return read


class _OwnPickles:
    """Pickles that this very process has made, of its own data sources; only these are opened in it."""

    def __init__(self, module: Any) -> None:
        self._module = module
        self._dumps, self._loads = module.dumps, module.loads
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._now = threading.local()

    @property
    def opening(self) -> bool:
        return getattr(self._now, "opening", False)

    def install(self) -> None:
        self._module.dumps, self._module.loads = self.dumps, self.loads

    def dumps(self, *arguments: Any, **options: Any) -> bytes:
        data = self._dumps(*arguments, **options)
        self._known[hashlib.sha256(data).digest()] = None
        while len(self._known) > _MOST_OWN_PICKLES:
            self._known.popitem(last=False)
        return data

    def loads(self, data: bytes, **options: Any) -> Any:
        if hashlib.sha256(data).digest() not in self._known:
            return Handler(bytes(data))
        self._now.opening = True
        try:
            return self._loads(data, **options)
        finally:
            self._now.opening = False


def _hook(sandbox: Sandbox, own: _OwnPickles) -> Callable[[str, tuple[Any, ...]], None]:
    def hook(event: str, details: tuple[Any, ...]) -> None:
        if event == "pickle.find_class":
            if not own.opening:
                raise PythonFunctionsOff("A pickle is not opened in the engine's process.")
        elif event == "compile" and sandbox.source is None and details[1] == _FILE:
            source = details[0]
            sandbox.source = source.decode() if isinstance(source, bytes) else source

    return hook


def _analyze(sandbox: Sandbox, handler: Handler, arguments: list[Any]) -> pa.Schema:
    definition = Definition(ANALYZE, object.__getattribute__(handler, "payload"), ())
    key = hashlib.sha256(pickle.dumps(definition)).hexdigest()
    kind, body = sandbox.call(key, definition, list(arguments), [])
    if kind is not Kind.SCHEMA:
        raise WorkerCrashed("The process of a table function gave no schema.")
    return pa.ipc.read_schema(pa.py_buffer(body))
