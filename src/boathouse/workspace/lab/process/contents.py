"""Files and notebooks of the workspace as Jupyter's contents, each in the name of who asks.

A notebook has the suffix ``.ipynb`` here, whatever form it has on disk, and is written back in that form.
"""

import base64
import datetime as dt
import hashlib
import json
import mimetypes
import os
from dataclasses import dataclass
from typing import Any, ClassVar

import nbformat
from jupyter_server.files.handlers import FilesHandler
from jupyter_server.services.contents.checkpoints import AsyncCheckpoints
from jupyter_server.services.contents.manager import AsyncContentsManager
from tornado.web import HTTPError

from boathouse.workspace.lab.process.identity import asker
from boathouse.workspace.notebooks import Language, parse, to_jupyter, to_source
from boathouse.workspace.tree import JUPYTER, SUFFIXES

_API, _PAGE = "/api/2.0/workspace", "/api/boathouse/v1/workspace"
_MOST_LISTED = 1000
_WRITERS = frozenset({"CAN_EDIT", "CAN_MANAGE"})
_SUFFIX = {language: suffix for suffix, language in reversed(SUFFIXES.items())}


@dataclass(frozen=True)
class _Object:
    """An object as the page's routes tell it."""

    path: str
    kind: str
    level: str | None
    created_at: int
    modified_at: int
    size: int | None

    @classmethod
    def of(cls, told: dict[str, Any]) -> "_Object":
        return cls(
            told["path"], told["object_type"], told.get("level"), told["created_at"], told["modified_at"], told.get("size")
        )

    @property
    def type(self) -> str:
        """As Jupyter has it."""
        return {"NOTEBOOK": "notebook", "FILE": "file"}.get(self.kind, "directory")


class NoCheckpoints(AsyncCheckpoints):
    """There are none: git folders keep versions."""

    async def create_checkpoint(self, contents_mgr: Any, path: str) -> dict[str, Any]:
        """One is told, as the page asks for one when it saves."""
        return {"id": "saved", "last_modified": dt.datetime.now(dt.UTC)}

    async def list_checkpoints(self, path: str) -> list[dict[str, Any]]:
        """None."""
        return []

    async def restore_checkpoint(self, contents_mgr: Any, checkpoint_id: str, path: str) -> None:
        """None can be."""
        raise HTTPError(404, "Versions are kept by git folders, not by checkpoints.")

    async def rename_checkpoint(self, checkpoint_id: str, old_path: str, new_path: str) -> None:
        """Nothing is to be done."""

    async def delete_checkpoint(self, checkpoint_id: str, path: str) -> None:
        """Nothing is to be done."""


def workspace_path(path: str) -> str:
    """The path in the workspace of one of Jupyter's."""
    return "/" + path.strip("/").removesuffix(JUPYTER)


