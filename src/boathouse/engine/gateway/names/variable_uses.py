"""Where a text speaks of variables of the session, and not of columns: there their values take their places."""

from collections.abc import Iterator, Mapping, Sequence

from boathouse.engine.gateway.names.variables import PREFIXES, Variable
from boathouse.engine.gateway.sql.inserts import split
from boathouse.engine.gateway.sql.relations import find_uses
from boathouse.engine.gateway.sql.select_scopes import Schema, Scope, scopes
from boathouse.engine.gateway.sql.statements import Edit, apply, parse
from boathouse.engine.gateway.sql.tokens import Kind, Token, after_parentheses, closing, is_inside, quote, read_name, tokenize

Known = Mapping[str, Variable]

_BEFORE = frozenset(
    {"SELECT", "DISTINCT", "ALL", "WHERE", "AND", "OR", "NOT", "ON", "HAVING", "QUALIFY", "WHEN", "THEN", "ELSE", "CASE"}
    | {"BETWEEN", "IN", "LIKE", "ILIKE", "RLIKE", "REGEXP", "ESCAPE", "BY", "LIMIT", "OFFSET", "DIV", "FROM", "OF", "SET", "IF"}
    | {"ANY", "SOME", "USING", "INTERVAL", "VALUES", "DATE", "TIMESTAMP"}
)
"""Words behind which an expression may begin; what stands behind another is an alias."""
_STATEMENTS = frozenset(
    {"SELECT", "WITH", "FROM", "VALUES", "INSERT", "UPDATE", "DELETE", "MERGE", "CREATE", "REPLACE", "SET", "DECLARE", "CACHE"}
    | {"DESCRIBE", "DESC"}
)


def with_identifiers(sql: str, known: Known) -> str:
    """A text whose IDENTIFIER clauses have values in the places of variables."""
    if not known or "identifier" not in sql.lower():
        return sql
    tokens = tokenize(sql)
    edits: list[Edit] = []
    for index, token in enumerate(tokens[:-1]):
        if token.is_word("IDENTIFIER") and tokens[index + 1].is_mark("("):
            end = closing(tokens, index + 1) or index + 1
            edits += _plain_edits(tokens, index + 2, end, known)
    return apply(sql, edits) if edits else sql


def with_plain(sql: str, tokens: Sequence[Token], known: Known) -> str:
    """The text of some tokens that can name no columns, with values in the places of variables."""
    begin = tokens[0].start
    edits = [Edit(one.start - begin, one.end - begin, one.text) for one in _plain_edits(tokens, 0, len(tokens), known)]
    return apply(sql[begin : tokens[-1].end], edits)


def _plain_edits(tokens: Sequence[Token], begin: int, end: int, known: Known) -> list[Edit]:
    return [
        Edit(tokens[at].start, tokens[stop - 1].end, known[name].text)
        for at, stop, name in _named(tokens, begin, end, known)
        if not (stop < len(tokens) and (tokens[stop].is_mark("(") or tokens[stop].is_mark(".")))
    ]


def with_prefixed(sql: str, known: Known) -> str:
    """An expression's text with values in the places of ``session.name``."""
    if not known or "session" not in sql.lower():
        return sql
    tokens = tokenize(sql)
    edits = [
        Edit(tokens[at].start, tokens[stop - 1].end, known[name].text)
        for at, stop, name in _named(tokens, 0, len(tokens), known)
        if stop - at > 1
    ]
    return apply(sql, edits) if edits else sql


def with_values(sql: str, known: Known, schema: Schema) -> str:
    """A statement with values in the places of variables.

    Args:
        sql: The statement.
        known: The session's variables, by their names in lower case.
        schema: Tells what a query gives that names what the statement can name.
    """
    lower = sql.lower()
    if not any(name in lower for name in known):
        return sql
    statement = parse(sql)
    tokens = list(statement.tokens)
    first = 1 if tokens and tokens[0].is_word("EXPLAIN") else 0
    if len(tokens) <= first or not (tokens[first].value in _STATEMENTS or tokens[first].is_mark("(")):
        return sql
    begin = _begin(tokens, first)
    taken = _taken(sql, tokens)
    selects = list(scopes(sql, tokens))
    whole = _whole(selects, tokens)
    columns: dict[tuple[int, str, bool], bool] = {}
    edits: list[Edit] = []
    for at, stop, name in _named(tokens, begin, len(tokens), known):
        token = tokens[at]
        if stop - at == 1 and (
            token.kind is not Kind.WORD
            or any(start <= token.start < end for start, end in taken)
            or not _stands_for_a_value(tokens, at)
            or _is_column(sql, tokens, at, selects, schema, columns, statement.targets)
        ):
            continue
        named = f" AS {quote([tokens[stop - 1].identifier])}" if (at, stop) in whole else ""
        edits.append(Edit(token.start, tokens[stop - 1].end, known[name].text + named))
    return apply(sql, edits) if edits else sql


