"""What can be wrong with a place."""

from pathlib import Path

from boathouse.errors import BoathouseError, InvalidParameterValue, InvalidState, TemporarilyUnavailable


class RootNotWritable(BoathouseError):
    """The lake's root cannot be made or written."""

    error_code = "ROOT_NOT_WRITABLE"

    def __init__(self, root: Path, cause: OSError) -> None:
        super().__init__(
            f"The root {root} cannot be written ({cause.strerror or cause}). Give a folder that you own with --root, "
            f"or change its rights: chmod u+rwx {root}",
            root=str(root),
        )


class PathOutsideRoot(InvalidParameterValue):
    """A path leaves the folder that it has to stay in."""

    def __init__(self, path: str) -> None:
        super().__init__(f"The path {path!r} leaves its folder; give one without '..' or links that lead outside.", path=path)


class KeyInvalid(BoathouseError):
    """The key of the secrets is no key."""

    error_code = "SECRET_KEY_INVALID"

    def __init__(self, source: str) -> None:
        super().__init__(
            f"{source} holds no valid key: give 32 random bytes in URL-safe base64, several with commas (or one a line in the "
            "key file), the newest first.",
            source=source,
        )


class SecretUnreadable(InvalidState):
    """A secret was encrypted with a key that this server does not have."""

    def __init__(self, source: str) -> None:
        super().__init__(
            f"The secret was encrypted with another key than {source} has. Add that key after the present one, or give the "
            "secret anew."
        )


class LendingRefused(InvalidState):
    """The store does not lend credentials."""

    def __init__(self, code: str) -> None:
        super().__init__(
            f"The object store lent no credentials ({code}). Check the storage credential: its keys, its role_arn, and that "
            "they may call sts:AssumeRole.",
            code=code,
        )


class StoreUnreachable(TemporarilyUnavailable):
    """The store, or its token service, did not answer."""

    def __init__(self, cause: str) -> None:
        super().__init__(f"The object store did not answer ({cause}). Try again; check endpoint and region.")


class ReadRefused(InvalidState):
    """The store does not let objects be read."""

    def __init__(self, url: str, code: str) -> None:
        super().__init__(
            f"The object store refused to read {url} ({code}). Check what the role of the storage credential may do there.",
            url=url,
            code=code,
        )


class LibraryMissing(BoathouseError):
    """The server was installed without what speaks to S3."""

    error_code = "NOT_IMPLEMENTED"
    status = 501

    def __init__(self) -> None:
        super().__init__("This server was installed without S3: pip install 'boathouse[s3]' and start it again.")
