"""How packages of a notebook are installed: by uv or else by pip, each time into a folder of its own."""

import hashlib
import importlib.metadata
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from boathouse.kit.ids import new_id
from boathouse.workspace.runtime.below import run_shown
from boathouse.workspace.runtime.packages import find_uv

_GENERATED_BY = re.compile(r"^# Protobuf Python Version: ([0-9.]+)$", re.MULTILINE)
_COMPLETE = ".complete"
_FORMAT = "2"
"""Of what a folder holds: what was installed otherwise is not found again."""
_QUIET = re.compile(r"--quiet|-q+")
_ADDED = re.compile(r"^ \+ (?P<pinned>(?P<name>[A-Za-z0-9._-]+)(?:==\S+| @ \S+))(?: \(from (?P<url>.+)\))?$")
_FROM = ("-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--default-index", "--index")
_FILES = ("-r", "--requirement", "-c", "--constraint")


class PipFailed(Exception):
    """An installation has failed."""


class Installer:
    """Installs packages.

    Args:
        root: Folder for installations.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def call(self, name: str, words: Sequence[str]) -> None:
        """Carry out a command of pip.

        Raises:
            PipFailed: If it fails.
        """
        self._call(_command(name, words))

    def installed(self, words: Sequence[str], before: Sequence[str]) -> Path:
        """The folder of an installation; made, if it is not there.

        Args:
            words: Arguments of ``pip install``.
            before: What was installed before it.

        Raises:
            PipFailed: If it fails.
        """
        folder = self._root / _digest([*before, *_contents(words)])
        if (folder / _COMPLETE).exists() and not _editable(words):
            print(f"Found in the cache: {shlex.join(words)}")  # noqa: T201 - the output of the cell
        else:
            # Under another name until it is whole: two runs may come at once.
            partial = self._root / f"{folder.name}-{new_id()}"
            partial.mkdir(parents=True)
            try:
                self._fill(partial, words)
                (partial / _COMPLETE).touch()
                try:
                    partial.rename(folder)
                except OSError:
                    if not (folder / _COMPLETE).exists():
                        raise
            finally:
                shutil.rmtree(partial, ignore_errors=True)
        return folder

    def _fill(self, folder: Path, words: Sequence[str]) -> None:
        """Put what is asked for into a folder: with uv what is not there already, so that all else stays the server's own."""
        if find_uv() is None:
            self._call(_command("install", ["--target", str(folder), *words]))
            return
        planned = self._planned(words)
        if not planned:
            print(f"There already: {shlex.join(words)}")  # noqa: T201 - the output of the cell
            return
        self._call(_command("install", ["--no-deps", "--target", str(folder), *_sources(words), *planned]))

    def _planned(self, words: Sequence[str]) -> list[str]:
        """What uv would add to the packages that every process has, each at its version.

        Where an old project pins what cannot work here, the versions that come next are taken.
        """
        needed, kept = _needed(), dict[str, SpecifierSet]()
        added = self._resolve(words, kept)
        while wrong := [name for name in needed if name in added and not _will_do(added[name]["pinned"], needed[name])]:
            told = ", ".join(f"{name}{needed[name]} instead of {added[name]['pinned']}" for name in wrong)
            print(f"Taken: {told}, which cannot work here.")  # noqa: T201 - the output of the cell
            kept |= {name: needed[name] for name in wrong}
            if "mlflow" in kept:
                kept["scikit-learn"] = SpecifierSet("<1.6")  # its evaluation calls metrics that went with 1.6
            added = self._resolve(words, kept)
        return [f"{one['name']} @ {one['url']}" if one["url"] else one["pinned"] for one in added.values()]

    def _resolve(self, words: Sequence[str], kept: Mapping[str, SpecifierSet]) -> dict[str, re.Match[str]]:
        """What uv would add, by name."""
        with tempfile.NamedTemporaryFile("w", suffix=".txt", dir=self._root) as overrides:
            # Spark's client has its modules under the same names.
            overrides.write("pyspark; python_version < '3'\n" + "".join(f"{name}{needed}\n" for name, needed in kept.items()))
            overrides.flush()
            # The answer is what it prints, so it may neither be quiet nor coloured, as Jupyter has programs do.
            asked = [word for word in words if not _QUIET.fullmatch(word)]
            command = _command("install", ["--dry-run", "--color", "never", "--override", overrides.name, *asked])
            done = subprocess.run(command, env=self._environment(), capture_output=True, text=True, check=False)
        if done.returncode:
            sys.stdout.write(done.stderr)
            message = f"%pip has ended with status {done.returncode}; what it printed tells why."
            raise PipFailed(message)
        added = (_ADDED.match(line) for line in done.stderr.splitlines())
        return {one["name"].lower(): one for one in added if one is not None}

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "UV_CACHE_DIR": str(self._root / "uv"), "PIP_CACHE_DIR": str(self._root / "pip")}

    def _call(self, command: list[str]) -> None:
        status = run_shown(command, self._environment())
        if status:
            message = f"%pip has ended with status {status}; what it printed tells why."
            raise PipFailed(message)


