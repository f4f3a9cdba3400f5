"""The process from which workers are made: forked from the engine before the engine knows anything, confined, and small.

It loads nothing of a user. A worker is a fork of it: pandas, Arrow and PySpark are there already, so that one starts within some
milliseconds, and most of its memory is shared.
"""

import json
import os
import shutil
import signal
import socket
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path

from boathouse.engine.sandbox import confine, seccomp
from boathouse.engine.sandbox.worker import Worker, engine_module
from boathouse.kit.readable import readable

_REAP_SECONDS = 1.0
_MOST_REMEMBERED = 1000
_MOST_MESSAGE = 1 << 20


@dataclass
class Zygote:
    """Answers the engine's wishes, one JSON message each: ``module``, ``spawn``, ``end``.

    Attributes:
        control: A SEQPACKET socket; a ``spawn`` brings the worker's end of its channel along.
        folder: Where the workers' folders are made.
        memory: Bytes that each worker may take.
        base: Bytes of address space that the zygote has, and each worker before it works.
    """

    control: socket.socket
    folder: Path
    memory: int
    base: int
    ended: dict[int, str] = field(default_factory=dict[int, str])

    def run(self) -> None:
        """Serve until the engine is gone."""
        awake, waker = socket.socketpair()
        for end in (awake, waker):
            os.set_blocking(end.fileno(), False)
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        while True:
            ready = readable(self.control, awake)
            if awake in ready:
                awake.recv(4096)
                self._reap()
            if self.control in ready and not self._answer():
                return

    def _answer(self) -> bool:
        message, handles, _, _ = socket.recv_fds(self.control, _MOST_MESSAGE, 1)
        if not message:
            return False
        wish = json.loads(message)
        match wish["do"]:
            case "module":
                engine_module(wish["source"])
                answer: dict[str, object] = {}
            case "spawn":
                answer = {"pid": self._spawn(handles[0])}
            case _:
                answer = {"how": self._end(int(wish["pid"]), kill=bool(wish["kill"]))}
        for handle in handles:
            os.close(handle)
        self.control.send(json.dumps(answer).encode())
        return True

    def _spawn(self, handle: int) -> int:
        zygote = os.getpid()
        pid = os.fork()
        if pid:
            return pid
        code = 1
        try:
            self._become_worker(handle, zygote)
            code = 0
        except BaseException:  # noqa: BLE001 - nothing of the zygote's own code may run in a worker
            traceback.print_exc()
        finally:
            os._exit(code)

    def _become_worker(self, handle: int, zygote: int) -> None:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        confine.die_with(zygote)
        folder = self.folder / str(os.getpid())
        folder.mkdir(mode=0o700)
        confine.keep_only(handle)
        confine.move_to(folder)
        confine.shut(folder)
        confine.drop_rights()
        confine.limit(self.memory, self.base)
        seccomp.restrict()
        Worker(socket.socket(fileno=handle), most=self.memory).run()

    def _end(self, pid: int, *, kill: bool) -> str:
        """How a worker ended; it is killed if it does not end by itself."""
        deadline = time.monotonic() + (0.0 if kill else _REAP_SECONDS)
        while pid not in self.ended and time.monotonic() < deadline:
            time.sleep(0.005)
            self._reap()
        if pid not in self.ended:
            try:
                os.kill(pid, signal.SIGKILL)
                _, status = os.waitpid(pid, 0)
                self._note(pid, status)
            except (ProcessLookupError, ChildProcessError):
                return "it is gone"
        return self.ended.pop(pid)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            self._note(pid, status)

    def _note(self, pid: int, status: int) -> None:
        code = os.waitstatus_to_exitcode(status)
        self.ended[pid] = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        while len(self.ended) > _MOST_REMEMBERED:
            del self.ended[next(iter(self.ended))]
        shutil.rmtree(self.folder / str(pid), ignore_errors=True)


def start(folder: Path, memory: int) -> socket.socket:
    """Fork the zygote. To be called by the main thread, while it is the only one and before any secret is read.

    Args:
        folder: For the workers' files; what is in it is removed.
        memory: Bytes that each worker may take.

    Returns:
        The engine's end of the control channel. Its first message is ``{}``, or ``{"error": ...}``.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    engine = os.getpid()
    if os.fork():
        its.close()
        return ours
    try:
        confine.die_with(engine)
        base = _become_zygote(its, folder)
        Zygote(its, folder, memory, base).run()
    except BaseException as error:  # noqa: BLE001 - the engine's code must not run on in this process
        its.send(json.dumps({"error": f"{type(error).__name__}: {error}"}).encode())
    finally:
        os._exit(0)


def _become_zygote(control: socket.socket, folder: Path) -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.umask(0o077)
    confine.keep_only(control.fileno(), standard=1)
    base = confine.mapped()
    confine.move_to(folder)
    confine.shut(folder)
    confine.drop_rights()
    control.send(b"{}")
    return base
