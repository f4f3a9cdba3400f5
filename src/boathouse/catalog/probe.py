"""Whether a place opens: a folder by its rights, an S3 store by a listing."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from pyarrow import fs

from boathouse.storage.paths import from_url

SECONDS = 5


@dataclass(frozen=True)
class Attempt:
    """One thing that was tried. ``operation`` and ``result`` in Unity Catalog's words; the message names no secret."""

    operation: str
    result: str
    message: str = ""


@dataclass(frozen=True)
class Tried:
    """What was tried at a place."""

    is_folder: bool | None
    attempts: tuple[Attempt, ...]


def try_out(url: str, kind: str | None, values: Mapping[str, str], *, read_only: bool) -> Tried:
    """Try a place.

    Args:
        url: ``file:///`` or ``s3://``, canonical.
        kind: Of the credential; None for none.
        values: All its fields.
        read_only: Whether writing is of no interest.
    """
    if not url.startswith("s3://"):
        return _folder(url, read_only=read_only)
    if kind not in {"aws_access_key", "cloudflare_api_token"}:
        message = f"A credential of kind {kind} cannot be tried from here." if kind else "No credential was given."
        return Tried(None, (Attempt("LIST", "SKIP", message),))
    return _store(url, values)


def _folder(url: str, *, read_only: bool) -> Tried:
    path = from_url(url)
    tests = [
        ("PATH_EXISTS", path.exists(), f"{path} does not exist."),
        ("LIST", path.is_dir() and os.access(path, os.R_OK | os.X_OK), f"{path} cannot be listed by the server."),
        ("READ", os.access(path, os.R_OK), f"{path} cannot be read by the server."),
    ]
    if not read_only:
        tests.append(("WRITE", os.access(path, os.W_OK), f"{path} cannot be written by the server."))
    return Tried(
        path.is_dir(), tuple(Attempt(name, "PASS") if good else Attempt(name, "FAIL", why) for name, good, why in tests)
    )


def s3_endpoint(values: Mapping[str, str]) -> str | None:
    """The address of the store that a key belongs to; None for Amazon's."""
    if "account_id" in values:
        return f"https://{values['account_id']}.r2.cloudflarestorage.com"
    return values.get("endpoint")


def _store(url: str, values: Mapping[str, str]) -> Tried:
    endpoint = s3_endpoint(values)
    scheme, _, host = (endpoint or "").rpartition("://")
    store = fs.S3FileSystem(
        access_key=values["access_key_id"],
        secret_key=values["secret_access_key"],
        session_token=values.get("session_token"),
        region=values.get("region") or "us-east-1",
        endpoint_override=host or None,
        scheme=scheme or "https",
        connect_timeout=SECONDS,
        request_timeout=SECONDS,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=1),
    )
    try:
        store.get_file_info(fs.FileSelector(url.removeprefix("s3://"), allow_not_found=True))
    except OSError as error:
        return Tried(None, (Attempt("LIST", "FAIL", str(error).splitlines()[0]),))
    return Tried(is_folder=True, attempts=(Attempt("LIST", "PASS"),))
