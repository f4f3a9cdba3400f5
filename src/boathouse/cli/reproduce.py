"""``boathouse reproduce``: train a model version again, and compare the metrics."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from boathouse.cli import running
from boathouse.cli.errors import NotServed
from boathouse.cli.profile import Profiles, config_dir
from boathouse.cli.up import Root, fail, settings_from
from boathouse.errors import BoathouseError
from boathouse.storage.layout import Layout
from boathouse.training.reproducing import Lake, Reproduced, reproduce

_DIFFERS, _CANNOT = 1, 2


def command(
    model: Annotated[str, typer.Argument(help="The model version, models:/catalog.schema.model/3")],
    tolerance: Annotated[
        float, typer.Option(min=0, help="By how much a metric may differ, as a part of it; absolute for metrics below 1")
    ] = 1e-6,
    environments: Annotated[
        Path | None,
        typer.Option(help="Where environments of packages are kept [default: ~/.cache/boathouse]", show_default=False),
    ] = None,
    root: Root = None,
) -> None:
    """Train a model version again from its pinned tables in its locked environment, and compare the metrics.

    Status 0: all metrics are within the tolerance. 1: one is not. 2: it cannot be trained again.
    """
    settings = settings_from(root=root)
    layout = Layout(settings.resolved_root)
    server = running.read(layout)
    token = Profiles(config_dir(settings.config_dir)).token(layout.root)
    if server is None or token is None:
        raise fail(NotServed(str(layout.root)))
    lake = Lake(server.base_url, server.spark_remote, token)
    try:
        found = reproduce(lake, model, environments or Path.home() / ".cache" / "boathouse" / "environments")
    except BoathouseError as error:
        fail(error)
        raise typer.Exit(_CANNOT) from None
    if not _show(found, tolerance):
        raise typer.Exit(_DIFFERS)


def _show(found: Reproduced, tolerance: float) -> bool:
    console = Console(highlight=False, soft_wrap=True)
    grid = Table.grid(padding=(0, 2))
    grid.add_row("METRIC", "ORIGINAL", "REPRODUCED", "DIFFERENCE", "")
    for metric in found.metrics:
        both = metric.original is not None and metric.reproduced is not None
        difference = f"{metric.reproduced - metric.original:+.3g}" if both else ""  # type: ignore[operator]
        verdict = "same" if metric.is_close(tolerance) else "DIFFERS"
        grid.add_row(metric.name, _number(metric.original), _number(metric.reproduced), difference, verdict)
    console.print(grid)
    for table, (original, reproduced) in found.inputs.items():
        console.print(f"{table}: the original has read version {original}, this run {reproduced}.")
    if not found.metrics:
        console.print("The run has logged no metrics: there is nothing to compare.")
    is_same = bool(found.metrics) and all(metric.is_close(tolerance) for metric in found.metrics)
    console.print(f"{'Reproduced' if is_same else 'Not reproduced'}: run {found.original} by run {found.reproduced}")
    return is_same


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.10g}"
