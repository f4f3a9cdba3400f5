"""What the page shows of the workspace beyond Databricks' API: what the asker may do, cells of notebooks, and moves."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from boathouse.workspace.dependencies import ReadOnlyWorkspace, Workspace
from boathouse.workspace.info import ObjectInfo
from boathouse.workspace.notebooks import parse
from boathouse.workspace.notebooks.markdown import to_html
from boathouse.workspace.schemas import ObjectBody
from boathouse.workspace.tree import JUPYTER

router = APIRouter(prefix="/api/boathouse/v1/workspace", tags=["workspace"])


class PageObject(ObjectBody):
    """An object as the page shows it, with what the asker may do."""

    level: str | None

    @classmethod
    def of(cls, info: ObjectInfo) -> "PageObject":
        """The form of an object."""
        return cls(**ObjectBody.of(info).model_dump(exclude={"size"}), size=info.size, level=info.level)


class PageFolder(BaseModel):
    """A folder, a page of what it holds, and how much that is; of what is no folder, itself alone."""

    folder: PageObject
    home: str
    objects: list[PageObject]
    total: int


class PageCell(BaseModel):
    """A cell: its language or magic, its text without the magic's word, markdown as HTML too, and its identifier in a Jupyter file."""

    id: str | None
    kind: str
    source: str
    title: str | None
    html: str | None


class PageNotebook(BaseModel):
    """A notebook's cells, and its text where it is kept in source form."""

    language: str
    text: str | None
    cells: list[PageCell]


class MoveBody(BaseModel):
    """Where something is to be."""

    path: str
    destination_path: str


@router.get("/folder")
def show_folder(
    workspace: Workspace,
    path: str = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> PageFolder:
    """A folder and a page of what it holds; without a path, the asker's own."""
    folder = workspace.get(path or workspace.home_path)
    found = workspace.children(folder.path)
    shown = [PageObject.of(one) for one in found[offset : offset + limit]]
    return PageFolder(folder=PageObject.of(folder), home=workspace.home_path, objects=shown, total=len(found))


@router.get("/notebook")
def show_notebook(workspace: ReadOnlyWorkspace, path: str) -> PageNotebook:
    """The cells of a notebook."""
    file = workspace.locate(path)
    content = file.read_bytes() if file.is_file() else b""
    notebook = parse(content, file.suffix)
    cells = [
        PageCell(
            id=cell.id,
            kind=cell.magic or notebook.language.value.lower(),
            source=cell.body.removeprefix("\n"),
            title=cell.title,
            html=to_html(cell.body) if cell.is_markdown else None,
        )
        for cell in notebook.cells
    ]
    text = None if file.suffix == JUPYTER else content.decode("utf-8-sig")
    return PageNotebook(language=notebook.language.value, text=text, cells=cells)


@router.post("/move", response_model_exclude_none=True)
def move_object(workspace: Workspace, body: MoveBody) -> ObjectBody:
    """Give an object another path; it keeps its identifier and its permissions."""
    return ObjectBody.of(workspace.move(body.path, body.destination_path))
