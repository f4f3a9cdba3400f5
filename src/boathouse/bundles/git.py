"""What git knows of a project: for ``bundle.git``, and for the check that production is deployed from its branch."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class GitInfo:
    """Where a project stands; texts are empty where git knows nothing."""

    origin_url: str = ""
    branch: str = ""
    commit: str = ""
    bundle_root_path: str = "."


def git_info(folder: Path) -> GitInfo:
    """The state of the repository that a folder is in."""
    top = _git(folder, "rev-parse", "--show-toplevel")
    if not top:
        return GitInfo()
    branch = _git(folder, "symbolic-ref", "--quiet", "--short", "HEAD")
    return GitInfo(
        origin_url=_without_credentials(_git(folder, "config", "--get", "remote.origin.url")),
        branch=branch,
        commit=_git(folder, "rev-parse", "--verify", "--quiet", "HEAD"),
        bundle_root_path=_relative(folder, Path(top)),
    )


def _relative(folder: Path, top: Path) -> str:
    try:
        return folder.resolve().relative_to(top.resolve()).as_posix()
    except ValueError:
        return "."


def _without_credentials(url: str) -> str:
    """A token in the address would end up in the parameters of jobs."""
    scheme, found, rest = url.partition("://")
    if not found:
        return url
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
