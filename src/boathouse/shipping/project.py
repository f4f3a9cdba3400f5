"""The files of the project that a planned notebook becomes."""

import re
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

from boathouse.errors import InvalidParameterValue
from boathouse.shipping.cells import line_magic
from boathouse.shipping.plan import Carried, Plan, Step, StudiedCell
from boathouse.shipping.portable import is_pip, is_restart
from boathouse.shipping.things import Kind
from boathouse.templates import answers, schema, sources
from boathouse.templates.helpers import Workspace
from boathouse.templates.rendering import File, Renderer
from boathouse.workspace.notebooks.model import Cell, Notebook
from boathouse.workspace.notebooks.source import to_source
from boathouse.workspace.tree import Language

_TEMPLATE = Path(__file__).parent / "steps_template"
# What the server takes as a file of the workspace.
_MOST_BYTES = 8 * 1024**2
_ELSEWHERE = re.compile(r"[a-zA-Z][\w+.-]*:|/Volumes/|/dbfs/|/Workspace/|/mnt/")
_LINE_MAGIC = re.compile(r"%[a-z_]+\b(?![^\n]*=)")
_PIP = re.compile(r"^[ \t]*[!%]pip3?[ \t]+(.*)$", re.MULTILINE)


_SETUP = """import os
import sys

sys.path.append(os.path.abspath(".."))

from {name}.steps import Steps

_steps = Steps(spark, dbutils)"""


@dataclass(frozen=True)
class Data:
    """The files that a notebook reads, as far as its text says.

    Attributes:
        files: Found beside the notebook: they go with it.
        warnings: Of those that are not.
    """

    files: tuple[tuple[str, Path], ...]
    warnings: tuple[str, ...]


def project_name(notebook: Path) -> str:
    """A name for the project of a notebook."""
    name = re.sub(r"[^a-z0-9]+", "_", notebook.stem.lower()).strip("_")[:40]
    name = name if re.match(r"[a-z].", name) else f"project_{name}".rstrip("_")
    return f"{name}_project" if _is_module(name) else name


def check_name(name: str) -> None:
    """Refuse a name that is taken.

    Raises:
        InvalidParameterValue: If Python would import something else by it.
    """
    if _is_module(name):
        raise InvalidParameterValue(
            f"--name {name} is not valid: it is the name of a module that Python has already.", field="name"
        )


def _is_module(name: str) -> bool:
    """Whether Python would import something else by the project's name."""
    return name in sys.stdlib_module_names or find_spec(name) is not None


def data_of(plan: Plan, folder: Path) -> Data:
    """Where the files are that a notebook of a folder reads."""
    files: dict[str, Path] = {}
    warnings: list[str] = []
    for number, text in plan.reads:
        if _ELSEWHERE.match(text) or not re.search(r"[./\\]", text):
            # An address, a path of the server, or the name of a data set.
            continue
        path = folder / text
        is_inside = not Path(text).is_absolute() and ".." not in PurePosixPath(text).parts
        if is_inside and path.is_file() and path.stat().st_size <= _MOST_BYTES:
            files[PurePosixPath(text).as_posix()] = path
            continue
        why = (
            "is not there"
            if not path.exists()
            else "is larger than 8 MB"
            if is_inside and path.is_file()
            else "lies outside of the notebook's folder"
        )
        warnings.append(
            f"Cell {number} reads {text}, which {why}: put it into a volume and its path (/Volumes/...) into the notebook."
        )
    return Data(tuple(files.items()), tuple(warnings))


def files_of(plan: Plan, data: Data, notebook: Path, name: str, ci: str, workspace: Workspace) -> list[File]:
    """All files of the project: our template's, with the notebook's steps in the place of its own."""
    with sources.opened(sources.DEFAULT) as folder:
        renderer = Renderer(folder, workspace)
        values = answers.resolve(schema.read(folder), {"project_name": name, "ci": ci, "shipped": True}, renderer.say)
        files = renderer.files(values)
    steps = [{"name": step.name, "after": plan.steps[at - 1].name if at else ""} for at, step in enumerate(plan.steps)]
    imports = [one for one in plan.imports if one != "mlflow" and one not in sys.stdlib_module_names]
    files += Renderer(_TEMPLATE, workspace).files({"project_name": name, "steps": steps, "imports": imports})
    notebooks = f"{name}/src/notebooks"
    files += [File(f"{notebooks}/{step.name}.py", _notebook(plan, step, notebook, name)) for step in plan.steps]
    files += [File(f"{notebooks}/{path}", source.read_bytes()) for path, source in data.files]
    files += [File(f"{name}/notebook/{notebook.name}", notebook.read_bytes())]
    return [_with_requirements(file, plan) for file in files]


