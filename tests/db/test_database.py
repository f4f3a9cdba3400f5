import sqlite3
import threading
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from boathouse.db import Base, Database
from boathouse.db.database import MIGRATIONS, sqlite_url
from boathouse.db.errors import DatabaseTooNew, DatabaseUnreachable, TextRefused
from boathouse.iam.api import IamService
from tests.databases import new_postgresql


@pytest.fixture
def database(database_url: str) -> Database:
    found = Database(database_url)
    found.migrate()
    return found


def test_the_migrations_make_what_the_models_say(database: Database) -> None:
    import boathouse.server.app  # noqa: F401 - it imports every slice's models

    with database.engine.connect() as connection:
        difference = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    database.dispose()
    assert difference == []


def test_migrating_twice_changes_nothing(database: Database) -> None:
    with database.session(write=True) as session:
        IamService(session).ensure_admin("admin")
    database.migrate()
    with database.session() as session:
        assert IamService(session).get_principal("admin").is_admin
    database.dispose()


def test_a_text_that_cannot_be_kept_is_the_clients_mistake(database: Database) -> None:
    try:
        with database.session() as session:
            if database.is_sqlite:
                assert not IamService(session).grantee_exists("\0")
                return
        with pytest.raises(TextRefused, match="NUL"), database.session() as session:
            IamService(session).grantee_exists("\0")
    finally:
        database.dispose()


def test_connections_that_the_server_has_ended_are_made_anew(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database(new_postgresql(postgres_url))
    resting = [database.engine.raw_connection() for _ in range(3)]
    pids = [one.driver_connection.info.backend_pid for one in resting if one.driver_connection]
    for one in resting:
        one.close()
    with database.session() as session:
        kept = session.scalar(text("SELECT pg_backend_pid()"))
    assert kept in pids
    with database.session() as session:
        assert session.scalar(text("SELECT pg_backend_pid()")) == kept
    other = Database(postgres_url)
    with other.session() as session:
        session.execute(text("SELECT pg_terminate_backend(one, 10000) FROM unnest(:pids) AS one"), {"pids": pids})
    other.dispose()
    monkeypatch.setattr("boathouse.db.database._REST_SECONDS", 0.0)
    # All three are gone, and the first who asks does not hear of it.
    with database.session() as session:
        assert session.scalar(text("SELECT pg_backend_pid()")) not in pids
    database.dispose()


def test_a_newer_schema_is_refused_and_kept(database: Database) -> None:
    with database.session(write=True) as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseTooNew, match=r"9999.*newer Boathouse"):
        database.migrate()
    with pytest.raises(DatabaseTooNew):
        database.check()
    with database.session() as session:
        assert session.execute(text("SELECT version_num FROM alembic_version")).scalar() == "9999"
    database.dispose()


def test_a_transaction_is_whole_or_not_at_all(database: Database) -> None:
    class Interruption(Exception):
        pass

    def interrupted() -> None:
        with database.session(write=True) as session:
            IamService(session).create_principal("half@example.com", "user")
            raise Interruption

    with pytest.raises(Interruption):
        interrupted()
    with database.session() as session:
        assert IamService(session).list_principals("user") == []
    database.dispose()


def test_writers_queue_and_none_is_lost(database: Database) -> None:
    failures: list[BaseException] = []

    def write(number: int) -> None:
        try:
            for turn in range(10):
                with database.session(write=True) as session:
                    IamService(session).create_principal(f"u{number}-{turn}@example.com", "user")
        except BaseException as error:  # noqa: BLE001 - the test reports what went wrong in a thread
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with database.session() as session:
        assert len(IamService(session).list_principals("user")) == 80
    database.dispose()


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "metadata.db").write_bytes(b"this is not SQLite at all, but long enough" * 50)
    with pytest.raises(DatabaseUnreachable, match=r"metadata\.db"):
        Database(sqlite_url(tmp_path / "metadata.db")).migrate()


def test_an_address_without_a_server_is_named_without_its_password() -> None:
    database = Database("postgresql://me:hidden@127.0.0.1:1/nothing?connect_timeout=2")
    with pytest.raises(DatabaseUnreachable) as caught:
        database.migrate()
    assert "127.0.0.1:1" in caught.value.message
    assert "hidden" not in caught.value.message


def test_sqlite_writes_ahead(tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path / "metadata.db"))
    database.migrate()
    database.dispose()
    with sqlite3.connect(tmp_path / "metadata.db") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_the_number_of_changes_tells_of_each_commit_that_changes_rights_and_of_no_other(database: Database) -> None:
    numbers = [database.changes()]

    def after(action: str) -> None:
        numbers.append(database.changes())
        if action == "change":
            assert numbers[-1] > numbers[-2]
        else:
            assert numbers[-1] == numbers[-2], action

    with database.session(write=True) as session:
        IamService(session).ensure_admin("admin")
        assert database.changes() == numbers[0], "not before it is committed"
    after("change")
    with database.session(write=True) as session:
        session.execute(text("DELETE FROM grants WHERE 1 = 0"))
    after("change")
    with database.session(write=True) as session:
        session.execute(text("WITH one AS (SELECT 1) UPDATE groups SET id = id WHERE 1 = 0"))
    after("change")
    with database.session() as session:
        assert IamService(session).get_principal("admin").is_admin
    after("a read")
    with database.session(write=True) as session:
        session.execute(text("DELETE FROM query_history"))
    after("a write of the history")

    def undone() -> None:
        with database.session(write=True) as session:
            IamService(session).create_principal("half@example.com", "user")
            raise KeyError

    with pytest.raises(KeyError):
        undone()
    after("a change that was undone")
    with database.session(write=True) as session:
        session.execute(text("DELETE FROM query_history"))
    after("a write after one that was undone")
    other = Database(database.engine.url.render_as_string(hide_password=False))
    with other.session(write=True) as session:
        IamService(session).create_principal("other@example.com", "user")
    after("change")
    other.dispose()
    database.dispose()


def test_lineage_of_an_earlier_version_knows_who_made_it(database_url: str) -> None:
    database = Database(database_url)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.engine.execution_options(boathouse_write=True).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0009")
        connection.execute(
            text(
                "INSERT INTO principals (id, name, kind, display_name, active, created_at, profile) "
                "VALUES ('7', 'ann', 'user', '', true, 1, '{}')"
            )
        )
        for source, principal in (("a", "ann"), ("b", "gone")):
            edge = "INSERT INTO lineage_edges VALUES (:source, 'c', '', '', 'TABLE', 'TABLE', NULL, :principal, 1)"
            connection.execute(text(edge), {"source": source, "principal": principal})
    database.migrate()
    with database.session() as session:
        found = session.execute(text("SELECT source, principal_id FROM lineage_edges ORDER BY source")).all()
    database.dispose()
    assert [tuple(row) for row in found] == [("a", "7"), ("b", "")]
