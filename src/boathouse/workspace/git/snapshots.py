"""Repositories as runs of jobs see them: at one commit, without a git folder.

What was fetched is kept, for each principal and address apart, as one's credentials are not another's. Files of a commit are laid out anew
for each that asks, since code of users writes into them.
"""

import contextlib
import hashlib
import os
import re
import shutil
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from boathouse.db import Database
from boathouse.iam.api import Principal
from boathouse.kit.ids import new_id
from boathouse.storage.layout import Layout
from boathouse.workspace.git.command import Git, Remote, check_url
from boathouse.workspace.git.credentials import GitCredentials, provider_of
from boathouse.workspace.git.errors import GitFailed, GitReferenceInvalid

REFERENCES = ("git_branch", "git_tag", "git_commit")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_FOLDER = "snapshots"
_AT_ONCE = 500
"""Files that are named in one command."""


@dataclass(frozen=True)
class GitSource:
    """A repository and what of it is wanted.

    Attributes:
        url: Its address.
        provider: Its kind.
        reference: ``git_branch``, ``git_tag`` or ``git_commit``.
        name: Of the branch or tag, or the commit.
        sparse: Folders that are wanted, with the files of those above; None for all.
    """

    url: str
    provider: str
    reference: str
    name: str
    sparse: tuple[str, ...] | None = None

    @classmethod
    def of(cls, value: Mapping[str, Any], *, is_admin: bool) -> "GitSource":
        """Read ``git_source`` of a job.

        Raises:
            GitReferenceInvalid: If a field is not valid.
            UrlInvalid: If the address may not be cloned from.
        """
        url, given = value.get("git_url"), [key for key in REFERENCES if value.get(key)]
        if not isinstance(url, str) or not url:
            raise GitReferenceInvalid("git_source.git_url", "is missing.")
        check_url(url, is_admin=is_admin)
        if len(given) != 1:
            told = ", ".join(given) or "none"
            raise GitReferenceInvalid("git_source", f"needs exactly one of {', '.join(REFERENCES)}; it has {told}.")
        name = str(value[given[0]])
        if given[0] == "git_commit" and not _COMMIT.fullmatch(name):
            raise GitReferenceInvalid("git_source.git_commit", f"is '{name}', which is no commit: 40 digits and letters.")
        if name.startswith("-") or not re.fullmatch(r"[^\s~^:?*\[\\\x00-\x1f\x7f]+", name) or ".." in name:
            raise GitReferenceInvalid(f"git_source.{given[0]}", f"is '{name}': git takes no such name.")
        sparse = (value.get("sparse_checkout") or {}).get("patterns")
        if sparse is not None and not (isinstance(sparse, list) and all(isinstance(one, str) for one in sparse)):
            raise GitReferenceInvalid("git_source.sparse_checkout.patterns", "is no list of folders.")
        provider = provider_of(str(value.get("git_provider") or ""))
        return cls(url, provider, given[0], name, tuple(one.strip("/") for one in sparse) if sparse else None)

    @property
    def folder(self) -> str:
        """What a clone of it would be called."""
        found = self.url.rstrip("/").rpartition("/")[2].removesuffix(".git")
        return found if re.fullmatch(r"[\w.-]+", found) and found.strip(".") else "repository"


