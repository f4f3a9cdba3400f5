"""The result of a notebook's run: a page to look at, and the notebook with its outputs."""

import base64
import html
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name

from boathouse.workspace.notebooks import Cell, Notebook, to_jupyter
from boathouse.workspace.runtime.assignment import Result
from boathouse.workspace.runtime.outputs import Outputs

PAGE, NOTEBOOK = "notebook.html", "notebook.ipynb"
_LEXERS = {"sql": "sql", "sh": "bash", "r": "r", "scala": "scala", "fs": "bash", "pip": "bash", "run": "bash"}
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:"
_STYLE = """
:root { color-scheme: light dark; --text: #1c2733; --dim: #5b6876; --line: #d8dee5; --code: #f5f7f9; --bad: #b3261e; --page: #fff }
@media (prefers-color-scheme: dark) {
  :root { --text: #e3e8ee; --dim: #95a1ae; --line: #37414c; --code: #1d242c; --bad: #ff8a80; --page: #14191f }
}
body { margin: 0 auto; max-width: 68rem; padding: 1.5rem; background: var(--page); color: var(--text); font: 15px/1.5 system-ui, sans-serif }
h1 { font-size: 1.3rem; margin: 0 0 .25rem } .dim { color: var(--dim) } .bad { color: var(--bad) }
section { margin: 1.25rem 0; border-left: 3px solid var(--line); padding-left: .9rem } section.failed { border-color: var(--bad) }
section > header { display: flex; gap: .6rem; font-size: .85rem; color: var(--dim) } section > header b { color: var(--text) }
pre { margin: .3rem 0; overflow-x: auto; font: 13px/1.45 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere }
.code pre { background: var(--code); border-radius: 6px; padding: .6rem .8rem; white-space: pre; overflow-wrap: normal }
.output { overflow-x: auto; max-height: 40rem; overflow-y: auto } img { max-width: 100% }
table { border-collapse: collapse; font-size: .85rem } th, td { border: 1px solid var(--line); padding: .2rem .5rem; text-align: left; vertical-align: top }
th { background: var(--code) }
"""


def write_results(folder: str, notebook: Notebook, path: str, outputs: Outputs, result: Result) -> None:
    """Write both.

    Args:
        folder: Where.
        notebook: That was run.
        path: Of it.
        outputs: Of its cells.
        result: How it has ended.
    """
    Path(folder, PAGE).write_text(page(notebook, path, outputs, result), encoding="utf-8")
    Path(folder, NOTEBOOK).write_text(json.dumps(executed(notebook, outputs), indent=1), encoding="utf-8")


def executed(notebook: Notebook, outputs: Outputs) -> dict[str, Any]:
    """The notebook as Jupyter has it, with the outputs of its cells."""
    found = to_jupyter(notebook)
    for number, cell in enumerate(found["cells"], 1):
        if cell["cell_type"] == "code" and number in outputs.cells:
            cell["outputs"] = outputs.cells[number]
            cell["execution_count"] = number
    return found


def page(notebook: Notebook, path: str, outputs: Outputs, result: Result) -> str:
    """A page that needs nothing else. No script in it runs: what cells show is data of somebody."""
    light, dark = HtmlFormatter(style="default"), HtmlFormatter(style="github-dark")
    colours = f"{light.get_style_defs('.code')}\n@media (prefers-color-scheme: dark) {{ {dark.get_style_defs('.code')} }}"
    ending = "Succeeded" if result.error is None else f'<span class="bad">{html.escape(result.error)}</span>'
    if result.value is not None:
        ending += f"; exited with <code>{html.escape(result.value)}</code>"
    cells = "\n".join(_cell(number, cell, notebook, outputs) for number, cell in enumerate(notebook.cells, 1))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(path)}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f'<meta name="viewport" content="width=device-width"><style>{colours}{_STYLE}</style></head>\n'
        f'<body><h1>{html.escape(path)}</h1><p class="dim">{ending}</p>\n{cells}\n</body></html>\n'
    )


def _cell(number: int, cell: Cell, notebook: Notebook, outputs: Outputs) -> str:
    title = f"<b>{html.escape(cell.title)}</b>" if cell.title else ""
    if cell.is_markdown:
        return f'<section class="text">{title}{_markdown(cell.body)}</section>'
    shown = outputs.cells.get(number)
    failed = bool(shown) and any(one["output_type"] == "error" for one in shown or [])
    lexer = get_lexer_by_name(
        _LEXERS.get(cell.magic or "", notebook.language.value.lower() if cell.magic is None else "python")
    )
    code = highlight(outputs.secrets.redact(cell.source), lexer, HtmlFormatter(nowrap=True))
    told = f"{number}" if shown is not None else f"{number}, not run"
    parts = "".join(f'<div class="output">{_output(one)}</div>' for one in shown or [])
    return (
        f"<section{' class=failed' if failed else ''}><header>{told}{title}</header>"
        f'<div class="code"><pre>{code}</pre></div>{parts}</section>'
    )


def _markdown(text: str) -> str:
    return str(MarkdownIt("js-default").render(text))


def _output(output: Mapping[str, Any]) -> str:
    if output["output_type"] == "stream":
        return f'<pre class="{"bad" if output["name"] == "stderr" else ""}">{_text(output["text"])}</pre>'
    if output["output_type"] == "error":
        return f'<pre class="bad">{_text(chr(10).join(output["traceback"]))}</pre>'
    data = output["data"]
    if "text/html" in data:
        return str(data["text/html"])
    for kind in ("image/png", "image/jpeg"):
        if kind in data:
            return f'<img alt="" src="data:{kind};base64,{html.escape(_base64(data[kind]))}">'
    if "image/svg+xml" in data:
        return f'<img alt="" src="data:image/svg+xml;base64,{base64.b64encode(str(data["image/svg+xml"]).encode()).decode()}">'
    if "text/markdown" in data:
        return _markdown(str(data["text/markdown"]))
    return f"<pre>{_text(str(data.get('text/plain', '')))}</pre>"


def _base64(value: Any) -> str:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value).replace("\n", "")


def _text(text: str) -> str:
    return html.escape(_ANSI.sub("", text))
