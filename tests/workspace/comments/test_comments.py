"""Comments over HTTP: who may say and change what, and where threads are when notebooks have changed."""

import base64
import json
import re
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from boathouse.db import Database
from boathouse.iam.api import IamService, Principal
from boathouse.iam.models import PrincipalRow
from boathouse.storage.layout import Layout
from boathouse.workspace.api import WorkspaceReferences, WorkspaceService
from boathouse.workspace.comments.errors import NotTheAuthor
from boathouse.workspace.comments.info import Pointed
from boathouse.workspace.comments.service import CommentService
from tests.conftest import Server
from tests.databases import new_sqlite

THREADS, COMMENTS = "/api/boathouse/v1/workspace/threads", "/api/boathouse/v1/workspace/comments"
SOURCE = (
    "# Databricks notebook source\nx = 1\n\n# COMMAND ----------\n\n# MAGIC %md Hello\n\n# COMMAND ----------\n\ny = x + 1\n"
)


@dataclass
class Someone:
    """A user."""

    name: str
    http: httpx.Client

    def put(self, path: str, text: str, form: str = "AUTO") -> str:
        content = base64.b64encode(text.encode()).decode()
        body = {"path": path, "content": content, "format": form, "overwrite": True}
        self.http.post("/api/2.0/workspace/import", json=body).raise_for_status()
        return path.removesuffix(".py").removesuffix(".ipynb") if form != "RAW" else path

    def say(self, path: str, text: str, **more: Any) -> dict[str, Any]:
        answer = self.http.post(THREADS, json={"path": path, "text": text, **more})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def threads(self, path: str) -> list[dict[str, Any]]:
        answer = self.http.get(THREADS, params={"path": path})
        assert answer.status_code == 200, answer.text
        return answer.json()["threads"]

    def positions(self, path: str) -> list[int | None]:
        return [one["position"] for one in self.threads(path)]

    def move(self, path: str, to: str) -> None:
        body = {"path": path, "destination_path": to}
        self.http.post("/api/boathouse/v1/workspace/move", json=body).raise_for_status()


@dataclass
class Place:
    """An owner with a notebook, a reader, and a stranger."""

    server: Server
    ann: Someone
    bob: Someone
    eve: Someone

    def share(self, path: str, who: Someone, level: str = "CAN_READ", kind: str = "notebooks") -> None:
        found = self.ann.http.get("/api/2.0/workspace/get-status", params={"path": path}).json()["object_id"]
        body = {"access_control_list": [{"user_name": who.name, "permission_level": level}]}
        self.ann.http.patch(f"/api/2.0/permissions/{kind}/{found}", json=body).raise_for_status()


@pytest.fixture
def place(server: Server) -> Place:
    def someone(who: str) -> Someone:
        name = f"{who}-{uuid.uuid4().hex[:8]}@example.com"
        made = Someone(name, server.client(server.new_principal(name)))
        made.http.get("/api/boathouse/v1/workspace/folder").raise_for_status()
        return made

    return Place(server, someone("ann"), someone("bob"), someone("eve"))


def error(answer: httpx.Response) -> tuple[int, str, str]:
    return answer.status_code, answer.json()["error_code"], answer.json()["message"]