class WorkspaceContents(AsyncContentsManager):
    """The workspace."""

    checkpoints_class = NoCheckpoints
    files_handler_class = FilesHandler
    # It is Tornado's handler of files on disk, of which it uses none.
    files_handler_params: ClassVar[dict[str, str]] = {"path": os.devnull}

    async def _ask(self, method: str, path: str, query: Any = None, body: Any = None) -> Any:
        return await asker.get().server.ask(method, path, query, body)

    async def _object(self, path: str) -> _Object:
        """What is at a path of Jupyter's.

        Raises:
            HTTPError: If nothing is there that the asker may know of.
        """
        text = path.strip("/")
        found = _Object.of((await self._ask("GET", f"{_PAGE}/folder", {"path": workspace_path(path), "limit": 1}))["folder"])
        if (found.type == "notebook") is not text.endswith(JUPYTER):
            raise HTTPError(404, f"Path (/{text}) does not exist.")
        return found

    async def _is(self, path: str, *types: str) -> bool:
        try:
            return (await self._object(path)).type in types
        except HTTPError as error:
            if error.status_code in {400, 404}:
                return False
            raise

    async def may(self, path: str, levels: frozenset[str]) -> bool:
        """Whether the asker has one of some levels on what is at a path."""
        try:
            return (await self._object(path)).level in levels
        except HTTPError:
            return False

    async def may_write(self, path: str) -> bool:
        """Whether the asker may change what is at a path."""
        return await self.may(path, _WRITERS)

    async def may_read(self, path: str) -> bool:
        """Whether the asker may read what is at a path."""
        return await self.may(path, _WRITERS | {"CAN_READ", "CAN_RUN"})

    # ------------------------------------------------------------------------------------------------- Jupyter's part

    def get_kernel_path(self, path: str, model: Any = None) -> Any:
        """A kernel is told its notebook; where that lies it knows."""
        del model
        return path

    async def is_hidden(self, path: str) -> bool:
        """What is hidden is not told at all."""
        del path
        return False

    async def dir_exists(self, path: str) -> bool:
        """Whether a folder is there."""
        return await self._is(path, "directory")

    async def file_exists(self, path: str = "") -> bool:
        """Whether a file or notebook is there."""
        return await self._is(path, "file", "notebook")

    async def get(
        self,
        path: str,
        content: bool = True,
        type: str | None = None,  # noqa: A002 - Jupyter's name
        format: str | None = None,  # noqa: A002
        require_hash: bool = False,
    ) -> dict[str, Any]:
        """What is at a path, with its content if that is wanted."""
        found = await self._object(path)
        if type is not None and (type == "directory") is not (found.type == "directory"):
            raise HTTPError(400, f"{found.path} is no {type}.", reason="bad type")
        model = self._model(path.strip("/"), found)
        if found.type == "directory":
            if content:
                model |= {"format": "json", "content": await self._listed(found.path)}
            return model
        if content or require_hash:
            raw, suffix = await self._exported(found)
            if require_hash:
                model |= {"hash": hashlib.sha256(raw).hexdigest(), "hash_algorithm": "sha256"}
            if content:
                as_notebook = found.type == "notebook" and type != "file"
                model |= _of_notebook(raw, suffix) if as_notebook else _of_file(found.path, raw, format)
        return model

    def _model(self, path: str, found: _Object) -> dict[str, Any]:
        return {
            "name": path.rpartition("/")[2],
            "path": path,
            "type": found.type,
            "writable": found.level in _WRITERS,
            "created": _time(found.created_at),
            "last_modified": _time(found.modified_at),
            "size": found.size,
            "mimetype": None,
            "content": None,
            "format": None,
        }

    async def _listed(self, folder: str) -> list[dict[str, Any]]:
        models: list[dict[str, Any]] = []
        while True:
            query = {"path": folder, "limit": _MOST_LISTED, "offset": len(models)}
            told = await self._ask("GET", f"{_PAGE}/folder", query)
            for one in map(_Object.of, told["objects"]):
                shown = one.path.strip("/") + (JUPYTER if one.type == "notebook" else "")
                models.append(self._model(shown, one))
            if not told["objects"] or len(models) >= told["total"]:
                return models

    async def _exported(self, found: _Object) -> tuple[bytes, str]:
        """The content of a file as it is on disk, and the suffix that it has there."""
        told = await self._ask("GET", f"{_API}/export", {"path": found.path, "format": "AUTO"})
        return base64.b64decode(told["content"]), "." + told["file_type"]

    async def save(self, model: dict[str, Any], path: str = "") -> dict[str, Any]:
        """Write a file or notebook, or make a folder."""
        if "chunk" in model:
            raise HTTPError(400, "A file of this size is uploaded to a volume.", reason="too large")
        path = path.strip("/")
        if model["type"] == "directory":
            await self._ask("POST", f"{_API}/mkdirs", body={"path": "/" + path})
        else:
            there = await self._object(path) if await self.file_exists(path) else None
            await self._ask("POST", f"{_API}/import", body=await self._import(model, path, there))
        return await self.get(path, content=False)

    async def _import(self, model: dict[str, Any], path: str, there: _Object | None) -> dict[str, Any]:
        body: dict[str, Any] = {"path": workspace_path(path), "overwrite": there is not None}
        if model["type"] == "notebook" or path.endswith(JUPYTER):
            given = model["content"] if model["type"] == "notebook" else json.loads(_bytes_of(model))
            text = _text_of(given)
            suffix = JUPYTER if there is None else (await self._exported(there))[1]
            if suffix == JUPYTER:
                return body | {"format": "JUPYTER", "content": base64.b64encode(text.encode()).decode()}
            language = SUFFIXES[suffix]
            source = to_source(_in_language(parse(text.encode(), JUPYTER), language))
            return body | {"format": "SOURCE", "language": language.value, "content": base64.b64encode(source).decode()}
        return body | {"path": "/" + path, "format": "RAW", "content": base64.b64encode(_bytes_of(model)).decode()}

    async def delete_file(self, path: str) -> None:
        """Delete a file, a notebook, or an empty folder."""
        found = await self._object(path)
        await self._ask("POST", f"{_API}/delete", body={"path": found.path})

    async def rename_file(self, old_path: str, new_path: str) -> None:
        """Give something another name; a notebook stays one."""
        found = await self._object(old_path)
        if (found.type == "notebook") is not new_path.endswith(JUPYTER) and found.type != "directory":
            raise HTTPError(400, f"The name of a notebook ends with {JUPYTER}, that of a file does not.", reason="bad name")
        to = workspace_path(new_path) if found.type == "notebook" else "/" + new_path.strip("/")
        await self._ask("POST", f"{_PAGE}/move", body={"path": found.path, "destination_path": to})

    async def trust_notebook(self, path: str) -> None:
        """Nothing is trusted: what an output may do does not hang on who made it."""
        raise HTTPError(400, "Outputs run no scripts here, so there is nothing to trust.")


