"""A client of Jupyter's API, as JupyterLab is one."""

import json
import uuid
from dataclasses import dataclass, field
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect


@dataclass
class Jupyter:
    """Jupyter as one user has it."""

    url: str
    token: str
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.http = httpx.Client(base_url=f"{self.url}/jupyter", headers={"authorization": f"Bearer {self.token}"}, timeout=120)

    def session(self, path: str, kernel: str = "python3") -> dict[str, Any]:
        """A notebook's kernel, started if it has none."""
        body = {"path": path, "name": "", "type": "notebook", "kernel": {"name": kernel}}
        answer = self.http.post("/api/sessions", json=body)
        answer.raise_for_status()
        return answer.json()

    def socket(self, path: str) -> ClientConnection:
        """A WebSocket."""
        headers = {"authorization": f"Bearer {self.token}"}
        return connect(f"ws{self.url.removeprefix('http')}/jupyter{path}", additional_headers=headers, proxy=None).__enter__()

    def kernel(self, kernel_id: str) -> "Kernel":
        """The way to a kernel."""
        return Kernel(self.socket(f"/api/kernels/{kernel_id}/channels"))


@dataclass
class Kernel:
    """A kernel, spoken to by its WebSocket."""

    socket: ClientConnection

    def run(self, code: str, seconds: float = 90) -> list[dict[str, Any]]:
        """Run a cell; what it has shown, and the reply's content last."""
        asked = uuid.uuid4().hex
        header = {"msg_id": asked, "msg_type": "execute_request", "username": "", "session": "s", "date": "", "version": "5.3"}
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False, "stop_on_error": True}
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
        self.socket.send(json.dumps(message))
        shown: list[dict[str, Any]] = []
        reply: dict[str, Any] | None = None
        idle = False
        while reply is None or not idle:
            told = json.loads(self.socket.recv(timeout=seconds))
            if told["parent_header"].get("msg_id") != asked:
                continue
            kind = told["msg_type"]
            if kind == "execute_reply":
                reply = told["content"]
            elif kind == "status":
                idle = idle or told["content"]["execution_state"] == "idle"
            elif kind != "execute_input":
                shown.append(told["content"])
        return [*shown, reply]