def test_readers_comment_authors_change_and_managers_delete(place: Place) -> None:
    ann, bob, eve = place.ann, place.bob, place.eve
    path = ann.put(f"/Users/{ann.name}/train.py", SOURCE)
    assert ann.threads(path) == []
    place.share(path, bob)
    begun = bob.say(path, "  Why one?\nReally? ", cell={"position": 0}, quote="x = 1")
    assert begun == {
        "id": begun["id"],
        "position": 0,
        "cell_id": None,
        "is_gone": False,
        "excerpt": "x = 1",
        "quote": "x = 1",
        "resolved_at": None,
        "resolved_by": None,
        "comments": [
            {
                "id": begun["comments"][0]["id"],
                "author": bob.name,
                "is_own": True,
                "text": "Why one?\nReally?",
                "created_at": begun["comments"][0]["created_at"],
                "edited_at": None,
            }
        ],
    }
    thread, first = f"{THREADS}/{begun['id']}", f"{COMMENTS}/{begun['comments'][0]['id']}"
    reply = ann.http.post(f"{thread}/comments", json={"text": "It begins there."}).json()
    assert (reply["author"], reply["is_own"], reply["text"]) == (ann.name, True, "It begins there.")
    whole = ann.say(path, "Of the whole.")
    assert (whole["position"], whole["is_gone"], whole["excerpt"]) == (None, False, None)
    # The path with its suffix and under /Workspace is the same notebook.
    assert [one["id"] for one in ann.threads(f"/Workspace{path}.py")] == [begun["id"], whole["id"]]
    assert [one["is_own"] for one in bob.threads(path)[0]["comments"]] == [True, False]

    # An author edits, nobody else; closing and opening again is everybody's, and an answer opens again.
    assert bob.http.patch(first, json={"text": "Why 1?"}).json()["edited_at"] is not None
    assert error(ann.http.patch(first, json={"text": "x"}))[:2] == (403, "PERMISSION_DENIED")
    assert ann.http.patch(thread, json={"resolved": True}).status_code == 200
    assert (bob.threads(path)[0]["resolved_by"], bob.threads(path)[0]["comments"][0]["text"]) == (ann.name, "Why 1?")
    bob.http.post(f"{thread}/comments", json={"text": "Still."}).raise_for_status()
    assert bob.threads(path)[0]["resolved_at"] is bob.threads(path)[0]["resolved_by"] is None

    # Who reads deletes its own, who manages deletes all; the last comment takes the thread with it.
    assert error(bob.http.delete(f"{COMMENTS}/{reply['id']}"))[0] == 403
    assert ann.http.get(THREADS, params={"path": path}).json()["may_manage"] is True
    assert bob.http.get(THREADS, params={"path": path}).json()["may_manage"] is False
    for one in ann.threads(path)[0]["comments"]:
        ann.http.delete(f"{COMMENTS}/{one['id']}").raise_for_status()
    assert [one["id"] for one in ann.threads(path)] == [whole["id"]]

    # To who may not read it nothing of it is there.
    missing = eve.http.get(THREADS, params={"path": f"{path}-none"})
    unseen = eve.http.get(THREADS, params={"path": path})
    assert error(unseen) == (404, error(missing)[1], error(missing)[2].replace(f"{path}-none", path))
    assert eve.http.post(THREADS, json={"path": path, "text": "x"}).status_code == 404
    said = whole["comments"][0]["id"]
    for method, url, body in (
        ("PATCH", f"{THREADS}/{whole['id']}", {"resolved": True}),
        ("POST", f"{THREADS}/{whole['id']}/comments", {"text": "x"}),
        ("PATCH", f"{COMMENTS}/{said}", {"text": "x"}),
        ("DELETE", f"{COMMENTS}/{said}", None),
    ):
        refused = eve.http.request(method, url, json=body)
        none = eve.http.request(method, re.sub(r"/\d+(?=/|$)", "/999999999", url), json=body)
        assert refused.status_code == none.status_code == 404, url
        assert refused.json()["error_code"] == none.json()["error_code"] == "RESOURCE_DOES_NOT_EXIST"
    assert httpx.get(f"{place.server.url}{THREADS}", params={"path": path}).status_code == 401


def test_what_cannot_be_said(place: Place) -> None:
    ann = place.ann
    path = ann.put(f"/Users/{ann.name}/train.py", SOURCE)
    file = ann.put(f"/Users/{ann.name}/notes.txt", "one\n", "RAW")
    for body, told in (
        ({"path": path, "text": " \n"}, "text is empty"),
        ({"path": path, "text": "x" * 10_001}, "10001 characters; 10000 is the most"),
        ({"path": path, "text": "x", "quote": "q" * 2_001}, "quote has 2001"),
        ({"path": path, "text": "x", "cell": {"position": 3}}, "cells 0 to 2"),
        ({"path": file, "text": "x", "cell": {"position": 0}}, "has no cells"),
        ({"path": f"/Users/{ann.name}", "text": "x"}, "is a folder"),
        ({"path": path}, "text"),
        ({"path": path, "text": "x", "cell": {"position": -1}}, "position"),
    ):
        status, code, message = error(ann.http.post(THREADS, json=body))
        assert (status, code) == (400, "INVALID_PARAMETER_VALUE")
        assert told in message, message
    said = ann.say(file, "Of a file.")
    assert ann.http.patch(f"{COMMENTS}/{said['comments'][0]['id']}", json={"text": ""}).status_code == 400
    assert [one["comments"][0]["text"] for one in ann.threads(file)] == ["Of a file."]


