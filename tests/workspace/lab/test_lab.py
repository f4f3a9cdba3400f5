"""JupyterLab's server by its protocols: whose kernels and files they are, and what is not served."""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from pycrdt import Doc, YMessageType, YSyncMessageType, create_sync_message, create_update_message, handle_sync_message
from websockets.exceptions import ConnectionClosed, InvalidStatus

from boathouse.engine.sandbox.confine import missing
from tests.conftest import Server
from tests.workspace.lab.jupyter import Jupyter
from tests.workspace.runtime.conftest import Person

SOURCE = """# Databricks notebook source
print('first')

# COMMAND ----------

# DBTITLE 1,Numbers
# MAGIC %sql
# MAGIC SELECT 1 AS one
"""
Grant = Callable[..., None]


def text(shown: list[dict[str, Any]]) -> str:
    """All that a cell has shown. What it prints comes in as many pieces as the kernel likes."""
    printed = "".join(one["text"] for one in shown if set(one) == {"name", "text"})
    return json.dumps([printed, *(one for one in shown if set(one) != {"name", "text"})])


def permit(server: Server, owner: Person, path: str, who: Person, level: str) -> None:
    object_id = owner.client.workspace.get_status(path).object_id
    body = {"access_control_list": [{"user_name": who.name, "permission_level": level}]}
    server.client(owner.token).patch(f"/api/2.0/permissions/notebooks/{object_id}", json=body).raise_for_status()


def test_a_kernel_is_a_task_s_process_of_its_user_alone(server: Server, person: Callable[[], Person]) -> None:
    ann, bob = person(), person()
    ann.put("lib/helper", "# Databricks notebook source\nhelped = dbutils.widgets.get('who')\n")
    path = ann.put("first", SOURCE)
    ann.client.secrets.create_scope(f"scope-{ann.name}")
    ann.client.secrets.put_secret(f"scope-{ann.name}", "key", string_value="hush-hush-value")
    hers, his = Jupyter(server.url, ann.token), Jupyter(server.url, bob.token)
    session = hers.session(f"{path[1:]}.ipynb")
    kernel_id = session["kernel"]["id"]
    kernel = hers.kernel(kernel_id)

    assert kernel.run("spark.sql('SELECT current_user() AS me').collect()[0].me")[0]["data"]["text/plain"] == repr(ann.name)
    assert "<td>2</td>" in kernel.run("%sql\nSELECT\n 2 AS two")[0]["data"]["text/html"]
    assert "PERMISSION" in text(kernel.run("spark.sql('SELECT * FROM system.access.audit').collect()")).upper()
    assert "b.py" not in text(kernel.run("import os\nprint(os.listdir('.'))"))
    refused = text(kernel.run(f"open('{server.root}/metadata.db', 'rb')")) + text(
        kernel.run(f"os.listdir('/Workspace{bob.home}')")
    )
    assert refused.count("Error") >= 2, refused
    assert "helped by x" in text(kernel.run('%run ./lib/helper $who="x"')) + text(kernel.run("print('helped by', helped)"))
    shown = text(kernel.run(f"value = dbutils.secrets.get('scope-{ann.name}', 'key')\nprint(value)\nvalue"))
    assert "hush" not in shown
    assert shown.count("[REDACTED]") == 2
    assert "Notebook exited: done" in text(kernel.run("dbutils.notebook.exit('done')"))

    # The same session for the same user, none for the other, who cannot reach the kernel in any way.
    assert hers.session(f"{path[1:]}.ipynb")["id"] == session["id"]
    assert [one["id"] for one in hers.http.get("/api/sessions").json()] == [session["id"]]
    assert his.http.get("/api/sessions").json() == his.http.get("/api/kernels").json() == []
    for method, at in (("GET", ""), ("DELETE", ""), ("POST", "/interrupt"), ("POST", "/restart")):
        assert his.http.request(method, f"/api/kernels/{kernel_id}{at}").status_code == 403
    assert his.http.get(f"/api/sessions/{session['id']}").status_code == 404
    with pytest.raises((InvalidStatus, ConnectionClosed)):
        his.socket(f"/api/kernels/{kernel_id}/channels").recv(timeout=20)
    refusal = his.http.post(
        "/api/sessions", json={"path": f"{path[1:]}.ipynb", "type": "notebook", "kernel": {"name": "python3"}}
    )
    assert refusal.status_code >= 400
    assert his.http.get("/api/kernels").json() == []

    # Python anew: the widgets stay, and the way to it.
    kernel.run("dbutils.widgets.text('kept', 'still here')\ngone = 1")
    kernel.run("dbutils.library.restartPython()")
    # A cell that comes just when the old Python ends is told that it was not run, or not answered.
    again = ""
    while not again or "aborted" in again:
        with suppress(TimeoutError):
            again = text(kernel.run("print(dbutils.widgets.get('kept'), 'gone' in globals())", 5))
    assert "still here False" in again
    assert hers.http.post(f"/api/kernels/{kernel_id}/restart").status_code == 200
    assert "fresh" in text(hers.kernel(kernel_id).run("print('fresh', dbutils.widgets.getAll())"))
    assert hers.http.delete(f"/api/kernels/{kernel_id}").status_code == 204


