"""``boathouse doctor``: what could stop the server, and what to do about it."""

import os
import platform
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from typing import Annotated, Literal

import typer
from rich.console import Console
from sqlalchemy.exc import SQLAlchemyError

from boathouse.catalog.api import CatalogService, SecurableType
from boathouse.cli import running
from boathouse.cli.profile import Profiles, config_dir
from boathouse.cli.up import Root, free_port, settings_from
from boathouse.config import Settings
from boathouse.db import Database
from boathouse.db.database import sqlite_url
from boathouse.errors import BoathouseError
from boathouse.iam.api import Principal
from boathouse.storage.layout import Layout
from boathouse.tables.api import broken_commit, repair

LEAST_FREE_BYTES = 2_000_000_000
PACKAGES = ("pysail", "pyspark-client", "deltalake", "mlflow", "pandas", "pyarrow")


@dataclass(frozen=True)
class Finding:
    """What one check found; ``advice`` says what to do where it is not good."""

    level: Literal["good", "warning", "bad"]
    subject: str
    fact: str
    advice: str = ""


def check_python(_: Settings) -> Iterator[Finding]:
    """Python and the packages that everything rests on."""
    good = sys.version_info >= (3, 11)
    yield Finding(
        "good" if good else "bad", "python", platform.python_version(), "" if good else "Install Python 3.11 or later."
    )
    for name in PACKAGES:
        try:
            yield Finding("good", name, metadata.version(name))
        except metadata.PackageNotFoundError:
            yield Finding("bad", name, "is not installed", "Install Boathouse again: pip install --force-reinstall boathouse")


def check_root(settings: Settings) -> Iterator[Finding]:
    """The lake's folder: rights, space, who has it."""
    layout = Layout(settings.resolved_root)
    existing = next(folder for folder in (layout.root, *layout.root.parents) if folder.exists())
    if os.access(existing, os.W_OK | os.X_OK):
        yield Finding("good", "root", f"{layout.root} can be written")
    else:
        yield Finding("bad", "root", f"{existing} cannot be written", f"chmod u+rwx {existing}, or choose another --root.")
    free = shutil.disk_usage(existing).free
    enough = free >= LEAST_FREE_BYTES
    yield Finding(
        "good" if enough else "warning",
        "disk",
        f"{free / 1e9:.1f} GB free",
        "" if enough else "Free some space, or put the root on a larger disk.",
    )
    server = running.read(layout)
    yield Finding("good", "server", f"process {server.pid} at {server.base_url}" if server else "is not running")


def check_ports(settings: Settings) -> Iterator[Finding]:
    """Whether the ports can be had."""
    server = running.read(Layout(settings.resolved_root))
    for port, option in ((settings.port, "--port"), (settings.spark_port, "--spark-port")):
        if server is not None and f":{port}" in server.base_url + server.spark_remote:
            yield Finding("good", "port", f"{port} is this lake's server's")
            continue
        try:
            free_port(settings.host, port, option)
        except BoathouseError as error:
            yield Finding("bad", "port", f"{port} cannot be had", error.message)
        else:
            yield Finding("good", "port", f"{port} is free")


def check_database(settings: Settings) -> Iterator[Finding]:
    """The metadata database and its schema."""
    layout = Layout(settings.resolved_root)
    if settings.database_url is None and not layout.metadata_db.exists():
        yield Finding("good", "database", "will be made at the first start")
        return
    try:
        database = Database(settings.database_url or sqlite_url(layout.metadata_db))
        fact = database.check()
        database.dispose()
    except BoathouseError as error:
        yield Finding("bad", "database", error.error_code, error.message)
    else:
        yield Finding("good", "database", fact)


def check_profile(settings: Settings) -> Iterator[Finding]:
    """The file with the user's tokens."""
    path = Profiles(config_dir(settings.config_dir)).path
    if not path.exists():
        yield Finding("good", "profile", "will be made at the first start")
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    private = mode & 0o077 == 0
    yield Finding(
        "good" if private else "bad",
        "profile",
        f"{path} has rights {mode:o}",
        "" if private else f"Others can read your tokens: chmod 600 {path}",
    )


def check_tables(settings: Settings, *, repairing: bool = False) -> Iterator[Finding]:
    """The newest commit of every Delta table: a loss of power can leave it empty or cut off."""
    layout = Layout(settings.resolved_root)
    if settings.database_url is None and not layout.metadata_db.exists():
        return
    try:
        database = Database(settings.database_url or sqlite_url(layout.metadata_db))
        with database.session() as session:
            rows = CatalogService(session, _DOCTOR, layout).rows.of_type(SecurableType.TABLE)
            tables = [(row.full_name, row.location) for row in rows if row.format == "DELTA" and row.location]
        database.dispose()
    except (BoathouseError, SQLAlchemyError):  # check_database tells what is wrong with it
        return
    broken = 0
    for name, location in tables:
        path = broken_commit(location) if location.startswith("file:") else None
        if path is None:
            continue
        broken += 1
        if repairing:
            aside = repair(location)
            yield Finding(
                "warning", "table", f"{name}: the damaged commit {path.name} was moved aside", f"It is kept as {aside}."
            )
        else:
            yield Finding(
                "bad",
                "table",
                f"{name}: its newest commit is empty or cut off ({path})",
                "boathouse doctor --repair moves it aside; then write again what that commit held.",
            )
    if not broken:
        yield Finding("good", "tables", f"the newest commits of {len(tables)} Delta tables are whole")


CHECKS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    check_python,
    check_root,
    check_ports,
    check_database,
    check_profile,
)

_DOCTOR = Principal("doctor", "doctor", "user", frozenset(), is_admin=True)
"""Who looks at the catalog; it is never written."""


def command(
    root: Root = None,
    port: Annotated[int | None, typer.Option(help="Port of page and REST API", show_default=False)] = None,
    spark_port: Annotated[int | None, typer.Option(help="Port of Spark Connect", show_default=False)] = None,
    repairing: Annotated[
        bool, typer.Option("--repair", help="Move damaged last commits of Delta tables aside (they are kept)")
    ] = False,
) -> None:
    """Check ports, disk, versions, folder rights, database and tables, and say what to do. Ends with 1 where something is bad."""
    settings = settings_from(root=root, port=port, spark_port=spark_port)
    console = Console(highlight=False, soft_wrap=True)
    marks = {"good": "[green]✓[/]", "warning": "[yellow]![/]", "bad": "[red]✗[/]"}
    findings = [finding for check in CHECKS for finding in check(settings)]
    findings += check_tables(settings, repairing=repairing)
    for finding in findings:
        console.print(f"{marks[finding.level]} [bold]{finding.subject:<15}[/] {finding.fact}")
        if finding.advice:
            console.print(f"  {'':<15} [dim]→[/] {finding.advice}")
    if any(finding.level == "bad" for finding in findings):
        raise typer.Exit(1)
    console.print("[green]Everything is in order.[/]")
