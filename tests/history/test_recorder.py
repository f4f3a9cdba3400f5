"""What is recorded reaches the system tables once, and holds nobody up."""

import datetime as dt
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter

import pytest
from deltalake import DeltaTable
from sqlalchemy import text

from boathouse.history.api import Entity, Recorder, TableRef
from boathouse.history.recorder import HistoryNotWritten
from boathouse.history.repository import WRITING, HistoryRepository
from boathouse.history.system_tables import TABLES
from tests.history.conftest import NOW, History, event, lineage, query

AUDIT = "system.access.audit"


def waiting(history: History) -> int:
    with history.lake.database.session() as session:
        return int(session.execute(text("SELECT count(*) FROM history_events")).scalar_one())


def test_the_tables_have_the_columns_that_databricks_documents(history: History) -> None:
    for table in TABLES.values():
        delta = DeltaTable(table.path(history.lake.layout))
        assert [field.name for field in delta.schema().fields] == table.columns.names
        assert delta.metadata().configuration["delta.appendOnly"] == "true"
        assert delta.metadata().partition_columns == (["event_date"] if "event_date" in table.columns.names else [])


def test_an_event_is_in_the_table_after_a_flush(history: History) -> None:
    recorder = history.recorder()
    recorder.audit(event(params={"name": "x"}, user_agent="sdk", session_id="s1", status_code=403, error="no"))
    recorder.flush()
    (row,) = history.rows(AUDIT)
    assert row | {"event_id": ""} == {
        "account_id": None,
        "workspace_id": None,
        "version": "2.0",
        "event_time": dt.datetime.fromtimestamp(NOW / 1000, dt.UTC),
        "event_date": dt.datetime.fromtimestamp(NOW / 1000, dt.UTC).date(),
        "source_ip_address": "10.0.0.1",
        "user_agent": "sdk",
        "session_id": "s1",
        "user_identity": {"email": "somebody", "subject_name": "42"},
        "service_name": "unityCatalog",
        "action_name": "getTable",
        "request_id": "r0",
        "request_params": [("name", "x")],
        "response": {"status_code": 403, "error_message": "no", "result": None},
        "audit_level": "WORKSPACE_LEVEL",
        "event_id": "",
        "identity_metadata": {"run_by": "somebody", "run_as": "somebody", "acting_resource": None},
    }
    assert waiting(history) == 0


def test_a_query_with_its_source(history: History) -> None:
    recorder = history.recorder()
    one = query(entity=Entity(type="JOB", id="7", run_id="8"))
    recorder.query(one)
    recorder.sync_table("SYSTEM.query.history")
    (row,) = history.rows("system.query.history")
    assert row["statement_id"] == one.statement_id
    assert (row["total_duration_ms"], row["waiting_for_compute_duration_ms"], row["execution_duration_ms"]) == (30, 10, 20)
    assert row["query_source"]["job_info"] == {"job_id": "7", "job_run_id": "8", "job_task_run_id": None}
    assert row["query_parameters"] is None


def test_lineage_of_tables_columns_and_paths(history: History) -> None:
    recorder = history.recorder()
    record = lineage(
        "main.default.a",
        "main.default.b",
        ("x", "y"),
        ("z", None),
        sources=(TableRef(full_name="main.default.a"), TableRef(path="s3://b/k", kind="PATH")),
        entity=Entity(type="PIPELINE", id="p", run_id="u"),
    )
    recorder.lineage(record)
    recorder.flush()
    found = sorted(history.rows("system.access.table_lineage"), key=lambda row: row["source_type"])
    assert [(row["source_type"], row["source_table_name"], row["source_path"]) for row in found] == [
        ("PATH", None, "s3://b/k"),
        ("TABLE", "a", None),
    ]
    assert len({row["record_id"] for row in found}) == 2
    assert len({row["event_id"] for row in found}) == 1
    assert found[1]["target_table_full_name"] == "main.default.b"
    assert found[1]["entity_metadata"]["dlt_pipeline_info"] == {"dlt_pipeline_id": "p", "dlt_update_id": "u"}
    columns = history.rows("system.access.column_lineage")
    assert {(row["source_column_name"], row["target_column_name"]) for row in columns} == {("x", "y"), ("z", None)}


