"""The commands."""

import typer

from boathouse import __version__
from boathouse.cli import bundle, demo, doctor, init, run, ship, status, token, up

app = typer.Typer(
    name="boathouse",
    help="An open, self-hosted lakehouse MLOps platform: raw files to monitored models, on your machine first.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("up")(up.command)
app.command("status")(status.command)
app.command("doctor")(doctor.command)
app.command("token")(token.command)
app.command("init")(init.command)
app.command("ship")(ship.command)
app.command("demo")(demo.command)
app.add_typer(run.app)
app.add_typer(bundle.app)


@app.command("version")
def version() -> None:
    """Print the version."""
    typer.echo(__version__)
