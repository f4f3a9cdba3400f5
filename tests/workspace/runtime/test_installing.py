"""What is asked of pip is installed, however it is asked."""

from pathlib import Path

import pytest

from boathouse.workspace.runtime.installing import Installer, PipFailed
from tests.workspace.runtime.test_notebooks import wheel


@pytest.mark.parametrize("quiet", [[], ["-q"], ["--quiet"], ["-qq"]])
def test_quiet_and_in_colour_as_in_jupyter(
    tmp_path: Path, quiet: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tiny_of_test-1.0-py3-none-any.whl").write_bytes(wheel("1.0"))
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("CLICOLOR_FORCE", "1")
    words = [*quiet, "--no-index", "--find-links", str(tmp_path), "tiny-of-test"]
    installer = Installer(tmp_path / "installed")
    folder = installer.installed(words, [])
    assert (folder / "tiny_of_test.py").is_file()
    assert "There already" not in capfd.readouterr().out
    with pytest.raises(PipFailed, match="status 1"):
        installer.installed([*words, "nothing-of-the-name"], [])
    assert "\x1b" not in capfd.readouterr().out