def _whole(selects: Sequence[Scope], tokens: Sequence[Token]) -> set[tuple[int, int]]:
    """Where those parts of lists begin and end that are no more than a name: their columns are named by it."""
    found: set[tuple[int, int]] = set()
    for scope in selects:
        at = scope.items[0]
        for part in split(tokens[slice(*scope.items)]):
            found.add((at, at + len(part)))
            at += len(part) + 1
    return found


def _begin(tokens: Sequence[Token], first: int) -> int:
    """Where expressions may begin: in CREATE, behind AS."""
    if not tokens[first].is_word("CREATE", "REPLACE", "CACHE", "DECLARE"):
        return first + 1
    word = "DEFAULT" if tokens[first].is_word("DECLARE") else "AS"
    return next((at + 1 for at in range(first, len(tokens)) if tokens[at].is_word(word)), len(tokens))


def _named(tokens: Sequence[Token], begin: int, end: int, known: Known) -> Iterator[tuple[int, int, str]]:
    """Where names of variables begin and end, with what may stand before them."""
    listed = list(tokens)
    at = begin
    while at < end:
        if not listed[at].is_identifier:
            at += 1
            continue
        parts, stop = read_name(listed, at)
        names = [part.lower() for part in parts]
        starts_a_name = at == 0 or not (listed[at - 1].is_mark(".") or listed[at - 1].is_mark(":"))
        length = next((len(one) + 1 for one in PREFIXES if tuple(names[: len(one)]) == one and len(names) > len(one)), 1)
        if starts_a_name and names[length - 1] in known and (length > 1 or len(names) == 1):
            yield at, at + 2 * length - 1, names[length - 1]
        at = max(stop, at + 1)


def _taken(sql: str, tokens: list[Token]) -> list[tuple[int, int]]:
    """Places of names that are none of values: relations, columns that are listed or assigned, parameters."""
    found = [(use.start, use.end) for use in find_uses(tokens, sql).relations]
    for at, token in enumerate(tokens):
        after = tokens[at + 1] if at + 1 < len(tokens) else None
        opens = after is not None and after.is_mark("(")
        is_name = token.is_identifier and not token.is_word(*_BEFORE, "OVER", "FILTER") and at > 0
        names_follow = is_name and opens and (tokens[at - 1].is_word("AS") or tokens[at - 1].is_mark(")"))
        if names_follow or (token.is_word("INSERT", "PARTITION") and opens):
            found.append((token.start, tokens[after_parentheses(tokens, at + 1) - 1].end))
        if token.is_word("INTO", "TABLE", "OVERWRITE"):
            _, end = read_name(tokens, at + 1)
            if end < len(tokens) and tokens[end].is_mark("("):
                found.append((token.start, tokens[after_parentheses(tokens, end) - 1].end))
    is_change = bool(tokens) and tokens[0].is_word("UPDATE", "MERGE")
    for at, token in enumerate(tokens[:-1]):
        assigns = tokens[at + 1].is_mark("=") and at > 0 and (tokens[at - 1].is_word("SET") or tokens[at - 1].is_mark(","))
        names_argument = at + 2 < len(tokens) and tokens[at + 1].is_mark("=") and tokens[at + 2].is_mark(">")
        if (is_change and assigns) or (names_argument and tokens[at + 1].end == tokens[at + 2].start):
            found.append((token.start, token.end))
        elif token.is_mark("-") and tokens[at + 1].is_mark(">") and token.end == tokens[at + 1].start and at > 0:
            found += _parameters(tokens, at)
    return found


def _parameters(tokens: Sequence[Token], arrow: int) -> list[tuple[int, int]]:
    """Where the parameters are named of the function whose arrow stands at a token, also in its body."""
    begin = arrow - 1
    if tokens[begin].is_mark(")"):
        while begin > 0 and not tokens[begin].is_mark("("):
            begin -= 1
    names = {token.identifier.lower() for token in tokens[begin:arrow] if token.is_identifier}
    depth, end = 0, arrow
    while end < len(tokens) and depth >= 0:
        depth += tokens[end].is_mark("(") - tokens[end].is_mark(")")
        end += 1
    return [(one.start, one.end) for one in tokens[begin:end] if one.is_identifier and one.identifier.lower() in names]


