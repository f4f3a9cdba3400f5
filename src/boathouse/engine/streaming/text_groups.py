"""Aggregations in SQL texts over streams, as the relations that the DataFrame's methods would give.

``SELECT k, sum(n) AS n FROM s WHERE ... GROUP BY k HAVING ...`` becomes a text that gives the rows with what is grouped by and
aggregated, an aggregation of these, and a projection of that.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.names.stream_reads import streaming_reads
from boathouse.engine.gateway.sql.statements import Edit, apply
from boathouse.engine.gateway.sql.tokens import Kind, Token, closing, quote, read_name, tokenize
from boathouse.engine.gateway.streams.texts import texts_of
from boathouse.engine.streaming.errors import NotOnThisEngine
from boathouse.engine.streaming.operators import AGGREGATES

_NOT_HERE = ("ORDER", "SORT", "CLUSTER", "DISTRIBUTE", "LIMIT", "OFFSET", "QUALIFY")
_SETS = ("UNION", "INTERSECT", "EXCEPT", "MINUS")
_QUERIES = ("SELECT", "WITH", "FROM", "VALUES", "TABLE")
_SPREADING = ("ROLLUP", "CUBE", "GROUPING", "ALL")
_WINDOWS = ("WINDOW", "SESSION_WINDOW")
_CONSTANTS = ("TRUE", "FALSE", "NULL")

Tokens = Sequence[Token]


def grouped(plan: Any) -> Any:
    """A plan in which SQL texts that aggregate streams are relations; those that cannot be taken apart stay as they are.

    Raises:
        NotOnThisEngine: If one has columns or windows that cannot be told.
    """
    copy = proto().Relation()
    copy.CopyFrom(plan)
    for text in texts_of(copy):
        holder = text.holder
        if holder is None or not any(streaming_reads(one) for one in holder.with_relations.references):
            continue
        if len(holder.with_relations.root.sql.ListFields()) > 1:
            continue  # it has parameters
        query = _read(text.relation.sql.query)
        if query is not None:
            _replace(holder, query)
    return copy


@dataclass(frozen=True)
class _Query:
    """A text: its selected items, its FROM and WHERE, what it is grouped by, and the condition on groups."""

    text: str
    items: list[Tokens]
    source: str
    groups: list[Tokens]
    having: Tokens


def _read(text: str) -> _Query | None:
    tokens = tokenize(text)
    while tokens and tokens[-1].is_mark(";"):
        tokens.pop()
    if not tokens or not tokens[0].is_word("SELECT") or tokens[1].is_word("DISTINCT", "ALL"):
        return None
    places: dict[str, int] = {}
    depth = 0
    for at, token in enumerate(tokens):
        depth += token.is_mark("(") - token.is_mark(")")
        if token.is_mark("(") and at + 1 < len(tokens) and tokens[at + 1].is_word(*_QUERIES):
            return None
        if depth == 0 and (token.is_word(*_NOT_HERE, *_SETS) or _defines_window(tokens, at)):
            return None
        if depth == 0 and token.is_word("FROM", "GROUP", "HAVING"):
            places.setdefault(token.value, at)
    if "FROM" not in places:
        return None
    end = len(tokens)
    having = places.get("HAVING", end)
    group = places.get("GROUP", having)
    items = _listed(tokens[1 : places["FROM"]])
    groups = _listed(tokens[group + 2 : having]) if "GROUP" in places else []
    if "GROUP" not in places and not any(_called(item, at) for item in items for at in range(len(item))):
        return None
    if any(item and item[0].is_word(*_SPREADING) for item in groups) or tokens[places["FROM"] - 1].is_word("DISTINCT"):
        return None
    source = text[tokens[places["FROM"]].start : tokens[group - 1].end]
    return _Query(text, items, source, [_of_number(one, items) for one in groups], tokens[having + 1 :])


def _defines_window(tokens: Tokens, at: int) -> bool:
    """Whether a clause ``WINDOW name AS (...)`` begins; a column can have that name, too."""
    return tokens[at].is_word("WINDOW") and at + 2 < len(tokens) and tokens[at + 2].is_word("AS")


def _of_number(group: Tokens, items: Sequence[Tokens]) -> Tokens:
    """``GROUP BY 1`` is the first selected item."""
    if len(group) == 1 and group[0].raw.isdigit() and 0 < int(group[0].raw) <= len(items):
        return _named(items[int(group[0].raw) - 1])[0]
    return group


def _replace(holder: Any, query: _Query) -> None:
    parts = _Parts(query.text)
    for group in query.groups:
        parts.group(group)
    items = [(parts.outer(tokens), name) for tokens, name in map(_named, query.items)]
    condition = parts.outer(query.having) if query.having else None
    rows = proto().Relation()
    rows.with_relations.CopyFrom(holder.with_relations)
    listed = ", ".join(f"{text} AS {quote([name])}" for name, text in parts.columns.items())
    rows.with_relations.root.sql.query = f"SELECT {listed or '1 AS __one'} {query.source}"
    made = proto().Relation()
    made.aggregate.input.CopyFrom(rows)
    made.aggregate.group_type = proto().Aggregate.GROUP_TYPE_GROUPBY
    made.aggregate.grouping_expressions.extend(parts.groups)
    made.aggregate.aggregate_expressions.extend(parts.aggregates.values())
    if condition is not None:
        inner = made
        made = proto().Relation()
        made.filter.input.CopyFrom(inner)
        made.filter.condition.expression_string.expression = condition
    result = proto().Relation()
    result.common.CopyFrom(holder.common)
    result.project.input.CopyFrom(made)
    for text, name in items:
        if name is None:
            raise NotOnThisEngine(f"A column without a name ({text}) in a SQL text with GROUP BY", "Give it one with AS.")
        alias = result.project.expressions.add().alias
        alias.name.append(name)
        alias.expr.expression_string.expression = text
    holder.CopyFrom(result)


@dataclass
class _Parts:
    """What a text's aggregation is made of.

    Attributes:
        text: The text.
        columns: Of its rows, by name -> their SQL.
        groups: Expressions that it is grouped by.
        aggregates: By the name of their column.
    """

    text: str
    columns: dict[str, str] = field(default_factory=dict[str, str])
    groups: list[Any] = field(default_factory=list[Any])
    aggregates: dict[str, Any] = field(default_factory=dict[str, Any])
    _names: list[tuple[tuple[str, ...], str]] = field(default_factory=list[tuple[tuple[str, ...], str]])
    """What each group looks like, and what its column is called."""
    _calls: dict[tuple[str, ...], str] = field(default_factory=dict[tuple[str, ...], str])

    def group(self, tokens: Tokens) -> None:
        """Group by an expression."""
        expression = proto().Expression()
        window = len(tokens) > 2 and tokens[0].is_word(*_WINDOWS) and closing(tokens, 1) == len(tokens) - 1
        if window:
            call = expression.unresolved_function
            call.function_name = name = tokens[0].raw.lower()
            time, *spans = _listed(tokens[2:-1])
            call.arguments.add().unresolved_attribute.unparsed_identifier = quote([self._column(time)])
            for span in spans:
                if len(span) != 1 or span[0].kind is not Kind.STRING:
                    raise NotOnThisEngine(f"{name} in a SQL text with a span that is no string", "Write it as '10 minutes'.")
                call.arguments.add().literal.string = span[0].value
        else:
            name = self._column(tokens)
            expression.unresolved_attribute.unparsed_identifier = quote([name])
        self.groups.append(expression)
        self._names.append((_look(tokens), name))

    def outer(self, tokens: Tokens) -> str:
        """An expression over the groups and aggregates, as SQL."""
        begin = tokens[0].start
        edits: list[Edit] = []
        at = 0
        while at < len(tokens):
            end, name = self._aggregate(tokens, at) if _called(tokens, at) else self._group_at(tokens, at)
            if name is not None:
                edits.append(Edit(tokens[at].start - begin, tokens[end - 1].end - begin, quote([name])))
            at = end
        return apply(self.text[begin : tokens[-1].end], edits)

    def _group_at(self, tokens: Tokens, at: int) -> tuple[int, str | None]:
        """The group that stands at a token, or None, and where the next piece begins."""
        parts, end = read_name(list(tokens), at)
        called = end < len(tokens) and tokens[end].is_mark("(")
        for look, name in self._names:
            after = at + len(look)
            if _look(tokens[at:after]) == look and (after >= end or called):
                return after, name
            # A column with the name of its table in front, or without it.
            differs = {len(look), 2 * len(parts) - 1} == {1, 3} and not called
            if differs and look[-1] == parts[-1].lower() and (len(look) == 1 or look[1] == "."):
                return end, name
        return at + 1 if called or not parts else end, None

    def _aggregate(self, tokens: Tokens, at: int) -> tuple[int, str]:
        """The aggregate that is called at a token."""
        end = (closing(tokens, at + 1) or len(tokens) - 1) + 1
        if end < len(tokens) and tokens[end].is_word("OVER", "FILTER", "WITHIN", "IGNORE", "RESPECT"):
            raise NotOnThisEngine(f"{tokens[end].value} after an aggregate function in a SQL text over a stream")
        look = _look(tokens[at:end])
        if look in self._calls:
            return end, self._calls[look]
        name = self._calls[look] = f"__r{len(self._calls)}"
        inside = tokens[at + 2 : end - 1]
        expression = proto().Expression()
        expression.alias.name.append(name)
        call = expression.alias.expr.unresolved_function
        call.function_name = tokens[at].identifier.lower()
        if inside and inside[0].is_word("DISTINCT"):
            call.is_distinct, inside = True, inside[1:]
        for argument in _listed(inside):
            self._argument(call.arguments.add(), argument)
        self.aggregates[name] = expression
        return end, name

    def _argument(self, expression: Any, tokens: Tokens) -> None:
        if len(tokens) == 1 and tokens[0].is_mark("*"):
            expression.literal.integer = 1
        elif all(token.kind is not Kind.NAME and (not token.is_identifier or _is_constant(token)) for token in tokens):
            expression.expression_string.expression = self.text[tokens[0].start : tokens[-1].end]
        else:
            expression.unresolved_attribute.unparsed_identifier = quote([self._column(tokens)])

    def _column(self, tokens: Tokens) -> str:
        """The column of the rows that an expression is; a plain column keeps its name, by which event times are known."""
        text = self.text[tokens[0].start : tokens[-1].end]
        known = next((name for name, one in self.columns.items() if one == text), None)
        if known is not None:
            return known
        parts, end = read_name(list(tokens), 0)
        taken = {name.lower() for name in self.columns}
        is_plain = end == len(tokens) and bool(parts) and parts[-1].lower() not in taken
        name = parts[-1] if is_plain else f"__c{len(self.columns)}"
        self.columns[name] = text
        return name


def _named(item: Tokens) -> tuple[Tokens, str | None]:
    """A selected item without its name, and that."""
    parts, end = read_name(list(item), 0)
    if end == len(item) and parts:
        return item, parts[-1]
    last = item[-1]
    if len(item) > 2 and item[-2].is_word("AS") and last.is_identifier:
        return item[:-2], last.identifier
    if last.is_identifier and not last.is_word("END", *_CONSTANTS) and (item[-2].is_mark(")") or end == len(item) - 1):
        return item[:-1], last.identifier
    if item[0].is_word(*_WINDOWS) and len(item) > 1 and closing(item, 1) == len(item) - 1:
        return item, item[0].raw.lower()
    return item, None


def _listed(tokens: Tokens) -> list[Tokens]:
    """The parts of a list between its commas."""
    found: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token.is_mark("(") or token.is_mark("[")) - (token.is_mark(")") or token.is_mark("]"))
        if depth == 0 and token.is_mark(","):
            found.append([])
        else:
            found[-1].append(token)
    return [one for one in found if one]


def _called(tokens: Tokens, at: int) -> bool:
    """Whether an aggregate function is called at a token."""
    follows = at + 1 < len(tokens) and tokens[at + 1].is_mark("(")
    is_name = tokens[at].kind is Kind.WORD and tokens[at].identifier.lower() in AGGREGATES
    return follows and is_name and not (at and tokens[at - 1].is_mark("."))


def _look(tokens: Tokens) -> tuple[str, ...]:
    """Tokens as they are compared: without spaces, and names without regard to case."""
    return tuple(one.raw if one.kind is Kind.STRING else one.identifier.lower() for one in tokens)


def _is_constant(token: Token) -> bool:
    return token.is_word(*_CONSTANTS) or token.raw[:1].isdigit()
