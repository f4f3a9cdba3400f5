"""Feature specs that the server answers itself, without a model server."""

import asyncio
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from boathouse.features.api import FeatureSpec
from boathouse.serving.answering import SpecAnswerer

INLINE_BYTES = 32 * 1024
"""Larger requests are answered by a thread, so that nobody waits for them."""


class LookUps:
    """Looks features up in local files, which takes less time than handing the request to a process and back.

    Args:
        spec: The feature spec.
        tables: ``name`` and ``place`` of its online tables, in the order of its look-ups.
        log_path: Where unexpected errors go.

    Raises:
        FeatureSpecInvalid: If a look-up does not fit its table.
    """

    pid: int | None = None

    def __init__(self, spec: FeatureSpec, tables: Sequence[Mapping[str, str]], log_path: Path) -> None:
        self._log_path = log_path
        self._answerer = SpecAnswerer(spec, self._report)
        self._answerer.bind(tables, ())
        self.facts: dict[str, Any] = self._answerer.facts()

    async def ended(self) -> int:
        """Wait for ever: it ends with the server."""
        return await asyncio.get_running_loop().create_future()

    async def ask(self, body: bytes) -> tuple[int, bytes]:
        """HTTP status and JSON for a request's JSON."""
        if len(body) > INLINE_BYTES:
            return await asyncio.to_thread(self._answerer.answer, body)
        return self._answerer.answer(body)

    async def drain(self, seconds: float) -> None:
        """Nothing waits."""

    async def stop(self) -> None:
        """Nothing runs."""

    def _report(self) -> None:
        with self._log_path.open("a") as log:
            traceback.print_exc(file=log)
