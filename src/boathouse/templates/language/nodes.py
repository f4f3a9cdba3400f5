"""What a template is once it is parsed."""

from dataclasses import dataclass, field
from typing import TypeAlias

from boathouse.templates.language.values import Value


@dataclass(frozen=True)
class Literal:
    """A constant, or nil."""

    at: int
    value: Value


@dataclass(frozen=True)
class Dot:
    """The value at the cursor."""

    at: int


@dataclass(frozen=True)
class Word:
    """The name of a function."""

    at: int
    name: str


@dataclass(frozen=True)
class Access:
    """Fields of something: ``.a.b``, ``$x.a``, ``(pipeline).a``; without fields, the thing itself."""

    at: int
    of: "Dot | Variable | Pipe | Literal | Word"
    names: tuple[str, ...]


@dataclass(frozen=True)
class Variable:
    """A variable, with its ``$``."""

    at: int
    name: str


@dataclass(frozen=True)
class Command:
    """A value, or a function or method with its arguments."""

    at: int
    words: "tuple[Operand, ...]"


@dataclass(frozen=True)
class Pipe:
    """Commands, each of which gets what the one before it says as its last argument; and the variables that take the end."""

    at: int
    commands: tuple[Command, ...]
    variables: tuple[str, ...] = ()
    is_assignment: bool = False


Operand: TypeAlias = Literal | Dot | Word | Access | Variable | Pipe


@dataclass(frozen=True)
class Text:
    """Text between actions."""

    at: int
    text: str


@dataclass(frozen=True)
class Action:
    """A pipeline whose value is printed, unless it goes to a variable."""

    at: int
    pipe: Pipe


@dataclass(frozen=True)
class Branch:
    """An ``if`` or ``with``."""

    at: int
    moves_dot: bool
    pipe: Pipe
    then: "tuple[Node, ...]"
    otherwise: "tuple[Node, ...]"


@dataclass(frozen=True)
class Range:
    """A loop."""

    at: int
    pipe: Pipe
    body: "tuple[Node, ...]"
    otherwise: "tuple[Node, ...]"


@dataclass(frozen=True)
class Jump:
    """A ``break`` or ``continue``."""

    at: int
    ends_loop: bool


@dataclass(frozen=True)
class Call:
    """Another template, by name."""

    at: int
    name: str
    pipe: Pipe | None


Node: TypeAlias = Text | Action | Branch | Range | Jump | Call


@dataclass
class Parsed:
    """A template file.

    Attributes:
        body: What is outside of its definitions.
        definitions: The templates that it defines, by name.
    """

    body: tuple[Node, ...] = ()
    definitions: dict[str, tuple[Node, ...]] = field(default_factory=dict[str, tuple[Node, ...]])


def is_blank(nodes: tuple[Node, ...]) -> bool:
    """Whether they print at most white space: such a definition replaces no other."""
    return all(isinstance(node, Text) and not node.text.strip() for node in nodes)