def test_it_is_in_the_database_within_a_moment(history: History) -> None:
    recorder = history.recorder()
    recorder.audit(event())
    started = time.monotonic()
    while waiting(history) == 0:
        assert time.monotonic() - started < 5
        time.sleep(0.01)


def test_recording_is_quick_while_the_database_is_locked(history: History) -> None:
    recorder = history.recorder()
    with history.lake.database.session(write=True) as session:
        HistoryRepository(session).lock(WRITING)
        started = time.monotonic()
        for number in range(2000):
            recorder.audit(event(number))
        assert time.monotonic() - started < 1
    recorder.flush()
    assert len(history.rows(AUDIT)) == 2000


def test_what_does_not_fit_is_counted_and_told_of(history: History) -> None:
    recorder = history.recorder(start=False, capacity=10)
    for number in range(25):
        recorder.audit(event(number))
    assert recorder.lost == 15
    recorder.flush()
    found = history.rows(AUDIT)
    assert len(found) == 11
    told = next(row for row in found if row["action_name"] == "recordsLost")
    assert dict(told["request_params"]) == {"count": "15"}


def test_a_flood_of_refused_calls_is_counted(history: History) -> None:
    recorder = history.recorder()
    minute = NOW - NOW % 60_000
    nobody = {"principal": None, "principal_id": None, "status_code": 401}
    for number in range(500):
        recorder.audit(event(source_ip="10.0.0.2", **nobody | {"time_ms": minute + number}))
        recorder.audit(event(source_ip=f"10.1.0.{number}", action="listTables", **nobody | {"time_ms": minute + number}))
        recorder.audit(event(time_ms=minute + number))
    recorder.flush()
    recorder.audit(event(source_ip="10.0.0.2", **nobody | {"time_ms": minute + 59_999}))
    recorder.audit(event(source_ip="10.0.0.2", **nobody | {"time_ms": minute + 60_000}))
    recorder.flush()
    found = Counter((row["source_ip_address"], dict(row["request_params"]).get("count")) for row in history.rows(AUDIT))
    # A minute's first 20, how many came after them until the table was read, one more, and the next minute's first.
    assert {key: found[key] for key in found if key[0] == "10.0.0.2"} == {
        ("10.0.0.2", None): 21,
        ("10.0.0.2", "480"): 1,
        ("10.0.0.2", "1"): 1,
    }
    # Nobody gets round it by having many addresses: beyond 500 kinds of calls all are one.
    assert sum(count for (address, _), count in found.items() if address and address.startswith("10.1.")) == 500
    assert found["10.0.0.1", None] == 500


def test_more_kinds_of_refused_calls_than_are_counted_apart(history: History) -> None:
    recorder = history.recorder(start=False)
    for number in range(1000):
        recorder.audit(event(source_ip=f"10.1.{number // 250}.{number % 250}", status_code=403))
    recorder.flush()
    rows = history.rows(AUDIT)
    (rest,) = [row for row in rows if row["action_name"] == "otherRefusedCalls"]
    assert (rest["source_ip_address"], dict(rest["request_params"])) == (None, {"count": "480"})
    assert len(rows) == 500 + 20 + 1


def test_texts_that_no_database_stores_do_not_hold_up_the_others(history: History) -> None:
    recorder = history.recorder()
    recorder.audit(event(1, params={"bad\0": "a\0b\ud800"}, user_agent="\udfff"))
    recorder.lineage(lineage("main.default.\0", "main.default.b", ("x\0", "y")))
    recorder.query(query(produced_rows=2**70))
    recorder.audit(event(2))
    recorder.flush()
    assert {row["request_id"] for row in history.rows(AUDIT)} == {"r1", "r2"}
    assert history.rows("system.query.history") == []
    recorder.flush()
    assert waiting(history) == 0


