"""Notebooks as values, and the two forms that they have on disk: Databricks' source form and Jupyter's."""

from boathouse.workspace.notebooks.jupyter import to_jupyter
from boathouse.workspace.notebooks.model import Cell, Notebook, NotebookInvalid
from boathouse.workspace.notebooks.parsing import is_notebook, parse
from boathouse.workspace.notebooks.source import to_source
from boathouse.workspace.tree import Language

__all__ = ["Cell", "Language", "Notebook", "NotebookInvalid", "is_notebook", "parse", "to_jupyter", "to_source"]
