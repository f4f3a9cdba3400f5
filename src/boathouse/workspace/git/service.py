"""Git folders: cloned, updated, committed, pushed. Git's work is done outside of transactions, which others would wait for."""

import shutil
import threading
from collections import defaultdict
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from boathouse.db import Database
from boathouse.errors import InvalidParameterValue, InvalidState
from boathouse.iam.api import Principal
from boathouse.kit.ids import new_id, number_in
from boathouse.storage.layout import Layout
from boathouse.workspace.errors import ObjectExists, ObjectNotFound, PathInvalid
from boathouse.workspace.git.command import Git, Remote, check_url
from boathouse.workspace.git.credentials import GitCredentials, provider_of
from boathouse.workspace.git.errors import GitConflict, GitFailed, RepoNotFound
from boathouse.workspace.git.status import Status, parse
from boathouse.workspace.models import RepoRow
from boathouse.workspace.paths import PARTIAL, REPOS, parts_of, text_of
from boathouse.workspace.repository import WorkspaceRepository
from boathouse.workspace.service import WorkspaceService


@dataclass(frozen=True)
class RepoInfo:
    """A git folder; of a detached checkout, the branch is None, and of one without commits the commit."""

    id: int
    path: str
    url: str
    provider: str
    branch: str | None
    commit: str | None
    sparse: tuple[str, ...] | None


@dataclass(frozen=True)
class _Folder:
    """A git folder that the asker may use, as it is recorded, and git on it."""

    info: RepoInfo
    git: Git
    email: str


