"""``python -m boathouse``."""

from boathouse.cli import app

app()