def test_contents_are_the_workspace_s(server: Server, person: Callable[[], Person]) -> None:
    ann, bob = person(), person()
    path = ann.put("first", SOURCE)
    hers, his = Jupyter(server.url, ann.token), Jupyter(server.url, bob.token)
    at = f"/api/contents{path}.ipynb"
    model = hers.http.get(at).json()
    assert [(cell["cell_type"], cell["source"]) for cell in model["content"]["cells"]] == [
        ("code", "print('first')"),
        ("code", "%sql\nSELECT 1 AS one"),
    ]
    model["content"]["cells"][0] |= {"source": "print('second')", "outputs": [], "metadata": {"trusted": True}}
    assert hers.http.put(at, json=model).status_code == 200
    on_disk = server.root / "workspace" / f"{path[1:]}.py"
    assert on_disk.read_text() == SOURCE.replace("first", "second")
    # Of a home that is another's nothing is told, and nothing can be written.
    assert his.http.get(at).status_code == 404
    assert his.http.put(at, json=model).status_code in {403, 404}
    permit(server, ann, path, bob, "CAN_READ")
    assert his.http.get(at).json()["writable"] is False
    assert his.http.put(at, json=model).status_code == 403
    made = hers.http.post(f"/api/contents/Users/{ann.name}", json={"type": "notebook"}).json()
    assert made["name"] == "Untitled.ipynb"
    renamed = hers.http.patch(f"/api/contents/{made['path']}", json={"path": f"Users/{ann.name}/new.ipynb"})
    assert renamed.status_code == 200, renamed.text
    listed = hers.http.get(f"/api/contents/Users/{ann.name}").json()["content"]
    assert {one["name"]: one["type"] for one in listed} == {"first.ipynb": "notebook", "new.ipynb": "notebook"}
    body = {"type": "file", "format": "text", "content": "a,b\n"}
    assert hers.http.put(f"/api/contents/Users/{ann.name}/data.csv", json=body).status_code == 201
    assert hers.http.get(f"/files/Users/{ann.name}/data.csv").text == "a,b\n"
    assert "sandbox" in hers.http.get(f"/files/Users/{ann.name}/data.csv").headers["content-security-policy"]
    for name in ("new.ipynb", "data.csv"):
        assert hers.http.delete(f"/api/contents/Users/{ann.name}/{name}").status_code == 204

    # Each has its own settings and arrangements.
    assert (
        hers.http.put("/lab/api/workspaces/default", json={"data": {"x": 1}, "metadata": {"id": "default"}}).status_code == 204
    )
    assert hers.http.get("/lab/api/workspaces/default").json()["data"] == {"x": 1}
    assert his.http.get("/lab/api/workspaces/default").json()["data"] == {}


