"""The model server: a process that loads one model version or feature spec and answers requests from the socket that it inherits.

Started by the server as ``python -P -m boathouse.serving.model_server FD PARENT``; it ends when the socket does. A model is code of whoever has registered
it: before anything of it is loaded, the process takes from itself all files but the model's, those of the online tables that it looks up in, and its own.

With ``--prepare SOCKET PARENT`` it is the process that model servers are forked from instead; see ``kit.forks`` for what is said on the socket.
"""

import importlib
import json
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

from boathouse.engine.sandbox import confine
from boathouse.kit import forks
from boathouse.kit.loading import loading
from boathouse.kit.prepared import PREPARE
from boathouse.serving.protocol import HEADER, FromModel, ToModel, frame

if TYPE_CHECKING:
    from boathouse.serving.answering import Answerer


_NEEDED_BY_MOST = (
    "boathouse.serving.scoring",
    "mlflow.sklearn",
    "sklearn.compose",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "skops.io",
)
"""What model servers are forked with. MLflow brings scikit-learn, and skops, which it keeps its models with."""


class Door:
    """The socket, seen from the child."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._stream: BinaryIO = connection.makefile("rb")
        self._lock = threading.Lock()

    def read(self) -> tuple[int, int, bytes] | None:
        """The next frame as code, number and body; None at the end."""
        head = self._stream.read(HEADER.size)
        if len(head) < HEADER.size:
            return None
        length, number, code = HEADER.unpack(head)
        body = self._stream.read(length)
        return (code, number, body) if len(body) == length else None

    def send(self, code: int, body: bytes, number: int = 0) -> None:
        """Send a frame."""
        with self._lock:
            self._connection.sendall(frame(code, body, number))

    def tell(self, code: FromModel, **facts: Any) -> None:
        """Send an event."""
        self.send(code, json.dumps(facts).encode())

    def expect(self, code: ToModel) -> Any:
        """The body of the next frame, which has to be of a code; ends the process where the server is gone."""
        got = self.read()
        if got is None or got[0] != code:
            leave()
        return json.loads(got[2])


def leave() -> NoReturn:
    """End at once: the server is gone or wants it."""
    sys.stdout.flush()
    os._exit(0)


def give_up(config: dict[str, Any]) -> None:
    """Give up all files but those of the configuration; before there are threads, which keep what they have."""
    from boathouse.workspace.runtime import confinement  # noqa: PLC0415 - where there is no sandbox it is not needed

    os.chdir(config["folder"])
    confinement.use_folder(config["folder"])
    confinement.restrict(
        config["folder"], {"read": [config["model"]] if config["model"] else [], "write": [], "own": config["files"]}
    )


def _spec_answerer(config: dict[str, Any]) -> "Answerer":
    from boathouse.features.spec import FeatureSpec  # noqa: PLC0415 - NumPy has to see the environment from below
    from boathouse.serving.answering import SpecAnswerer  # noqa: PLC0415

    return SpecAnswerer(FeatureSpec.parse(config["feature_spec"]))


def _model_answerer(config: dict[str, Any]) -> "Answerer":
    from boathouse.serving.scoring import Scorer  # noqa: PLC0415 - MLflow, too

    return Scorer.load(config["model"])


def serve(connection: socket.socket, parent: int) -> NoReturn:
    """Load the model, say so, answer requests until the socket ends."""
    confine.die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: leave())
    door = Door(connection)
    config = door.expect(ToModel.CONFIGURE)
    os.environ.update(config["environment"])
    try:
        if config["confined"]:
            give_up(config)
        with loading():
            answerer = _spec_answerer(config) if config["feature_spec"] is not None else _model_answerer(config)
        door.tell(FromModel.LOADED, **answerer.facts())
        bound = door.expect(ToModel.BIND)
        answerer.bind(bound["online_tables"], bound["functions"])
        answerer.warm_up()
    except Exception as error:  # noqa: BLE001 - whatever a model raises is told to the one who deploys it
        traceback.print_exc()
        door.tell(FromModel.FAILED, message=f"{type(error).__name__}: {error}"[:4000])
        leave()
    print("ready", flush=True)  # noqa: T201 - the log of a model server is its standard output
    door.tell(FromModel.READY)
    with ThreadPoolExecutor(config["concurrency"], thread_name_prefix="predict") as pool:

        def answer(number: int, body: bytes) -> None:
            status, content = answerer.answer(body)
            try:
                door.send(status, content, number)
            except OSError:
                leave()
            if answerer.is_outdated:
                leave()

        while (got := door.read()) is not None:
            pool.submit(answer, got[1], got[2])
        leave()


def _become_model_server(wish: Mapping[str, Any], files: Sequence[int]) -> NoReturn:
    door, log = files
    os.setpgid(0, 0)
    for number in (1, 2):
        os.dup2(log, number)
    os.close(log)
    serve(socket.socket(fileno=door), wish["parent"])


def _prepare(control: int, parent: int) -> NoReturn:
    """Import what most models need, and fork model servers."""
    confine.die_with(parent)
    with loading():
        for module in _NEEDED_BY_MOST:
            importlib.import_module(module)
    import numpy as np  # noqa: PLC0415 - see above

    # Python's own generator is seeded anew in every fork, this one is not.
    os.register_at_fork(after_in_child=np.random.seed)
    forks.serve(socket.socket(fileno=control), _become_model_server)
    os._exit(0)


def main() -> None:
    """Be a model server, or what model servers are forked from."""
    if sys.argv[1] == PREPARE:
        _prepare(int(sys.argv[2]), int(sys.argv[3]))
    serve(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]))


if __name__ == "__main__":
    main()