def test_it_waits_for_a_database_that_comes_back(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = history.recorder()
    with history.lake.database.session(write=True) as session:
        session.execute(text("ALTER TABLE history_events RENAME TO gone"))
    recorder.audit(event())
    monkeypatch.setattr("boathouse.history.recorder.FLUSH_SECONDS", 0.5)
    with pytest.raises(HistoryNotWritten):
        recorder.flush()
    monkeypatch.undo()
    with history.lake.database.session(write=True) as session:
        session.execute(text("ALTER TABLE gone RENAME TO history_events"))
    recorder.flush()
    assert len(history.rows(AUDIT)) == 1
    assert recorder.lost == 0


def test_stopping_exports_what_is_left(history: History) -> None:
    recorder = history.recorder(start=False)
    recorder.start()
    for number in range(50):
        recorder.audit(event(number))
    recorder.stop()
    assert len(history.rows(AUDIT)) == 50


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_two_servers_export_each_row_once(history: History) -> None:
    servers = [history.recorder() for _ in range(3)]

    def work(server: Recorder, first: int) -> None:
        for number in range(first, first + 60):
            server.audit(event(number))
            if number % 10 == 0:
                server.flush()

    threads = [threading.Thread(target=work, args=(server, 1000 * place)) for place, server in enumerate(servers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for server in servers:
        server.flush()
    counts = Counter(row["request_id"] for row in history.rows(AUDIT))
    assert len(counts) == 180
    assert set(counts.values()) == {1}


CHILD = """
import os, signal, sys
from pathlib import Path
from boathouse.db import Database
from boathouse.history.api import Recorder
from boathouse.history.repository import HistoryRepository
from boathouse.kit.logging import configure
from boathouse.storage.layout import Layout
from tests.history.conftest import event

configure("error")
url, root, first, where = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

if where == "before-delete":
    HistoryRepository.remove_exported = die
recorder = Recorder(Database(url), Layout(root))
recorder.start()
number = first
while True:
    recorder.audit(event(number))
    recorder.settle()
    print(number, flush=True)
    number += 1
    if where == "before-delete" and number == first + 5 or where == "anywhere" and number % 3 == 0:
        recorder.sync_table("system.access.audit")
"""


def crash(history: History, first: int, where: str, after: int) -> int:
    """Record in a process that is killed; the last number that it saw in the database."""
    arguments = [sys.executable, "-c", CHILD, history.url, str(history.lake.layout.root), str(first), where]
    # What the process writes to the database is what it says: one more may be there that it could not say.
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": "."})
    assert process.stdout is not None
    last = first - 1
    for line in process.stdout:
        last = int(line)
        if where == "anywhere" and last == first + after:
            process.send_signal(signal.SIGKILL)
    process.wait(timeout=60)
    assert process.returncode == -signal.SIGKILL
    return last


def test_a_crash_neither_loses_nor_doubles(history: History) -> None:
    first, told = 0, set[str]()
    for where, after in (("before-delete", 0), ("anywhere", 4), ("anywhere", 9), ("before-delete", 0), ("anywhere", 14)):
        last = crash(history, first, where, after)
        told |= {f"r{number}" for number in range(first, last + 1)}
        first = last + 1000
    assert waiting(history) > 0
    history.recorder().flush()
    counts = Counter(row["request_id"] for row in history.rows(AUDIT))
    assert set(counts.values()) == {1}
    assert told <= set(counts)
    assert len(set(counts) - told) <= 5
    assert waiting(history) == 0


def test_identifiers_that_begin_anew_lose_nothing(history: History) -> None:
    """As after the database was restored from a backup while the tables went on."""
    recorder = history.recorder()
    for number in range(20):
        recorder.audit(event(number))
    recorder.flush()
    with history.lake.database.session(write=True) as session:
        restart = (
            "UPDATE sqlite_sequence SET seq = 0"
            if history.url.startswith("sqlite")
            else "ALTER SEQUENCE history_events_id_seq RESTART"
        )
        session.execute(text(restart))
    for number in range(20, 50):
        recorder.audit(event(number))
        recorder.sync_table(AUDIT)
    counts = Counter(row["request_id"] for row in history.rows(AUDIT))
    assert len(counts) == 50
    assert set(counts.values()) == {1}


def test_small_files_are_put_together(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("boathouse.history.export._COMPACT_AFTER", 5)
    recorder = history.recorder()
    for number in range(6):
        recorder.audit(event(number))
        recorder.sync_table(AUDIT)
    path = TABLES[AUDIT].path(history.lake.layout)
    assert len(DeltaTable(path).file_uris()) == 6
    recorder._exporter.compact()
    assert len(DeltaTable(path).file_uris()) == 1
    recorder.audit(event(7))
    recorder.flush()
    assert len(history.rows(AUDIT)) == 7