def _stands_for_a_value(tokens: Sequence[Token], at: int) -> bool:
    """Whether a name stands where an expression may, and is no function's, alias or beginning of a longer name."""
    before, after = tokens[at - 1], tokens[at + 1] if at + 1 < len(tokens) else None
    if after is not None and (after.is_mark("(") or after.is_mark(".")):
        return False
    if after is not None and after.is_word("AS") and at + 2 < len(tokens) and tokens[at + 2].is_mark("("):
        return False
    if before.kind is Kind.WORD:
        return before.value in _BEFORE
    return before.kind is Kind.MARK and before.value not in ")]"


def _is_column(
    sql: str,
    tokens: Sequence[Token],
    at: int,
    selects: Sequence[Scope],
    schema: Schema,
    known: dict[tuple[int, str, bool], bool],
    targets: Sequence[tuple[str, ...]],
) -> bool:
    """Whether a name is a column, or an alias, of a query around it, or of the table that is changed."""
    name = tokens[at].identifier
    for scope in reversed(selects):
        begin, end = scope.items
        if not is_inside(tokens, begin, at):
            continue
        joins = scope.relations is not None and scope.relations[0] <= at < scope.relations[1]
        if joins and not _is_condition(tokens, scope.relations[0] if scope.relations else at, at):
            # In a relation of this query, none of its others can be named.
            continue
        key = (begin, name.lower(), joins)
        if key not in known:
            known[key] = _gives(sql, tokens, scope, name, schema, without=joins)
        if known[key] or (not joins and _has_alias(tokens, (begin, end), at)):
            return True
    return any(schema(f"SELECT {quote([name])} FROM {source}") is not None for source in _changed(sql, tokens, at, targets))  # noqa: S608


def _gives(sql: str, tokens: Sequence[Token], scope: Scope, name: str, schema: Schema, *, without: bool) -> bool:
    """Whether the relations of a query have a column of a name; if asked so, without the conditions that name it."""
    if without and scope.relations is not None:
        begin, end = scope.relations
        first, last = tokens[begin].start, tokens[end - 1].end
        edits = [
            Edit(one.start - first, one.end - first, "NULL")
            for one in tokens[begin:end]
            if one.kind is Kind.WORD and one.raw.lower() == name.lower()
        ]
        query = f"{scope.before}SELECT {quote([name])} FROM {apply(sql[first:last], edits)}"  # noqa: S608 - pieces of the statement
        return schema(query) is not None
    query = scope.query(sql, tokens, f"{quote([name])} AS `c`")
    return query is not None and schema(query) is not None


def _has_alias(tokens: Sequence[Token], items: tuple[int, int], at: int) -> bool:
    """Whether a list of SELECT has given a column the name at a token before, and that is known there."""
    name, depth = tokens[at].identifier.lower(), 0
    for index in range(at - 1, items[1] - 1, -1):
        depth += tokens[index].is_mark(")") - tokens[index].is_mark("(")
        if depth <= 0 and tokens[index].is_word("WHERE", "GROUP", "HAVING", "QUALIFY", "ORDER"):
            if tokens[index].is_word("WHERE"):
                return False
            break
    return any(
        tokens[one].is_identifier and tokens[one].identifier.lower() == name and tokens[one - 1].is_word("AS")
        for one in range(items[0], min(items[1], at))
    )


def _is_condition(tokens: Sequence[Token], begin: int, at: int) -> bool:
    """Whether a token among relations stands in the condition of a join, and in none of its subqueries."""
    depth = 0
    for index in range(at - 1, begin - 1, -1):
        depth += tokens[index].is_mark("(") - tokens[index].is_mark(")")
        if depth >= 0 and tokens[index].is_word("ON"):
            return True
        if depth >= 0 and tokens[index].is_word("JOIN", "SELECT", "VALUES"):
            return False
    return False


def _changed(sql: str, tokens: Sequence[Token], place: int, targets: Sequence[tuple[str, ...]]) -> list[str]:
    """What the values of UPDATE, DELETE and MERGE may speak of, as after FROM."""
    if not (targets and tokens[0].is_word("UPDATE", "DELETE", "MERGE")):
        return []
    found = [quote(targets[0])]
    using = next((at for at, token in enumerate(tokens) if token.is_word("USING")), None)
    if tokens[0].is_word("MERGE") and using is not None:
        depth = 0
        for at in range(using + 1, len(tokens)):
            depth += tokens[at].is_mark("(") - tokens[at].is_mark(")")
            if depth == 0 and tokens[at].is_word("ON"):
                if using < place < at:
                    return []
                found.append(sql[tokens[using + 1].start : tokens[at - 1].end])
                break
    return found
