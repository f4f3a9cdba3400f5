"""Where rows land: Parquet files in a volume of the pipeline's, written over the Files API with the rights of whom it runs as.

A file appears whole or not at all. Files of one extraction have its number in their names; until the pipeline has remembered that
the extraction ended, they count for nothing and are removed by the next one.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pyarrow as pa
import pyarrow.parquet as pq

from boathouse.errors import InvalidState

_FILES = "/api/2.0/fs/files"
_DIRECTORIES = "/api/2.0/fs/directories"
_SECONDS = 600


class Landing:
    """The landing place of one pipeline.

    Args:
        base_url: Of the server.
        token: Of whom the pipeline runs as.
        catalog: Where its volume is.
        schema: Where its volume is.
        pipeline_id: Names the volume.
        scratch: A folder for files on their way.
    """

    def __init__(self, base_url: str, token: str, *, catalog: str, schema: str, pipeline_id: str, scratch: Path) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        self._client = httpx.Client(base_url=base_url, headers=headers, timeout=_SECONDS, trust_env=False)
        self._catalog, self._schema = catalog, schema
        self._volume = f"pipeline_{pipeline_id.replace('-', '_')}"
        self._scratch = scratch
        self.root = f"/Volumes/{catalog}/{schema}/{self._volume}/landing"

    def prepare(self) -> None:
        """Make the schema and the volume where they are missing."""
        unity = "/api/2.1/unity-catalog"
        self._make(f"{unity}/schemas", {"catalog_name": self._catalog, "name": self._schema})
        names = {"catalog_name": self._catalog, "schema_name": self._schema, "name": self._volume}
        self._make(f"{unity}/volumes", {**names, "volume_type": "MANAGED", "comment": "Files of a pipeline"})

    def _make(self, path: str, body: dict[str, str]) -> None:
        there = self._client.get(f"{path}/{_full_name(body)}")
        if there.status_code != 200:
            answer = self._client.post(path, json=body)
            if answer.status_code != 409:
                _require(answer)

    def make(self, folder: str) -> None:
        """Make a folder."""
        _require(self._client.put(f"{_DIRECTORIES}{quote(folder)}"))

    def names(self, folder: str) -> Iterator[str]:
        """Names of the files in a folder."""
        token = ""
        while True:
            answer = self._client.get(f"{_DIRECTORIES}{quote(folder)}", params={"page_token": token})
            if answer.status_code == 404:
                return
            _require(answer)
            page: dict[str, Any] = answer.json()
            yield from (str(one["name"]) for one in page["contents"] if not one["is_directory"])
            token = page.get("next_page_token") or ""
            if not token:
                return

    def write(self, path: str, table: pa.Table) -> None:
        """Write rows to a file, in place of one that is there."""
        with tempfile.NamedTemporaryFile(dir=self._scratch, suffix=".parquet") as file:
            # Times as other engines read them too.
            pq.write_table(table, file.name, compression="zstd", coerce_timestamps="us")
            with Path(file.name).open("rb") as content:
                _require(self._client.put(f"{_FILES}{quote(path)}", params={"overwrite": "true"}, content=content))

    def remove(self, path: str) -> None:
        """Remove a file."""
        answer = self._client.delete(f"{_FILES}{quote(path)}")
        if answer.status_code != 404:
            _require(answer)

    def close(self) -> None:
        """Let the connection to the server go."""
        self._client.close()


def _full_name(body: dict[str, str]) -> str:
    return quote(".".join(body[key] for key in ("catalog_name", "schema_name", "name") if key in body))


def _require(answer: httpx.Response) -> None:
    if answer.status_code < 400:
        return
    try:
        message = str(answer.json()["message"])
    except (ValueError, KeyError):
        message = f"status {answer.status_code}"
    text = f"The landing place of the pipeline cannot be used: {message}"
    raise InvalidState(text)
