"""The process of one update: it runs the pipeline's source and its flows, with the token of whom the pipeline runs as.

It gets its assignment as the first line of its standard input, and answers with lines of JSON on the descriptor that is named there.
What the source prints goes to its log. Once it has its assignment it confines itself: it can read Python, its packages and the
pipeline's own folder, write to a folder of its own, and reach the server's two ports.
"""

import json
import os
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, NoReturn

from boathouse.engine.sandbox import confine, landlock
from boathouse.kit.loading import loading
from boathouse.kit.wire import Wire, read_assignment
from boathouse.pipelines.events import Event, UpdateState, update_progress
from boathouse.pipelines.running.remembered import Remembered

_NETWORK_FILES = ("/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/services")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")


def main() -> NoReturn:
    """Do the update of the assignment on standard input."""
    assignment = read_assignment()
    # What user code prints is no message.
    wire = Wire(int(assignment["descriptor"]))
    if assignment["confined"]:
        _confine(Path(assignment["folder"]), assignment)
    wire.listen()
    _update(assignment, wire)
    # Threads of user code must not keep it.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _confine(folder: Path, assignment: dict[str, Any]) -> None:
    """Before any thread is started: each has the rights of the one that started it."""
    os.environ.update(HOME=str(folder), TMPDIR=str(folder), PYTHONDONTWRITEBYTECODE="1")
    tempfile.tempdir = str(folder)
    confine.drop_rights()
    read = [*confine.readable(), *(Path(path) for path in _NETWORK_FILES)]
    if assignment["root"]:
        read.append(Path(assignment["root"]))
    landlock.restrict(read, [folder], [Path(device) for device in _DEVICES], assignment["ports"])


def _update(assignment: dict[str, Any], wire: Wire) -> UpdateState:
    update_id = str(assignment["update_id"])

    # What confines the process has to come before all that it imports.
    from boathouse.pipelines.running.utilities import PipelineUtilities  # noqa: PLC0415

    dbutils = PipelineUtilities(str(assignment["base_url"]), str(assignment["token"]))
    dbutils.redact_output()

    def emit(event: Event) -> None:
        wire.send(event=dbutils.redacted(event))

    try:
        return _run(assignment, wire, emit, dbutils)
    except Exception as error:  # noqa: BLE001 - whatever it is, the update has failed with it
        emit(update_progress(update_id, UpdateState.FAILED, error=error))
        return UpdateState.FAILED


def _run(assignment: dict[str, Any], wire: Wire, emit: Any, dbutils: Any) -> UpdateState:
    # Heavy, and to be imported by a process that is confined already.
    with loading():
        from pyspark.sql import SparkSession  # noqa: PLC0415

        from boathouse.pipelines.running.graph_commands import declare_commands  # noqa: PLC0415
        from boathouse.pipelines.running.ingestion import ingest  # noqa: PLC0415
        from boathouse.pipelines.running.options import Options  # noqa: PLC0415
        from boathouse.pipelines.running.session import Session  # noqa: PLC0415
        from boathouse.pipelines.running.update import Update, declare_sources  # noqa: PLC0415
        from boathouse.pipelines.source.sources import SourceFile  # noqa: PLC0415

    if assignment["root"]:
        sys.path.insert(0, assignment["root"])
    session = Session(SparkSession.builder.remote(assignment["remote"]).getOrCreate())
    options = Options(
        pipeline_id=assignment["pipeline_id"],
        update_id=assignment["update_id"],
        **{key: _tuple(value) for key, value in assignment["options"].items()},
        storage=_Storage(assignment),
        heeded=_tuple(assignment["heeded"]),
        private=assignment["private"],
    )
    state = Remembered(wire, assignment["remembered"])
    update = Update(session, assignment["catalog"], assignment["schema"], options, state, emit, wire.stopping)
    if assignment["commands"]:
        return update.run(declare_commands(session, assignment["commands"], assignment["configuration"]))
    if assignment["landed"]:
        return ingest(update, assignment["landed"], state)
    sources = [SourceFile(**one) for one in assignment["sources"]]
    return update.run(declare_sources(session, sources, assignment["configuration"], dbutils))


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


class _Storage:
    """The folder of a pipeline's checkpoints: the one that it names, or a volume that is made when it is needed."""

    def __init__(self, assignment: dict[str, Any]) -> None:
        self._assignment = assignment
        self._lock = threading.Lock()
        self._path: str | None = assignment["storage"]

    def __call__(self) -> str:
        with self._lock:
            if self._path is None:
                self._path = self._volume()
        return self._path

    def _volume(self) -> str:
        assignment = self._assignment
        name = f"pipeline_{assignment['pipeline_id'].replace('-', '_')}"
        body = {
            "catalog_name": assignment["catalog"],
            "schema_name": assignment["schema"],
            "name": name,
            "volume_type": "MANAGED",
            "comment": "Checkpoints of a pipeline",
        }
        request = urllib.request.Request(  # noqa: S310 - the server's own address
            f"{assignment['base_url']}/api/2.1/unity-catalog/volumes",
            json.dumps(body).encode(),
            {"Authorization": f"Bearer {assignment['token']}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30):  # noqa: S310
                pass
        except urllib.error.HTTPError as error:
            told = json.loads(error.read() or b"{}")
            if error.code != 409:
                raise RuntimeError(told.get("message", str(error))) from error
        return f"/Volumes/{assignment['catalog']}/{assignment['schema']}/{name}"


if __name__ == "__main__":
    main()