def test_what_is_not_served_and_who_is_nobody(server: Server, person: Callable[[], Person]) -> None:
    ann = person()
    hers = Jupyter(server.url, ann.token)
    page = hers.http.get("/lab")
    assert page.status_code == 200
    assert "unsafe-inline" not in page.headers["content-security-policy"].split("script-src")[1].split(";")[0]
    assert ann.token not in page.text
    assert str(server.root) not in page.text
    assert "set-cookie" not in page.headers
    for method, path in (
        *(("POST", path) for path in ("/api/terminals", "/api/shutdown", "/lab/api/extensions", "/api/security/csp-report")),
        *(("GET", path) for path in ("/nbconvert/html/x", "/api/fileid/path", "/metrics", "/logout", "/api/config/x")),
    ):
        answer = hers.http.request(method, path)
        assert (answer.status_code, answer.json()["error_code"]) == (404, "ENDPOINT_NOT_FOUND"), path
    with pytest.raises(InvalidStatus):
        hers.socket("/api/collaboration/room/JupyterLab:globalAwareness")
    for url, accept in (("/jupyter/lab", "text/html"), ("/jupyter/api/contents", "application/json")):
        answer = httpx.get(f"{server.url}{url}", headers={"accept": accept})
        assert answer.status_code == (303 if accept == "text/html" else 401)
    with pytest.raises(InvalidStatus):
        Jupyter(server.url, "bhp_wrong").socket("/api/events/subscribe")
    # The process itself believes nobody but the server, whatever name is told.
    lab = next(one for one in server.children() if "boathouse.workspace.lab.process" in one.cmdline())
    port = next(one.laddr.port for one in lab.net_connections() if one.status == psutil.CONN_LISTEN)
    for key in ({}, {"x-boathouse-key": "x"}):
        headers = {"x-boathouse-user": "admin", "x-boathouse-token": server.token, **key}
        assert httpx.get(f"http://127.0.0.1:{port}/jupyter/api/contents", headers=headers).status_code == 403
    if missing() is None:
        assert "NoNewPrivs:\t1" in Path(f"/proc/{lab.pid}/status").read_text()
    # It is started anew at the next use.
    lab.kill()
    lab.wait(30)
    answers = {hers.http.get("/api/me").status_code}
    while 200 not in answers:
        answers.add(hers.http.get("/api/me").status_code)
    assert answers <= {200, 503}


def joined(jupyter: Jupyter, path: str) -> tuple[Any, Doc[Any]]:
    """A document's room, once it has told what it holds."""
    told = jupyter.http.put(f"/api/collaboration/session{path}.ipynb", json={"format": "json", "type": "notebook"})
    told.raise_for_status()
    room = f"json:notebook:{told.json()['fileId']}"
    socket = jupyter.socket(f"/api/collaboration/room/{room}?sessionId={told.json()['sessionId']}")
    document: Doc[Any] = Doc()
    socket.send(create_sync_message(document))
    heed(socket, document, lambda: len(document.get("cells", type=_array())) > 0)
    return socket, document


def _array() -> Any:
    from pycrdt import Array

    return Array


def heed(socket: Any, document: Doc[Any], until: Callable[[], bool]) -> None:
    """Take in what a room tells until something holds."""
    end = time.monotonic() + 60
    while not until():
        message = socket.recv(timeout=end - time.monotonic())
        if message[0] == YMessageType.SYNC:
            reply = handle_sync_message(message[1:], document)
            if reply is not None and message[1] == YSyncMessageType.SYNC_STEP1:
                socket.send(reply)


def test_a_room_takes_changes_from_who_may_edit(server: Server, person: Callable[[], Person]) -> None:
    ann, bob, eve = person(), person(), person()
    path = ann.put("shared", SOURCE)
    permit(server, ann, path, bob, "CAN_READ")
    hers, his = Jupyter(server.url, ann.token), Jupyter(server.url, bob.token)
    stranger = Jupyter(server.url, eve.token)
    body = {"format": "json", "type": "notebook"}
    assert stranger.http.put(f"/api/collaboration/session{path}.ipynb", json=body).status_code == 403
    room, mine = joined(hers, path)
    with pytest.raises(InvalidStatus):
        stranger.socket(f"/api/collaboration/room/json:notebook:{_file_of(hers, path)}")
    watching, seen = joined(his, path)

    def change(socket: Any, document: Doc[Any], what: str) -> None:
        before = document.get_state()
        source = document.get("cells", type=_array())[0]["source"]
        source += what
        socket.send(create_update_message(document.get_update(before)))

    change(watching, seen, "\nprint('by the reader')")
    change(room, mine, "\nprint('by the writer')")
    heed(watching, seen, lambda: "by the writer" in str(seen.get("cells", type=_array())[0]["source"]))
    on_disk = server.root / "workspace" / f"{path[1:]}.py"
    answer = hers.http.get(f"/api/contents{path}.ipynb").json()
    for _ in range(200):
        if "by the writer" in answer["content"]["cells"][0]["source"]:
            break
        answer = hers.http.get(f"/api/contents{path}.ipynb").json()
    assert "by the writer" in on_disk.read_text()
    assert "by the reader" not in on_disk.read_text()
    assert "by the reader" not in str(mine.get("cells", type=_array())[0]["source"])


def _file_of(jupyter: Jupyter, path: str) -> str:
    body = {"format": "json", "type": "notebook"}
    return str(jupyter.http.put(f"/api/collaboration/session{path}.ipynb", json=body).json()["fileId"])
