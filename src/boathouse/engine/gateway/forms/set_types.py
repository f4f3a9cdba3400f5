"""Set operations whose queries have columns of several types: each column is cast to the one type that Spark gives it.

The embedded engine does so by itself where it executes them, but says that the columns are those of the first query: a client
then cannot read the rows, and what is built on top is analysed with the wrong types.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any

from boathouse.engine.errors import QueryRefused
from boathouse.engine.gateway.messages.protocol import proto, sql_node
from boathouse.engine.gateway.messages.spark_types import DataType, Struct, same, sql
from boathouse.engine.gateway.messages.walk import may_have, relations
from boathouse.engine.gateway.session import EngineSession
from boathouse.engine.gateway.sql.inserts import query_start
from boathouse.engine.gateway.sql.select_scopes import common_before
from boathouse.engine.gateway.sql.set_operations import Chain, chains
from boathouse.engine.gateway.sql.statements import Edit, Statement, apply, parse
from boathouse.engine.gateway.sql.tokens import Token, quote, tokenize
from boathouse.engine.gateway.sql.widening import clashes, wider

_MAY_HAVE = re.compile(r"\b(?:union|except|minus|intersect)\b", re.IGNORECASE)
_MAY_HAVE_BYTES = re.compile(_MAY_HAVE.pattern.encode(), re.IGNORECASE)
_BETWEEN = "__bh_between"
"""A column between those of two queries that are asked about at once."""
_AT_ONCE = 8


@dataclass
class SetTypes:
    """Gives the columns of the set operations of one request their types.

    Attributes:
        session: Of the request.
        has_frames: Whether there are any of DataFrames.
    """

    session: EngineSession
    has_frames: bool

    def put(self, root: Any) -> bool:
        """Have the columns of a plan whose names are governed cast, in place; whether there were any to cast."""
        if not self.has_frames and not may_have(root, _MAY_HAVE_BYTES):
            return False
        found = relations(root)
        inside: list[Any] = []
        for relation in found:
            # Of a text that refers to other relations only the outer relation knows these.
            if relation.WhichOneof("rel_type") == "with_relations" and sql_node(relation) is not None:
                inside.append(relation.with_relations.root)
            elif _is_joined(relation):
                inside += [one for one in _inputs(relation) if _is_joined(one)]
        known = {id(one) for one in inside}
        changed = False
        # What is inside first: its types are those of what is around.
        for relation in reversed(found):
            node = sql_node(relation)
            if id(relation) in known:
                continue
            if node is not None:
                changed |= self._put_text(relation, node)
            elif relation.WhichOneof("rel_type") == "set_op":
                changed |= self._put_frame(relation)
        return changed

    @cached_property
    def _ansi(self) -> bool:
        return (self.session.setting("spark.sql.ansi.enabled") or "true").lower() != "false"

    def _common(self, shapes: Sequence[Struct], operator: str) -> list[DataType] | None:
        """The types of the columns of a set operation; None where they are the same, or the engine is to say so.

        Raises:
            QueryRefused: If the queries do not have as many columns, or columns that have no type in common.
        """
        _require_as_many(shapes, operator)
        found: list[DataType] = []
        for number, column in enumerate(zip(*(one.fields for one in shapes), strict=True), 1):
            kinds = [one.type for one in column]
            _require_compatible(kinds, number, operator)
            if all(same(kinds[0], kind) for kind in kinds[1:]):
                found.append(kinds[0])
                continue
            kind = reduce(
                lambda one, other: None if one is None else wider(one, other, ansi=self._ansi), kinds[1:], kinds[:1][0]
            )
            if kind is None:
                return None
            found.append(kind)
        is_told = all(same(kind, one.type) for shape in shapes for kind, one in zip(found, shape.fields, strict=True))
        return None if is_told else found

    # ------------------------------------------------------------------------------------------------------------- texts

    def _put_text(self, relation: Any, node: Any) -> bool:
        text = node.query
        if _MAY_HAVE.search(text) is None:
            return False
        begin = _begin(parse(text))
        if begin is None:
            return False
        tokens = tokenize(text)
        # The innermost first, which their first operators still tell when texts around these were changed.
        found = list(chains(tokens))
        for number in sorted(range(len(found)), key=lambda number: found[number].length):
            chain = list(chains(tokens))[number]
            if tokens[chain.branches[0][0]].start < begin:
                continue
            edits = self._edits(relation, text, tokens, chain)
            if edits:
                text = apply(text, edits)
                tokens = tokenize(text)
        changed = text != node.query
        if changed:
            node.query = text
        return changed

    def _edits(self, relation: Any, text: str, tokens: Sequence[Token], chain: Chain) -> list[Edit]:
        spans = [(tokens[first].start, tokens[end - 1].end) for first, end in chain.branches]
        queries = [
            _in_brackets(text[begin:end], tokens[first]) for (begin, end), (first, _) in zip(spans, chain.branches, strict=True)
        ]
        before = common_before(text, tokens, chain.branches[0][0])
        shapes: list[Struct] = []
        for at in range(0, len(queries), _AT_ONCE):
            listed = [f"{query} AS `__bh_set{number}`" for number, query in enumerate(queries[at : at + _AT_ONCE])]
            columns = f", 0 AS `{_BETWEEN}`, ".join(f"`__bh_set{number}`.*" for number in range(len(listed)))
            asked = proto().Relation()
            asked.CopyFrom(relation)
            node: Any = sql_node(asked)
            node.query = f"{before}SELECT {columns} FROM {' CROSS JOIN '.join(listed)}"  # noqa: S608 - pieces of the statement itself
            found = self._shapes(asked)
            if found is None or len(found) != len(listed):
                return []
            shapes += found
        kinds = self._common(shapes, tokens[chain.branches[0][1]].value)
        if kinds is None:
            return []
        names = shapes[0].names
        return [
            Edit(begin, end, _cast_text(query, shape, kinds, names))
            for (begin, end), query, shape in zip(spans, queries, shapes, strict=True)
            if not all(same(one.type, kind) for one, kind in zip(shape.fields, kinds, strict=True))
        ]

    def _shapes(self, asked: Any) -> list[Struct] | None:
        """The columns of the queries that one asks about at once; None where the engine cannot tell them."""
        struct = self.session.struct(asked)
        if struct is None:
            return None
        found: list[list[Any]] = [[]]
        for one in struct.fields:
            if one.name == _BETWEEN:
                found.append([])
            else:
                found[-1].append(one)
        return [Struct(tuple(fields)) for fields in found]

    # -------------------------------------------------------------------------------------------------------- DataFrames

    def _put_frame(self, relation: Any) -> bool:
        by_name = relation.set_op.by_name
        leaves = _inputs(relation) if by_name else _leaves(relation)
        shapes = self._shapes_of(leaves)
        if shapes is None:
            return False
        kind = relation.set_op.set_op_type
        operator = proto().SetOperation.SetOpType.Name(kind).removeprefix("SET_OP_TYPE_")
        return self._put_by_name(leaves, shapes, operator) if by_name else self._put_by_place(leaves, shapes, operator)

    def _put_by_place(self, leaves: Sequence[Any], shapes: Sequence[Struct], operator: str) -> bool:
        kinds = self._common(shapes, operator)
        if kinds is None:
            return False
        for leaf, shape in zip(leaves, shapes, strict=True):
            _cast_frame(leaf, shape, kinds)
        return True

    def _put_by_name(self, leaves: Sequence[Any], shapes: Sequence[Struct], operator: str) -> bool:
        left, right = shapes
        if any(len({name.lower() for name in one.names}) < len(one.names) for one in shapes):
            return False
        pairs = {one.name.lower(): (one, other) for one in left.fields if (other := right.find(one.name)) is not None}
        kinds = self._common([Struct(tuple(pair[side] for pair in pairs.values())) for side in (0, 1)], operator)
        if kinds is None:
            return False
        known = dict(zip(pairs, kinds, strict=True))
        for leaf, shape in zip(leaves, shapes, strict=True):
            _cast_frame(leaf, shape, [known.get(one.name.lower(), one.type) for one in shape.fields])
        return True

    def _shapes_of(self, leaves: Sequence[Any]) -> list[Struct] | None:
        """The columns of relations; None where the engine cannot tell them all."""
        known: dict[bytes, Struct] = {}
        keys = [one.SerializeToString(deterministic=True) for one in leaves]
        for key, leaf in zip(keys, leaves, strict=True):
            if key not in known:
                struct = self.session.struct(leaf)
                if struct is None:
                    return None
                known[key] = struct
        return [known[key] for key in keys]


def _require_as_many(shapes: Sequence[Struct], operator: str) -> None:
    first = len(shapes[0].fields)
    other = next((at for at, one in enumerate(shapes) if len(one.fields) != first), None)
    if other is not None:
        message = (
            f"{operator} can only be performed on inputs with the same number of columns, but the first input has {first} columns "
            f"and the {_place(other + 1)} input has {len(shapes[other].fields)} columns."
        )
        raise QueryRefused("NUM_COLUMNS_MISMATCH", "42826", message)


def _require_compatible(kinds: Sequence[DataType], column: int, operator: str) -> None:
    other = next((at for at, kind in enumerate(kinds) if clashes(kinds[0], kind)), None)
    if other is not None:
        message = (
            f'{operator} can only be performed on tables with compatible column types. The {_place(column)} column of the {_place(other + 1)} table is "{sql(kinds[other])}" type '
            f'which is not compatible with "{sql(kinds[0])}" at the same column of the first table.'
        )
        raise QueryRefused("INCOMPATIBLE_COLUMN_TYPE", "42825", message)


def _place(number: int) -> str:
    return ("first", "second", "third")[number - 1] if number < 4 else f"{number}th"


def _begin(statement: Statement) -> int | None:
    """Where the query of a statement begins; None where it has none whose columns matter."""
    if statement.is_query:
        return 0
    if statement.create is not None:
        return statement.create.query
    if statement.temporary_views:
        tokens = statement.tokens
        found = next((at for at, token in enumerate(tokens[:-1]) if token.is_word("AS")), None)
        return None if found is None else tokens[found + 1].start
    return query_start(statement)


def _in_brackets(query: str, first: Token) -> str:
    return query if first.is_mark("(") and query.endswith(")") else f"({query})"


def _cast_text(query: str, shape: Struct, kinds: Sequence[DataType], names: Sequence[str]) -> str:
    columns = [f"`__bh_column{number}`" for number in range(len(kinds))]
    listed = [
        f"{column if same(one.type, kind) else f'CAST({column} AS {sql(kind)})'} AS {quote([name])}"
        for column, one, kind, name in zip(columns, shape.fields, kinds, names, strict=True)
    ]
    return f"SELECT {', '.join(listed)} FROM {query} AS `__bh_set`({', '.join(columns)})"  # noqa: S608 - names are quoted


def _inputs(relation: Any) -> list[Any]:
    return [relation.set_op.left_input, relation.set_op.right_input]


def _is_joined(relation: Any) -> bool:
    """Whether a relation is a set operation whose columns go by their places."""
    return relation.WhichOneof("rel_type") == "set_op" and not relation.set_op.by_name


def _leaves(relation: Any) -> list[Any]:
    """The relations that set operations join by the places of columns."""
    found: list[Any] = []
    stack = [relation]
    while stack:
        one = stack.pop()
        if _is_joined(one):
            stack += reversed(_inputs(one))
        else:
            found.append(one)
    return found


def _cast_frame(relation: Any, shape: Struct, kinds: Sequence[DataType]) -> None:
    """Cast the columns of a relation whose types are others, in place."""
    if all(same(one.type, kind) for one, kind in zip(shape.fields, kinds, strict=True)):
        return
    inside = proto().Relation()
    inside.CopyFrom(relation)
    # Made anew: where the relation is a projection itself, its own expressions would stand beside these.
    project = proto().Project()
    project.input.to_df.input.CopyFrom(inside)
    for number, (one, kind) in enumerate(zip(shape.fields, kinds, strict=True)):
        column = f"__bh_column{number}"
        project.input.to_df.column_names.append(column)
        named = project.expressions.add().alias
        named.name.append(one.name)
        held = named.expr
        if not same(one.type, kind):
            held.cast.type_str = sql(kind)
            held = held.cast.expr
        held.unresolved_attribute.unparsed_identifier = column
    relation.project.CopyFrom(project)
