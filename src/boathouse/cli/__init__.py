"""The command line: ``boathouse up``, ``status``, ``doctor``, ``token``, ``run``, ``init``, ``ship``, ``bundle``, ``demo``."""

from boathouse.cli.main import app

__all__ = ["app"]
