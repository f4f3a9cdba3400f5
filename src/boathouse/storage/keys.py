"""The key that secrets are encrypted with at rest. It is kept outside the database."""

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from boathouse.storage.errors import KeyInvalid, SecretUnreadable
from boathouse.storage.layout import Layout


class KeyRing:
    """Encrypts and decrypts secrets with the keys of one lake.

    Args:
        keys: Fernet keys (32 bytes in URL-safe base64), the one to encrypt with first; the others only decrypt.
        source: Where they are from, for messages.

    Raises:
        KeyInvalid: If there is none, or one is no Fernet key.
    """

    def __init__(self, keys: list[str], source: str) -> None:
        self._source = source
        try:
            self._all = [Fernet(key) for key in keys]
        except ValueError as error:
            raise KeyInvalid(source) from error
        if not self._all:
            raise KeyInvalid(source)

    @classmethod
    def of(cls, layout: Layout) -> "KeyRing":
        """The keys of a lake: those of the setting, else those of the key file, which is made when it is not there."""
        if layout.secret_key:
            return cls([key.strip() for key in layout.secret_key.split(",") if key.strip()], "BOATHOUSE_SECRET_KEY")
        path = layout.key_file
        if not path.exists():
            _create(path)
        return cls(path.read_text().split(), str(path))

    def encrypt(self, secret: Mapping[str, str]) -> str:
        """Secret values as text that only this lake's key opens."""
        return self._all[0].encrypt(json.dumps(dict(secret)).encode()).decode()

    def decrypt(self, text: str) -> dict[str, str]:
        """The values behind such a text.

        Raises:
            SecretUnreadable: If no key opens it.
        """
        try:
            values: dict[str, str] = json.loads(MultiFernet(self._all).decrypt(text.encode()))
        except InvalidToken as error:
            raise SecretUnreadable(self._source) from error
        return values

    def is_current(self, text: str) -> bool:
        """Whether a text was encrypted with the first key."""
        try:
            self._all[0].decrypt(text.encode())
        except InvalidToken:
            return False
        return True


def _create(path: Path) -> None:
    """Make the key file; another process that makes it at the same time wins or loses as a whole."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(Fernet.generate_key() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(name)
        except FileExistsError:
            return
    finally:
        Path(name).unlink()
