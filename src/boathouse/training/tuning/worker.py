"""A process that runs trials one after another, each when it is told to.

Its input is the size of a pickled ``Work``, that, and then a line for each trial. It answers a line when a trial's parameters are its own
(``{"asked": ID}``) and one when the trial has ended (``{}``, or ``{"error": ..., "exception": ...}``). When the input ends it ends
at once: nobody is left to run trials for.
"""

import base64
import json
import os
import queue
import sys
import threading
import traceback
from typing import Any, BinaryIO

import cloudpickle


def main() -> None:
    """Run trials."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    source = sys.stdin.buffer
    told = cloudpickle.loads(source.read(int(source.readline())))
    sys.path[:], sys.argv[:] = told["path"], told["arguments"]
    turns: queue.Queue[bytes] = queue.Queue()
    threading.Thread(target=_listen, args=(source, turns), daemon=True).start()

    def answer(said: dict[str, Any]) -> None:
        answers.write(json.dumps(said) + "\n")
        answers.flush()

    try:
        work = cloudpickle.loads(told["work"])
        study = work.study()
        study.sampler.reseed_rng()
        objective = work.wrapped(lambda trial: answer({"asked": trial}))
    except Exception as error:  # noqa: BLE001 - it is told
        turns.get()
        answer(_told(error))
        return
    while True:
        turns.get()
        try:
            study.optimize(objective, n_trials=1, catch=work.catch)
        except Exception as error:  # noqa: BLE001 - it is told
            answer(_told(error))
        else:
            answer({"stop": study._stop_flag})  # noqa: SLF001 - the objective may have asked for the end


def _listen(source: BinaryIO, turns: "queue.Queue[bytes]") -> None:
    for line in source:
        turns.put(line)
    os._exit(1)


def _told(error: Exception) -> dict[str, Any]:
    try:
        exception = base64.b64encode(cloudpickle.dumps(error)).decode()
    except Exception:  # noqa: BLE001 - some cannot be pickled
        exception = None
    return {"error": "".join(traceback.format_exception(error)), "exception": exception}


if __name__ == "__main__":
    main()
