"""Checked arithmetic in the texts and expressions of one request."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from grpc.aio import AioRpcError

from boathouse.engine.gateway.forms import overflow_frames as frames
from boathouse.engine.gateway.forms.frame_calls import shown
from boathouse.engine.gateway.forms.overflow import Types
from boathouse.engine.gateway.forms.overflow_commands import assigned, begin, is_command, question
from boathouse.engine.gateway.forms.overflow_texts import TextWriter, marked
from boathouse.engine.gateway.messages.plan_text import sections
from boathouse.engine.gateway.messages.protocol import proto, sql_node
from boathouse.engine.gateway.messages.walk import TEXTS, children, inputs, may_have, walk
from boathouse.engine.gateway.session import EngineSession
from boathouse.engine.gateway.sql import typed_calls
from boathouse.engine.gateway.sql.arithmetic import Arithmetic
from boathouse.engine.gateway.sql.named_words import named
from boathouse.engine.gateway.sql.operands import Node, without_calls
from boathouse.engine.gateway.sql.relations import CallUse
from boathouse.engine.gateway.sql.select_items import GROUPING, standing
from boathouse.engine.gateway.sql.statements import Edit, Statement, apply, parse
from boathouse.engine.gateway.sql.tokens import Token, quote

_MAY_HAVE = re.compile(
    rb"[-+*/%]|\bnegative\b|\bsum\b|\bavg\b|\bmean\b|\btry_"
    rb"|[=<>]|\bin\b|\bbetween\b|\bcase\b|\bwhen\b|\bcoalesce\b|\bnvl|\bif|\bgreatest\b|\bleast\b|\barray\b"
    # Types of casts, which are names or messages: those of strings, dates and decimals.
    rb"|::|\|\||\bcast\b|\bstring\b|date\b|decimal\b|\x12[\x02-\x10][RZbjr]"
    rb"|\b(?:" + "|".join(sorted(typed_calls.ALL)).encode() + rb")\b",
    re.IGNORECASE,
)
_MAY_HAVE_TEXT = re.compile(
    r"[-+*/%]|\b(?:sum|avg|mean)\b|\btry_"
    r"|[=<>]|\bin\b|\bbetween\b|\bcase\b|\bcoalesce\b|\bnvl|\bif|\bgreatest\b|\bleast\b|\barray\b"
    rf"|::|\|\||\b(?:cast|try_cast|{'|'.join(sorted(typed_calls.ALL))})\s*\(",
    re.IGNORECASE,
)
_MIXED = re.compile(
    "Cannot coerce arithmetic expression|Cannot cast string|Cannot infer common argument type|failed to match any signature|Unsupported Data Type"
    "|concatenate arrays of different types|received incompatible types",
    re.IGNORECASE,
)
_NO_NUMBERS = ("decimal", "double", "float", "date", "timestamp", "string")
_PLAIN = frozenset(
    {
        *(name.upper() for name in GROUPING),
        *(
            "ABS",
            "BIGINT",
            "CAST",
            "COALESCE",
            "DATEDIFF",
            "DAY",
            "DATE_DIFF",
            "DAYOFWEEK",
            "DAYOFYEAR",
            "GREATEST",
            "HOUR",
            "IF",
            "INT",
        ),
        *("LEAST", "LENGTH", "MINUTE", "MONTH", "NULLIF", "NVL", "PMOD", "QUARTER", "SECOND", "SIZE", "TRY_CAST", "UNIX_DATE"),
        *(
            "WEEKOFYEAR",
            "YEAR",
            "RANK",
            "ROW_NUMBER",
            "DENSE_RANK",
            "LAG",
            "LEAD",
            "INSTR",
            "LOCATE",
            "POSITION",
            "CARDINALITY",
        ),
    }
)
"""Functions that give the same each time and cost little, so that they may stand twice in a text."""


@dataclass(frozen=True)
class _Text:
    """A text of a plan with arithmetic."""

    message: Any
    name: str
    nodes: tuple[Node, ...]
    begin: int = 0

    @property
    def text(self) -> str:
        return str(getattr(self.message, self.name))


@dataclass(frozen=True)
class _Frame:
    """A relation of a DataFrame with arithmetic in its own expressions."""

    relation: Any
    nodes: tuple[Node, ...]


@dataclass
class Overflow:
    """Checks the arithmetic of one request, and gives that of decimals Spark's digits.

    Attributes:
        session: Of the request.
        columns: The types of the columns of tables that it reads, by their names in lower case; of a name with several, nothing.
        executes: Whether rows are wanted: else only what changes the types of columns is changed.
    """

    session: EngineSession
    columns: Mapping[str, str] = field(default_factory=dict[str, str])
    executes: bool = True

    def put(self, root: Any) -> bool:
        """Have operations of whole numbers in a plan whose names are governed checked, in place; whether there were any."""
        if not may_have(root, _MAY_HAVE):
            return False
        changed = [self._put(relation) for relation in inputs(root)]
        return any(changed)

    def _put(self, relation: Any) -> bool:
        types = Types()
        try:
            places = list(_places(relation, types))
            if not places:
                return False
            types.executes = self.executes
            types.whole, types.tries = self.executes and not self._wraps, self._wraps
            types.known = self._known(relation)
            types.others = {name: kind for name, kind in types.known.items() if kind.startswith(_NO_NUMBERS)}
            types.ask(node for place in places for node in place.nodes)
            if types.are_asked:
                types.learn(self._told(relation, types))
            unnamed = self._unnamed_texts(relation, places)
            changed = [
                self._change_text(relation, place, types) if isinstance(place, _Text) else self._change_frame(place, types)
                for place in reversed(places)
            ]
            for slot, text, name in unnamed:
                if slot.expression_string.expression != text:
                    _alias(slot, name)
        except RecursionError:
            # Thousands of operations in one expression: the engine does not take that either.
            return False
        return any(changed)

    @cached_property
    def _wraps(self) -> bool:
        """Whether the session wants whole numbers to wrap around."""
        return (self.session.setting("spark.sql.ansi.enabled") or "true").lower() == "false"

    def _known(self, relation: Any) -> dict[str, str]:
        """The types of columns, where all that is read is tables of the catalog, in SQL texts."""
        texts = [message.query for message in walk(relation) if message.DESCRIPTOR.name == "SQL"]
        kinds = {message.WhichOneof("rel_type") for message in walk(relation) if message.DESCRIPTOR.name == "Relation"}
        if not self.columns or self.session.names.temporary or not kinds <= {"sql"}:
            return {}
        others = dict(self.columns)
        for text in texts:
            for name in named(parse(text).tokens):
                others.pop(name, None)
        return others

    def _told(self, relation: Any, types: Types) -> str:
        """The engine's plan of a relation with words beside its operands."""
        # The plan as parsed is what counts; of no rows the others are made quickly.
        request = proto().Relation()
        request.limit.limit = 0
        asked = request.limit.input
        asked.CopyFrom(relation)
        root = sql_node(asked)
        for place in _places(asked, Types()):
            if isinstance(place, _Frame):
                frames.put_marks([(node, False) for node in place.nodes], types)
            elif place.message is root:
                place.message.query = question(parse(place.text), place.nodes, place.begin, types)
            else:
                setattr(place.message, place.name, marked(place.text, place.nodes, types))
        try:
            return sections(self.session.explain(request)).get("Parsed Logical Plan", "")
        except AioRpcError as error:
            if types.is_loose or _MIXED.search(error.details() or "") is None:
                return ""
        types.is_loose = True
        return self._told(relation, types)

    def _change_text(self, relation: Any, place: _Text, types: Types) -> bool:
        given, message = place.text, place.message
        statement = parse(given)
        edits = TextWriter(given, types, binds=not is_command(statement)).changes(place.nodes)
        if not edits:
            return False
        holder = _holder(relation, message)
        names = None
        if holder is not None and (statement.is_query or statement.create is not None or statement.temporary_views):
            unnamed = _unnamed(statement.tokens, edits)
            is_pivoted = any(token.is_word("PIVOT") for token in statement.tokens)
            names = self._names(holder, statement, place.begin) if unnamed or is_pivoted else None
            if unnamed and names is None:
                # The engine does not take it as it stands.
                edits += [Edit(end, end, f" AS {quote([_shown(given[start:end])])}") for start, end in unnamed]
        text = apply(given, edits)
        if names is not None and not statement.is_query:
            listed = ", ".join(quote([name]) for name in names)
            text = f"{text[: place.begin]}SELECT * FROM ({text[place.begin :]}) AS `__bh_named`({listed})"  # noqa: S608 - pieces of the statement itself
            names = None
        setattr(message, place.name, text)
        if names is not None:
            _rename(holder, names)
        return True

    def _names(self, holder: Any, statement: Statement, begin: int) -> list[str] | None:
        """How the columns of a query are named as it stands."""
        asked = proto().Relation()
        asked.CopyFrom(holder)
        node = sql_node(asked)
        if node is not None and not statement.is_query:
            node.query = node.query[begin:]
        struct = self.session.struct(asked)
        return None if struct is None else [one.name for one in struct.fields]

    def _change_frame(self, place: _Frame, types: Types) -> bool:
        before = proto().Relation()
        before.CopyFrom(place.relation)
        slots = _slots(place.relation)
        was = [one.SerializeToString(deterministic=True) for one in slots]
        if not frames.change(place.nodes, types):
            return False
        unnamed = [
            at
            for at, one in enumerate(slots)
            if one.WhichOneof("expr_type") != "alias" and one.SerializeToString(deterministic=True) != was[at]
        ]
        names = self._names_of(before, unnamed) if unnamed else []
        if place.relation.HasField("aggregate"):
            if names:
                # Not as aliases: what rows are grouped by could not be found again in what is selected.
                _rename(place.relation, names)
            return True
        for at, name in zip(unnamed, names, strict=False):
            _alias(slots[at], name)
        return True

    def _unnamed_texts(self, root: Any, places: Sequence[_Text | _Frame]) -> list[tuple[Any, str, str]]:
        """The columns of projections that are texts: their messages, the texts, and how the engine names them."""
        if not any(isinstance(place, _Text) and place.name == "expression" for place in places):
            return []
        found: list[tuple[Any, str, str]] = []
        for relation in walk(root):
            if relation.DESCRIPTOR.name != "Relation" or relation.WhichOneof("rel_type") != "project":
                continue
            slots = _slots(relation)
            texts = [at for at, one in enumerate(slots) if one.WhichOneof("expr_type") == "expression_string"]
            texts = [at for at in texts if _MAY_HAVE_TEXT.search(slots[at].expression_string.expression) is not None]
            names = self._names_of(relation, texts) if texts else []
            if len(names) == len(texts):
                pairs = zip(texts, names, strict=True)
                found += [(slots[at], str(slots[at].expression_string.expression), name) for at, name in pairs]
        return found

    def _names_of(self, relation: Any, places: Sequence[int]) -> list[str]:
        """How the engine names columns of a projection that have no alias, or all of an aggregation."""
        slots = _slots(relation)
        asked = proto().Relation()
        if relation.HasField("project"):
            asked.project.input.CopyFrom(relation.project.input)
            asked.project.expressions.extend(slots[at] for at in places)
            struct = self.session.struct(asked)
            return [shown(slots[at]) for at in places] if struct is None else [one.name for one in struct.fields]
        asked.CopyFrom(relation)
        struct = self.session.struct(asked)
        return [shown(one) for one in slots] if struct is None else [one.name for one in struct.fields]


