"""What is computed in statements that are no queries, and the queries that are asked about these."""

from collections.abc import Sequence

from boathouse.engine.gateway.forms.overflow import Types
from boathouse.engine.gateway.forms.overflow_texts import items, marked, replaced
from boathouse.engine.gateway.sql.inserts import query_start, read_insert
from boathouse.engine.gateway.sql.operands import Node
from boathouse.engine.gateway.sql.statements import Edit, Statement, parse
from boathouse.engine.gateway.sql.tokens import Token


def is_command(statement: Statement) -> bool:
    """Whether a statement changes rows where they are."""
    return bool(statement.tokens) and not statement.is_query and statement.tokens[0].is_word("UPDATE", "DELETE", "MERGE")


def assigned(tokens: Sequence[Token]) -> frozenset[int]:
    """The first ``=`` behind each SET, and behind each comma of what is set."""
    found: set[int] = set()
    depth, is_set, is_open = 0, False, False
    for at, token in enumerate(tokens):
        depth += token.is_mark("(") + token.is_word("CASE") - token.is_mark(")") - token.is_word("END")
        if depth:
            continue
        if token.is_word("SET", "WHERE", "WHEN"):
            is_set = is_open = token.is_word("SET")
        elif token.is_mark(",") and is_set:
            is_open = True
        elif token.is_mark("=") and is_open:
            found.add(at)
            is_open = False
    return frozenset(found)


def begin(statement: Statement, *, is_top: bool) -> int | None:
    """Where what is computed begins in a statement; None where nothing is."""
    if statement.is_query:
        return 0
    if not is_top or not statement.tokens:
        return None
    if statement.create is not None:
        return statement.create.query
    tokens = statement.tokens
    if statement.temporary_views:
        found = next((at for at, token in enumerate(tokens[:-1]) if token.is_word("AS")), None)
        return None if found is None else tokens[found + 1].start
    if tokens[0].is_word("UPDATE", "DELETE", "MERGE"):
        return tokens[1].start
    if tokens[0].is_word("WITH"):
        insert = read_insert(statement)
        return 0 if insert is not None and insert.query else None
    return query_start(statement)


def question(statement: Statement, nodes: Sequence[Node], begin: int, types: Types) -> str:
    """The query that is asked about a statement.

    Args:
        statement: The statement.
        nodes: Its operations.
        begin: Where what is computed begins in it.
        types: Of their operands.
    """
    sql, tokens = statement.sql, statement.tokens
    if statement.is_query or not tokens[0].is_word("UPDATE", "DELETE", "MERGE"):
        text = marked(sql, nodes, types)
        # Of WITH ... INSERT the query is in two pieces.
        insert = read_insert(parse(text)) if tokens[0].is_word("WITH") and not statement.is_query else None
        return text[begin:] if insert is None else insert.query or ""
    ends = ("SET", "WHERE") if not tokens[0].is_word("MERGE") else ("ON",)
    depth, first, end, using = 0, 1, len(tokens), None
    for at, token in enumerate(tokens):
        depth += token.is_mark("(") - token.is_mark(")")
        if depth == 0 and token.is_word("INTO", "FROM") and using is None and first == 1:
            first = at + 1
        elif depth == 0 and token.is_word("USING"):
            using = at
        elif depth == 0 and token.is_word(*ends):
            end = at
            break
    last = tokens[end - 1].end
    target = sql[tokens[first].start : tokens[(using or end) - 1].end]
    source = ""
    inside = list[Node]()
    if using is not None:
        inside = [node for node in nodes if tokens[using].end <= node.source[0] < last]
        edits = [Edit(node.source[0], node.source[1], text) for node, text in items(sql, inside, types)]
        source = f" CROSS JOIN {replaced(sql, tokens[using].end, last, edits)}"
    outside = [node for node in nodes if node not in inside]
    listed = ", ".join(text for _, text in items(sql, outside, types)) or "1"
    return f"SELECT {listed} FROM {target}{source}"  # noqa: S608 - pieces of the statement itself
