"""The server, as the steps see it: where what they find is kept."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from databricks.sdk import WorkspaceClient


class Ledger:
    """What is kept of one version of a model.

    Args:
        model: Full name of the model.
        version: Which.
        client: The server; by default the one that the environment names.
    """

    def __init__(self, model: str, version: str, client: WorkspaceClient | None = None) -> None:
        self.client = client or WorkspaceClient()
        self._base = f"/api/boathouse/v1/deployments/{quote(model, safe='')}"
        self._version = f"{self._base}/versions/{version}"

    def note(
        self,
        step: str,
        name: str,
        verdict: str,
        *,
        reason: str = "",
        metrics: Mapping[str, float | None] | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Keep what was found or done."""
        body = {"step": step, "name": name, "verdict": verdict, "reason": reason[:4000]}
        self._post(f"{self._version}/evidence", {**body, "metrics": dict(metrics or {}), "details": dict(details or {})})

    def approval(self, task: str) -> tuple[bool, str]:
        """Whether an approval task may pass, and why."""
        found = self._post(f"{self._version}/approval", {"task": task})
        return bool(found["approved"]), str(found["message"])

    def may_have(self, alias: str) -> tuple[bool, str]:
        """Whether the version may get an alias, and why not."""
        found = self._post(f"{self._version}/alias", {"alias": alias})
        return bool(found["allowed"]), str(found["message"])

    def roll_back(self, alias: str, reason: str) -> tuple[int, int]:
        """Point an alias back; from which version, and to which."""
        found = self._post(f"{self._base}/rollback", {"alias": alias, "reason": reason[:4000]})
        return int(found["from_version"]), int(found["to_version"])

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        found: Any = self.client.api_client.do("POST", path, body=body)
        return dict(found or {})
