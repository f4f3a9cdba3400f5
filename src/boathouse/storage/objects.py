"""The objects below a URL of an S3 store, read with keys that were lent for it."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from boathouse.storage.errors import LibraryMissing, ReadRefused, StoreUnreachable
from boathouse.storage.s3 import CONNECT_SECONDS, Lent

_READ_SECONDS = 60
_GONE = frozenset({"404", "NoSuchKey", "NotFound"})


class Objects:
    """Lists and fetches objects.

    Args:
        url: ``s3://bucket/prefix``, canonical.
        lent: Keys that open it.
        region: Of the store.

    Raises:
        LibraryMissing: If boto3 is not installed.
    """

    def __init__(self, url: str, lent: Lent, region: str | None) -> None:
        try:
            # Loaded at the first use: it is optional, and most servers read no store.
            from boto3.session import Session  # noqa: PLC0415
            from botocore.config import Config  # noqa: PLC0415
        except ImportError as error:
            raise LibraryMissing from error
        self._url = url
        self._bucket, _, prefix = url.removeprefix("s3://").partition("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self._client: Any = Session().client(
            "s3",
            region_name=region or "us-east-1",
            endpoint_url=lent.endpoint,
            aws_access_key_id=lent.access_key_id,
            aws_secret_access_key=lent.secret_access_key,
            aws_session_token=lent.session_token,
            config=Config(connect_timeout=CONNECT_SECONDS, read_timeout=_READ_SECONDS, retries={"mode": "standard"}),
        )

    def list(self) -> Iterator[tuple[str, int, int]]:
        """All objects: their keys relative to the URL, when they were changed in ns since the epoch, their sizes.

        Raises:
            ReadRefused: If the store says no.
            StoreUnreachable: If it does not answer.
        """
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix)
        with self._refusals():
            for page in pages:
                for one in page.get("Contents", ()):
                    modified = int(one["LastModified"].timestamp() * 1000) * 1_000_000
                    yield one["Key"][len(self._prefix) :], modified, one["Size"]

    def fetch(self, relative: str, to: Path) -> bool:
        """Bring an object into a file; whether it is there.

        Raises:
            ReadRefused: If the store says no.
            StoreUnreachable: If it does not answer.
        """
        to.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError), self._refusals():
            self._client.download_file(self._bucket, f"{self._prefix}{relative}", str(to))
            return True
        return False

    @contextmanager
    def _refusals(self) -> Generator[None]:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        try:
            yield
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", "no reason given"))
            if code in _GONE:
                raise FileNotFoundError from None
            raise ReadRefused(self._url, code) from None
        except BotoCoreError as error:
            raise StoreUnreachable(type(error).__name__) from None
