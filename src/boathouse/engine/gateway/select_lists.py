"""Lists of SELECT in forms that the embedded engine does not read: they are written out with the columns that FROM gives.

``* EXCEPT (a)`` becomes the other columns, and ``t.*`` after ``JOIN ... USING`` all of ``t``. A name that an expression before it in the list defines stands for that expression, where no
column of FROM has it. ``explode`` of a map, which ends the engine's answer, becomes ``inline`` of the map's entries.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.inserts import split
from boathouse.engine.gateway.repeatable import BEFORE_BRACKET, REPEATABLE
from boathouse.engine.gateway.select_items import GROUPING, is_alias
from boathouse.engine.gateway.spark_types import DataType, Map, Struct
from boathouse.engine.gateway.sql_tokens import Kind, Token, closing, quote, read_name, tokenize
from boathouse.engine.gateway.statements import Edit, apply

Schema = Callable[[str], Struct | None]
"""What a query gives; None where the engine cannot tell."""

TypeOf = Callable[[str], DataType | None]

_ENDS = frozenset(
    {"WHERE", "GROUP", "HAVING", "QUALIFY", "ORDER", "SORT", "CLUSTER", "DISTRIBUTE", "LIMIT", "OFFSET", "WINDOW"}
    | {"UNION", "EXCEPT", "MINUS", "INTERSECT", "ON", "WHEN"}
)
_NO_NAMES = frozenset(
    {
        "ALL",
        "AND",
        "ANY",
        "ARRAY",
        "AS",
        "ASC",
        "BETWEEN",
        "BY",
        "CASE",
        "CAST",
        "CROSS",
        "CURRENT",
        "CURRENT_DATE",
        "CURRENT_TIME",
    }
    | {
        "CURRENT_TIMESTAMP",
        "CURRENT_USER",
        "DATE",
        "DAY",
        "DAYS",
        "DESC",
        "DISTINCT",
        "DIV",
        "DOW",
        "DOY",
        "ELSE",
        "END",
        "ESCAPE",
    }
    | {
        "EXISTS",
        "FALSE",
        "FILTER",
        "FIRST",
        "FOLLOWING",
        "FOR",
        "FROM",
        "HOUR",
        "HOURS",
        "ILIKE",
        "IN",
        "INTERVAL",
        "IS",
        "LAST",
    }
    | {
        "LIKE",
        "MAP",
        "MICROSECOND",
        "MILLISECOND",
        "MINUTE",
        "MINUTES",
        "MONTH",
        "MONTHS",
        "NOT",
        "NULL",
        "NULLS",
        "OR",
        "ORDER",
    }
    | {
        "OVER",
        "PARTITION",
        "PRECEDING",
        "QUARTER",
        "RANGE",
        "REGEXP",
        "RLIKE",
        "ROW",
        "ROWS",
        "SECOND",
        "SECONDS",
        "SOME",
        "STRUCT",
    }
    | {"THEN", "TIMESTAMP", "TO", "TRUE", "UNBOUNDED", "USER", "WEEK", "WEEKS", "WHEN", "WITHIN", "YEAR", "YEARS"}
)
"""Words that are something else than a name in an expression: as the name of an expression they stand for nothing here."""
_JOINS = ("JOIN", "INNER", "CROSS", "LEFT", "RIGHT", "FULL", "NATURAL", "SEMI", "ANTI")
_EXPLODES = {"EXPLODE": "inline", "EXPLODE_OUTER": "inline_outer"}
_SAME_EACH_TIME = (
    REPEATABLE
    | GROUPING
    | {
        *("row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "ntile", "lag", "lead", "nth_value", "first_value"),
        *("last_value", "current_date", "current_timestamp", "now", "current_user", "current_catalog", "current_schema"),
    }
)
"""Functions that give the same value wherever they stand in one query."""
_POSITIONS = frozenset({"POSEXPLODE", "POSEXPLODE_OUTER"})


def may_have_lists(sql: str) -> bool:
    """Whether a text may have one of these forms."""
    lower = sql.lower()
    return "select" in lower and (
        "except" in lower or "using" in lower or "natural" in lower or "explode" in lower or lower.count(",") > 0
    )


def with_lists(sql: str, schema: Schema) -> str:
    """A text with its lists written out.

    Args:
        sql: A statement.
        schema: Tells what a query gives, whose names are those of the statement.

    Raises:
        StatementRefused: If a column after EXCEPT is none, or columns cannot be told apart.
    """
    tokens = tokenize(sql)
    edits: list[Edit] = []
    for scope in _scopes(sql, tokens):
        edits += _stars(sql, tokens, scope, schema)
        edits += _merged(sql, tokens, scope, schema)
        edits += _aliases(sql, tokens, scope, schema)
        edits += _explodes(sql, tokens, scope, schema)
    kept = [one for one in edits if not any(other is not one and _inside(one, other) for other in edits)]
    return apply(sql, kept) if kept else sql


def _inside(one: Edit, other: Edit) -> bool:
    return other.start <= one.start and one.end <= other.end


@dataclass(frozen=True)
class _Scope:
    """One SELECT.

    Attributes:
        items: Where its list begins and ends, in tokens.
        relations: Where that begins and ends which follows FROM; None without one.
        before: The common table expressions that it can name, as text.
    """

    items: tuple[int, int]
    relations: tuple[int, int] | None
    before: str

    def query(self, sql: str, tokens: Sequence[Token], listed: str, end: int | None = None) -> str | None:
        """A query of something from what follows FROM, or the first of it; None without one."""
        if self.relations is None:
            return None
        begin, stop = self.relations[0], self.relations[1] if end is None else end
        source = sql[tokens[begin].start : tokens[stop - 1].end] if begin < stop else None
        return None if source is None else f"{self.before}SELECT {listed} FROM {source}"  # noqa: S608 - pieces of the statement itself


def _scopes(sql: str, tokens: Sequence[Token]) -> Iterator[_Scope]:
    for at, token in enumerate(tokens):
        if token.is_word("SELECT") and at + 1 < len(tokens):
            scope = _scope(sql, tokens, at)
            if scope is not None:
                yield scope


def _scope(sql: str, tokens: Sequence[Token], at: int) -> _Scope | None:
    begin = at + 1
    if tokens[begin].is_word("DISTINCT", "ALL"):
        begin += 1
    depth, source, end = 0, None, len(tokens)
    stop = end
    for index in range(begin, len(tokens)):
        token = tokens[index]
        if depth == 0 and (token.is_mark(")") or token.is_mark(";")):
            stop = index
            break
        depth += token.is_mark("(") + token.is_mark("[") - token.is_mark(")") - token.is_mark("]")
        if depth or token.kind is not Kind.WORD:
            continue
        if source is None and token.value == "FROM" and not tokens[index - 1].is_word("DISTINCT"):
            source, end = index, index
        elif token.value in _ENDS and not _goes_on(tokens, index, source):
            stop = index
            break
    end = stop if source is None else end
    if begin >= end:
        return None
    return _Scope((begin, end), None if source is None else (source + 1, stop), _before(sql, tokens, at))


def _goes_on(tokens: Sequence[Token], index: int, source: int | None) -> bool:
    """Whether a word is no end: EXCEPT behind a star, WHEN of CASE, ON of a join."""
    if tokens[index].value == "EXCEPT":
        return source is None and tokens[index - 1].is_mark("*")
    return tokens[index].value in {"WHEN", "ON"} and (tokens[index].value == "ON" or source is None)


def _before(sql: str, tokens: Sequence[Token], at: int) -> str:
    """The common table expressions that the SELECT at a token can name, with WITH."""
    lists: list[str] = []
    depth, index = 0, at - 1
    inside = at
    while index >= 0:
        token = tokens[index]
        if token.is_mark(")"):
            depth += 1
        elif token.is_mark("("):
            depth -= 1
            if depth < 0:
                depth, inside = 0, index
        elif depth == 0 and token.is_word("WITH") and index + 1 < len(tokens) and tokens[index + 1].is_identifier:
            found = _named(sql, tokens, index + 1, inside)
            if found:
                lists.insert(0, found)
        index -= 1
    return f"WITH {', '.join(lists)} " if lists else ""


def _named(sql: str, tokens: Sequence[Token], begin: int, until: int) -> str:
    """The common table expressions that are whole before a token."""
    at, last = begin, None
    while at < until and tokens[at].is_identifier:
        end = at + 1
        if end < until and tokens[end].is_mark("("):
            closed = closing(tokens, end)
            end = until if closed is None else closed + 1
        if end >= until or not tokens[end].is_word("AS") or end + 1 >= until:
            break
        closed = closing(tokens, end + 1) if tokens[end + 1].is_mark("(") else None
        if closed is None or closed >= until:
            break
        last, at = closed, closed + 1
        if at >= until or not tokens[at].is_mark(","):
            break
        at += 1
    return "" if last is None else sql[tokens[begin].start : tokens[last].end]


# ----------------------------------------------------------------------------------------------------------------- stars


def _stars(sql: str, tokens: Sequence[Token], scope: _Scope, schema: Schema) -> list[Edit]:
    edits: list[Edit] = []
    index = scope.items[0]
    while index < scope.items[1]:
        index = _past_query(tokens, index)
        token = tokens[index] if index < scope.items[1] else None
        if token is None:
            break
        if (
            token.is_mark("*")
            and index + 2 < len(tokens)
            and tokens[index + 1].is_word("EXCEPT")
            and tokens[index + 2].is_mark("(")
        ):
            closed = closing(tokens, index + 2)
            if closed is not None and not tokens[index + 3].is_word("SELECT", "FROM", "VALUES", "WITH", "TABLE"):
                first = _qualified_from(tokens, index)
                left_out = [read_name(part, 0)[0] for part in split(list(tokens[index + 3 : closed]))]
                text = _listed(sql, tokens, scope, (first, index), left_out, schema)
                edits.append(Edit(tokens[first].start, tokens[closed].end, text))
                index = closed
        index += 1
    return edits


def _past_query(tokens: Sequence[Token], index: int) -> int:
    """The index, or that after a query in parentheses that opens there."""
    while (
        index + 1 < len(tokens) and tokens[index].is_mark("(") and tokens[index + 1].is_word("SELECT", "WITH", "FROM", "VALUES")
    ):
        closed = closing(tokens, index)
        if closed is None:
            return len(tokens)
        index = closed + 1
    return index


def _qualified_from(tokens: Sequence[Token], star: int) -> int:
    """Where a name before a star begins, or the star."""
    first = star
    while first >= 2 and tokens[first - 1].is_mark(".") and tokens[first - 2].is_identifier:
        first -= 2
    return first


def _listed(
    sql: str,
    tokens: Sequence[Token],
    scope: _Scope,
    star: tuple[int, int],
    left_out: Sequence[Sequence[str]],
    schema: Schema,
) -> str:
    first, at = star
    qualifier = [token.identifier for token in tokens[first:at] if token.is_identifier]
    written = sql[tokens[first].start : tokens[at].end]
    if qualifier and scope.relations is not None and _merges_columns(tokens, scope.relations):
        message = (
            f"{written} EXCEPT after JOIN ... USING or NATURAL JOIN is not read here: join ON, or leave the name before * out."
        )
        raise StatementRefused(message)
    query = scope.query(sql, tokens, written)
    found = None if query is None else schema(query)
    if found is None:
        message = f"What {written} EXCEPT stands for cannot be told here: what follows FROM cannot be evaluated by itself. Name the columns."
        raise StatementRefused(message)
    names = found.names
    gone: set[str] = set()
    for parts in left_out:
        name = parts[-1].lower() if parts else ""
        if not parts or (len(parts) > 1 and parts[0].lower() in {one.lower() for one in names}):
            message = "EXCEPT takes names of columns; fields of structs cannot be left out here."
            raise StatementRefused(message)
        count = sum(one.lower() == name for one in names)
        if count != 1:
            why = "there are several of that name" if count else f"there are {', '.join(f'`{one}`' for one in names)}"
            message = f"A column with the name `{'.'.join(parts)}` cannot be left out of {written}: {why}."
            raise StatementRefused(message)
        if name in gone:
            message = f"EXCEPT names `{parts[-1]}` twice."
            raise StatementRefused(message)
        gone.add(name)
    kept = [one for one in names if one.lower() not in gone]
    if len({one.lower() for one in kept}) < len(kept):
        message = f"Several columns of {written} have the same name. Say of which relation: t.*, u.* EXCEPT (...)."
        raise StatementRefused(message)
    if not kept:
        message = f"EXCEPT leaves no column of {written}."
        raise StatementRefused(message)
    return ", ".join(quote([*qualifier, one]) for one in kept)


def _merges_columns(tokens: Sequence[Token], relations: tuple[int, int]) -> bool:
    depth = 0
    for token in tokens[relations[0] : relations[1]]:
        depth += token.is_mark("(") - token.is_mark(")")
        if depth == 0 and token.is_word("USING", "NATURAL"):
            return True
    return False


# ---------------------------------------------------------------------------------------------------------- JOIN USING


def _merged(sql: str, tokens: Sequence[Token], scope: _Scope, schema: Schema) -> list[Edit]:
    """``t.*`` and ``t.k`` after ``t JOIN u USING (k)``, where the engine knows ``k`` by no relation's name.

    Raises:
        StatementRefused: If the columns of ``t.*`` cannot be told.
    """
    if scope.relations is None or not _merges_columns(tokens, scope.relations):
        return []
    begin, end = scope.relations
    keys = {name.lower() for at in range(begin, end) if tokens[at].is_word("USING") for name in _keys(tokens, at)}
    first, after = _first_relation(tokens, begin)
    words = [tokens[at] for at in _outside(tokens, begin, end)]
    names = {token.identifier.lower() for token in words if token.is_identifier}
    # Only where no other join adds rows are they those of the first relation.
    is_first_whole = bool(keys) and not any(token.is_word("RIGHT", "FULL", "NATURAL") for token in words)
    edits: list[Edit] = []
    index = scope.items[0]
    while (index := _past_query(tokens, index)) < scope.items[1]:
        at, index = index, index + 1
        if (
            at + 2 >= len(tokens)
            or not tokens[at].is_identifier
            or tokens[at - 1].is_mark(".")
            or not tokens[at + 1].is_mark(".")
        ):
            continue
        last, name = tokens[at + 2], tokens[at].identifier.lower()
        is_first = is_first_whole and first is not None and name == first.lower()
        if is_first and last.is_identifier and last.identifier.lower() in keys:
            edits.append(Edit(tokens[at].start, last.end, last.raw))
        elif last.is_mark("*") and name in names and not (at + 3 < len(tokens) and tokens[at + 3].is_word("EXCEPT")):
            source = sql[tokens[begin].start : tokens[after - 1].end]
            found = schema(f"{scope.before}SELECT * FROM {source}") if is_first else None  # noqa: S608 - of the statement itself
            if found is None:
                message = (
                    f"{sql[tokens[at].start : last.end]} after JOIN ... USING or NATURAL JOIN is read here only of the first relation, "
                    "and not beside RIGHT or FULL joins: join ON, or name the columns."
                )
                raise StatementRefused(message)
            listed = [quote([one]) if one.lower() in keys else f"{tokens[at].raw}.{quote([one])}" for one in found.names]
            edits.append(Edit(tokens[at].start, last.end, ", ".join(listed)))
    return edits


def _keys(tokens: Sequence[Token], using: int) -> list[str]:
    closed = closing(tokens, using + 1) if using + 1 < len(tokens) and tokens[using + 1].is_mark("(") else None
    return [] if closed is None else [token.identifier for token in tokens[using + 2 : closed] if token.is_identifier]


def _first_relation(tokens: Sequence[Token], begin: int) -> tuple[str | None, int]:
    """The name of the first relation after FROM, and where it ends with its alias."""
    if tokens[begin].is_mark("("):
        closed = closing(tokens, begin)
        name, at = None, len(tokens) if closed is None else closed + 1
    else:
        parts, at = read_name(list(tokens), begin)
        name = parts[-1] if parts else None
    if at < len(tokens) and tokens[at].is_word("AS"):
        at += 1
    elif at < len(tokens) and tokens[at].is_word(*_JOINS):
        return name, at
    if at < len(tokens) and tokens[at].is_identifier:
        return tokens[at].identifier, at + 1
    return None, at


def _outside(tokens: Sequence[Token], begin: int, end: int) -> Iterator[int]:
    depth = 0
    for index in range(begin, end):
        depth += tokens[index].is_mark("(") - tokens[index].is_mark(")")
        if depth == 0:
            yield index


# --------------------------------------------------------------------------------------------------------------- aliases


@dataclass(frozen=True)
class _Part:
    """One expression of a list: where it begins, where its value ends, where it ends, and the name that it is given."""

    begin: int
    value: int
    end: int
    name: str | None


def _aliases(sql: str, tokens: Sequence[Token], scope: _Scope, schema: Schema) -> list[Edit]:
    """Names in a list that an expression before them defines."""
    defined: dict[str, _Part] = {}
    twice: set[str] = set()
    places: dict[int, _Part] = {}
    for part in _parts(tokens, scope.items):
        for index in _names(tokens, part.begin, part.value):
            meant = defined.get(tokens[index].identifier.lower())
            if meant is not None:
                places[index] = meant
        if part.name is not None:
            twice |= {part.name} & defined.keys()
            defined[part.name] = part
    places = {index: part for index, part in places.items() if part.name not in twice}
    if not places:
        return []
    query = scope.query(sql, tokens, "*")
    found = None if query is None else schema(query)
    if query is not None and found is None:
        return []
    known = set() if found is None else {one.lower() for one in found.names}
    places = {index: part for index, part in places.items() if part.name not in known}
    for part in set(places.values()):
        _require_repeatable(sql, tokens, part)
    return [Edit(tokens[at].start, tokens[at].end, f"({_value(sql, tokens, part, places)})") for at, part in places.items()]


def _value(sql: str, tokens: Sequence[Token], part: _Part, places: Mapping[int, _Part]) -> str:
    """The text of an expression, in which names stand for what they mean."""
    begin = tokens[part.begin].start
    inner = [
        Edit(tokens[at].start - begin, tokens[at].end - begin, f"({_value(sql, tokens, one, places)})")
        for at, one in places.items()
        if part.begin <= at < part.value
    ]
    return apply(sql[begin : tokens[part.value - 1].end], inner)


def _require_repeatable(sql: str, tokens: Sequence[Token], part: _Part) -> None:
    """Go on only if an expression has the same value wherever it stands.

    Raises:
        StatementRefused: If it has not, or calls a function that is not known here.
    """
    for index in range(part.begin, part.value - 1):
        token = tokens[index]
        called = token.is_identifier and tokens[index + 1].is_mark("(") and not token.is_word(*BEFORE_BRACKET)
        if called and token.identifier.lower() not in _SAME_EACH_TIME:
            text = sql[tokens[part.begin].start : tokens[part.value - 1].end]
            message = (
                f"`{part.name}` in the list of SELECT stands for {text}, and {token.identifier} may give another value each time. "
                "Define it in a subquery, and use it outside of that."
            )
            raise StatementRefused(message)


def _parts(tokens: Sequence[Token], items: tuple[int, int]) -> list[_Part]:
    found: list[_Part] = []
    begin, depth = items[0], 0
    for index in range(items[0], items[1] + 1):
        token = tokens[index] if index < items[1] else None
        if token is not None:
            depth += token.is_mark("(") + token.is_mark("[") - token.is_mark(")") - token.is_mark("]")
        if token is None or (depth == 0 and token.is_mark(",")):
            if begin < index:
                found.append(_part(tokens[begin:index], begin))
            begin = index + 1
    return found


def _part(tokens: Sequence[Token], begin: int) -> _Part:
    end = begin + len(tokens)
    if len(tokens) > 1 and is_alias(tokens):
        name = tokens[-1].identifier.lower()
        is_name = tokens[-1].kind is Kind.NAME or tokens[-1].value not in _NO_NAMES
        return _Part(begin, end - (2 if tokens[-2].is_word("AS") else 1), end, name if is_name else None)
    return _Part(begin, end, end, None)


def _names(tokens: Sequence[Token], begin: int, end: int) -> Iterator[int]:
    """Where names of one part stand that can be columns, but not in queries of their own."""
    variables = _variables(tokens, begin, end)
    index = begin
    while (index := _past_query(tokens, index)) < end:
        token, before = tokens[index], tokens[index - 1]
        after = tokens[index + 1] if index + 1 < len(tokens) else None
        index += 1
        if not token.is_identifier or token.identifier.lower() in variables or before.is_word("AS", "INTERVAL"):
            continue
        is_cast = index + 1 < len(tokens) and tokens[index].is_mark(":") and tokens[index + 1].is_mark(":")
        if (index > begin + 1 and (before.is_mark(".") or before.is_mark(":"))) or (
            after is not None and _is_no_column(after) and not is_cast
        ):
            continue
        named = after is not None and after.is_mark("=") and index + 1 < len(tokens) and tokens[index + 1].is_mark(">")
        if not (named and after is not None and after.end == tokens[index + 1].start):
            yield index - 1


def _is_no_column(after: Token) -> bool:
    """Whether what stands before a token is a function, a relation, a field of a type or the kind of a literal."""
    return after.kind is Kind.STRING or (after.kind is Kind.MARK and after.value in "(.:")


def _variables(tokens: Sequence[Token], begin: int, end: int) -> set[str]:
    """The parameters of the lambda functions in a range."""
    found: set[str] = set()
    for index in range(begin + 1, end - 1):
        if tokens[index].is_mark("-") and tokens[index + 1].is_mark(">") and tokens[index].end == tokens[index + 1].start:
            at = index - 1
            while at >= begin and not tokens[at].is_mark("("):
                if tokens[at].is_identifier:
                    found.add(tokens[at].identifier.lower())
                elif not (tokens[at].is_mark(",") or tokens[at].is_mark(")")):
                    break
                at -= 1
    return found


# --------------------------------------------------------------------------------------------------------------- explode


def _explodes(sql: str, tokens: Sequence[Token], scope: _Scope, schema: Schema) -> list[Edit]:
    edits: list[Edit] = []
    index = scope.items[0]
    while (index := _past_query(tokens, index)) < scope.items[1]:
        edits += _explode(sql, tokens, index, lambda text: _type(scope.query(sql, tokens, text) or f"SELECT {text}", schema))
        index += 1
    if scope.relations is None:
        return edits
    depth = 0
    for at in range(*scope.relations):
        depth += tokens[at].is_mark("(") - tokens[at].is_mark(")")
        if depth == 0 and tokens[at].is_word("LATERAL") and at + 3 < len(tokens):
            call = at + 1 + tokens[at + 1].is_word("VIEW") + tokens[at + 2].is_word("OUTER")
            # Before it stands a comma or a join.
            end = at if tokens[at + 1].is_word("VIEW") else _before_join(tokens, at)
            edits += _explode(sql, tokens, call, lambda text, end=end: _type(scope.query(sql, tokens, text, end), schema))
    return edits


def _before_join(tokens: Sequence[Token], at: int) -> int:
    end = at
    while end > 0 and (tokens[end - 1].is_mark(",") or tokens[end - 1].is_word("JOIN", "CROSS", "INNER", "LEFT", "OUTER")):
        end -= 1
    return end


def _type(query: str | None, schema: Schema) -> DataType | None:
    """The type of the one column of a query."""
    found = None if query is None else schema(query)
    return found.fields[0].type if found is not None and found.fields else None


def _explode(sql: str, tokens: Sequence[Token], at: int, kind: TypeOf) -> list[Edit]:
    """How the call at a token is to be changed, if it takes a map apart."""
    if at + 2 >= len(tokens) or not tokens[at].is_word(*_EXPLODES, *_POSITIONS) or not tokens[at + 1].is_mark("("):
        return []
    closed = closing(tokens, at + 1)
    if closed is None or closed == at + 2:
        return []
    argument = sql[tokens[at + 2].start : tokens[closed - 1].end]
    if not isinstance(kind(f"({argument}) AS `c`"), Map):
        return []
    return [Edit(tokens[at].start, tokens[closed].end, f"{of_entries(tokens[at].raw)}(map_entries({argument}))")]


def of_entries(name: str) -> str:
    """The function that does with a map's entries what one such as ``explode`` does with the map.

    Raises:
        StatementRefused: If there is none.
    """
    found = _EXPLODES.get(name.upper())
    if found is None:
        message = f"{name} of a map is not supported here: {name}(map_entries(...)) gives each entry as a struct."
        raise StatementRefused(message)
    return found


def without_maps(expression: str, kind: TypeOf) -> str:
    """An expression's text that takes no map apart.

    Args:
        expression: The text.
        kind: The type of an expression with an alias, that stands beside it.
    """
    tokens = tokenize(expression)
    edits = [edit for at in range(len(tokens)) for edit in _explode(expression, tokens, at, kind)]
    return apply(expression, edits) if edits else expression
