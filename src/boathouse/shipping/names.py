"""Which names code takes from before it, and which it makes or changes."""

import ast
from dataclasses import dataclass, field

from boathouse.shipping.cells import timed

# Methods that change what they are called on.
_CHANGING = frozenset(
    {"add", "append", "clear", "discard", "extend", "fit", "fit_transform", "insert", "partial_fit", "pop", "popitem"}
    | {"remove", "reverse", "set_params", "setdefault", "sort", "update", "load_weights"}
)


@dataclass
class Names:
    """The names of a piece of code.

    Attributes:
        uses: Taken when it runs, and not made by it before.
        later: Taken by functions that it defines, when these are called.
        makes: Made or changed.
        has_star: Whether it makes names that cannot be known (``from m import *``, ``%run``).
    """

    uses: set[str] = field(default_factory=set[str])
    later: set[str] = field(default_factory=set[str])
    makes: set[str] = field(default_factory=set[str])
    has_star: bool = False


def names_of(body: list[ast.stmt]) -> Names:
    """The names of some statements."""
    reader = _Reader(set())
    reader.all(body)
    return reader.names


class _Reader(ast.NodeVisitor):
    """Visits code in the order in which it runs."""

    def __init__(self, known: set[str]) -> None:
        self.names = Names()
        # What is certainly made by now.
        self._known = known

    def all(self, nodes: "list[ast.stmt] | list[ast.expr]") -> None:
        for node in nodes:
            self.visit(node)

    def _make(self, name: str) -> None:
        self._known.add(name)
        self.names.makes.add(name)

    def _branches(self, *bodies: list[ast.stmt]) -> None:
        """Code of which one or another part runs: what all of them make is made."""
        before, after = set(self._known), list[set[str]]()
        for body in bodies:
            self._known = set(before)
            self.all(body)
            after.append(self._known)
        self._known = set.intersection(*after)

    # Names

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store):
            self._make(node.id)
        elif node.id not in self._known:
            self.names.uses.add(node.id)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self.generic_visit(node)
        self._change(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.generic_visit(node)
        self._change(node)

    def _change(self, node: ast.Subscript | ast.Attribute) -> None:
        """A part of something is set: the whole is changed."""
        root = root_of(node)
        if not isinstance(node.ctx, ast.Load) and root is not None:
            self.names.makes.add(root)

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        self.all(timed(node))
        if isinstance(node.func, ast.Attribute):
            root = root_of(node.func)
            in_place = any(one.arg == "inplace" and getattr(one.value, "value", None) is True for one in node.keywords)
            if root is not None and (in_place or node.func.attr in _CHANGING):
                self.names.makes.add(root)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.visit(node.value)
        if isinstance(node.target, ast.Name) and node.target.id not in self._known:
            self.names.uses.add(node.target.id)
        self.visit(node.target)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        self.all(node.targets)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.visit(node.annotation)
        if node.value is not None:
            self.visit(node.value)
            self.visit(node.target)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        self.visit(node.target)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._make(alias.asname or alias.name.partition(".")[0])

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            if alias.name == "*":
                self.names.has_star = True
            else:
                self._make(alias.asname or alias.name)

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        self.generic_visit(node)
        if node.name is not None:
            self._make(node.name)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        if node.name is not None:
            self._make(node.name)

    # Ways

    def visit_If(self, node: ast.If) -> None:
        self.visit(node.test)
        self._branches(node.body, node.orelse)

    def visit_For(self, node: ast.For) -> None:
        self.visit(node.iter)
        before = set(self._known)
        self.visit(node.target)
        self.all(node.body)
        self._known = before
        self.all(node.orelse)

    def visit_While(self, node: ast.While) -> None:
        self.visit(node.test)
        self._branches(node.body, [])
        self.all(node.orelse)

    def visit_With(self, node: ast.With) -> None:
        for item in node.items:
            self.visit(item.context_expr)
            if item.optional_vars is not None:
                self.visit(item.optional_vars)
        self.all(node.body)

    def visit_Try(self, node: ast.Try) -> None:
        self._branches([*node.body, *node.orelse], *(handler.body for handler in node.handlers))
        for handler in node.handlers:
            if handler.type is not None:
                self.visit(handler.type)
            # The name of the error is gone after its handler.
            self.names.uses.discard(handler.name or "")
        self.all(node.finalbody)

    def visit_Match(self, node: ast.Match) -> None:
        self.visit(node.subject)
        before = set(self._known)
        for case in node.cases:
            self._known = set(before)
            self.visit(case.pattern)
            if case.guard is not None:
                self.visit(case.guard)
            self.all(case.body)
        self._known = before

    # Scopes

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._function(node)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.all(node.decorator_list)
        self._arguments(node.args)
        if node.returns is not None:
            self.visit(node.returns)
        self._make(node.name)
        inner = _Reader({argument.arg for argument in _arguments(node.args)})
        inner.all(node.body)
        shared = {name for one in ast.walk(node) if isinstance(one, ast.Global) for name in one.names}
        # What a function assigns anywhere is its own everywhere.
        own = (inner.names.makes - _changed_only(node)) - shared
        self.names.later |= (inner.names.uses | inner.names.later) - own - {argument.arg for argument in _arguments(node.args)}
        self.names.makes |= shared

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._arguments(node.args)
        inner = _Reader({*self._known, *(argument.arg for argument in _arguments(node.args))})
        inner.visit(node.body)
        self.names.uses |= inner.names.uses

    def _arguments(self, node: ast.arguments) -> None:
        self.all([one for one in [*node.defaults, *node.kw_defaults] if one is not None])
        self.all([one.annotation for one in _arguments(node) if one.annotation is not None])

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.all([*node.decorator_list, *node.bases, *(one.value for one in node.keywords)])
        inner = _Reader(set(self._known))
        inner.all(node.body)
        self.names.uses |= inner.names.uses
        self.names.later |= inner.names.later - {node.name}
        self._make(node.name)

    def visit_ListComp(self, node: ast.ListComp) -> None:
        self._comprehension(node.generators, [node.elt])

    def visit_SetComp(self, node: ast.SetComp) -> None:
        self._comprehension(node.generators, [node.elt])

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        self._comprehension(node.generators, [node.elt])

    def visit_DictComp(self, node: ast.DictComp) -> None:
        self._comprehension(node.generators, [node.key, node.value])

    def _comprehension(self, generators: list[ast.comprehension], values: list[ast.expr]) -> None:
        inner = _Reader(set(self._known))
        for one in generators:
            inner.visit(one.iter)
            inner.visit(one.target)
            inner.all(one.ifs)
        inner.all(values)
        self.names.uses |= inner.names.uses
        targets = {name.id for one in generators for name in ast.walk(one.target) if isinstance(name, ast.Name)}
        self.names.makes |= inner.names.makes - targets


def root_of(node: ast.expr) -> str | None:
    """The name at the beginning of ``a.b[c].d``."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def _arguments(node: ast.arguments) -> list[ast.arg]:
    more = [one for one in (node.vararg, node.kwarg) if one is not None]
    return [*node.posonlyargs, *node.args, *node.kwonlyargs, *more]


def _changed_only(node: ast.AST) -> set[str]:
    """Names of which only parts are set, or methods called that change them: these are not made by it."""
    bound = {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}
    bound |= {one.name for one in ast.walk(node) if isinstance(one, ast.FunctionDef | ast.ClassDef)}
    bound |= {
        alias.asname or alias.name.partition(".")[0]
        for one in ast.walk(node)
        if isinstance(one, ast.Import | ast.ImportFrom)
        for alias in one.names
    }
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)} - bound