class Snapshots:
    """Commits of repositories.

    Args:
        database: The metadata database.
        layout: The lake's folders.
    """

    def __init__(self, database: Database, layout: Layout) -> None:
        self._database = database
        self._layout = layout
        self._locks: defaultdict[Path, threading.Lock] = defaultdict(threading.Lock)

    def commit(self, principal: Principal, source: GitSource) -> str:
        """The commit that a branch or tag is at now, fetched.

        Raises:
            GitRefused: If the remote does not let the principal in.
            GitFailed: If there is no such branch, tag or commit.
        """
        git = self._git(principal, source)
        with self._locks[git.git_dir]:
            self._prepare(git)
            prefix = {"git_branch": "refs/heads/", "git_tag": "refs/tags/", "git_commit": ""}[source.reference]
            wanted = f"{prefix}{source.name}"
            kept = f"refs/boathouse/{hashlib.sha256(wanted.encode()).hexdigest()[:32]}"
            if source.reference == "git_commit" and _has(git, source.name):
                return source.name
            try:
                git.run("fetch", "--quiet", "--no-tags", "--force", "--depth=1", source.url, f"{wanted}:{kept}")
            except GitFailed as error:
                if source.reference != "git_commit":
                    if "remote ref" not in error.message:
                        raise
                    what = source.reference.removeprefix("git_")
                    raise GitFailed("fetch", f"there is no {what} '{source.name}' at {source.url}.") from error
                # Not every server gives a commit by its name alone.
                git.run(
                    "fetch",
                    "--quiet",
                    "--force",
                    source.url,
                    "+refs/heads/*:refs/boathouse/heads/*",
                    "+refs/tags/*:refs/tags/*",
                )
            return git.run("rev-parse", "--verify", f"{kept if prefix or _has(git, kept) else source.name}^{{commit}}").strip()

    def require(self, principal: Principal, source: GitSource, commit: str) -> Git:
        """Git on what was fetched, which has a commit."""
        git = self._git(principal, source)
        if not git.git_dir.is_dir() or not _has(git, commit):
            # Another server has fetched it, or somebody has made room.
            self.commit(principal, GitSource(source.url, source.provider, "git_commit", commit))
        return git

    def read(self, principal: Principal, source: GitSource, commit: str, path: str) -> bytes:
        """The content of a file.

        Raises:
            GitFailed: If it is not there.
        """
        git = self.require(principal, source, commit)
        try:
            return git.run("cat-file", "blob", f"{commit}:{path}").encode("utf-8", "surrogateescape")
        except GitFailed as error:
            raise GitFailed("show", f"{source.url} has no file {path} at {commit[:12]}.") from error

    def lay_out(self, principal: Principal, source: GitSource, commit: str, folder: Path) -> None:
        """Write the files of a commit into a folder, which is made."""
        git = self.require(principal, source, commit)
        index = git.git_dir / f"index-{new_id()}"
        git = Git(git.git_dir, folder, git.remote, index)
        folder.mkdir(mode=0o700, parents=True)
        try:
            git.run("read-tree", commit)
            if source.sparse is None:
                git.run("checkout-index", "--all", "--force", "--quiet")
                return
            names = git.run("ls-files", "-z").split("\0")[:-1]
            wanted = [name for name in names if _is_wanted(name, source.sparse)]
            for begin in range(0, len(wanted), _AT_ONCE):
                git.run("checkout-index", "--force", "--quiet", "--", *wanted[begin : begin + _AT_ONCE])
        finally:
            index.unlink(missing_ok=True)

    def _git(self, principal: Principal, source: GitSource) -> Git:
        with self._database.session() as session:
            user, token, _ = GitCredentials(session, principal, self._layout).login(source.provider)
        key = hashlib.sha256(f"{principal.id}|{source.url}".encode()).hexdigest()[:32]
        place = self._layout.git / _FOLDER / key
        with contextlib.suppress(FileNotFoundError):
            os.utime(place)
        return Git(place, place, Remote(source.url, source.provider, user, token))

    def sweep(self, before: float) -> int:
        """Remove the repositories that nobody has used since a moment, in seconds since the epoch; how many. They are fetched again if need be."""
        root = self._layout.git / _FOLDER
        swept = 0
        for place in list(root.iterdir()) if root.is_dir() else ():
            with self._locks[place], contextlib.suppress(FileNotFoundError):
                if place.stat().st_mtime < before:
                    # At once, so that no task finds half of one.
                    gone = place.rename(root / f"gone-{new_id()}")
                    shutil.rmtree(gone, ignore_errors=True)
                    swept += 1
        return swept

    @staticmethod
    def _prepare(git: Git) -> None:
        if (git.git_dir / "HEAD").is_file():
            return
        shutil.rmtree(git.git_dir, ignore_errors=True)
        git.git_dir.mkdir(mode=0o700, parents=True)
        git.run("init", "--quiet", "--bare", at=git.git_dir)


def _has(git: Git, commit: str) -> bool:
    return bool(git.run("rev-parse", "--quiet", "--verify", f"{commit}^{{commit}}", accepted=(0, 1, 128)))


def _is_wanted(name: str, folders: Sequence[str]) -> bool:
    """Whether a file is in one of some folders, or beside one of those that lead there."""
    above = str(PurePosixPath(name).parent)
    return above == "." or any(above == one or above.startswith(f"{one}/") or one.startswith(f"{above}/") for one in folders)