def _alias(slot: Any, name: str) -> None:
    """Give a column its name, in place."""
    inside = proto().Expression()
    inside.CopyFrom(slot)
    slot.alias.expr.CopyFrom(inside)
    slot.alias.name.append(name)


def _rename(relation: Any, names: Sequence[str]) -> None:
    """Give the columns of a relation their names, in place."""
    inside = proto().Relation()
    inside.CopyFrom(relation)
    relation.to_df.input.CopyFrom(inside)
    relation.to_df.column_names.extend(names)


def _slots(relation: Any) -> list[Any]:
    """The expressions that are a relation's columns, where they are named by what they are."""
    match relation.WhichOneof("rel_type"):
        case "project":
            return list(relation.project.expressions)
        case "aggregate":
            return [*relation.aggregate.grouping_expressions, *relation.aggregate.aggregate_expressions]
        case _:
            return []


def _unnamed(tokens: Sequence[Token], edits: Iterable[Edit]) -> list[tuple[int, int]]:
    """Where columns stand that are changed, and named by what they are."""
    found = (standing(tokens, CallUse((), edit.start, edit.end, ())).unnamed for edit in edits)
    return sorted({one for one in found if one is not None})


def _shown(text: str) -> str:
    """How an expression is shown: an operation in brackets."""
    text = " ".join(text.split())
    return text if text.endswith(")") else f"({text})"


