"""The key of the secrets."""

import stat
import threading
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from boathouse.storage.errors import KeyInvalid, SecretUnreadable
from boathouse.storage.keys import KeyRing
from boathouse.storage.layout import Layout

SECRET = {"secret_access_key": "nobody reads this"}


def test_the_key_file_is_made_once_for_this_user_alone(tmp_path: Path) -> None:
    layout, found = Layout(tmp_path), list[str]()
    threads = [threading.Thread(target=lambda: found.append(KeyRing.of(layout).encrypt(SECRET))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stat.S_IMODE(layout.key_file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secrets.key"]
    assert [KeyRing.of(layout).decrypt(text) for text in found] == [SECRET] * 8
    assert "nobody" not in found[0]


def test_keys_are_rotated(tmp_path: Path) -> None:
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    text = KeyRing.of(Layout(tmp_path, old)).encrypt(SECRET)
    both = KeyRing.of(Layout(tmp_path, f"{new}, {old}"))
    assert both.decrypt(text) == SECRET
    assert (both.is_current(text), both.is_current(both.encrypt(SECRET))) == (False, True)
    with pytest.raises(SecretUnreadable, match="BOATHOUSE_SECRET_KEY"):
        KeyRing.of(Layout(tmp_path, new)).decrypt(text)
    assert not Layout(tmp_path).key_file.exists()


@pytest.mark.parametrize("key", ["short", ",", "é" * 44])
def test_what_is_no_key_is_refused(tmp_path: Path, key: str) -> None:
    layout = Layout(tmp_path, key)
    with pytest.raises(KeyInvalid, match="base64") as raised:
        KeyRing.of(layout)
    assert key not in raised.value.message or key == ","
    assert key not in repr(layout) or key == ","
