"""What a SQL statement touches, and how it has to be changed for the engine."""

from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise

from boathouse.engine.gateway.sql.path_names import FILE_FORMATS, looks_absolute
from boathouse.engine.gateway.sql.tokens import SHORT, Kind, Token, after_parentheses, quote, read_name, tokenize

_PATH_WORDS = ("LOCATION", "INPATH", "DIRECTORY", "JAR", "FILE", "ARCHIVE")
_QUERY_WORDS = ("SELECT", "WITH", "FROM", "VALUES", "MAP", "REDUCE")
_DESCRIBED = ("FUNCTION", "CATALOG", "DATABASE", "SCHEMA", "NAMESPACE", "TABLE", "EXTENDED", "QUERY")


@dataclass(frozen=True)
class Edit:
    """A piece of the text that is to be replaced."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class PathUse:
    """A path in the text: its token, whether the statement writes there (files into a folder), and the format before it, as in ``delta.`/path```."""

    token: Token
    writes: bool
    format: str = ""
    of_files: bool = False


@dataclass(frozen=True)
class CreateTable:
    """CREATE [OR REPLACE] TABLE, or REPLACE TABLE.

    Attributes:
        name: As written, one to three parts.
        name_end: Offset after the name.
        columns_end: Offset after the list of columns, or None without one.
        using: Offsets of the USING clause.
        cluster_clause: Offsets of the CLUSTER BY clause.
        location: The token of the LOCATION clause's path.
        location_start: Offset of the word LOCATION.
        query: Offset at which the query begins, of CREATE TABLE AS.
        like: The table that it is to be like.
        understood: Whether there is no clause but those that are known here.
    """

    name: tuple[str, ...]
    name_end: int
    replace: bool = False
    must_exist: bool = False
    if_not_exists: bool = False
    columns_end: int | None = None
    format: str = "delta"
    using: tuple[int, int] | None = None
    partition_by: tuple[str, ...] = ()
    cluster_by: tuple[str, ...] = ()
    cluster_clause: tuple[int, int] | None = None
    location: Token | None = None
    location_start: int = 0
    comment: str | None = None
    properties: dict[str, str] = field(default_factory=dict[str, str])
    query: int | None = None
    like: tuple[str, ...] = ()
    understood: bool = True


@dataclass(frozen=True)
class Statement:
    """A statement and what can be told from its words.

    Attributes:
        sql: The text.
        tokens: Its tokens.
        verb: Its first words, in upper case.
        targets: Tables that it writes.
        paths: Paths in places where the engine reads or writes files.
        texts: All other strings and backtick names.
        create: What it creates, if it is CREATE TABLE.
        temporary_views: Names of temporary views that it makes, in lower case.
    """

    sql: str
    tokens: tuple[Token, ...]
    verb: tuple[str, ...]
    targets: tuple[tuple[str, ...], ...]
    paths: tuple[PathUse, ...]
    texts: tuple[Token, ...]
    create: CreateTable | None
    temporary_views: tuple[str, ...] = ()

    @property
    def is_query(self) -> bool:
        """Whether it only asks for rows, so that the client is to send it again as a relation."""
        first = self.tokens[0] if self.tokens else None
        return first is not None and not self.targets and (first.is_word(*_QUERY_WORDS, "TABLE") or first.is_mark("("))


def apply(sql: str, edits: list[Edit]) -> str:
    """A text with pieces replaced."""
    # Backwards; of several at one place the last one first, so that they end up in their order.
    numbered = sorted(enumerate(edits), key=lambda item: (item[1].start, item[0]), reverse=True)
    for _, edit in numbered:
        sql = sql[: edit.start] + edit.text + sql[edit.end :]
    return sql


def parse(sql: str) -> Statement:
    """Look at a statement. The same short one comes again and again: to be analysed, executed, shown.

    Raises:
        StatementRefused: If a quote or comment is not closed.
    """
    return _parse_short(sql) if len(sql) < SHORT else _parse(sql)


@lru_cache(256)
def _parse_short(sql: str) -> Statement:
    return _parse(sql)


def _parse(sql: str) -> Statement:
    tokens = tokenize(sql)
    while tokens and tokens[-1].is_mark(";"):
        tokens.pop()
    begin = 1 if tokens and tokens[0].is_word("EXPLAIN") else 0
    verb = tuple(token.value for token in tokens[begin : begin + 4] if token.kind is Kind.WORD)
    paths, texts = _paths(tokens)
    create = _create_table(tokens)
    targets = _targets(tokens, begin)
    return Statement(sql, tuple(tokens), verb, targets, paths, texts, create, _temporary_views(tokens))


def _temporary_views(tokens: list[Token]) -> tuple[str, ...]:
    """Names that CREATE TEMPORARY VIEW makes known in the session."""
    words = [token.value if token.kind is Kind.WORD else "" for token in tokens[:8]]
    if words[:1] == ["CREATE"] and "VIEW" in words and {"TEMP", "TEMPORARY"} & set(words[: words.index("VIEW")]):
        at = words.index("VIEW") + 1
    else:
        return ()
    if words[at : at + 3] == ["IF", "NOT", "EXISTS"]:
        at += 3
    parts, _ = read_name(tokens, at)
    return (parts[-1].lower(),) if parts else ()


def _targets(tokens: list[Token], begin: int) -> tuple[tuple[str, ...], ...]:
    found: list[tuple[str, ...]] = []
    for index, token in enumerate(tokens):
        following = tokens[index + 1] if index + 1 < len(tokens) else None
        at: int | None = None
        updates = token.is_word("UPDATE") and following is not None and not following.is_word("SET")
        if token.is_word("INTO", "OVERWRITE") or updates:
            at = index + 1
        elif token.is_word("DELETE") and following is not None and following.is_word("FROM"):
            at = index + 2
        elif index == begin and token.is_word("ALTER", "TRUNCATE", "OPTIMIZE", "VACUUM"):
            at = index + 1
        if at is None:
            continue
        while at < len(tokens) and tokens[at].is_word("INTO", "TABLE", "REPLACE"):
            at += 1
        parts, _ = read_name(tokens, at)
        if parts and not tokens[at].is_word("DIRECTORY", "LOCAL"):
            found.append(tuple(parts))
    return tuple(found)


def _paths(tokens: list[Token]) -> tuple[tuple[PathUse, ...], tuple[Token, ...]]:
    paths: list[PathUse] = []
    texts: list[Token] = []
    writes_directory = any(token.is_word("DIRECTORY") for token in tokens)
    creating = bool(tokens) and tokens[0].is_word("CREATE", "REPLACE", "ALTER") and not _temporary_views(tokens)
    for index, token in enumerate(tokens):
        if token.kind not in {Kind.STRING, Kind.NAME}:
            continue
        before = tokens[index - 1] if index else None
        if token.kind is Kind.STRING:
            named = before is not None and before.is_word(*_PATH_WORDS)
            if named or _is_path_option(tokens, index):
                paths.append(PathUse(token, writes_directory or creating, of_files=writes_directory))
                continue
        elif is_path_at(tokens, index):
            paths.append(PathUse(token, _is_target(tokens, index), tokens[index - 2].identifier.lower()))
            continue
        texts.append(token)
    return tuple(paths), tuple(texts)


def _is_path_option(tokens: list[Token], index: int) -> bool:
    """Whether a string is the value of a key ``path``: OPTIONS (path 'x'), OPTIONS ('path' = 'x')."""
    at = index - 1
    if at >= 0 and tokens[at].is_mark("="):
        at -= 1
    key = tokens[at] if at >= 0 else None
    return (
        key is not None
        and key.kind is not Kind.MARK
        and key.value.upper() in {"PATH", "LOCATION"}
        and at > 0
        and (tokens[at - 1].is_mark("(") or tokens[at - 1].is_mark(","))
    )


def is_path_at(tokens: list[Token], index: int) -> bool:
    """Whether the token at an index is the path of ``format.`path```."""
    if index < 2 or tokens[index].kind is not Kind.NAME or not tokens[index - 1].is_mark("."):
        return False
    if tokens[index - 2].identifier.lower() not in FILE_FORMATS:
        return False
    text = tokens[index].value
    return looks_absolute(text) or "/" in text or ".." in text


def _is_target(tokens: list[Token], index: int) -> bool:
    before = tokens[index - 3] if index >= 3 else None
    if before is None:
        return False
    if before.is_word("FROM"):
        return index >= 4 and tokens[index - 4].is_word("DELETE")
    return before.is_word("INTO", "TABLE", "OVERWRITE", "UPDATE", "OPTIMIZE", "VACUUM")


def _create_table(tokens: list[Token]) -> CreateTable | None:
    words = [token.value if token.kind is Kind.WORD else "" for token in tokens[:8]]
    at, replace, must_exist, missing_only = 0, False, False, False
    if words[:1] == ["REPLACE"]:
        replace = must_exist = True
        at = 1
    elif words[:3] == ["CREATE", "OR", "REPLACE"]:
        replace, at = True, 3
    elif words[:1] == ["CREATE"]:
        at = 1
    else:
        return None
    if words[at : at + 1] == ["EXTERNAL"]:
        at += 1
    if words[at : at + 1] != ["TABLE"]:
        return None
    at += 1
    if words[at : at + 3] == ["IF", "NOT", "EXISTS"]:
        missing_only, at = True, at + 3
    parts, at = read_name(tokens, at)
    if not parts:
        return None
    values: dict[str, object] = {
        "name": tuple(parts),
        "name_end": tokens[at - 1].end,
        "replace": replace,
        "must_exist": must_exist,
        "if_not_exists": missing_only,
    }
    values |= _clauses(tokens, at)
    return CreateTable(**values)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def _clauses(tokens: list[Token], at: int) -> dict[str, object]:
    """The clauses after the name, as fields of CreateTable."""
    values: dict[str, object] = {}
    if at < len(tokens) and tokens[at].is_mark("(") and not _begins_query(tokens, at):
        at = after_parentheses(tokens, at)
        values["columns_end"] = tokens[at - 1].end
    while at < len(tokens):
        token = tokens[at]
        if token.is_word("AS", *_QUERY_WORDS) or token.is_mark("("):
            first = tokens[at + 1] if token.is_word("AS") and at + 1 < len(tokens) else token
            return values | {"query": first.start}
        clause = _clause(tokens, at)
        if clause is None:
            values["understood"] = False
            at += 1
        else:
            found, at = clause
            values |= found
    return values


def _clause(tokens: list[Token], at: int) -> tuple[dict[str, object], int] | None:
    """The clause at a token as fields of CreateTable, and the index after it; None for one that is not known here."""
    if at + 1 >= len(tokens):
        return None
    token, following = tokens[at], tokens[at + 1]
    if token.is_word("USING") and following.is_identifier:
        return {"format": following.identifier.lower(), "using": (token.start, following.end)}, at + 2
    if token.is_word("LOCATION") and following.kind is Kind.STRING:
        return {"location": following, "location_start": token.start}, at + 2
    if token.is_word("COMMENT") and following.kind is Kind.STRING:
        return {"comment": following.value}, at + 2
    if token.is_word("LIKE"):
        parts, end = read_name(tokens, at + 1)
        return {"like": tuple(parts)}, end
    if token.is_word("PARTITIONED") and following.is_word("BY"):
        end = after_parentheses(tokens, at + 2)
        return {"partition_by": _names(tokens[at + 2 : end])}, end
    if token.is_word("CLUSTER") and following.is_word("BY") and at + 2 < len(tokens) and tokens[at + 2].is_mark("("):
        end = after_parentheses(tokens, at + 2)
        return {"cluster_by": _names(tokens[at + 2 : end]), "cluster_clause": (token.start, tokens[end - 1].end)}, end
    if token.is_word("TBLPROPERTIES", "OPTIONS") and following.is_mark("("):
        end = after_parentheses(tokens, at + 1)
        return ({"properties": read_properties(tokens, at + 1)} if token.value == "TBLPROPERTIES" else {}), end
    return None


def _begins_query(tokens: list[Token], at: int) -> bool:
    while at < len(tokens) and tokens[at].is_mark("("):
        at += 1
    return at < len(tokens) and tokens[at].is_word("SELECT", "WITH", "VALUES", "FROM")


def _names(tokens: list[Token]) -> tuple[str, ...]:
    """The first names of a list in parentheses: columns, or columns with types."""
    return tuple(
        token.identifier
        for before, token in pairwise(tokens)
        if token.is_identifier and (before.is_mark("(") or before.is_mark(","))
    )


def _properties(tokens: list[Token]) -> dict[str, str]:
    found: dict[str, str] = {}
    key, value, in_key = "", "", True
    for token in [*tokens, Token(Kind.MARK, ",", ",", 0, 0)]:
        if token.is_mark(","):
            if key:
                found[key] = value
            key, value, in_key = "", "", True
        elif token.is_mark("=") or (in_key and key and token.kind is Kind.STRING):
            in_key = False
            value = "" if token.is_mark("=") else token.value
        elif in_key:
            key += token.value if token.kind is Kind.STRING else token.identifier
        else:
            value += token.value if token.kind is Kind.STRING else token.raw
    return found


def read_properties(tokens: list[Token], at: int) -> dict[str, str]:
    """The properties in the parentheses that open at a token."""
    return _properties(tokens[at + 1 : after_parentheses(tokens, at) - 1])


def cached_query(statement: Statement) -> tuple[str, str] | None:
    """The name of what CACHE TABLE with a query makes, and a text that makes the temporary view that it is; None for any other."""
    tokens = list(statement.tokens)
    if not tokens or not tokens[0].is_word("CACHE"):
        return None
    at = 2 if len(tokens) > 1 and tokens[1].is_word("LAZY") else 1
    parts, at = read_name(tokens, at + 1)
    if at < len(tokens) and tokens[at].is_word("OPTIONS"):
        at = after_parentheses(tokens, at + 1)
    if at < len(tokens) and tokens[at].is_word("AS"):
        at += 1
    if len(parts) != 1 or at >= len(tokens):
        return None
    return parts[0], f"CREATE TEMPORARY VIEW {quote(parts)} AS {statement.sql[tokens[at].start :]}"


def fixed(statement: Statement) -> list[Edit]:
    """Edits for forms of Spark SQL that the engine spells otherwise."""
    tokens = statement.tokens
    if len(tokens) < 2:
        return []
    first, second = tokens[0], tokens[1]
    if first.is_word("TRUNCATE") and second.is_word("TABLE"):
        return [Edit(first.start, second.end, "DELETE FROM")]
    if first.is_word("DESCRIBE", "DESC"):
        if second.is_word("FORMATTED"):
            return [Edit(first.start, second.end, "DESCRIBE EXTENDED")]
        if second.is_identifier and not second.is_word(*_DESCRIBED, *_QUERY_WORDS):
            return [Edit(first.start, first.end, "DESCRIBE TABLE")]
    return []


def scratch_text(statement: Statement, create: CreateTable, scratch: tuple[str, ...], location: str) -> str:
    """CREATE TABLE with columns as a statement on a table of the scratch catalog at a location."""
    sql = statement.sql
    end = statement.tokens[-1].end if statement.tokens else len(sql)
    edits = [Edit(0, create.name_end, f"CREATE OR REPLACE TABLE {quote(scratch)}")]
    if create.using is None:
        at = create.columns_end or create.name_end
        edits.append(Edit(at, at, " USING delta"))
    if create.location is None:
        edits.append(Edit(end, len(sql), f" LOCATION '{location}'"))
    else:
        edits.append(Edit(create.location.start, create.location.end, f"'{location}'"))
    return apply(sql, [*edits, *without_clustering(create), *_own_feed(statement)])


def without_clustering(create: CreateTable) -> list[Edit]:
    """The CLUSTER BY clause taken out: the gateway keeps it, in a form that all who write the table understand."""
    return [] if create.cluster_clause is None else [Edit(*create.cluster_clause, "")]


def _own_feed(statement: Statement) -> list[Edit]:
    """The change data feed's property in the name under which it is kept: the engine writes to no table that has Delta's."""
    edits: list[Edit] = []
    for index, token in enumerate(statement.tokens):
        if token.kind is Kind.STRING and token.value.lower() == "delta.enablechangedatafeed":
            edits.append(Edit(token.start, token.end, "'boathouse.enableChangeDataFeed'"))
        elif token.is_word("ENABLECHANGEDATAFEED") and index > 1 and statement.tokens[index - 2].is_word("DELTA"):
            before = statement.tokens[index - 2]
            edits.append(Edit(before.start, token.end, "'boathouse.enableChangeDataFeed'"))
    return edits
