"""A MariaDB server of the tests' own, on a Unix socket and a loopback port, from the machine's packages."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

USER, PASSWORD = "boathouse", "maria-pass-word"
_SECONDS = 60


def binary() -> str | None:
    """The server's program."""
    return next((path for path in ("/usr/sbin/mariadbd", shutil.which("mariadbd")) if path and Path(path).exists()), None)


@contextmanager
def mariadb() -> Iterator[int]:
    """A running server with a database `shop` for USER; gives its port."""
    program = binary()
    assert program is not None
    folder = Path(tempfile.mkdtemp(prefix="boathouse-maria-"))
    process: subprocess.Popen[bytes] | None = None
    try:
        # It refuses to run as root unless told a user, and its files have to be that user's.
        user = ["--user=mysql"] if os.geteuid() == 0 else []
        data = folder / "data"
        data.mkdir()
        if user:
            entry = pwd.getpwnam("mysql")
            for path in (folder, data):
                os.chown(path, entry.pw_uid, entry.pw_gid)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        common = ["--no-defaults", f"--datadir={data}", *user]
        install = ["mariadb-install-db", *common, "--auth-root-authentication-method=normal", "--skip-test-db"]
        subprocess.run(install, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120)
        start = folder / "start.sql"
        start.write_text(
            # One statement a line is how the server reads it.
            f"CREATE DATABASE shop;\nCREATE USER '{USER}'@'%' IDENTIFIED BY '{PASSWORD}';\nGRANT ALL ON shop.* TO '{USER}'@'%';\n"
        )
        where = [f"--port={port}", "--bind-address=127.0.0.1", f"--socket={folder}/socket", f"--pid-file={folder}/pid"]
        quick = ["--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=16M", "--skip-name-resolve"]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [program, *common, *where, *quick, f"--init-file={start}"], stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        deadline = time.monotonic() + _SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < deadline, "MariaDB did not start"
                time.sleep(0.05)
        yield port
    finally:
        if process is not None:
            process.terminate()
            process.wait(timeout=30)
        shutil.rmtree(folder, ignore_errors=True)
