"""What a command has shown, as the API tells it."""

import re
from collections.abc import Mapping
from typing import Any

from boathouse.workspace.runtime.display import CELLS

MOST_CHARACTERS = 20 * 1024**2
"""Of what a command has written; what comes after is left out."""
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class Shown:
    """Gathers Jupyter's messages of one command."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._length = 0
        self._images: list[str] = []
        self._table: Mapping[str, Any] | None = None
        self._error: dict[str, Any] | None = None

    def add(self, kind: str, content: Mapping[str, Any]) -> None:
        """Take a message.

        Args:
            kind: Jupyter's type of it.
            content: Its content.
        """
        if kind == "stream":
            self._write(str(content["text"]))
        elif kind in {"display_data", "execute_result"}:
            self._show(content["data"])
        elif kind == "error":
            trace = _COLOURS.sub("", "\n".join(content["traceback"]))
            summary = f"{content['ename']}: {content['evalue']}"
            self._error = {"resultType": "error", "summary": summary, "cause": trace or summary}

    def results(self) -> dict[str, Any]:
        """``resultType`` ``error``, ``table`` (of what was displayed last), ``image``, ``images`` or ``text``, with its fields."""
        if self._error is not None:
            return self._error
        if self._table is not None:
            return {
                "resultType": "table",
                "data": self._table["rows"],
                "schema": self._table["schema"],
                "truncated": self._table["more"],
                "isJsonSchema": True,
            }
        if self._images and not any(text.strip() for text in self._texts):
            one = len(self._images) == 1
            return (
                {"resultType": "image", "fileName": self._images[0]}
                if one
                else {"resultType": "images", "fileNames": self._images}
            )
        return {"resultType": "text", "data": "".join(self._texts).removesuffix("\n")}

    def _show(self, data: Mapping[str, Any]) -> None:
        image = next((kind for kind in ("image/png", "image/jpeg") if kind in data), None)
        if CELLS in data:
            self._table = data[CELLS]
        elif image is not None:
            self._images.append(f"data:{image};base64,{str(data[image]).strip()}")
        elif "text/plain" in data:
            self._write(f"{data['text/plain']}\n")

    def _write(self, text: str) -> None:
        kept = text[: MOST_CHARACTERS - self._length]
        self._length += len(kept)
        if kept:
            self._texts.append(kept)
