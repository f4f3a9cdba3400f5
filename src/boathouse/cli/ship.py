"""``boathouse ship``: a project from a bare notebook."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from boathouse.cli.init import OfServer
from boathouse.cli.up import Root, fail
from boathouse.errors import BoathouseError
from boathouse.shipping import cells, project
from boathouse.shipping.plan import Plan, planned
from boathouse.templates import rendering

_WIDTH = 40


def command(
    notebook: Annotated[Path, typer.Argument(help="The notebook: .ipynb, or .py in source form")],
    output_dir: Annotated[Path, typer.Option(help="Folder that the project goes to")] = Path(),
    name: Annotated[str | None, typer.Option(help="Name of the project [default: the notebook's]", show_default=False)] = None,
    ci: Annotated[str, typer.Option(help="github, gitlab, azure_devops or none")] = "github",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask")] = False,
    root: Root = None,
) -> None:
    """Make a project from a bare notebook: show what each cell becomes, ask, and write it."""
    try:
        parsed = cells.parsed(cells.read(notebook))
        plan = planned(parsed)
        data = project.data_of(plan, notebook.parent)
        chosen = name or project.project_name(notebook)
        project.check_name(chosen)
        files = project.files_of(plan, data, notebook, chosen, ci, OfServer(root))
        _show(parsed, plan, data)
        if not yes and not typer.confirm(f"Write {len(files)} files to {output_dir / chosen}?"):
            raise typer.Exit(1)
        rendering.write(files, output_dir)
    except BoathouseError as error:
        error.message = escape(error.message)
        raise fail(error) from None
    typer.echo(f"The project is in {output_dir / chosen}. Its README.md tells how to deploy and run it.")


def _show(parsed: list[cells.ParsedCell], plan: Plan, data: project.Data) -> None:
    # Made here, as it takes the width of the terminal when it is made.
    console = Console(highlight=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for column in ("cell", "begins with", "becomes"):
        table.add_column(column, no_wrap=True)
    table.add_column("why")
    for cell in parsed:
        first = (cell.cell.body if cell.cell.is_markdown else cell.cell.source).strip().partition("\n")[0]
        shown = first if len(first) <= _WIDTH else f"{first[: _WIDTH - 3]}..."
        table.add_row(str(cell.number), escape(shown), plan.step_of(cell.number), escape(plan.why[cell.number]))
    console.print(table)
    console.print()
    for note in plan.notes:
        console.print(escape(note))
    for path, _ in data.files:
        console.print(escape(f"{path} goes with the notebooks."))
    for warning in [*plan.warnings, *data.warnings, *_missing(plan)]:
        console.print(f"[bold yellow]Warning[/]: {escape(warning)}")


def _missing(plan: Plan) -> list[str]:
    """Packages that are imported and not here."""
    roots = {root for root in plan.imports if find_spec(root) is None}
    installed = {one.partition("=")[0].partition("[")[0].replace("-", "_") for one in plan.installs}
    return [
        f"{root} is imported and not installed here: if the server lacks it too, begin the notebook with %pip install."
        for root in sorted(roots - installed)
    ]
