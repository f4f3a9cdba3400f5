"""Folders, notebooks and files of the workspace with the stock client: what goes in comes out, and who may."""

import base64
import io
import json
import uuid
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from databricks.sdk import WorkspaceClient, errors
from databricks.sdk.service.iam import AccessControlRequest, PermissionLevel
from databricks.sdk.service.workspace import (
    ExportFormat,
    ImportFormat,
    Language,
    ObjectInfo,
    ObjectType,
    WorkspaceObjectAccessControlRequest,
    WorkspaceObjectPermissionLevel,
)

from tests.conftest import Server

NOTEBOOK = b"# Databricks notebook source\nprint(1)\n\n# COMMAND ----------\n\n# MAGIC %md Hello\n"
JUPYTER = json.dumps(
    {
        "cells": [{"cell_type": "code", "source": ["print(1)"], "metadata": {}, "outputs": [], "execution_count": None}],
        "metadata": {"language_info": {"codemirror_mode": {"name": "sql"}, "name": "sql"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
).encode()


@dataclass
class Place:
    """Two users with their clients, and the admin."""

    server: Server
    admin: WorkspaceClient
    ann: WorkspaceClient
    bob: WorkspaceClient
    ann_name: str
    bob_name: str

    @property
    def home(self) -> str:
        return f"/Users/{self.ann_name}"

    @property
    def disk(self) -> Path:
        return self.server.root / "workspace" / "Users" / self.ann_name


@pytest.fixture
def place(server: Server) -> Place:
    names = [f"{who}-{uuid.uuid4().hex[:8]}@example.com" for who in ("ann", "bob")]
    ann, bob = (WorkspaceClient(host=server.url, token=server.new_principal(name)) for name in names)
    return Place(server, WorkspaceClient(host=server.url, token=server.token), ann, bob, *names)


def shown(found: Iterator[ObjectInfo]) -> list[tuple[str, str, str | None]]:
    return [
        (
            (one.path or "").rpartition("/")[2],
            one.object_type.value if one.object_type else "",
            one.language and one.language.value,
        )
        for one in found
    ]


def test_notebooks_and_files_come_back_as_they_went_in(place: Place) -> None:
    workspace, home = place.ann.workspace, place.home
    assert list(workspace.list(home)) == []
    workspace.mkdirs(f"/Workspace{home}/project/deep")
    workspace.mkdirs(f"{home}/project/deep")
    workspace.import_(
        f"{home}/project/train",
        content=base64.b64encode(b"print(1)").decode(),
        format=ImportFormat.SOURCE,
        language=Language.PYTHON,
    )
    workspace.upload(f"{home}/project/query", io.BytesIO(b"SELECT 1"), language=Language.SQL)
    workspace.upload(f"{home}/project/auto.py", io.BytesIO(NOTEBOOK), format=ImportFormat.AUTO)
    workspace.upload(f"{home}/project/plain.py", io.BytesIO(b"X = 1\n"), format=ImportFormat.AUTO)
    workspace.upload(f"{home}/project/explore", io.BytesIO(JUPYTER), format=ImportFormat.JUPYTER)
    workspace.upload(f"{home}/project/report.R", io.BytesIO(NOTEBOOK), format=ImportFormat.AUTO)
    raw = bytes(range(256))
    workspace.upload(f"{home}/project/Ünïcode name 100%.bin", io.BytesIO(raw), format=ImportFormat.RAW)
    assert shown(workspace.list(f"{home}/project")) == [
        ("deep", "DIRECTORY", None),
        ("auto", "NOTEBOOK", "PYTHON"),
        ("explore", "NOTEBOOK", "SQL"),
        ("plain.py", "FILE", None),
        ("query", "NOTEBOOK", "SQL"),
        ("report", "NOTEBOOK", "R"),
        ("train", "NOTEBOOK", "PYTHON"),
        ("Ünïcode name 100%.bin", "FILE", None),
    ]
    assert sorted(file.name for file in (place.disk / "project").iterdir()) == sorted(
        ["deep", "auto.py", "explore.ipynb", "plain.py", "query.sql", "report.R", "train.py", "Ünïcode name 100%.bin"]
    )
    assert workspace.download(f"{home}/project/train").read() == b"# Databricks notebook source\nprint(1)"
    assert workspace.download(f"{home}/project/query").read() == b"-- Databricks notebook source\nSELECT 1"
    assert workspace.download(f"{home}/project/auto").read() == NOTEBOOK
    assert workspace.download(f"{home}/project/explore", format=ExportFormat.JUPYTER).read() == JUPYTER
    assert workspace.download(f"{home}/project/explore").read() == b"-- Databricks notebook source\nprint(1)\n"
    cells = json.loads(workspace.download(f"{home}/project/auto", format=ExportFormat.JUPYTER).read())["cells"]
    assert [(cell["cell_type"], "".join(cell["source"])) for cell in cells] == [("code", "print(1)"), ("markdown", "Hello")]
    with pytest.raises(errors.BadRequest, match="not valid for a file"):
        workspace.export(f"{home}/project/plain.py", format=ExportFormat.JUPYTER)
    exported = workspace.export(f"/Workspace{home}/project/Ünïcode name 100%.bin", format=ExportFormat.AUTO)
    assert base64.b64decode(exported.content or "") == raw
    zipped = zipfile.ZipFile(io.BytesIO(workspace.download(f"{home}/project", format=ExportFormat.SOURCE).read()))
    assert len(zipped.namelist()) == 7
    assert zipped.read("auto.py") == NOTEBOOK

    # By its name with the suffix too, and with one identifier however it is asked for.
    status = workspace.get_status(f"{home}/project/auto")
    assert workspace.get_status(f"/Workspace{home}/project/auto.py") == status
    assert status.object_id
    assert status.language is Language.PYTHON
    file = workspace.get_status(f"{home}/project/plain.py")
    assert (file.size, file.object_type) == (6, ObjectType.FILE)

    # Overwriting a notebook with one in another language leaves one notebook.
    workspace.upload(f"{home}/project/train", io.BytesIO(b"SELECT 2"), language=Language.SQL, overwrite=True)
    assert ("train", "NOTEBOOK", "SQL") in shown(workspace.list(f"{home}/project"))
    assert not (place.disk / "project" / "train.py").exists()

    workspace.delete(f"{home}/project/train")
    with pytest.raises(errors.NotFound, match="does not exist"):
        workspace.get_status(f"{home}/project/train")
    with pytest.raises(errors.BadRequest, match="recursive=true"):
        workspace.delete(f"{home}/project")
    workspace.delete(f"{home}/project", recursive=True)
    assert list(workspace.list(home)) == []


@pytest.mark.parametrize(
    ("path", "sent", "named"),
    [
        ("nb", {"language": "PYTHON"}, "begin with /"),
        ("{home}/../nb", {"language": "PYTHON"}, "'..' is no name"),
        ("{home}/.git/config", {"format": "RAW"}, "kept for the server"),
        ("{home}/a\x00b", {"format": "RAW"}, "cannot be printed"),
        (f"{{home}}/{'x' * 300}", {"format": "RAW"}, "200 bytes"),
        ("/", {"format": "RAW"}, "root"),
        ("{home}/nb", {}, "language is missing"),
        ("{home}/nb", {"language": "COBOL"}, "Valid: PYTHON, SQL, SCALA, R"),
        ("{home}/nb", {"language": "SQL", "content": NOTEBOOK}, "by its first line"),
        ("{home}/nb", {"format": "JUPYTER"}, "Jupyter notebook is JSON"),
        ("{home}/nb", {"format": "XLS"}, "Valid: AUTO, SOURCE, JUPYTER, RAW"),
        ("{home}/nb", {"format": "DBC"}, "DBC is not served"),
        ("{home}/missing/nb", {"format": "RAW"}, "does not exist"),
        ("{home}/taken", {"format": "RAW"}, "overwrite=true"),
        ("{home}/taken", {"language": "PYTHON", "overwrite": True}, "cannot be replaced by a notebook"),
        ("{home}/taken/below", {"format": "RAW"}, "not a folder"),
        ("{home}", {"format": "RAW", "overwrite": True}, "folder already"),
    ],
)
def test_what_cannot_be_imported_is_named(place: Place, path: str, sent: dict[str, object], named: str) -> None:
    with place.server.client(place.ann.config.token) as http:
        place.ann.workspace.upload(f"{place.home}/taken", io.BytesIO(b"kept"), format=ImportFormat.RAW)
        body = {"content": b"x", **sent}
        body["content"] = base64.b64encode(body["content"]).decode() if isinstance(body["content"], bytes) else ""
        answer = http.post("/api/2.0/workspace/import", json={"path": path.format(home=place.home), **body})
        assert answer.status_code in {400, 404, 501}
        assert named in answer.json()["message"]
        assert place.ann.workspace.download(f"{place.home}/taken", format=ExportFormat.AUTO).read() == b"kept"
        assert shown(place.ann.workspace.list(place.home)) == [("taken", "FILE", None)]


def test_bodies_that_are_none(place: Place) -> None:
    with place.server.client(place.ann.config.token) as http:
        for content, said in (
            (b"{", "JSON"),
            (b'{"path": 1}', "path"),
            (b'{"path": "/x", "content": "?"}', "base64"),
            (b"[]", ""),
        ):
            answer = http.post("/api/2.0/workspace/import", content=content, headers={"content-type": "application/json"})
            assert answer.status_code == 400
            assert said in answer.json()["message"]
        nobody = httpx.get(f"{place.server.url}/api/2.0/workspace/list", params={"path": "/"})
        assert nobody.status_code == 401


def test_folders_of_others_are_not_there_until_they_are_shared(place: Place) -> None:
    home, ann, bob = place.home, place.ann, place.bob
    for name in ("secret", "shared"):
        ann.workspace.mkdirs(f"{home}/{name}")
        ann.workspace.upload(f"{home}/{name}/nb", io.BytesIO(NOTEBOOK), language=Language.PYTHON)
    for call in (bob.workspace.get_status, bob.workspace.list, bob.workspace.download, bob.workspace.delete):
        with pytest.raises(errors.NotFound):
            list(call(f"{home}/shared/nb") or [])  # pyright: ignore[reportArgumentType]
    assert place.ann_name not in {name for name, *_ in shown(bob.workspace.list("/Users"))}
    with pytest.raises(errors.NotFound):
        bob.workspace.mkdirs(f"{home}/shared/new")

    folder = ann.workspace.get_status(f"{home}/shared")
    given = ann.workspace.update_permissions(
        "directories",
        str(folder.object_id),
        access_control_list=[
            WorkspaceObjectAccessControlRequest(
                user_name=place.bob_name, permission_level=WorkspaceObjectPermissionLevel.CAN_READ
            )
        ],
    )
    told = {one.user_name or one.group_name: one.all_permissions for one in given.access_control_list or []}
    assert {name: [level.inherited for level in levels or []] for name, levels in told.items()} == {
        place.bob_name: [False],
        place.ann_name: [True],
        "admins": [True],
    }
    assert [name for name, *_ in shown(bob.workspace.list(home))] == ["shared"]
    assert bob.workspace.download(f"{home}/shared/nb").read() == NOTEBOOK
    with pytest.raises(errors.NotFound):
        bob.workspace.get_status(f"{home}/secret")
    notebook = bob.workspace.get_status(f"{home}/shared/nb")
    inherited = bob.workspace.get_permissions("notebooks", str(notebook.object_id))
    mine = next(one for one in inherited.access_control_list or [] if one.user_name == place.bob_name)
    assert mine.all_permissions
    assert mine.all_permissions[0].inherited_from_object == [f"/directories/{folder.object_id}"]
    for refused in (
        lambda: bob.workspace.upload(f"{home}/shared/nb", io.BytesIO(b"1"), language=Language.PYTHON, overwrite=True),
        lambda: bob.workspace.delete(f"{home}/shared/nb"),
        lambda: bob.workspace.mkdirs(f"{home}/shared/new"),
        lambda: bob.permissions.update(
            "notebooks",
            str(notebook.object_id),
            access_control_list=[AccessControlRequest(user_name=place.bob_name, permission_level=PermissionLevel.CAN_MANAGE)],
        ),
    ):
        with pytest.raises(errors.PermissionDenied, match="does not have CAN_"):
            refused()

    # To edit is to change what is there, not to add or take away.
    edit = [
        WorkspaceObjectAccessControlRequest(user_name=place.bob_name, permission_level=WorkspaceObjectPermissionLevel.CAN_EDIT)
    ]
    ann.workspace.set_permissions("directories", str(folder.object_id), access_control_list=edit)
    bob.workspace.upload(f"{home}/shared/nb", io.BytesIO(b"2"), language=Language.PYTHON, overwrite=True)
    with pytest.raises(errors.PermissionDenied, match="CAN_MANAGE"):
        bob.workspace.delete(f"{home}/shared/nb")

    # What is taken away is gone at once; what is deleted does not leave its permissions to what comes next.
    ann.workspace.set_permissions("directories", str(folder.object_id), access_control_list=[])
    with pytest.raises(errors.NotFound):
        bob.workspace.get_status(f"{home}/shared")
    ann.workspace.set_permissions("directories", str(folder.object_id), access_control_list=edit)
    ann.workspace.delete(f"{home}/shared", recursive=True)
    ann.workspace.mkdirs(f"{home}/shared")
    with pytest.raises(errors.NotFound):
        bob.workspace.get_status(f"{home}/shared")
    for levels in ("NONE", None):
        with place.server.client(ann.config.token) as http:
            entry = {"user_name": place.bob_name, "permission_level": levels}
            url = f"/api/2.0/permissions/directories/{ann.workspace.get_status(f'{home}/shared').object_id}"
            assert http.put(url, json={"access_control_list": [entry]}).status_code == 400
    levels = ann.workspace.get_permission_levels("directories", str(ann.workspace.get_status(f"{home}/shared").object_id))
    assert [one.permission_level and one.permission_level.value for one in levels.permission_levels or []] == [
        "CAN_READ",
        "CAN_RUN",
        "CAN_EDIT",
        "CAN_MANAGE",
    ]


def test_moving_keeps_identifier_and_permissions(place: Place) -> None:
    home, ann = place.home, place.ann
    ann.workspace.mkdirs(f"{home}/old_1/in")
    ann.workspace.mkdirs(f"{home}/oldX1")
    ann.workspace.upload(f"{home}/old_1/in/nb", io.BytesIO(NOTEBOOK), language=Language.PYTHON)
    before = ann.workspace.get_status(f"{home}/old_1/in/nb")
    beside = ann.workspace.get_status(f"{home}/oldX1")
    reader = [
        WorkspaceObjectAccessControlRequest(user_name=place.bob_name, permission_level=WorkspaceObjectPermissionLevel.CAN_READ)
    ]
    ann.workspace.set_permissions("notebooks", str(before.object_id), access_control_list=reader)
    with place.server.client(ann.config.token) as http:
        move = "/api/boathouse/v1/workspace/move"
        assert http.post(move, json={"path": f"{home}/old_1", "destination_path": f"{home}/new"}).status_code == 200
        after = place.bob.workspace.get_status(f"{home}/new/in/nb")
        assert after.object_id == before.object_id
        assert ann.workspace.get_status(f"{home}/oldX1").object_id == beside.object_id
        for to, said in ((f"{home}/new/in/x", "lies in"), (f"{home}/oldX1", "already"), (f"{home}/no/x", "does not exist")):
            answer = http.post(move, json={"path": f"{home}/new", "destination_path": to})
            assert answer.status_code in {400, 404}
            assert said in answer.json()["message"]
        protected = http.post(move, json={"path": home, "destination_path": f"{home}2"})
        assert protected.json()["error_code"] == "DIRECTORY_PROTECTED"
        for path in (home, "/Shared", "/Users"):
            refused = http.post("/api/2.0/workspace/delete", json={"path": path, "recursive": True})
            assert refused.status_code in {400, 403}


def test_what_lies_on_disk_cannot_lead_out(place: Place) -> None:
    home, ann = place.home, place.ann
    ann.workspace.mkdirs(f"{home}/links")
    folder = place.disk / "links"
    (folder / "out.txt").symlink_to(place.server.root / "metadata.db")
    (folder / "up").symlink_to(place.server.root)
    (folder / "nb.py").symlink_to("/etc/passwd")
    assert list(ann.workspace.list(f"{home}/links")) == []
    for path in ("out.txt", "up", "up/metadata.db", "nb", "nb.py"):
        with pytest.raises(errors.NotFound):
            ann.workspace.download(f"{home}/links/{path}", format=ExportFormat.AUTO)
    archive = zipfile.ZipFile(io.BytesIO(ann.workspace.download(f"{home}/links", format=ExportFormat.AUTO).read()))
    assert archive.namelist() == []


def test_folders_of_users_follow_their_names(place: Place) -> None:
    home, ann = place.home, place.ann
    ann.workspace.upload(f"{home}/kept.txt", io.BytesIO(b"mine"), format=ImportFormat.RAW)
    user = next(place.admin.users.list(filter=f'userName eq "{place.ann_name}"'))
    assert user.id
    place.admin.users.update(user.id, user_name=f"new-{place.ann_name}", display_name=user.display_name, active=True)
    assert ann.workspace.download(f"/Users/new-{place.ann_name}/kept.txt", format=ExportFormat.RAW).read() == b"mine"
    place.admin.users.delete(user.id)
    assert (
        place.admin.workspace.download(f"/Users/new-{place.ann_name}-backup-1/kept.txt", format=ExportFormat.RAW).read()
        == b"mine"
    )
    again = WorkspaceClient(host=place.server.url, token=place.server.new_principal(f"new-{place.ann_name}"))
    assert list(again.workspace.list(f"/Users/new-{place.ann_name}")) == []
