"""Every route of the OpenAPI document with what nobody should send: a client's mistake is never the server's."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.conftest import Server

DOCUMENT = Path(__file__).parents[2] / "web" / "src" / "api" / "openapi.json"
WORDS = ("x", "-1", "99999999999999999999", "\0", "ü'\"`%", "a.b.c", "..", "y" * 300)
VALUES: tuple[Any, ...] = (None, "x", -1, 1e300, True, [], [None], {}, {"x": ["\0"]})
RAW = (b"", b"{", b"[]", b'"x"', b"{}", b"\xff\xfe", b"[" * 5000)
METHODS = {"get", "post", "put", "patch", "delete"}


def calls(path: str, operation: dict[str, Any], schemas: dict[str, Any]) -> Iterator[tuple[str, dict[str, str], bytes | None]]:
    """Paths, query parameters and bodies for one route."""
    given = {
        place: [one["name"] for one in operation.get("parameters", []) if one["in"] == place] for place in ("path", "query")
    }

    def filled(word: str) -> str:
        found = path
        for name in given["path"]:
            found = found.replace(f"{{{name}}}", quote(word, safe=""))
        return found

    for word in WORDS:
        yield filled(word), dict.fromkeys(given["query"], word), None
    yield filled("x"), {}, None
    content = operation.get("requestBody", {}).get("content", {})
    if not content:
        return
    for raw in RAW:
        yield filled("x"), {}, raw
    schema = content.get("application/json", {}).get("schema", {})
    properties = schemas.get(schema.get("$ref", "").rpartition("/")[2], schema).get("properties", {})
    for value in VALUES:
        yield filled("x"), {}, json.dumps(dict.fromkeys(properties, value)).encode()
    for number, name in enumerate(properties):
        # Each property gets a third of the values, its neighbours the others.
        for value in VALUES[number % 3 :: 3]:
            yield filled("x"), {}, json.dumps(dict.fromkeys(properties, "x") | {name: value}).encode()


def test_no_route_fails_on_what_is_wrong(server: Server) -> None:
    document = json.loads(DOCUMENT.read_text())
    failed: list[str] = []
    with server.client() as client:
        for path, operations in document["paths"].items():
            for method in operations.keys() & METHODS:
                for url, query, body in calls(path, operations[method], document["components"]["schemas"]):
                    headers = {"content-type": "application/json"}
                    with client.stream(method, url, params=query, content=body, headers=headers, timeout=60) as answer:
                        status = answer.status_code
                        text = answer.read() if status >= 400 else b""
                    if (status >= 500 and status != 501) or b"pydantic" in text or b"Traceback" in text:
                        failed.append(f"{method} {url[:80]} {query} {(body or b'')[:150]!r}: {status} {text[:200]!r}")
    assert not failed
