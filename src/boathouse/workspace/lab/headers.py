"""How the server tells JupyterLab's process who asks."""

KEY = "x-boathouse-key"
"""Shows that it is the server that says so."""
USER = "x-boathouse-user"
TOKEN = "x-boathouse-token"  # noqa: S105 - a name
