"""Folders in object stores: listed and read with keys that the catalog lends for the principal, who needs READ FILES there."""

import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from boathouse.engine.api import CatalogAccess
from boathouse.iam.api import Principal
from boathouse.ingest.paths import Place, inside
from boathouse.storage import s3
from boathouse.storage.objects import Objects

STORES = ("s3://", "s3a://")
_AHEAD_MS = 10 * 60 * 1000
"""Keys are lent anew so long before they end: a batch has to be fetched with them."""
_AT_ONCE = 8


class Bucket:
    """A folder in an S3 store.

    Args:
        url: ``s3://bucket/prefix``.
        access: The catalog.
        principal: Who reads.
    """

    def __init__(self, url: str, access: CatalogAccess, principal: Principal) -> None:
        self._url = url
        self._access = access
        self._principal = principal
        self._objects: Objects | None = None
        self._until_ms = 0
        self._open()

    def list(self) -> Iterator[tuple[str, int, int]]:
        """Its files: relative paths, times of change in nanoseconds, sizes."""
        return self._open().list()

    def fetch(self, relative: str, to: Path) -> bool:
        """Bring a file to this machine; whether it is there."""
        return (self._objects or self._open()).fetch(relative, to)

    def bring(self, place: Place, paths: Sequence[str]) -> None:
        """Bring files to where a place has them, in the place of those that are there; what is gone is left out."""
        self._open()
        shutil.rmtree(place.base, ignore_errors=True)
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="fetch") as threads:
            for _ in threads.map(lambda path: self.fetch(path, inside(place, path)), paths):
                pass

    def _open(self) -> Objects:
        """The store, if the principal may read there still."""
        with self._access.service(self._principal) as catalog:
            loan = catalog.read_path(self._url)
        if self._objects is None or self._until_ms - _AHEAD_MS < time.time() * 1000:
            # The store knows the asker by an identifier: names may have characters that it does not take.
            lent = s3.lend(loan.url, loan.values, write=False, session_name=f"boathouse-{self._principal.id}"[:64])
            self._objects, self._until_ms = Objects(loan.url, lent, loan.values.get("region")), lent.expires_at
        return self._objects


def at_hand(place: Place, files: Iterable[tuple[str, int]]) -> Iterator[tuple[str, int]]:
    """Files by their relative paths and sizes; those of an object store are brought here when it is their turn."""
    for path, size in files:
        if place.remote is not None:
            place.remote.fetch(path, inside(place, path))
        yield path, size
