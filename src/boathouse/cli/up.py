"""``boathouse up``: serve a lake until Ctrl-C."""

import getpass
import os
import socket
import sys
import webbrowser
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from boathouse import __version__
from boathouse.cli import running
from boathouse.cli.errors import AddressNotAvailable, PortInUse, RemoteRefused, SettingsInvalid
from boathouse.cli.profile import Profiles, config_dir
from boathouse.config import Settings
from boathouse.errors import BoathouseError, Unauthenticated
from boathouse.kit.clock import now_ms
from boathouse.kit.loading import loading
from boathouse.kit.logging import configure
from boathouse.storage.layout import Layout
from boathouse.storage.scratch import scratch

_SWITCH_SECONDS = 0.0005
_EXPERIMENTS = "GRPC_EXPERIMENTS"

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
STOP_SECONDS = 3

Root = Annotated[Path | None, typer.Option(help="Folder of the lake [default: ./lake]", show_default=False)]


def settings_from(**given: Any) -> Settings:
    """The settings, with the command line's values before the environment's; the command ends where one is not valid."""
    try:
        return Settings(**{key: value for key, value in given.items() if value is not None})
    except ValidationError as error:
        problems = [(".".join(str(part) for part in one["loc"]), one["msg"]) for one in error.errors()]
        raise fail(SettingsInvalid(problems)) from None


