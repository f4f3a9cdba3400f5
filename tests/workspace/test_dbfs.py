"""The DBFS root with the stock client: blocks, folders, and links that lead nowhere."""

import base64
import io
import os
import uuid

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, NotFound
from databricks.sdk.errors.platform import ResourceAlreadyExists

from tests.conftest import Server


@pytest.fixture(scope="session")
def server(shared_server: Server) -> Server:
    """Files are the same on every database."""
    return shared_server


def text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def test_files(server: Server) -> None:
    top = f"/t{uuid.uuid4().hex[:8]}"
    name = f"{top[1:]}@example.com"
    w = WorkspaceClient(host=server.url, token=server.new_principal(name), auth_type="pat")
    big = os.urandom(2_500_000)
    w.dbfs.upload(f"{top}/a/big.bin", io.BytesIO(big))
    assert w.dbfs.download(f"{top}/a/big.bin").read() == big
    assert (server.root / "dbfs" / top[1:] / "a" / "big.bin").read_bytes() == big
    w.dbfs.put(f"dbfs:{top}/b.txt", contents=text(b"hello"))
    with pytest.raises(ResourceAlreadyExists):
        w.dbfs.put(f"{top}/b.txt", contents=text(b"other"))
    w.dbfs.put(f"{top}/b.txt", contents=text(b"other"), overwrite=True)
    part = w.dbfs.read(f"{top}/b.txt", offset=1, length=3)
    assert (part.bytes_read, part.data) == (3, text(b"the"))
    assert [(one.path, one.is_dir, one.file_size) for one in w.dbfs.list(top)] == [
        (f"{top}/a", True, 0),
        (f"{top}/b.txt", False, 5),
    ]
    w.dbfs.mkdirs(f"{top}/c/d")
    body = {"source_path": f"{top}/a", "destination_path": f"{top}/c/d/a"}
    w.api_client.do("POST", "/api/2.0/dbfs/move", body=body)
    status = w.dbfs.get_status(f"{top}/c/d/a/big.bin")
    assert (status.file_size, status.is_dir) == (len(big), False)
    with pytest.raises(ResourceAlreadyExists):
        w.dbfs.mkdirs(f"{top}/b.txt/x")
    raw = server.client()
    answer = raw.post("/api/2.0/dbfs/delete", json={"path": f"{top}/c"})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "IO_ERROR"), answer.text
    too_much = raw.post("/api/2.0/dbfs/put", json={"path": f"{top}/x", "contents": text(bytes(2**20 + 1))})
    assert (too_much.status_code, too_much.json()["error_code"]) == (400, "MAX_BLOCK_SIZE_EXCEEDED")
    handle = w.api_client.do("POST", "/api/2.0/dbfs/create", body={"path": f"{top}/mine"})["handle"]
    assert raw.post("/api/2.0/dbfs/close", json={"handle": handle}).status_code == 404
    with pytest.raises(NotFound):
        w.dbfs.get_status(f"{top}/mine")

    # A link that user code has put there leads the server nowhere.
    place = server.root / "dbfs" / top[1:]
    (place / "key").symlink_to(server.root / "secrets.key")
    (place / "all").symlink_to(server.root)
    for path in (f"{top}/key", f"{top}/all/secrets.key", f"{top}/all"):
        for ask in (w.dbfs.get_status, w.dbfs.read):
            with pytest.raises(NotFound):
                ask(path)
    with pytest.raises(ResourceAlreadyExists):
        w.dbfs.put(f"{top}/all/written", contents=text(b"x"))
    with pytest.raises(BadRequest, match="it is no file"):
        w.dbfs.read(top)
    assert not (server.root / "written").exists()
    assert [one.path for one in w.dbfs.list(top)] == [f"{top}/b.txt", f"{top}/c"]
    for path, told in (
        (f"{top}/../x", "it has . or .. in it"),
        ("x", "it has to begin with /"),
        ("dbfs:/Volumes/a/b/c/d", "files of /Volumes are reached by the Files API"),
    ):
        with pytest.raises(BadRequest, match=told):
            w.dbfs.get_status(path)
    w.dbfs.delete(top, recursive=True)
    w.dbfs.delete(top)
    assert (server.root / "secrets.key").is_file()
    assert server.client("").get("/api/2.0/dbfs/list", params={"path": "/"}).status_code == 401
