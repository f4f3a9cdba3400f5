"""Git folders with the stock client, against a bare repository on disk and git's own HTTP server with a password."""

import io
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient, errors
from databricks.sdk.service.workspace import (
    ImportFormat,
    Language,
    ObjectType,
    SparseCheckout,
    WorkspaceObjectAccessControlRequest,
    WorkspaceObjectPermissionLevel,
)

from boathouse.workspace.git.status import Change, Status, parse
from tests.conftest import Server
from tests.workspace.git_server import git_server

NOTEBOOK = "# Databricks notebook source\nprint(1)\n"
OURS = "/api/boathouse/v1/repos"
TOKEN = "correct-horse-battery"


@pytest.fixture(scope="session")
def server(shared_server: Server) -> Server:
    """What git does is the same on every database."""
    return shared_server


def git(at: Path, *arguments: str) -> str:
    who = ["-c", "user.name=them", "-c", "user.email=them@example.com", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *who, *arguments], cwd=at, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@dataclass
class Remote:
    """A bare repository, and somebody else's clone of it."""

    folder: Path
    theirs: Path

    def push(self, path: str, text: str, branch: str = "main") -> str:
        """Somebody else commits; gives the commit."""
        git(self.theirs, "checkout", "-q", "-B", branch)
        file = self.theirs / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        git(self.theirs, "add", "-A")
        git(self.theirs, "commit", "-qm", f"change {path}")
        git(self.theirs, "push", "-q", "origin", branch)
        return git(self.theirs, "rev-parse", "HEAD")


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    bare, theirs = tmp_path / "remotes" / "churn.git", tmp_path / "theirs"
    bare.mkdir(parents=True)
    git(bare, "init", "-q", "--bare")
    git(bare, "config", "http.receivepack", "true")
    git(tmp_path, "clone", "-q", str(bare), str(theirs))
    made = Remote(bare, theirs)
    (theirs / "link").symlink_to("/etc/passwd")
    made.push("training/train.py", NOTEBOOK)
    made.push("lib/rates.py", "RATE = 1\n")
    return made


@pytest.fixture
def admin(server: Server) -> Iterator[WorkspaceClient]:
    client = WorkspaceClient(host=server.url, token=server.token)
    yield client
    for repo in client.repos.list():
        if repo.id:
            client.repos.delete(repo.id)


def test_clone_change_commit_push_and_pull(server: Server, admin: WorkspaceClient, remote: Remote) -> None:
    with server.client() as http:
        folder = f"/Shared/churn-{uuid.uuid4().hex[:8]}"
        made = admin.repos.create(url=str(remote.folder), provider="GITHUB", path=folder)
        assert (made.branch, made.head_commit_id, made.path) == ("main", git(remote.theirs, "rev-parse", "HEAD"), folder)
        status = admin.workspace.get_status(folder)
        assert (status.object_type, status.object_id) == (ObjectType.REPO, made.id)
        assert admin.workspace.download(f"{folder}/training/train").read().decode() == NOTEBOOK
        # A link is a file that says where it would lead; git's own files are out of reach.
        disk = server.root / "workspace" / folder[1:]
        assert not (disk / "link").is_symlink()
        assert (disk / "link").read_text() == "/etc/passwd"
        assert not (disk / ".git").exists()

        # Own changes: seen, told apart, committed in the asker's name, pushed.
        ours = f"{OURS}/{made.id}"
        assert http.get(f"{ours}/status").json() == {
            "branch": "main", "head_commit_id": made.head_commit_id, "ahead": 0, "behind": 0, "changes": []
        }  # fmt: skip
        admin.workspace.upload(f"{folder}/training/train", io.BytesIO(b"print(2)"), language=Language.PYTHON, overwrite=True)
        admin.workspace.upload(f"{folder}/new file ü.txt", io.BytesIO(b"new\n"), format=ImportFormat.RAW)
        admin.workspace.delete(f"{folder}/lib/rates.py")
        changes = {one["path"]: one["kind"] for one in http.get(f"{ours}/status").json()["changes"]}
        assert changes == {"training/train.py": "MODIFIED", "new file ü.txt": "ADDED", "lib/rates.py": "DELETED"}
        assert "+print(2)" in http.get(f"{ours}/diff", params={"path": "training/train.py"}).json()["diff"]
        assert "+new" in http.get(f"{ours}/diff", params={"path": "new file ü.txt"}).json()["diff"]
        assert http.post(f"{ours}/discard", json={"paths": ["lib/rates.py"]}).status_code == 200
        assert (disk / "lib" / "rates.py").read_text() == "RATE = 1\n"
        for body, said in (({"message": " "}, "message is empty"), ({"message": "x", "paths": ["lib/rates.py"]}, "nothing to commit"),
                           ({"message": "x", "paths": ["../x"]}, "a path in the folder")):  # fmt: skip
            refused = http.post(f"{ours}/commit", json=body)
            assert refused.status_code == 400
            assert said in refused.json()["message"]
        assert http.post(f"{ours}/branches", json={"name": "a b"}).status_code == 400
        assert http.post(f"{ours}/branches", json={"name": "topic"}).json()["branch"] == "topic"
        pushed = http.post(f"{ours}/commit", json={"message": "Change it", "paths": ["training/train.py"], "push": True}).json()
        assert git(remote.folder, "log", "-1", "--format=%an %s", "topic") == "root@localhost Change it"
        assert git(remote.folder, "rev-parse", "topic") == pushed["head_commit_id"]
        assert [one["path"] for one in http.get(f"{ours}/status").json()["changes"]] == ["new file ü.txt"]
        between_branches(server, admin, remote, folder)