def _needed() -> dict[str, SpecifierSet]:
    """Which versions of packages a process here can do with: Spark's client needs some, and the server speaks with some alone."""
    # The first with which a model goes to the catalog through the server, and not by the credentials of a cloud.
    found: dict[str, SpecifierSet] = {name: SpecifierSet("==2.17.2") for name in ("mlflow", "mlflow-skinny")}
    for text in importlib.metadata.requires("pyspark-client") or ():
        requirement = Requirement(text)
        if requirement.specifier and requirement.marker is None:
            found[requirement.name.lower()] = requirement.specifier
    spark = importlib.util.find_spec("pyspark")
    for folder in () if spark is None else spark.submodule_search_locations or ():
        generated = _GENERATED_BY.search((Path(folder) / "sql/connect/proto/base_pb2.py").read_text("utf-8"))
        if generated is not None:
            # Its messages refuse an older one. What asks for one is code that older ones generated, and the next major version refuses that.
            found["protobuf"] = SpecifierSet(f">={generated[1]},<{int(generated[1].split('.')[0]) + 1}")
    return found


def _will_do(pinned: str, needed: SpecifierSet) -> bool:
    """Whether a version is not older than the oldest that will do."""
    _, _, version = pinned.partition("==")
    return not version or all(Version(version) >= Version(one.version) for one in needed if one.operator in {">=", "=="})


def _sources(words: Sequence[str]) -> list[str]:
    """The words that say where packages come from; a file of requirements may say so, too."""
    found = [word for word in words if word == "--no-index" or word.startswith(tuple(f"{flag}=" for flag in _FROM))]
    for flag, value in pairwise(words):
        if flag in _FROM:
            found += [flag, value]
        elif flag in _FILES[:2] and Path(value).is_file():
            lines = (shlex.split(line, comments=True) for line in Path(value).read_text("utf-8").splitlines())
            found += [word for line in lines for word in _sources(line)]
    return found


def _command(name: str, words: Sequence[str]) -> list[str]:
    """A command of pip, for uv if that is there.

    Raises:
        PipFailed: If there is none.
    """
    uv = find_uv()
    if uv is not None:
        return [uv, "pip", name, "--python", sys.executable, *words]
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", "--disable-pip-version-check", name, *words]
    message = "%pip needs uv or pip on the server: pip install 'boathouse[notebooks]' brings uv."
    raise PipFailed(message)


def _contents(words: Sequence[str]) -> list[str]:
    """The words, and what stands in the files that they name."""
    found = [_FORMAT, f"{sys.version_info[:2]}", importlib.metadata.version("pyspark-client"), *words]
    for flag, file in pairwise(words):
        if flag in _FILES:
            found.append(Path(file).read_text(encoding="utf-8"))
    archives = (Path(word) for word in words if word.endswith((".whl", ".tar.gz", ".zip")))
    return [*found, *(hashlib.sha256(archive.read_bytes()).hexdigest() for archive in archives if archive.is_file())]


def _editable(words: Sequence[str]) -> bool:
    """Whether it installs what may be otherwise the next time: a folder, or the newest of something."""
    return any(word in {"-e", "--editable", "-U", "--upgrade"} or Path(word).is_dir() for word in words)


def _digest(words: list[str]) -> str:
    return hashlib.sha256("\0".join(words).encode()).hexdigest()[:32]