class GitFolders:
    """The git folders of the workspace.

    Args:
        database: The metadata.
        layout: The lake's folders.
    """

    def __init__(self, database: Database, layout: Layout) -> None:
        self._database = database
        self._layout = layout
        self._locks: defaultdict[int, threading.Lock] = defaultdict(threading.Lock)

    # ------------------------------------------------------------------------------------------------------ folders

    def create(
        self,
        principal: Principal,
        url: str,
        provider: str,
        path: str | None,
        credential: str | None,
        sparse: Sequence[str] | None,
    ) -> RepoInfo:
        """Clone into a new folder.

        Raises:
            UrlInvalid: If the address may not be cloned from.
            ObjectExists: If something is at the path.
            GitRefused: If the remote does not let us in.
        """
        check_url(url, is_admin=principal.is_admin)
        kind = provider_of(provider)
        name = url.rstrip("/").rpartition("/")[2].removesuffix(".git")
        target = path or f"/{REPOS}/{principal.name}/{name}"
        parts = parts_of(target)
        if len(parts) < 2:
            raise PathInvalid("path", target, "a git folder lies in a folder, as /Repos/NAME/FOLDER.")
        with self._database.session(write=True) as session:
            workspace = WorkspaceService(session, principal, self._layout)
            folder = workspace.place_for(target)
            user, token, _ = GitCredentials(session, principal, self._layout).login(kind, credential)
        made = self._layout.git / f"{PARTIAL}{new_id()}"
        staged = folder / f"{PARTIAL}{new_id()}"
        git = Git(made, staged, Remote(url, kind, user, token))
        try:
            git.run(
                "clone",
                "--quiet",
                "--no-checkout",
                "--no-recurse-submodules",
                f"--separate-git-dir={made}",
                "--",
                url,
                str(staged),
                at=folder,
            )
            (staged / ".git").unlink()
            if sparse:
                git.run("sparse-checkout", "set", "--cone", "--", *sparse)
            if _has_commits(git):
                git.run("checkout", "--quiet", "--force")
            with self._database.session(write=True) as session:
                workspace = WorkspaceService(session, principal, self._layout)
                workspace.place_for(target)
                if (folder / parts[-1]).exists():
                    raise ObjectExists(target, "folder")
                row = WorkspaceRepository(session).identified([text_of(parts)], principal.name)[text_of(parts)]
                kept = self._layout.git / str(row.id)
                shutil.rmtree(kept, ignore_errors=True)
                made.rename(kept)
                staged.rename(folder / parts[-1])
                session.merge(RepoRow(object_id=row.id, url=url, provider=kind, sparse=list(sparse) if sparse else None))
                repo_id = str(row.id)
        finally:
            shutil.rmtree(made, ignore_errors=True)
            shutil.rmtree(staged, ignore_errors=True)
        return self.get(principal, repo_id)

    def get(self, principal: Principal, repo_id: str, level: str = "CAN_READ") -> RepoInfo:
        """A git folder."""
        return _with_head(self._folder(principal, repo_id, level))

    def all(self, principal: Principal, prefix: str | None) -> list[RepoInfo]:
        """The git folders that the asker may know of, by path."""
        with self._database.session() as session:
            workspace = WorkspaceService(session, principal, self._layout)
            rows = WorkspaceRepository(session).repos(text_of(parts_of(prefix, "path_prefix")) if prefix else "/")
            found = [(str(row.object_id), path) for row, path in rows if workspace.may_see(path)]
        return [self.get(principal, repo_id) for repo_id, _ in found]

    def around(self, principal: Principal, path: str) -> RepoInfo | None:
        """The git folder that something lies in; None if it lies in none that the asker may know of."""
        with self._database.session() as session:
            workspace = WorkspaceService(session, principal, self._layout)
            rows = WorkspaceRepository(session).repos("/")
            found = [str(row.object_id) for row, at in rows if path.startswith(f"{at}/") and workspace.may_see(at)]
        return self.get(principal, found[0]) if found else None

    def delete(self, principal: Principal, repo_id: str) -> None:
        """Delete a git folder with all that it holds."""
        folder = self._folder(principal, repo_id, "CAN_MANAGE")
        with self._locks[folder.info.id], self._database.session(write=True) as session:
            WorkspaceService(session, principal, self._layout).delete(folder.info.path, recursive=True)

    def _folder(self, principal: Principal, repo_id: str, level: str, credential: str | None = None) -> _Folder:
        with self._database.session() as session:
            rows = WorkspaceRepository(session)
            number = number_in(repo_id)
            found = None if number is None else rows.repo(number)
            workspace = WorkspaceService(session, principal, self._layout)
            if found is None or not workspace.may_see(found[1]):
                raise RepoNotFound(repo_id)
            row, path = found
            place = workspace.locate(path, level)
            user, token, email = GitCredentials(session, principal, self._layout).login(row.provider, credential)
            git = Git(self._layout.git / str(row.object_id), place, Remote(row.url, row.provider, user, token))
            info = RepoInfo(
                row.object_id, path, row.url, row.provider, None, None, None if row.sparse is None else tuple(row.sparse)
            )
        return _Folder(info, git, email or principal.name)

    @contextmanager
    def _used(self, principal: Principal, repo_id: str, level: str, credential: str | None = None) -> Generator[_Folder]:
        """A git folder that nobody else changes in the meantime."""
        number = self._folder(principal, repo_id, level).info.id
        with self._locks[number]:
            yield self._folder(principal, repo_id, level, credential)

    # ------------------------------------------------------------------------------------------------------ changes

    def update(
        self,
        principal: Principal,
        repo_id: str,
        *,
        branch: str | None,
        tag: str | None,
        credential: str | None = None,
        sparse: Sequence[str] | None = None,
        discard: bool = False,
    ) -> RepoInfo:
        """Bring a folder to the newest commit of a branch, or to a tag.

        Raises:
            InvalidParameterValue: If there is no such branch or tag, or both are given.
            GitConflict: If changes would be lost, or own commits do not go together with the remote's.
        """
        if branch is not None and tag is not None:
            message = "Give one of branch and tag."
            raise InvalidParameterValue(message, field="branch")
        with self._used(principal, repo_id, "CAN_EDIT", credential) as folder:
            git = folder.git
            if discard:
                git.run("reset", "--hard", "--quiet")
                git.run("clean", "-fd", "--quiet")
            if sparse is not None:
                git.run("sparse-checkout", "set", "--cone", "--", *sparse)
                with self._database.session(write=True) as session:
                    row = session.get(RepoRow, folder.info.id)
                    if row is not None:
                        row.sparse = list(sparse)
            git.run("fetch", "--quiet", "--tags", "--prune", "origin")
            if tag is not None:
                _known(git, f"refs/tags/{tag}", "tag", tag)
                git.run("checkout", "--quiet", "--detach", f"refs/tags/{tag}")
            elif branch is not None:
                _to_branch(git, branch)
        return self.get(principal, repo_id)

    def status(self, principal: Principal, repo_id: str) -> Status:
        """What of a folder is not committed, and how far it is from the remote as of the last fetch."""
        git = self._folder(principal, repo_id, "CAN_READ").git
        return parse(git.run("status", "--porcelain=v2", "--branch", "-z", "--untracked-files=all"))

    def branches(self, principal: Principal, repo_id: str) -> list[str]:
        """The names of the branches, here and at the remote as of the last fetch."""
        git = self._folder(principal, repo_id, "CAN_READ").git
        names = git.run("for-each-ref", "--format=%(refname)", "refs/heads", "refs/remotes/origin").split()
        short = {name.removeprefix("refs/heads/").removeprefix("refs/remotes/origin/") for name in names}
        return sorted(short - {"HEAD"})

    def diff(self, principal: Principal, repo_id: str, path: str) -> str:
        """How a file differs from the last commit."""
        folder = self._folder(principal, repo_id, "CAN_READ")
        git, where = folder.git, _inside(path)
        if git.run("ls-files", "--", where) and _has_commits(git):
            return git.run("diff", "HEAD", "--", where)
        if not (git.work_tree / path).is_file() or (git.work_tree / path).is_symlink():
            raise ObjectNotFound(f"{folder.info.path}/{path}")
        return git.run("diff", "--no-index", "--", "/dev/null", path, accepted=(0, 1))

    def new_branch(self, principal: Principal, repo_id: str, name: str) -> RepoInfo:
        """Begin a branch at the last commit, and go on it with what is not committed."""
        with self._used(principal, repo_id, "CAN_EDIT") as folder:
            _check_branch(folder.git, name)
            if name in self.branches(principal, repo_id):
                message = f"The branch {name} is there already."
                raise InvalidParameterValue(message, field="name")
            folder.git.run("checkout", "--quiet", "-b", name)
        return self.get(principal, repo_id)

    def commit(self, principal: Principal, repo_id: str, message: str, paths: Sequence[str] | None, *, push: bool) -> RepoInfo:
        """Commit some files, or all that differ, in the asker's name, and push if asked.

        Raises:
            InvalidParameterValue: If there is no message.
            InvalidState: If nothing differs, or no branch is checked out.
            GitConflict: If the remote has commits that this folder has not.
        """
        if not message.strip():
            raise InvalidParameterValue("The message is empty: say what the commit changes.", field="message")
        with self._used(principal, repo_id, "CAN_EDIT") as folder:
            git, branch = folder.git, _branch(folder.git)
            if branch is None:
                raise InvalidState("No branch is checked out. Make one first, to commit on it.")
            wanted = [_inside(path) for path in paths] if paths is not None else ["."]
            if not parse(git.run("status", "--porcelain=v2", "-z", "--untracked-files=all", "--", *wanted)).changes:
                raise InvalidState("There is nothing to commit.")
            git.run("reset", "--quiet")
            git.run("add", "--all", "--", *wanted)
            who = ("-c", f"user.name={principal.name}", "-c", f"user.email={folder.email}")
            git.run(*who, "commit", "--quiet", "--no-verify", f"--message={message}")
            if push:
                git.run("push", "--quiet", "--set-upstream", "origin", f"HEAD:refs/heads/{branch}")
        return self.get(principal, repo_id)

    def push(self, principal: Principal, repo_id: str) -> RepoInfo:
        """Push the commits of the branch.

        Raises:
            GitConflict: If the remote has commits that this folder has not.
        """
        with self._used(principal, repo_id, "CAN_EDIT") as folder:
            branch = _branch(folder.git)
            if branch is None:
                raise InvalidState("No branch is checked out, so there is nothing to push.")
            folder.git.run("push", "--quiet", "--set-upstream", "origin", f"HEAD:refs/heads/{branch}")
        return self.get(principal, repo_id)

    def discard(self, principal: Principal, repo_id: str, paths: Sequence[str]) -> RepoInfo:
        """Bring files back to the last commit; new ones go."""
        with self._used(principal, repo_id, "CAN_EDIT") as folder:
            for path in (_inside(one) for one in paths):
                folder.git.run("reset", "--quiet", "--", path)
                if folder.git.run("ls-files", "--", path):
                    folder.git.run("checkout", "--quiet", "--", path)
                else:
                    folder.git.run("clean", "-fd", "--quiet", "--", path)
        return self.get(principal, repo_id)