def test_threads_stay_at_their_cells_and_with_their_notebook(place: Place) -> None:
    ann, home = place.ann, f"/Users/{place.ann.name}"
    disk = place.server.root / "workspace" / "Users" / ann.name
    path = ann.put(f"{home}/train.py", SOURCE)
    for position in range(3):
        ann.say(path, f"Of {position}.", cell={"position": position})
    # Through the API, and beside it.
    ann.put(f"{home}/train.py", SOURCE.replace("x = 1\n", "import os\n\n# COMMAND ----------\n\nx = 100\n"))
    assert ann.positions(path) == [1, 2, 3]
    (disk / "train.py").write_text(SOURCE.replace("y = x + 1", "y = x + 22"))
    assert ann.positions(path) == [0, 1, 2]
    (disk / "train.py").write_text("# Databricks notebook source\nx = 1\n")
    assert [(one["position"], one["is_gone"], one["excerpt"]) for one in ann.threads(path)] == [
        (0, False, "x = 100"),
        (None, True, "Hello"),
        (None, True, "y = x + 1"),
    ]
    # As an editor sees it who has not saved yet.
    ann.put(f"{home}/train.py", SOURCE)
    ann.say(path, "Of a new one.", cell={"position": 1, "source": "z = 26", "cell_id": "of-the-editor"})
    ann.put(f"{home}/train.py", SOURCE.replace("# MAGIC %md Hello", "z = 26\n\n# COMMAND ----------\n\n# MAGIC %md Hello"))
    assert ann.positions(path) == [0, 2, 3, 1]
    assert {one["cell_id"] for one in ann.threads(path)} == {None}

    # A Jupyter file: by identifiers.
    def cell(name: str, source: str) -> dict[str, Any]:
        return {"id": name, "cell_type": "code", "source": source, "metadata": {}, "outputs": [], "execution_count": None}

    def notebook(*cells: dict[str, Any]) -> str:
        return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})

    jupyter = ann.put(f"{home}/explore.ipynb", notebook(cell("a", "1"), cell("b", "2")))
    assert ann.say(jupyter, "Of b.", cell={"position": 0, "source": "two", "cell_id": "b"})["cell_id"] == "b"
    ann.put(f"{home}/explore.ipynb", notebook(cell("c", "2"), cell("a", "1"), cell("b", "other")))
    assert ann.positions(jupyter) == [2]
    ann.put(f"{home}/explore.ipynb", notebook(cell("a", "1")))
    assert (ann.threads(jupyter)[0]["is_gone"], ann.threads(jupyter)[0]["excerpt"]) == (True, "other")

    # Asked often, it is told once.
    told = ann.http.get(THREADS, params={"path": path})
    again = {"if-none-match": told.headers["etag"]}
    assert ann.http.get(THREADS, params={"path": path}, headers=again).status_code == 304
    ann.http.patch(f"{COMMENTS}/{told.json()['threads'][0]['comments'][0]['id']}", json={"text": "Of x."})
    assert ann.http.get(THREADS, params={"path": path}, headers=again).status_code == 200

    # They move with their notebook, alone and with its folder; what comes to its place has none, and neither has a copy.
    ann.http.post("/api/2.0/workspace/mkdirs", json={"path": f"{home}/old"}).raise_for_status()
    ann.move(path, f"{home}/old/renamed")
    ann.move(f"{home}/old", f"{home}/new")
    assert ann.positions(f"{home}/new/renamed") == [0, 2, 3, 1]
    ann.put(f"{home}/train.py", (disk / "new" / "renamed.py").read_text())
    assert ann.threads(path) == []
    for gone in (f"{home}/new", path):
        ann.http.post("/api/2.0/workspace/delete", json={"path": gone, "recursive": True}).raise_for_status()
    ann.http.post("/api/2.0/workspace/mkdirs", json={"path": f"{home}/new"}).raise_for_status()
    ann.put(f"{home}/new/renamed.py", SOURCE)
    assert ann.threads(f"{home}/new/renamed") == []


