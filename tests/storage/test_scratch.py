"""Temporary files of a server that ended, or was killed."""

import tempfile
from pathlib import Path

from boathouse.storage.scratch import scratch


def test_temporary_files_end_with_the_server(tmp_path: Path) -> None:
    before = tempfile.gettempdir()
    with scratch(tmp_path) as folder:
        assert Path(tempfile.mkdtemp(prefix="task-")).parent == folder
    assert not folder.exists()
    assert tempfile.gettempdir() == before
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_server_left_is_removed_by_the_next(tmp_path: Path) -> None:
    left = Path(tempfile.mkdtemp(prefix="boathouse-"))
    (left / "task-1").mkdir()
    (tmp_path / "scratch").write_text(str(left))
    with scratch(tmp_path) as folder:
        assert not left.exists()
        assert folder.is_dir()


def test_nothing_else_is_removed(tmp_path: Path) -> None:
    other = tmp_path / "data"
    link = tmp_path / "boathouse-link"
    other.mkdir()
    link.symlink_to(other)
    for name in (other, link):
        (tmp_path / "scratch").write_text(str(name))
        with scratch(tmp_path):
            pass
        assert other.is_dir()
