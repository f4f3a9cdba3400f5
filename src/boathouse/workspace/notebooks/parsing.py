"""From bytes on disk to a notebook."""

from boathouse.workspace.notebooks.jupyter import of_jupyter
from boathouse.workspace.notebooks.model import Notebook, NotebookInvalid
from boathouse.workspace.notebooks.source import of_source
from boathouse.workspace.tree import COMMENTS, HEADER, JUPYTER, header_language


def is_notebook(content: bytes, suffix: str) -> bool:
    """Whether a file of such a suffix is a notebook."""
    return suffix == JUPYTER or header_language(content, suffix) is not None


def parse(content: bytes, suffix: str) -> Notebook:
    """Read a notebook.

    Args:
        content: What the file holds.
        suffix: Of its name, with the dot.

    Raises:
        NotebookInvalid: If it is none.
    """
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise NotebookInvalid("it is not UTF-8 text.") from error
    if suffix == JUPYTER:
        return of_jupyter(text)
    language = header_language(content, suffix)
    if language is None:
        valid = ", ".join(sorted({f"{comment} {HEADER}" for comment in COMMENTS.values()}))
        raise NotebookInvalid(f"its first line has to be one of: {valid}.")
    return of_source(text, language)