def bind(host: str, port: int, option: str) -> socket.socket:
    """A socket that listens, or a clear message why not.

    Raises:
        PortInUse: If the port is taken.
        AddressNotAvailable: If the host is none of this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio sets TCP_NODELAY; without, small answers wait 40 ms for an acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(512)
    except OSError as error:
        listener.close()
        if error.errno in {98, 48}:
            raise PortInUse(host, port, option) from error
        raise AddressNotAvailable(host, error.strerror or str(error)) from error
    return listener


def free_port(host: str, port: int, option: str) -> int:
    """The port itself if it is free, or a free one for 0."""
    with bind(host, port, option) as probe:
        found: int = probe.getsockname()[1]
        return found


def fail(error: BoathouseError) -> typer.Exit:
    """Say what is wrong on standard error; the command ends with status 1."""
    Console(stderr=True).print(f"[bold red]Error[/] {error.error_code}: {error.message}", highlight=False, soft_wrap=True)
    return typer.Exit(1)


def command(
    root: Root = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on [default: 127.0.0.1]", show_default=False)] = None,
    port: Annotated[int | None, typer.Option(help="Port of page and REST API [default: 8080]", show_default=False)] = None,
    spark_port: Annotated[int | None, typer.Option(help="Port of Spark Connect [default: 15002]", show_default=False)] = None,
    allow_remote: Annotated[
        bool | None, typer.Option("--allow-remote", help="Listen on an address that others reach", show_default=False)
    ] = None,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser, if there is one")] = True,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error [default: info]")] = None,
) -> None:
    """Serve a lake: REST API, page, MLflow and Spark Connect in one process tree. Ctrl-C stops it."""
    settings = settings_from(
        root=root, host=host, port=port, spark_port=spark_port, allow_remote=allow_remote, log_level=log_level
    )
    try:
        serve(settings, open_browser=browser)
    except BoathouseError as error:
        raise fail(error) from error


def serve(settings: Settings, *, open_browser: bool) -> None:
    """Serve until a signal says stop.

    Raises:
        BoathouseError: For everything that stops a start: the port, the root, the database, another server.
    """
    if settings.host not in LOOPBACK and not settings.allow_remote:
        raise RemoteRefused(settings.host)
    layout = Layout(settings.resolved_root)
    layout.create()
    configure(settings.log_level, settings.log_format, layout.logs / "server.log")
    with running.hold(layout), scratch(layout.run), bind(settings.host, settings.port, "--port") as listener:
        spark_port = free_port(settings.host, settings.spark_port, "--spark-port")
        _run(settings.model_copy(update={"spark_port": spark_port}), layout, listener, open_browser=open_browser)


def _load_grpc() -> None:
    """Load gRPC so that it waits for its connections by itself, without a pool of threads between: each message passes fewer of them."""
    chosen = os.environ.get(_EXPERIMENTS)
    if chosen is None:
        os.environ[_EXPERIMENTS] = "-event_engine_client,-event_engine_listener"
    import_module("grpc.aio")
    if chosen is None:
        # Not for the processes that are started from here, whose gRPC is another one.
        del os.environ[_EXPERIMENTS]


def _run(settings: Settings, layout: Layout, listener: socket.socket, *, open_browser: bool) -> None:
    # The server's modules are loaded only after the cheap checks above had their say.
    with loading():
        import uvicorn  # noqa: PLC0415

        _load_grpc()
        from boathouse.server.app import Addresses, create_app  # noqa: PLC0415

    # Everybody's queries go through one thread, which must not wait for five milliseconds each time that another is at work.
    sys.setswitchinterval(_SWITCH_SECONDS)
    shown = f"[{settings.host}]" if ":" in settings.host else settings.host
    port = listener.getsockname()[1]
    # Spark clients send a token without TLS to the name localhost only; to 127.0.0.1 they insist on a certificate.
    spark_host = "localhost" if settings.host in LOOPBACK else shown
    addresses = Addresses(f"http://{shown}:{port}", f"sc://{spark_host}:{settings.spark_port}")
    boathouse = create_app(settings, addresses, admin_name=f"{getpass.getuser()}@localhost")
    profiles = Profiles(config_dir(settings.config_dir))
    token = profiles.token(layout.root)
    try:
        boathouse.authenticator.authenticate(token or "")
    except Unauthenticated:
        token = boathouse.issue_token(comment="made by boathouse up")
    profiles.save(layout.root, addresses.base_url, token or "")

    def started() -> None:
        info = running.Running(os.getpid(), addresses.base_url, addresses.spark_remote, now_ms(), __version__)
        running.publish(layout, info)
        link = f"{addresses.base_url}/sign-in?code={boathouse.sign_in_code()}"
        _announce(layout, addresses, profiles, link)
        if open_browser and sys.stdout.isatty() and _has_display():
            webbrowser.open(link)

    config = uvicorn.Config(
        boathouse.asgi,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=STOP_SECONDS,
        ws="auto",
        lifespan="on",
        server_header=False,
        # Longer than clients keep an idle connection (reqwest's 90 s), or one is closed while the next request is under way on it.
        timeout_keep_alive=120,
    )
    _server_class()(config, started).run(sockets=[listener])


def _server_class() -> Any:
    import uvicorn  # noqa: PLC0415

    class Announcing(uvicorn.Server):
        """Tells when it listens."""

        def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
            super().__init__(config)
            self._on_started = on_started

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                self._on_started()

    return Announcing


def _has_display() -> bool:
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _announce(layout: Layout, addresses: Any, profiles: Profiles, link: str) -> None:
    grid = Table.grid(padding=(0, 2))
    grid.add_row("[bold]Page[/]", addresses.base_url)
    grid.add_row("[bold]Sign in[/]", f"{link}\n[dim]once, within 15 minutes; a new one: boathouse status --link[/]")
    grid.add_row("[bold]Spark[/]", f'{addresses.spark_remote}/;token=...   [dim]SparkSession.builder.remote("...")[/]')
    grid.add_row("[bold]MLflow[/]", f"MLFLOW_TRACKING_URI={addresses.base_url}")
    grid.add_row("[bold]SDK, token[/]", f"DATABRICKS_CONFIG_FILE={profiles.path}")
    grid.add_row("[bold]Lake[/]", str(layout.root))
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(
        Panel(grid, title=f"Boathouse {__version__}", subtitle="Ctrl-C stops it", expand=False), highlight=False, soft_wrap=True
    )
