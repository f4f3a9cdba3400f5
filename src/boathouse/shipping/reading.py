"""Reads code as it would run, with things for values: what each name is, and what the calls are for."""

import ast
from dataclasses import dataclass, field

from boathouse.shipping.cells import timed
from boathouse.shipping.names import root_of
from boathouse.shipping.things import (
    COLUMNS,
    PLAIN,
    SPARK,
    TABLE,
    Found,
    Kind,
    Role,
    Thing,
    attribute_of,
    joined,
    result_of_function,
    role_of_function,
    role_of_method,
    unknown,
)

_DEEPEST = 6
_PLAIN_CALLS = frozenset({"abs", "bool", "dict", "float", "int", "len", "list", "max", "min", "round", "sorted", "str", "sum"})
_PATHS = ("filepath_or_buffer", "path", "path_or_buf", "io", "fname", "file", "tableName", "name")
_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Reader:
    """What is known of a notebook's names so far.

    Attributes:
        names: What each is.
        functions: Those that the notebook defines.
        found: Calls that tell what code is for, since the list was emptied last.
        learnt_from: The first argument of each model's ``fit``, as it is written, by the model's name.
    """

    names: dict[str, Thing] = field(default_factory=dict[str, Thing])
    functions: dict[str, _Function] = field(default_factory=dict[str, _Function])
    found: list[Found] = field(default_factory=list[Found])
    learnt_from: dict[str, str] = field(default_factory=dict[str, str])
    _within: list[str] = field(default_factory=list[str])
    _returned: Thing | None = None

    def __post_init__(self) -> None:
        self.names.setdefault("spark", Thing(Kind.SESSION, "the Spark session"))

    def run(self, body: list[ast.stmt]) -> None:
        """Read statements."""
        for node in body:
            self._statement(node)

    # Statements

    def _statement(self, node: ast.stmt) -> None:  # noqa: C901, PLR0912 - one line for each kind of statement
        match node:
            case ast.Import():
                for alias in node.names:
                    name = alias.name if alias.asname else alias.name.partition(".")[0]
                    self.names[alias.asname or name] = Thing(Kind.MODULE, name)
            case ast.ImportFrom():
                for alias in node.names:
                    self.names[alias.asname or alias.name] = Thing(Kind.MODULE, f"{node.module}.{alias.name}")
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self.functions[node.name] = node
                self.names[node.name] = Thing(Kind.FUNCTION, node.name)
            case ast.ClassDef():
                self.names[node.name] = unknown(f"the class {node.name}")
            case ast.Assign():
                value = self.value(node.value)
                for target in node.targets:
                    self._bind(target, value)
                self._learn(node.targets[0], node.value)
            case ast.AnnAssign(value=ast.expr() as given):
                self._bind(node.target, self.value(given))
            case ast.AugAssign():
                self._bind(node.target, joined(self.value(node.target), self.value(node.value)))
            case ast.Return():
                value = PLAIN if node.value is None else self.value(node.value)
                self._returned = value if self._returned is None else joined(self._returned, value)
            case ast.For() | ast.AsyncFor():
                self._bind(node.target, element_of(self.value(node.iter)))
                self.run([*node.body, *node.orelse])
            case ast.With() | ast.AsyncWith():
                for item in node.items:
                    entered = self.value(item.context_expr)
                    if item.optional_vars is not None:
                        self._bind(item.optional_vars, entered)
                self.run(node.body)
            case ast.If():
                self.value(node.test)
                self._ways([node.body, node.orelse])
            case ast.While():
                self.value(node.test)
                self.run([*node.body, *node.orelse])
            case ast.Try():
                self._ways([[*node.body, *node.orelse], *(one.body for one in node.handlers)])
                self.run(node.finalbody)
            case _:
                for child in ast.iter_child_nodes(node):
                    if isinstance(child, ast.expr):
                        self.value(child)
                    elif isinstance(child, ast.match_case):
                        self.run(child.body)

    def _ways(self, bodies: list[list[ast.stmt]]) -> None:
        before, after = dict(self.names), list[dict[str, Thing]]()
        for body in bodies:
            self.names = dict(before)
            self.run(body)
            after.append(self.names)
        self.names = {}
        for name in {name for one in after for name in one}:
            things = [one[name] for one in after if name in one]
            merged = things[0]
            for thing in things[1:]:
                merged = joined(merged, thing)
            self.names[name] = merged

    def _bind(self, target: ast.expr, value: Thing) -> None:
        match target:
            case ast.Name():
                self.names[target.id] = value
            case ast.Tuple() | ast.List():
                parts = value.parts if value.kind is Kind.TUPLE else (element_of(value),) * len(target.elts)
                for position, one in enumerate(target.elts):
                    self._bind(one, parts[position] if position < len(parts) else unknown("a part of something"))
            case ast.Starred():
                self._bind(target.value, unknown("a part of something"))
            case _:
                # A part of something is set: it stays what it is.
                self.value(target)

    def _learn(self, target: ast.expr, value: ast.expr) -> None:
        """``model = Class(...).fit(X, y)``."""
        if isinstance(target, ast.Name) and isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
            self._learnt(target.id, value.func.attr, value)

    def _learnt(self, name: str, method: str, call: ast.Call) -> None:
        given = call.args[:1] or [one.value for one in call.keywords if one.arg == "X"]
        # In a function the argument's name means nothing outside.
        if not self._within and method in {"fit", "fit_transform", "fit_predict"} and given and root_of(given[0]) is not None:
            # The one that learnt last comes last.
            self.learnt_from.pop(name, None)
            self.learnt_from[name] = ast.unparse(given[0])

    # Values

    def value(self, node: ast.expr) -> Thing:  # noqa: C901, PLR0912 - one line for each kind of expression
        """What an expression gives."""
        match node:
            case ast.Constant():
                return Thing(Kind.PLAIN, "numbers or texts", text=str(node.value))
            case ast.JoinedStr():
                self._children(node)
                return PLAIN
            case ast.Name():
                return self.names.get(node.id) or unknown(f"{node.id}, which is not known")
            case ast.Attribute():
                return attribute_of(self.value(node.value), node.attr)
            case ast.Call():
                return self._call(node)
            case ast.Subscript():
                self.value(node.slice)
                return part_of(self.value(node.value), node.slice)
            case ast.Tuple():
                return Thing(Kind.TUPLE, "several values", tuple(self.value(one) for one in node.elts))
            case ast.List() | ast.Dict():
                parts = self._children(node)
                odd = next((one for one in parts if one.kind is not Kind.PLAIN), None)
                return PLAIN if odd is None else unknown(f"a {type(node).__name__.lower()} with {odd.what}")
            case ast.ListComp() | ast.DictComp() | ast.SetComp() | ast.GeneratorExp():
                return self._comprehension(node)
            case ast.BinOp() | ast.BoolOp() | ast.Compare() | ast.UnaryOp():
                kinds = self._children(node)
                for kind in (Kind.SPARK, Kind.TABLE):
                    if any(one.kind is kind for one in kinds):
                        return SPARK if kind is Kind.SPARK else TABLE
                return next((one for one in kinds if one.kind is not Kind.PLAIN), PLAIN)
            case ast.IfExp():
                self.value(node.test)
                return joined(self.value(node.body), self.value(node.orelse))
            case ast.NamedExpr():
                value = self.value(node.value)
                self._bind(node.target, value)
                return value
            case ast.Lambda():
                return Thing(Kind.FUNCTION, "a lambda")
            case ast.Await():
                return self.value(node.value)
            case _:
                self._children(node)
                return unknown(f"a {type(node).__name__.lower()}")

    def _children(self, node: ast.AST) -> list[Thing]:
        """What the expressions directly below give."""
        found: list[Thing] = []
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                found.append(self.value(child))
            elif not isinstance(child, ast.expr_context | ast.operator | ast.boolop | ast.cmpop | ast.unaryop):
                self._children(child)
        return found

    def _comprehension(self, node: ast.ListComp | ast.DictComp | ast.SetComp | ast.GeneratorExp) -> Thing:
        outside = dict(self.names)
        for one in node.generators:
            self._bind(one.target, element_of(self.value(one.iter)))
            for condition in one.ifs:
                self.value(condition)
        parts = [self.value(node.key), self.value(node.value)] if isinstance(node, ast.DictComp) else [self.value(node.elt)]
        self.names = outside
        odd = next((one for one in parts if one.kind is not Kind.PLAIN), None)
        if isinstance(node, ast.SetComp | ast.GeneratorExp):
            return unknown("a set" if isinstance(node, ast.SetComp) else "a generator")
        return PLAIN if odd is None else unknown(f"a list or dict with {odd.what}")

    def _call(self, node: ast.Call) -> Thing:
        self.run(timed(node))
        arguments = [self.value(one) for one in node.args]
        keywords = {one.arg: self.value(one.value) for one in node.keywords if one.arg is not None}
        first = arguments[0] if arguments else next((keywords[name] for name in _PATHS if name in keywords), None)
        path = None if first is None else first.text
        if isinstance(node.func, ast.Attribute):
            receiver = self.value(node.func.value)
            if receiver.kind is not Kind.MODULE:
                return self._method(node, node.func, receiver, path)
        called = self.value(node.func)
        match called.kind:
            case Kind.MODULE:
                shown = called.what.rpartition(".")[2] if called.what.startswith("sklearn.") else called.what
                self._found(role_of_function(called.what), shown, path)
                return result_of_function(called.what, arguments, keywords)
            case Kind.FUNCTION if called.what in self.functions:
                return self._own(self.functions[called.what], arguments, keywords)
            case _:
                return self._builtin(node.func, arguments)

    def _method(self, node: ast.Call, func: ast.Attribute, receiver: Thing, path: str | None) -> Thing:
        shown = f"{ast.unparse(func.value).splitlines()[0][:40]}.{func.attr}"
        # What table and sql are given is no path.
        self._found(role_of_method(receiver, func.attr), shown, None if func.attr in {"table", "sql"} else path)
        if isinstance(func.value, ast.Name):
            self._learnt(func.value.id, func.attr, node)
        return attribute_of(receiver, func.attr)

    def _found(self, role: Role | None, what: str, path: str | None) -> None:
        if role is not None:
            self.found.append(Found(role, what, path if role is Role.DATA else None))

    def _builtin(self, func: ast.expr, arguments: list[Thing]) -> Thing:
        name = ast.unparse(func)
        if isinstance(func, ast.Name) and name in _PLAIN_CALLS:
            odd = next((one for one in arguments if one.kind not in {Kind.PLAIN, Kind.TABLE}), None)
            return PLAIN if odd is None or name == "len" else unknown(f"{name} of {odd.what}")
        return unknown(f"what {name.splitlines()[0][:40]} gives")

    def _own(self, function: _Function, arguments: list[Thing], keywords: dict[str, Thing]) -> Thing:
        """A call of a function of the notebook: its body is read with what it is given."""
        if len(self._within) >= _DEEPEST or function.name in self._within:
            return unknown(f"what {function.name} gives")
        outside, returned = self.names, self._returned
        self.names, self._returned = dict(outside), None
        parameters = [*function.args.posonlyargs, *function.args.args]
        for parameter, default in zip(reversed(parameters), reversed(function.args.defaults), strict=False):
            self.names[parameter.arg] = self.value(default)
        self.names |= {one.arg: thing for one, thing in zip(parameters, arguments, strict=False)}
        self.names |= keywords
        self._within.append(function.name)
        self.run(function.body)
        result = self._returned or PLAIN
        self._within.pop()
        self.names, self._returned = outside, returned
        return result


def element_of(value: Thing) -> Thing:
    """What a loop over something gives."""
    match value.kind:
        case Kind.TABLE | Kind.MODEL if value != COLUMNS:
            return TABLE
        case Kind.TABLE | Kind.PLAIN:
            return PLAIN
        case Kind.MANY:
            return value.parts[0]
        case Kind.TUPLE if value.parts:
            first = value.parts[0]
            for one in value.parts[1:]:
                first = joined(first, one)
            return first
        case _:
            return unknown(f"a part of {value.what}")


def part_of(value: Thing, key: ast.expr) -> Thing:
    """What ``value[key]`` is."""
    match value.kind:
        case Kind.TUPLE if isinstance(key, ast.Constant) and isinstance(key.value, int) and abs(key.value) < len(value.parts):
            return value.parts[key.value]
        case Kind.TABLE | Kind.PLAIN | Kind.MODEL | Kind.GROUPED | Kind.SPARK:
            return value
        case Kind.BUNCH:
            return TABLE
        case _:
            return element_of(value)
