"""Notebooks and files on their way in and out."""

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

from boathouse.errors import InvalidParameterValue, NotImplementedHere
from boathouse.workspace.errors import PathInvalid
from boathouse.workspace.info import Exported
from boathouse.workspace.notebooks import parse, to_jupyter, to_source
from boathouse.workspace.tree import COMMENTS, HEADER, JUPYTER, SUFFIXES, Kind, Language, Node, Tree, header_language

FORMATS = ("AUTO", "SOURCE", "JUPYTER", "RAW")
_ELSEWHERE = ("DBC", "HTML", "R_MARKDOWN")
_SUFFIX = {language: suffix for suffix, language in reversed(SUFFIXES.items())}


@dataclass(frozen=True)
class Incoming:
    """What is to be written: the path's last name, the suffix on disk that the API does not show, the content."""

    name: str
    suffix: str
    content: bytes

    @property
    def is_notebook(self) -> bool:
        """Whether it is a notebook."""
        return bool(self.suffix)


def check_format(given: str) -> str:
    """A format that is served.

    Raises:
        InvalidParameterValue: If there is none of the name.
        NotImplementedHere: If it is one of Databricks' own archives.
    """
    if given in _ELSEWHERE:
        message = f"The format {given} is not served here. Valid: {', '.join(FORMATS)}."
        raise NotImplementedHere(message, field="format")
    if given not in FORMATS:
        raise InvalidParameterValue(f"The format '{given}' is not valid. Valid: {', '.join(FORMATS)}.", field="format")
    return given


def incoming(name: str, content: bytes, given: str, language: str | None) -> Incoming:
    """What an import writes.

    Raises:
        InvalidParameterValue: If the format and the content do not go together, or the language is missing or none.
    """
    wanted = _language(language)
    suffix = _suffix_of(name)
    if given == "RAW":
        return Incoming(name, "", content)
    if given == "JUPYTER":
        parse(content, JUPYTER)
        return Incoming(name.removesuffix(JUPYTER), JUPYTER, content)
    if given == "AUTO":
        if suffix == JUPYTER:
            parse(content, JUPYTER)
            return Incoming(name.removesuffix(JUPYTER), JUPYTER, content)
        is_notebook = header_language(content, suffix) is not None and suffix in SUFFIXES
        return Incoming(name.removesuffix(suffix), suffix, content) if is_notebook else Incoming(name, "", content)
    by_content = header_language(content, "" if wanted is None else _SUFFIX[wanted])
    found = wanted or header_language(content, suffix) or SUFFIXES.get(suffix)
    if found is None:
        message = (
            f"The field language is missing: a notebook in the format SOURCE has one of {', '.join(Language)}. "
            "A file that is no notebook is imported with the format AUTO or RAW."
        )
        raise InvalidParameterValue(message, field="language")
    if by_content is None:
        content = f"{COMMENTS[found]} {HEADER}\n".encode() + content
    elif by_content is not found:
        message = f"The language {found} is not valid: by its first line, the content is {by_content}."
        raise InvalidParameterValue(message, field="language")
    return Incoming(name, _SUFFIX[found], content)


def _language(given: str | None) -> Language | None:
    if given is None:
        return None
    try:
        return Language(given)
    except ValueError:
        message = f"The language '{given}' is not valid. Valid: {', '.join(Language)}."
        raise InvalidParameterValue(message, field="language") from None


def _suffix_of(name: str) -> str:
    at = name.rfind(".")
    return name[at:] if at > 0 else ""


def outgoing(node: Node, given: str) -> Exported:
    """A file or notebook in a format.

    Raises:
        InvalidParameterValue: If it cannot have the format.
    """
    content, suffix = node.file.read_bytes(), node.file.suffix
    as_it_is = Exported(content, suffix.removeprefix("."))
    if node.kind is not Kind.NOTEBOOK:
        if given == "JUPYTER":
            message = f"The format {given} is not valid for a file. Valid: AUTO, RAW, SOURCE."
            raise InvalidParameterValue(message, field="format")
        return as_it_is
    if given == "SOURCE" and suffix == JUPYTER:
        notebook = parse(content, suffix)
        return Exported(to_source(notebook), _SUFFIX[notebook.language].removeprefix("."))
    if given == "JUPYTER" and suffix != JUPYTER:
        text = json.dumps(to_jupyter(parse(content, suffix)), indent=1, ensure_ascii=False)
        return Exported(f"{text}\n".encode(), JUPYTER.removeprefix("."))
    return as_it_is


def archive(tree: Tree, folder: Node, may_read: Callable[[str], bool], most: int) -> bytes:
    """A folder as a zip file of what is on disk.

    Raises:
        PathInvalid: If it is too large.
    """
    packed = io.BytesIO()
    total = 0
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as out:
        for node in tree.walk(folder):
            if not may_read(node.path):
                continue
            total += node.file.stat().st_size
            if total > most:
                raise PathInvalid("path", folder.path, f"it holds more than {most} bytes; export its folders one by one.")
            out.writestr(str(node.file.relative_to(folder.file)), node.file.read_bytes())
    return packed.getvalue()