def _holder(root: Any, node: Any) -> Any | None:
    """The relation that is a SQL message, with what it refers to; None for an expression's text."""
    stack = [root]
    while stack:
        message = stack.pop()
        if message.DESCRIPTOR.name == "Relation" and sql_node(message) is node:
            return message
        stack.extend(children(message))
    return None


def _places(root: Any, types: Types) -> Iterator[_Text | _Frame]:
    """The texts and the relations of DataFrames with arithmetic; what rows are grouped by is noted."""
    numbered = 0
    top = sql_node(root)
    stack: list[Any] = [root]
    while stack:
        relation = stack.pop()
        where = numbered
        numbered += 1
        own, below = _own(relation)
        stack += below
        nodes: list[Node] = []
        texts: list[_Text] = []
        for message in own:
            name = TEXTS.get(message.DESCRIPTOR.name)
            if name is not None and _MAY_HAVE_TEXT.search(getattr(message, name)) is not None:
                text = _text(message, name, where, types, is_top=message is top)
                texts += [] if text is None else [text]
        kind = relation.WhichOneof("rel_type")
        is_pivot = kind == "aggregate" and relation.aggregate.HasField("pivot")
        if kind not in {None, "sql", "with_relations"} and not is_pivot:
            nodes = list(frames.found(relation, where, _PLAIN))
            if kind == "sort":
                # The engine does not sort by what has the same twice.
                nodes = [one for one in map(without_calls, nodes) if one.holds]
            if kind == "aggregate":
                keys = ((where, one.SerializeToString(deterministic=True)) for one in relation.aggregate.grouping_expressions)
                types.units |= frozenset(keys)
        yield from texts
        if nodes:
            yield _Frame(relation, tuple(nodes))


def _own(relation: Any) -> tuple[list[Any], list[Any]]:
    """The messages of a relation that are in no relation below it, and these relations."""
    own, below, stack = list[Any](), list[Any](), children(relation)
    while stack:
        message = stack.pop(0)
        if message.DESCRIPTOR.name == "Relation":
            below.append(message)
        else:
            own.append(message)
            stack += children(message)
    return own, below


def _text(message: Any, name: str, where: int, types: Types, *, is_top: bool) -> _Text | None:
    text = getattr(message, name)
    if name == "expression":
        first, tokens, assignments = 0, list(parse(text).tokens), None
    else:
        statement = parse(text)
        first = begin(statement, is_top=is_top)
        if first is None:
            return None
        tokens = [token for token in statement.tokens if token.start >= first]
        assignments = assigned(tokens) if is_command(statement) else None
    reader = Arithmetic(tokens, _PLAIN, where, assigned=assignments)
    types.units |= reader.grouped()
    nodes = tuple(reader.all())
    return _Text(message, name, nodes, first) if nodes else None
