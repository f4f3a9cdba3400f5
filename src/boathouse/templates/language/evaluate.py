"""Rendering: the walk over a template's nodes."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from boathouse.templates.language.functions import FUNCTIONS
from boathouse.templates.language.nodes import (
    Access,
    Action,
    Branch,
    Call,
    Command,
    Dot,
    Jump,
    Literal,
    Node,
    Operand,
    Parsed,
    Pipe,
    Range,
    Text,
    Variable,
    Word,
    is_blank,
)
from boathouse.templates.language.parser import parse
from boathouse.templates.language.source import Source, TemplateError
from boathouse.templates.language.values import (
    Function,
    Record,
    Refused,
    Value,
    any_map,
    entries,
    is_true,
    items,
    text_of,
    type_name,
)

_MISSING = object()


@dataclass(frozen=True)
class _Template:
    """A named template, with the file that it stands in."""

    source: Source
    nodes: tuple[Node, ...]


class Templates:
    """Templates that can call each other by name."""

    def __init__(self, functions: Mapping[str, Function]) -> None:
        self._functions = {**FUNCTIONS, **functions}
        # The two that do not evaluate all of their arguments are no functions of values.
        self._names = frozenset(self._functions) | {"and", "or"}
        self._defined: dict[str, _Template] = {}

    def define(self, name: str, text: str) -> None:
        """Take in the definitions of a file: a later one of the same name replaces an earlier one.

        Raises:
            TemplateError: If it is no template.
        """
        source = Source(name, text)
        self._add(source, parse(source, self._names), self._defined)

    def render(self, name: str, text: str, data: Value, functions: Mapping[str, Function] | None = None) -> str:
        """Render a text; what it defines is seen by itself only.

        Args:
            name: What errors call the text.
            text: The template.
            data: The first value of the cursor, and of ``$``.
            functions: Functions that mean something in this text only; their names are known to ``Templates`` already.

        Raises:
            TemplateError: If it is no template, or cannot be rendered.
        """
        source = Source(name, text)
        parsed = parse(source, self._names)
        defined = dict(self._defined)
        self._add(source, parsed, defined)
        walk = _Walk(source, {**self._functions, **(functions or {})}, defined, data)
        try:
            walk.nodes(parsed.body, data)
        except RecursionError:
            raise source.error(0, "templates call each other without an end") from None
        return "".join(walk.written)

    @staticmethod
    def _add(source: Source, parsed: Parsed, to: dict[str, _Template]) -> None:
        for name, nodes in parsed.definitions.items():
            if name not in to or not is_blank(nodes):
                to[name] = _Template(source, nodes)


class _Broken(Exception):
    """A jump out of a loop."""


class _Continued(Exception):
    """A jump to a loop's next round."""