def between_branches(server: Server, admin: WorkspaceClient, remote: Remote, folder: str) -> None:
    """What the remote and the folder have each for themselves comes together, or is told."""
    disk = server.root / "workspace" / folder[1:]
    made_id = admin.workspace.get_status(folder).object_id
    assert made_id
    ours = f"{OURS}/{made_id}"
    with server.client() as http:
        # To another branch, with what is new there; not over what would be lost.
        theirs = remote.push("lib/rates.py", "RATE = 2\n")
        admin.repos.update(made_id, branch="main")
        back = admin.repos.get(made_id)
        assert (back.branch, back.head_commit_id) == ("main", theirs)
        assert http.get(f"{ours}/branches").json()["branches"] == ["main", "topic"]
        (disk / "lib" / "rates.py").write_text("RATE = 3\n")
        remote.push("lib/rates.py", "RATE = 4\n")
        with pytest.raises(errors.DatabricksError, match=r"would be lost.*lib/rates.py"):
            admin.repos.update(made_id, branch="main")
        assert (disk / "lib" / "rates.py").read_text() == "RATE = 3\n"

        # Commits on both sides: one after the other where they go together, told where they do not.
        committed = http.post(f"{ours}/commit", json={"message": "Mine", "paths": ["lib/rates.py"]})
        assert committed.status_code == 200
        refused = http.post(f"{ours}/push")
        assert (refused.status_code, refused.json()["error_code"]) == (400, "GIT_CONFLICT")
        with pytest.raises(errors.DatabricksError, match=r"change the same lines.*lib/rates.py"):
            admin.repos.update(made_id, branch="main")
        assert http.get(f"{ours}/status").json()["head_commit_id"] == committed.json()["head_commit_id"]
        body: dict[str, Any] = {"branch": "main", "dangerously_force_discard_all": True}
        assert http.patch(f"/api/2.0/repos/{made_id}", json=body).status_code == 400
        git(remote.theirs, "tag", "v1")
        git(remote.theirs, "push", "-q", "origin", "v1")
        admin.repos.update(made_id, tag="v1")
        assert admin.repos.get(made_id).branch is None
        for change, said in (
            ({"branch": "none"}, "no branch 'none'"),
            ({"tag": "none"}, "no tag 'none'"),
            ({"branch": "main", "tag": "v1"}, "one of"),
        ):
            with pytest.raises(errors.InvalidParameterValue, match=said):
                admin.repos.update(made_id, **change)

        moved = http.post("/api/boathouse/v1/workspace/move", json={"path": folder, "destination_path": f"{folder}-2"})
        assert moved.status_code == 200
        assert admin.repos.get(made_id).path == f"{folder}-2"
        admin.repos.delete(made_id)
        assert not (server.root / "git" / str(made_id)).exists()
        with pytest.raises(errors.NotFound):
            admin.workspace.get_status(f"{folder}-2")


def test_over_http_with_credentials(server: Server, admin: WorkspaceClient, remote: Remote) -> None:
    with git_server(remote.folder.parent, "me", TOKEN) as address:
        url = f"{address}/churn.git"
        path = f"/Shared/http-{uuid.uuid4().hex[:8]}"
        with pytest.raises(errors.PermissionDenied, match=r"refuses access.*gitLab"):
            admin.repos.create(url=url, provider="gitLab", path=path)
        credential = admin.git_credentials.create("gitlab", personal_access_token="wrong", git_username="me")
        with pytest.raises(errors.PermissionDenied):
            admin.repos.create(url=url, provider="gitLab", path=path)
        assert credential.credential_id
        admin.git_credentials.update(
            credential.credential_id, "gitLab", personal_access_token=TOKEN, git_email="me@example.com"
        )
        listed = next(one for one in admin.git_credentials.list() if one.credential_id == credential.credential_id)
        assert (listed.git_username, listed.git_email, listed.is_default_for_provider) == ("me", "me@example.com", True)
        made = admin.repos.create(url=url, provider="gitLab", path=path, sparse_checkout=SparseCheckout(patterns=["training"]))
        assert sorted(one.path or "" for one in admin.workspace.list(path)) == [f"{path}/link", f"{path}/training"]
        assert made.id
        admin.workspace.upload(f"{path}/training/train", io.BytesIO(b"print(3)"), language=Language.PYTHON, overwrite=True)
        with server.client() as http:
            done = http.post(f"{OURS}/{made.id}/commit", json={"message": "Over HTTP", "push": True})
            assert done.status_code == 200, done.text
        assert git(remote.folder, "log", "-1", "--format=%ae", "main") == "me@example.com"
        # The token is in no file of the lake.
        kept = (server.root / "git" / str(made.id) / "config").read_text()
        assert TOKEN not in kept
        assert subprocess.run(["grep", "-rlF", TOKEN, server.root], capture_output=True, text=True, check=False).stdout == ""
        admin.git_credentials.delete(credential.credential_id)
        with pytest.raises(errors.PermissionDenied):
            admin.repos.update(made.id, branch="main")


