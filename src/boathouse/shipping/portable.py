"""Statements that can be said again in a later step: imports, definitions, constants, settings."""

import ast
from dataclasses import dataclass

from boathouse.shipping.cells import ParsedCell, line_magic
from boathouse.shipping.names import Names, names_of

_SETTINGS = frozenset(
    {
        "autolog",
        "basicConfig",
        "filterwarnings",
        "manual_seed",
        "seed",
        "set",
        "set_context",
        "set_experiment",
        "set_option",
        "set_palette",
        "set_registry_uri",
        "set_seed",
        "set_style",
        "set_theme",
        "set_tracking_uri",
        "set_verbosity",
        "simplefilter",
        "use",
    }
)
SEEDS = frozenset({"manual_seed", "seed", "set_seed"})
_MAKING = frozenset(
    {"Path", "bool", "dict", "float", "frozenset", "get", "getenv", "int", "join", "list", "range", "set", "str", "tuple"}
)
_MAKING_WIDGETS = frozenset({"text", "dropdown", "combobox", "multiselect"})
_PARTS = (
    ast.BinOp
    | ast.BoolOp
    | ast.Compare
    | ast.Dict
    | ast.FormattedValue
    | ast.JoinedStr
    | ast.List
    | ast.Set
    | ast.Slice
    | ast.Subscript
    | ast.Tuple
    | ast.UnaryOp
)


@dataclass(frozen=True)
class Statement:
    """A statement that can be repeated.

    Attributes:
        text: As it is written.
        names: What it uses and makes.
        is_setting: Whether it is repeated without being asked for: it makes no name, but changes what others do.
    """

    text: str
    names: Names
    is_setting: bool = False


def portable(cell: ParsedCell, constants: set[str]) -> list[Statement]:
    """The statements of a cell that can be repeated.

    Args:
        cell: The cell.
        constants: Names that such statements of cells before it, and of it, make; those that others make again are taken out.
    """
    found: list[Statement] = []
    for node in cell.tree.body:
        names = names_of([node])
        if _is_definition(node) or (_is_constant_assignment(node, constants)):
            constants |= names.makes
            found.append(Statement(_text(cell, node), names))
        elif _is_setting(node):
            found.append(Statement(_text(cell, node), names, is_setting=True))
        else:
            constants -= names.makes
            found = [one for one in found if one.is_setting or not one.names.makes & names.makes]
    return found


def is_portable(cell: ParsedCell, statements: list[Statement]) -> bool:
    """Whether all that a cell does can be repeated."""
    return len(statements) == sum(1 for node in cell.tree.body if not _is_text(node))


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_definition(node: ast.stmt) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)


def _is_constant_assignment(node: ast.stmt, constants: set[str]) -> bool:
    match node:
        case ast.Assign(targets=targets, value=value):
            return all(isinstance(one, ast.Name | ast.Tuple) for one in targets) and _is_constant(value, constants)
        case ast.AnnAssign(target=ast.Name(), value=ast.expr() as value):
            return _is_constant(value, constants)
        case _:
            return False


def _is_constant(node: ast.expr, constants: set[str]) -> bool:
    """Whether an expression means the same wherever it is said."""
    match node:
        case ast.Constant():
            return True
        case ast.Name():
            return node.id in constants
        case ast.Attribute():
            return _is_constant(node.value, constants)
        case ast.Call(func=ast.Name(id=name)) if name in _MAKING:
            pass
        case ast.Call(func=ast.Attribute(attr=name)) if name in _MAKING and ast.unparse(node.func).startswith(
            ("os.", "pathlib.", "dbutils.widgets.")
        ):
            return all(_is_constant(one, constants) for one in [*node.args, *(one.value for one in node.keywords)])
        case _ if not isinstance(node, _PARTS):
            return False
        case _:
            pass
    below = [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
    if isinstance(node, ast.Call):
        below.remove(node.func)
    return all(_is_constant(child, constants) for child in below)


def _is_setting(node: ast.stmt) -> bool:
    if not isinstance(node, ast.Expr):
        # As matplotlib's settings are changed.
        return isinstance(node, ast.Assign) and "rcParams" in ast.unparse(node.targets[0])
    magic = line_magic(node.value)
    if magic is not None:
        return magic[0] in {"autoreload", "config", "load_ext", "matplotlib", "pip", "run"} or is_pip(magic)
    if is_restart(node):
        return True
    match node.value:
        case ast.Call(func=ast.Attribute(attr=name, value=owner)):
            return name in _SETTINGS or (name in _MAKING_WIDGETS and ast.unparse(owner) == "dbutils.widgets")
        case _:
            return False


def is_restart(node: ast.stmt) -> bool:
    """Whether a statement makes Python forget everything."""
    return isinstance(node, ast.Expr) and ast.unparse(node) == "dbutils.library.restartPython()"


def is_pip(magic: tuple[str, str]) -> bool:
    """Whether a line installs packages."""
    return magic[0] == "pip" or (magic[0] == "!" and magic[1].split()[:2] in (["pip", "install"], ["pip3", "install"]))


def _text(cell: ParsedCell, node: ast.stmt) -> str:
    if isinstance(node, ast.Expr):
        magic = line_magic(node.value)
        if magic is not None:
            name, line = magic
            return f"%pip {line.strip().partition(' ')[2]}" if name == "!" else f"%{name} {line}".rstrip()
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(one.lineno for one in decorators)])
    return "\n".join(cell.text.split("\n")[first - 1 : node.end_lineno])