class _Walk:
    """The walk over one template; another is begun for each template that it calls."""

    def __init__(
        self, source: Source, functions: Mapping[str, Function], defined: Mapping[str, _Template], data: Value
    ) -> None:
        self._source, self._functions, self._defined = source, functions, defined
        self._variables: list[tuple[str, Value]] = [("$", data)]
        self.written: list[str] = []

    # Nodes

    def nodes(self, nodes: tuple[Node, ...], dot: Value) -> None:
        for node in nodes:
            self._node(node, dot)

    def _node(self, node: Node, dot: Value) -> None:
        match node:
            case Text():
                self.written.append(node.text)
            case Action():
                value = self._pipe(node.pipe, dot)
                if not node.pipe.variables:
                    self.written.append("<no value>" if value is None else text_of(value))
            case Branch():
                known = len(self._variables)
                value = self._pipe(node.pipe, dot)
                if is_true(value):
                    self.nodes(node.then, value if node.moves_dot else dot)
                else:
                    self.nodes(node.otherwise, dot)
                del self._variables[known:]
            case Range():
                known = len(self._variables)
                self._range(node, dot)
                del self._variables[known:]
            case Jump():
                raise _Broken if node.ends_loop else _Continued
            case Call():
                self._call(node, dot)

    def _range(self, node: Range, dot: Value) -> None:
        pairs = self._pairs(node.pipe, self._pipe(node.pipe, dot))
        if not pairs:
            self.nodes(node.otherwise, dot)
            return
        known = len(self._variables)
        with suppress(_Broken):
            for key, element in pairs:
                self._iterate(node.pipe, key, element)
                with suppress(_Continued):
                    self.nodes(node.body, element)
                del self._variables[known:]

    def _pairs(self, pipe: Pipe, value: Value) -> list[tuple[Value, Value]]:
        """What a loop goes over: keys and elements."""
        match value:
            case None:
                return []
            case int() if not isinstance(value, bool):
                if len(pipe.variables) > 1:
                    raise self._error(pipe.at, f"can't use {value} to iterate over more than one variable")
                return [(None, number) for number in range(value)]
            case list():
                return list(enumerate(items(value)))
            case dict():
                return list(entries(value))
            case _:
                raise self._error(pipe.at, f"range can't iterate over {text_of(value)}")

    def _iterate(self, pipe: Pipe, key: Value, element: Value) -> None:
        """Set the variables of a loop: of one it is the element's, of two the first is the key's."""
        values = [element] if len(pipe.variables) == 1 else [key, element]
        for name, value in zip(pipe.variables, values, strict=False):
            self._set(name, value, pipe.at)

    def _call(self, node: Call, dot: Value) -> None:
        template = self._defined.get(node.name)
        if template is None:
            known = ", ".join(sorted(self._defined)) or "none"
            raise self._error(node.at, f"template {node.name!r} is not defined. Defined are {known}")
        data = None if node.pipe is None else self._pipe(node.pipe, dot)
        walk = _Walk(template.source, self._functions, self._defined, data)
        walk.written = self.written
        walk.nodes(template.nodes, data)

    # Variables

    def _set(self, name: str, value: Value, at: int) -> None:
        for position in range(len(self._variables) - 1, -1, -1):
            if self._variables[position][0] == name:
                self._variables[position] = (name, value)
                return
        raise self._error(at, f"undefined variable {name!r}")

    def _variable(self, node: Variable) -> Value:
        for name, value in reversed(self._variables):
            if name == node.name:
                return value
        raise self._error(node.at, f"undefined variable {node.name!r}")

    # Values

    def _pipe(self, pipe: Pipe, dot: Value) -> Value:
        value: Value = _MISSING
        for command in pipe.commands:
            value = self._command(command, dot, value)
        for name in pipe.variables:
            if pipe.is_assignment:
                self._set(name, value, pipe.at)
            else:
                self._variables.append((name, value))
        return value

    def _command(self, command: Command, dot: Value, final: Value) -> Value:
        first, *rest = command.words
        given = () if final is _MISSING else (final,)
        match first:
            case Word(name=("and" | "or") as name):
                return self._shortcut(name, first, rest, dot, given)
            case Word():
                arguments = [*(self._operand(word, dot) for word in rest), *given]
                return self._invoke(self._functions[first.name], first.name, arguments, first.at)
            case Access():
                return self._access(first, dot, rest, given)
            case Literal(value=None) if not rest and final is _MISSING:
                raise self._error(first.at, "nil is not a command")
            case _:
                if rest or given:
                    raise self._error(first.at, "can't give argument to what is no function")
                return self._operand(first, dot)

    def _shortcut(self, name: str, word: Word, rest: list[Operand], dot: Value, given: tuple[Value, ...]) -> Value:
        """``and`` and ``or``: the rest is not looked at once it is decided."""
        if not rest and not given:
            raise self._error(word.at, f"wrong number of args for {name}: want at least 1 got 0")
        value: Value = None
        for operand in rest:
            value = self._operand(operand, dot)
            if is_true(value) == (name == "or"):
                return value
        return given[0] if given else value

    def _operand(self, operand: Operand, dot: Value) -> Value:
        match operand:
            case Literal():
                return operand.value
            case Dot():
                return dot
            case Variable():
                return self._variable(operand)
            case Pipe():
                return self._pipe(operand, dot)
            case Word():
                return self._command(Command(operand.at, (operand,)), dot, _MISSING)
            case Access():
                return self._access(operand, dot, [], ())

    def _access(self, node: Access, dot: Value, arguments: list[Operand], final: tuple[Value, ...]) -> Value:
        """Fields of a value, one after the other; the last may be a method with arguments."""
        value = self._operand(node.of, dot)
        *path, last = node.names
        for name in path:
            value = self._member(value, name, node.at)
            if isinstance(value, Function):
                value = self._invoke(value, name, [], node.at)
        found = self._member(value, last, node.at)
        given = [*(self._operand(one, dot) for one in arguments), *final]
        if isinstance(found, Function):
            return self._invoke(found, last, given, node.at)
        if given:
            raise self._error(node.at, f"{last} has arguments but is no method")
        return found

    def _member(self, value: Value, name: str, at: int) -> Value:
        match value:
            case dict():
                known = any_map(value)
                if name not in known:
                    there = ", ".join(sorted(known)) or "none"
                    raise self._error(at, f"there is no {name!r}. Valid are: {there}")
                return known[name]
            case Record():
                if name not in value.members:
                    there = ", ".join(sorted(value.members))
                    raise self._error(at, f"{value.kind} has no {name!r}. It has: {there}")
                return value.members[name]
            case None:
                raise self._error(at, f"{name!r} of nil: there is no value here")
            case _:
                raise self._error(at, f"can't evaluate field {name} in type {type_name(value)}")

    def _invoke(self, function: Function, name: str, arguments: list[Value], at: int) -> Value:
        try:
            return function(name, arguments)
        except Refused as error:
            raise self._error(at, str(error)) from None

    def _error(self, at: int, why: str) -> TemplateError:
        return self._source.error(at, why)
