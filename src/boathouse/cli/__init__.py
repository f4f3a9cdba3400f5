"""The command line: ``boathouse up``, ``status``, ``doctor``, ``token``, ``run``, ``demo``."""

from boathouse.cli.main import app

__all__ = ["app"]
