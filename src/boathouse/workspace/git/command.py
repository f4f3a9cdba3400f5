"""Git, run as a command.

What git keeps of a folder lies outside the workspace, where code of users cannot put hooks or settings that the server would run.
"""

import base64
import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from boathouse.workspace.git.errors import GitConflict, GitFailed, GitMissing, GitRefused, UrlInvalid

SECONDS = 600.0
_KEPT = (
    "PATH",
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "NO_PROXY",
    "no_proxy",
    "SSL_CERT_FILE",
    "GIT_SSL_CAINFO",
    "TMPDIR",
)
_SETTINGS = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    # Links are followed nowhere in the workspace; here they are files that say where they would lead.
    "core.symlinks": "false",
    "core.autocrlf": "false",
    "safe.directory": "*",
    "gc.autoDetach": "false",
    "advice.detachedHead": "false",
    "http.followRedirects": "false",
    "submodule.recurse": "false",
}
_REFUSED = re.compile(
    r"Authentication failed|could not read Username|terminal prompts disabled|returned error: 40[13]|403 Forbidden",
    re.IGNORECASE,
)
_MISSING = re.compile(
    r"not found|does not appear to be a git repository|does not exist|Could not resolve host|Failed to connect|unable to access",
    re.IGNORECASE,
)
_OVERWRITTEN = re.compile(r"would be overwritten by (?:checkout|merge)[^\n]*\n((?:\t[^\n]*\n?)+)")
_REJECTED = re.compile(r"\[rejected\]|non-fast-forward|fetch first")


@dataclass(frozen=True)
class Remote:
    """Where a folder is fetched from and pushed to.

    Attributes:
        url: Its address.
        provider: Its kind, for messages.
        user: Name that goes with the token.
        token: The credential; None for none.
    """

    url: str
    provider: str
    user: str = ""
    token: str | None = field(default=None, repr=False)


def check_url(url: str, *, is_admin: bool) -> None:
    """Go on only with an address that may be cloned from.

    Raises:
        UrlInvalid: If it may not.
    """
    found = urlsplit(url)
    if not url.isprintable() or " " in url or url.startswith("-"):
        raise UrlInvalid("it has characters that no address has.")
    is_private = found.scheme in {"http", "file"} or url.startswith("/")
    if found.scheme != "https" and not is_private:
        raise UrlInvalid("it has to begin with https://.")
    if found.username or found.password:
        raise UrlInvalid("it has a name or a password in it. Give them as a git credential.")
    if is_private and not is_admin:
        raise UrlInvalid("it has to begin with https://. Only an admin may use http:// and folders of the server's machine.")
    if found.scheme in {"http", "https"} and not found.hostname:
        raise UrlInvalid("it names no host.")


@dataclass(frozen=True)
class Git:
    """Git on one folder.

    Attributes:
        git_dir: Where git keeps what it knows.
        work_tree: The folder.
        remote: Where it comes from.
        index: Where the list of its files is; None for the place that git has for it.
    """

    git_dir: Path
    work_tree: Path
    remote: Remote
    index: Path | None = None

    def run(self, *arguments: str, at: Path | None = None, accepted: Sequence[int] = (0,)) -> str:
        """What a command prints.

        Raises:
            GitMissing: If there is no git.
            GitRefused: If the remote does not let us in.
            GitConflict: If what is there would be lost.
            GitFailed: If it fails otherwise.
        """
        places = [] if arguments[0] in {"clone", "init"} else [f"--git-dir={self.git_dir}", f"--work-tree={self.work_tree}"]
        try:
            done = subprocess.run(
                ["git", *places, *arguments],
                cwd=at or self.work_tree,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=SECONDS,
                check=False,
            )
        except FileNotFoundError as error:
            raise GitMissing from error
        except subprocess.TimeoutExpired as error:
            raise GitFailed(arguments[0], f"it was not done after {SECONDS:.0f} s.") from error
        said = done.stderr.decode("utf-8", "replace")
        if done.returncode not in accepted:
            raise self._fault(arguments[0], said or done.stdout.decode("utf-8", "replace"))
        return done.stdout.decode("utf-8", "surrogateescape")

    def _environment(self) -> dict[str, str]:
        settings = dict(_SETTINGS)
        if self.remote.token is not None:
            # For this address alone: no redirect, and no submodule elsewhere, is given it.
            basic = base64.b64encode(f"{self.remote.user}:{self.remote.token}".encode()).decode()
            settings[f"http.{self.remote.url}.extraHeader"] = f"Authorization: Basic {basic}"
        numbered = enumerate(settings.items())
        given = {
            name: value
            for at, (key, setting) in numbered
            for name, value in ((f"GIT_CONFIG_KEY_{at}", key), (f"GIT_CONFIG_VALUE_{at}", setting))
        }
        return {
            **{name: os.environ[name] for name in _KEPT if name in os.environ},
            "LC_ALL": "C.UTF-8",
            "HOME": str(self.git_dir),
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_ALLOW_PROTOCOL": "https:http:file",
            "GIT_CONFIG_COUNT": str(len(settings)),
            **({} if self.index is None else {"GIT_INDEX_FILE": str(self.index)}),
            **given,
        }

    def _fault(self, what: str, said: str) -> GitRefused | GitConflict | GitFailed:
        overwritten = _OVERWRITTEN.search(said)
        if overwritten is not None:
            files = [line.strip() for line in overwritten[1].splitlines()]
            return GitConflict("Changes that are not committed would be lost. Commit or discard them first.", files)
        if _REJECTED.search(said):
            return GitConflict("The remote has commits that this folder has not. Pull first, then push again.")
        if _REFUSED.search(said):
            return GitRefused(self.remote.url, self.remote.provider)
        if what in {"clone", "fetch", "push"} and _MISSING.search(said):
            return GitFailed(what, f"there is nothing at {self.remote.url} that can be reached.")
        lines = [line for line in said.replace(str(self.git_dir), "").splitlines() if line.strip()]
        return GitFailed(what, " ".join(lines[-3:]) or "it did not say why.")