def _with_requirements(file: File, plan: Plan) -> File:
    if not file.path.endswith("/requirements.txt") or not plan.installs:
        return file
    lines = "".join(f"{one}\n" for one in plan.installs)
    return File(file.path, file.content + f"# what the notebook installs\n{lines}".encode())


def _notebook(plan: Plan, step: Step, notebook: Path, name: str) -> bytes:
    numbers = [cell.number for cell in step.cells]
    cells = [Cell(f"%md\n# {step.name.capitalize()}\nCells {numbers[0]} to {numbers[-1]} of {notebook.name}.")]
    # What Python forgets comes before what it has to know.
    first = max((at for at, cell in enumerate(step.cells, start=1) if any(map(is_restart, cell.parsed.tree.body))), default=0)
    repeated = [one.text for one in step.repeated]
    cells += [Cell(text) for text in repeated if _stands_alone(text)]
    for cell in step.cells[:first]:
        cells += _own(cell)
    cells.append(Cell(_SETUP.format(name=name)))
    if said := [text for text in repeated if not _stands_alone(text)]:
        cells.append(Cell(_together(said), "Said in earlier steps too"))
    if step.brought:
        cells.append(Cell("\n".join(_brought(one) for one in step.brought), "From earlier steps"))
    for cell in step.cells[first:]:
        cells += _own(cell)
    if kept := _kept(plan, step):
        cells.append(Cell("\n".join(kept), "For later steps"))
    return to_source(Notebook(Language.PYTHON, tuple(cells)))


def _stands_alone(text: str) -> bool:
    return text.startswith(("%", "dbutils.library.restartPython"))


def _together(texts: list[str]) -> str:
    """Statements below each other, with definitions set off."""
    parts = [f"\n\n{text}\n\n" if text.startswith(("def ", "class ", "@", "async ")) else f"{text}\n" for text in texts]
    return re.sub(r"\n{4,}", "\n\n\n", "".join(parts)).strip("\n")


def _own(cell: StudiedCell) -> list[Cell]:
    """The cell as it is; lines that install packages, and magics at its beginning, become cells of their own."""
    if not cell.parsed.tree.body:
        return [cell.parsed.cell]
    source = cell.parsed.cell.source
    magics = [line_magic(getattr(node, "value", node)) for node in cell.parsed.tree.body]
    found: list[Cell] = []
    if any(one is not None and is_pip(one) for one in magics):
        found = [Cell(f"%pip {line.strip()}") for line in _PIP.findall(source)]
        source = _PIP.sub("", source).strip("\n")
    while _LINE_MAGIC.match(source) and "\n" in source:
        line, _, source = source.partition("\n")
        found.append(Cell(line))
        source = source.lstrip("\n")
    return [*found, Cell(source, cell.parsed.cell.title)] if source.strip() else found


def _brought(one: Carried) -> str:
    match one.thing.kind:
        case Kind.MODEL:
            return f'{one.name} = _steps.bring_model("{one.name}", "{one.flavor}")'
        case Kind.SPARK:
            return f'{one.name} = _steps.bring_table("{one.name}")'
        case _:
            return f'{one.name} = _steps.bring("{one.name}")'


def _kept(plan: Plan, step: Step) -> list[str]:
    """The lines that leave values for later steps, and register the model after the training."""
    model = plan.model if step.name == "train" else None
    found: list[str] = []
    for one in step.kept:
        match one.thing.kind:
            case Kind.MODEL:
                if model is None or one.name != model.name:
                    found.append(f'_steps.keep_model("{one.name}", {one.name}, "{one.flavor}")')
            case Kind.SPARK:
                found.append(f'_steps.keep_table("{one.name}", {one.name})')
            case _:
                found.append(f'_steps.keep("{one.name}", {one.name})')
    if model is not None:
        example = "" if model.example is None else f", example={model.example}"
        found.append(f'_steps.keep_model("{model.name}", {model.name}, "{model.flavor}"{example})')
    return found
