"""Write the server's OpenAPI document to web/src/api/openapi.json, or check that it is fresh with --check."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from boathouse.config import Settings
from boathouse.server.app import Addresses, create_app

WEB = Path(__file__).parents[1] / "web"
DOCUMENT = WEB / "src" / "api" / "openapi.json"
TYPES = WEB / "src" / "api" / "schema.gen.ts"


def document() -> str:
    """The OpenAPI document of the server as it is now."""
    with tempfile.TemporaryDirectory() as folder:
        boathouse = create_app(Settings(root=Path(folder)), Addresses("http://127.0.0.1", "sc://localhost"))
        text = json.dumps(boathouse.api.openapi(), indent=1, sort_keys=True) + "\n"
        boathouse.database.dispose()
    return text


def check() -> int:
    """Compare the document and the page's types with what the server would give now."""
    if DOCUMENT.read_text() != document():
        print("web/src/api/openapi.json is stale: run make api", file=sys.stderr)
        return 1
    with tempfile.NamedTemporaryFile(suffix=".ts", dir=TYPES.parent) as fresh:
        command = ["node", "node_modules/openapi-typescript/bin/cli.js", "src/api/openapi.json", "-o", fresh.name]
        subprocess.run(command, cwd=WEB, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if Path(fresh.name).read_text() != TYPES.read_text():
            print("web/src/api/schema.gen.ts is stale: run make api", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(check())
    DOCUMENT.write_text(document())