def test_who_may_what(server: Server, admin: WorkspaceClient, remote: Remote) -> None:
    name = f"git-{uuid.uuid4().hex[:8]}@example.com"
    user = WorkspaceClient(host=server.url, token=server.new_principal(name))
    for url, said in (
        (str(remote.folder), "Only an admin"),
        ("http://127.0.0.1/x.git", "Only an admin"),
        ("https://me:secret@example.com/x.git", "as a git credential"),
        ("ext::sh -c id", "no address has"),
        ("ssh://git@example.com/x", "https://"),
        ("--upload-pack=id", "no address has"),
    ):
        with pytest.raises(errors.InvalidParameterValue, match=said) as refused:
            user.repos.create(url=url, provider="gitHub")
        assert "secret" not in str(refused.value).replace("git credential", "")
    with pytest.raises(errors.InvalidParameterValue, match="Valid: gitHub"):
        user.repos.create(url="https://example.com/x.git", provider="sourceforge")
    made = admin.repos.create(url=str(remote.folder), provider="gitHub")
    assert made.path == "/Repos/root@localhost/churn"
    assert made.id
    with pytest.raises(errors.ResourceAlreadyExists, match="already"):
        admin.repos.create(url=str(remote.folder), provider="gitHub")
    assert list(user.repos.list()) == []
    with pytest.raises(errors.NotFound, match="no git folder"):
        user.repos.get(made.id)
    reader = [WorkspaceObjectAccessControlRequest(user_name=name, permission_level=WorkspaceObjectPermissionLevel.CAN_READ)]
    admin.workspace.set_permissions("repos", str(made.id), access_control_list=reader)
    assert [one.id for one in user.repos.list(path_prefix="/Repos")] == [made.id]
    for call in (lambda: user.repos.update(made.id or 0, branch="main"), lambda: user.repos.delete(made.id or 0)):
        with pytest.raises(errors.PermissionDenied, match="does not have CAN_"):
            call()
    with server.client(user.config.token) as http:
        assert http.get(f"{OURS}/{made.id}/status").status_code == 200
        assert http.post(f"{OURS}/{made.id}/commit", json={"message": "x"}).status_code == 403
        theirs = admin.git_credentials.create("gitHub", personal_access_token="x")
        assert http.get(f"/api/2.0/git-credentials/{theirs.credential_id}").status_code == 404
        admin.git_credentials.delete(theirs.credential_id)
    # What is planted in the folder is not run.
    disk = server.root / "workspace" / "Repos" / "root@localhost" / "churn"
    (disk / ".git" / "hooks").mkdir(parents=True)
    hook = disk / ".git" / "hooks" / "post-checkout"
    hook.write_text(f"#!/bin/sh\ntouch {disk}/ran\n")
    hook.chmod(0o755)
    admin.repos.update(made.id, branch="main")
    assert not (disk / "ran").exists()


def test_an_empty_repository(server: Server, admin: WorkspaceClient, tmp_path: Path) -> None:
    bare = tmp_path / "empty.git"
    bare.mkdir()
    git(bare, "init", "-q", "--bare")
    path = f"/Shared/empty-{uuid.uuid4().hex[:8]}"
    made = admin.repos.create(url=str(bare), provider="gitHub", path=path)
    assert made.head_commit_id is None
    admin.workspace.upload(f"{path}/first.txt", io.BytesIO(b"1"), format=ImportFormat.RAW)
    with server.client() as http:
        assert "+1" in http.get(f"{OURS}/{made.id}/diff", params={"path": "first.txt"}).json()["diff"]
        done = http.post(f"{OURS}/{made.id}/commit", json={"message": "First", "push": True})
        assert done.status_code == 200, done.text
    assert git(bare, "log", "--format=%s", "--all") == "First"


def test_what_git_says_is_read() -> None:
    text = (
        "# branch.oid abc\0# branch.head main\0# branch.upstream origin/main\0# branch.ab +1 -2\0"
        "1 .M N... 100644 100644 100644 a b with space.py\0"
        "2 R. N... 100644 100644 100644 a b R100 to.py\0from.py\0"
        "u UU N... 100644 100644 100644 100644 a b c both.py\0? new.py\0"
    )
    changes = (
        Change("with space.py", "MODIFIED"),
        Change("to.py", "RENAMED"),
        Change("both.py", "CONFLICTED"),
        Change("new.py", "ADDED"),
    )
    assert parse(text) == Status("main", "abc", 1, 2, changes)
    assert parse("# branch.oid (initial)\0# branch.head (detached)\0") == Status(None, None, 0, 0, ())