def _with_head(folder: _Folder) -> RepoInfo:
    """A git folder with the branch and the commit that it is at."""
    head = parse(folder.git.run("status", "--porcelain=v2", "--branch", "-z", "--untracked-files=no"))
    return replace(folder.info, branch=head.branch, commit=head.commit)


def _branch(git: Git) -> str | None:
    """The branch that is checked out, if one is."""
    return git.run("symbolic-ref", "--quiet", "--short", "HEAD", accepted=(0, 1)).strip() or None


def _has_commits(git: Git) -> bool:
    return bool(git.run("rev-parse", "--quiet", "--verify", "HEAD^{commit}", accepted=(0, 1)))


def _inside(path: str) -> str:
    """A path relative to the folder that cannot lead out of it, and is no pattern."""
    parts = Path(path).parts
    if not parts or path.startswith("/") or ".." in parts or ".git" in parts:
        raise PathInvalid("path", path, "it has to be a path in the folder.")
    return f":(literal){path}" if path != "." else path


def _known(git: Git, reference: str, what: str, name: str) -> None:
    if not git.run("rev-parse", "--quiet", "--verify", f"{reference}^{{commit}}", accepted=(0, 1, 128)):
        message = f"There is no {what} '{name}' at {git.remote.url}."
        raise InvalidParameterValue(message, field=what)


