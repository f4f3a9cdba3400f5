"""A PostgreSQL server of the tests' own, on a Unix socket and a loopback port, from the machine's packages."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from glob import glob
from pathlib import Path


def binaries() -> Path | None:
    """The folder of PostgreSQL's programs, newest version first."""
    found = sorted(glob("/usr/lib/postgresql/*/bin/postgres"), reverse=True)  # noqa: PTH207
    on_path = shutil.which("postgres")
    return Path(found[0]).parent if found else Path(on_path).parent if on_path else None


@contextmanager
def postgres() -> Iterator[str]:
    """A running server; gives the URL of its empty database."""
    programs = binaries()
    assert programs is not None
    # It refuses to run as root, so root hands it to the user that Debian's package made.
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    folder = Path(tempfile.mkdtemp(prefix="boathouse-pg-"))
    try:
        if as_user:
            entry = pwd.getpwnam("postgres")
            os.chown(folder, entry.pw_uid, entry.pw_gid)
        data = folder / "data"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]

        def run(program: str, *arguments: str) -> None:
            subprocess.run(
                [*as_user, str(programs / program), *arguments], check=True, cwd=folder, stdout=subprocess.DEVNULL, timeout=60
            )

        run("initdb", "-D", str(data), "-U", "boathouse", "--auth=trust", "-E", "UTF8", "--no-sync")
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off -c wal_level=logical"
        run("pg_ctl", "-D", str(data), "-o", options, "-l", str(folder / "log"), "-w", "start")
        try:
            yield f"postgresql://boathouse@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "-D", str(data), "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def create_database(server_url: str, template: str = "template1") -> str:
    """A new database on a server, empty if it is a copy of no other; gives its URL."""
    import psycopg

    name = f"t_{uuid.uuid4().hex}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
    return server_url.rsplit("/", 1)[0] + f"/{name}"