def _in_language(notebook: Any, language: Language) -> Any:
    """A notebook whose form on disk is one of a language."""
    return type(notebook)(language, notebook.cells)


def _text_of(content: Any) -> str:
    notebook = nbformat.from_dict(content)
    for cell in notebook.get("cells", ()):
        # Who has run a cell in which browser is no part of a notebook.
        cell.get("metadata", {}).pop("trusted", None)
    try:
        nbformat.validate(notebook)
    except nbformat.ValidationError as error:
        raise HTTPError(400, "It is no notebook: %s", error.message, reason="invalid notebook") from error
    return f"{nbformat.writes(notebook)}\n"


def _of_notebook(raw: bytes, suffix: str) -> dict[str, Any]:
    """The content of a notebook."""
    text = raw.decode("utf-8-sig") if suffix == JUPYTER else json.dumps(to_jupyter(parse(raw, suffix)))
    try:
        return {"format": "json", "content": nbformat.reads(text, as_version=4)}
    except (ValueError, nbformat.ValidationError, KeyError, AttributeError) as error:
        raise HTTPError(400, "It is no notebook: %s", str(error)[:200], reason="unreadable notebook") from error


def _of_file(path: str, raw: bytes, wanted: str | None) -> dict[str, Any]:
    """The content of a file, as text if it is."""
    guessed = mimetypes.guess_type(path)[0]
    if wanted != "base64":
        try:
            return {"format": "text", "content": raw.decode(), "mimetype": guessed or "text/plain"}
        except UnicodeDecodeError:
            if wanted == "text":
                raise HTTPError(400, f"{path} is no text.", reason="bad format") from None
    content = base64.b64encode(raw).decode()
    return {"format": "base64", "content": content, "mimetype": guessed or "application/octet-stream"}


def _bytes_of(model: dict[str, Any]) -> bytes:
    content = model.get("content") or ""
    return base64.b64decode(content) if model.get("format") == "base64" else str(content).encode()


def _time(milliseconds: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC)