def _check_branch(git: Git, name: str) -> None:
    try:
        git.run("check-ref-format", "--branch", name)
    except GitFailed as error:
        message = f"The branch '{name}' is not valid: git takes no such name."
        raise InvalidParameterValue(message, field="branch") from error


def _to_branch(git: Git, branch: str) -> None:
    """Go to a branch, with the commits of the remote under those that are here alone."""
    _check_branch(git, branch)
    is_here = bool(git.run("rev-parse", "--quiet", "--verify", f"refs/heads/{branch}", accepted=(0, 1)))
    is_there = bool(git.run("rev-parse", "--quiet", "--verify", f"refs/remotes/origin/{branch}", accepted=(0, 1)))
    if not is_here:
        _known(git, f"refs/remotes/origin/{branch}", "branch", branch)
    if _branch(git) != branch:
        git.run(
            "checkout", "--quiet", *(() if is_here else ("--track", "-b")), branch, *(() if is_here else (f"origin/{branch}",))
        )
    if not is_there or not _has_commits(git):
        return
    ahead = git.run("rev-list", "--count", f"refs/remotes/origin/{branch}..HEAD").strip()
    if ahead == "0":
        git.run("merge", "--quiet", "--ff-only", f"refs/remotes/origin/{branch}")
        return
    behind = git.run("rev-list", "--count", f"HEAD..refs/remotes/origin/{branch}").strip()
    if behind == "0":
        return
    _rebase(git, branch)


def _rebase(git: Git, branch: str) -> None:
    who = ("-c", "user.name=boathouse", "-c", "user.email=boathouse@localhost")
    try:
        git.run(*who, "rebase", "--quiet", f"refs/remotes/origin/{branch}")
    except (GitFailed, GitConflict) as error:
        files = git.run("diff", "--name-only", "--diff-filter=U", "-z").split("\0")[:-1]
        git.run("rebase", "--abort", accepted=(0, 128))
        if not files:
            raise
        message = f"Own commits and those of the remote's {branch} change the same lines; the folder is as it was."
        raise GitConflict(message, files) from error
