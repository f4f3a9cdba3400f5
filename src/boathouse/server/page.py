"""The built web page."""

from pathlib import Path

from fastapi import APIRouter, FastAPI
from fastapi.responses import FileResponse, HTMLResponse, Response
from fastapi.staticfiles import StaticFiles

PAGE = Path(__file__).parent / "page"
NOT_BUILT = "<!doctype html><title>Boathouse</title><p>The page is not built in this checkout: run <code>make web</code>."
HEADERS = {
    "cache-control": "no-cache",
    "content-security-policy": (
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'self'"
    ),
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}

router = APIRouter(include_in_schema=False)


def shell() -> Response:
    """The page's one HTML document; its own router shows the view of the path."""
    index = PAGE / "index.html"
    if not index.is_file():
        return HTMLResponse(NOT_BUILT, status_code=503)
    return FileResponse(index, headers=HEADERS)


@router.get("/favicon.svg")
@router.get("/favicon.ico")
def favicon() -> Response:
    """The icon."""
    icon = PAGE / "favicon.svg"
    return FileResponse(icon, media_type="image/svg+xml") if icon.is_file() else Response(status_code=404)


def install(app: FastAPI) -> None:
    """Serve the page's files."""
    app.include_router(router)
    if (PAGE / "assets").is_dir():
        app.mount("/assets", StaticFiles(directory=PAGE / "assets"), name="assets")
