"""Trials in processes of this machine, which end with this one."""

import base64
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO

import cloudpickle

from boathouse.training.tuning.trials import QUIET, Work

Ended = Callable[[str, str], None]


class TrialFailed(RuntimeError):
    """An objective has raised something that was not to be caught, and that could not be brought here as it was."""


class Processes:
    """So many processes that run trials.

    Args:
        work: What they run.
        count: How many.
        given_up: Is told of a trial whose process has died, by its identifier, and why.
    """

    def __init__(self, work: Work, count: int, given_up: Ended) -> None:
        self._payload = cloudpickle.dumps(
            {"path": list(sys.path), "arguments": list(sys.argv), "work": cloudpickle.dumps(work)}
        )
        # Runs that the objective begins are beside the trials; MLflow refuses a name that is another experiment's.
        kept = {key: value for key, value in os.environ.items() if key != "MLFLOW_EXPERIMENT_NAME"}
        self._environment = kept | {QUIET: "true", "MLFLOW_EXPERIMENT_ID": work.experiment_id}
        self._count = count
        self._given_up = given_up

    def run(self, budget: int | None, deadline: float | None) -> Iterator[str]:
        """Run trials; yields the identifier of each that has ended.

        Args:
            budget: How many.
            deadline: When none is begun any more, by ``time.monotonic``.

        Raises:
            Exception: What an objective has raised, once the others' trials have ended.
        """
        wanted = self._count if budget is None else min(self._count, budget)
        one_by_one = _Turns(budget, deadline)
        with selectors.DefaultSelector() as selector:
            workers = [_Worker(self._payload, self._environment) for _ in range(wanted)]
            for worker in workers:
                selector.register(worker.answers, selectors.EVENT_READ, worker)
            try:
                one_by_one.begin(workers)
                while any(worker.is_busy for worker in workers):
                    for key, _ in selector.select():
                        ended = self._heard(key.data, one_by_one, selector, workers)
                        if ended is not None:
                            yield ended
                    one_by_one.begin(workers)
            finally:
                for worker in workers:
                    worker.stop()
        if one_by_one.error is not None:
            raise one_by_one.error

    def _heard(
        self, worker: "_Worker", turns: "_Turns", selector: selectors.BaseSelector, workers: list["_Worker"]
    ) -> str | None:
        answer = worker.answer()
        if answer is not None and "asked" in answer:
            worker.trial, worker.is_asking = answer["asked"], False
            return None
        ended, worker.trial = worker.trial, None
        worker.is_busy = worker.is_asking = False
        if answer is None:
            selector.unregister(worker.answers)
            why = f"its process ended with {worker.stop()}"
            workers.remove(worker)
            if ended is None:
                turns.error = turns.error or TrialFailed(f"a process for trials cannot begin: {why}")
                return None
            self._given_up(ended, why)
            fresh = _Worker(self._payload, self._environment)
            selector.register(fresh.answers, selectors.EVENT_READ, fresh)
            workers.append(fresh)
        elif "error" in answer:
            turns.error = turns.error or _exception(answer)
        elif answer["stop"]:
            turns.is_over = True
        return ended


class _Turns:
    """Who begins a trial: one after the other, so that none gets a waiting trial twice, and each knows of all before."""

    def __init__(self, budget: int | None, deadline: float | None) -> None:
        self._left = budget
        self._deadline = deadline
        self.error: Exception | None = None
        self.is_over = False

    def begin(self, workers: list["_Worker"]) -> None:
        if any(worker.is_asking for worker in workers):
            return
        over = self._left == 0 or (self._deadline is not None and time.monotonic() >= self._deadline)
        if over or self.is_over or self.error is not None:
            return
        free = next((worker for worker in workers if not worker.is_busy), None)
        if free is not None:
            self._left = None if self._left is None else self._left - 1
            free.begin()


class _Worker:
    """One process."""

    def __init__(self, payload: bytes, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "boathouse.training.tuning.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError
        self._input: BinaryIO = self._process.stdin  # pyright: ignore[reportAttributeAccessIssue]
        self.answers: BinaryIO = self._process.stdout  # pyright: ignore[reportAttributeAccessIssue]
        self.trial: str | None = None
        self.is_busy = self.is_asking = False
        self._send(f"{len(payload)}\n".encode() + payload)

    def begin(self) -> None:
        """Have it run a trial."""
        self.is_busy = self.is_asking = True
        self._send(b"\n")

    def answer(self) -> dict[str, Any] | None:
        """What it says; None if it has died."""
        line = self.answers.readline()
        return json.loads(line) if line else None

    def stop(self) -> str:
        """End it; how it had ended before, or has now."""
        self._process.kill()
        code = self._process.wait()
        for pipe in (self._input, self.answers):
            try:
                pipe.close()
            except BrokenPipeError:
                continue
        return signal.Signals(-code).name if code < 0 else f"status {code}"

    def _send(self, data: bytes) -> None:
        try:
            self._input.write(data)
            self._input.flush()
        except BrokenPipeError:
            return  # its end is read where its answer would be


def _exception(answer: dict[str, Any]) -> Exception:
    told = str(answer["error"])
    if answer["exception"] is not None:
        try:
            error: Exception = cloudpickle.loads(base64.b64decode(answer["exception"]))
        except Exception:  # noqa: BLE001 - its class may be known there only
            return TrialFailed(told)
        error.add_note(told)
        return error
    return TrialFailed(told)