def test_comments_follow_their_authors_name_and_outlive_them(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "lake")
    layout.create()
    database = Database(new_sqlite(layout.metadata_db))
    path = "/Shared/train"

    def user(session: Session, name: str) -> Principal:
        IamService(session).create_principal(name, "user")
        return IamService(session).get_principal(name)

    def at(session: Session, who: Principal) -> CommentService:
        return CommentService(session, who, WorkspaceService(session, who, layout))

    try:
        with database.session(write=True) as session:
            bob = user(session, "bob")
            WorkspaceService(session, bob, layout).get("/Shared")
            WorkspaceService(session, bob, layout).write(path, b"x = 1", "SOURCE", "PYTHON", overwrite=False)
            begun = at(session, bob).begin(path, "Mine.", Pointed(0), None)
            number = begun.comments[0].id
            at(session, bob).resolve(begun.id, resolved=True)
            session.execute(update(PrincipalRow).where(PrincipalRow.id == bob.id).values(name="robert"))
            WorkspaceReferences(layout).renamed(session, "bob", "robert")
        with database.session(write=True) as session:
            (thread,) = at(session, bob).on(path).threads
            assert ([one.author for one in thread.comments], thread.resolved_by) == (["robert"], "robert")
            session.execute(delete(PrincipalRow).where(PrincipalRow.id == bob.id))
            WorkspaceReferences(layout).deleted(session, "robert")
        with database.session(write=True) as session:
            # Who takes the name later is not the author, and takes no comments along to another name.
            namesake = user(session, "robert")
            WorkspaceReferences(layout).renamed(session, "robert", "bert")
            assert [(one.author, one.is_own) for one in at(session, namesake).on(path).threads[0].comments] == [
                ("robert", False)
            ]
            assert at(session, namesake).on(path).threads[0].resolved_by == "robert"
            with pytest.raises(NotTheAuthor, match="robert's"):
                at(session, namesake).edit(number, "x")
    finally:
        database.dispose()


def test_a_branch_without_the_notebook_keeps_what_was_said(place: Place, tmp_path: Path) -> None:
    def git(*command: str) -> None:
        who = ("-c", "user.name=t", "-c", "user.email=t@example.com")
        subprocess.run(["git", *who, *command], cwd=tmp_path, check=True, capture_output=True)

    git("init", "-q", "-b", "main")
    (tmp_path / "README.md").write_text("x\n")
    git("add", ".")
    git("commit", "-qm", "one")
    git("checkout", "-qb", "work")
    (tmp_path / "train.py").write_text(SOURCE)
    git("add", ".")
    git("commit", "-qm", "two")
    admin = Someone("admin", place.server.client())
    folder = f"/Shared/{uuid.uuid4().hex}"
    body = {"url": str(tmp_path), "provider": "gitHub", "path": folder}
    repo = admin.http.post("/api/2.0/repos", json=body).raise_for_status().json()["id"]
    admin.say(f"{folder}/train", "Of x.", cell={"position": 0})
    admin.http.patch(f"/api/2.0/repos/{repo}", json={"branch": "main"}).raise_for_status()
    for _ in range(2):
        gone = admin.http.get("/api/boathouse/v1/workspace/folder", params={"path": f"{folder}/train"})
        assert gone.status_code == 404
    admin.http.patch(f"/api/2.0/repos/{repo}", json={"branch": "work"}).raise_for_status()
    assert admin.positions(f"{folder}/train") == [0]
    admin.http.delete(f"/api/2.0/repos/{repo}").raise_for_status()
