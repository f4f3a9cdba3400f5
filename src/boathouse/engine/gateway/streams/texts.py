"""``STREAM t``, ``STREAM(t)``, ``STREAM read_files(...)``, ``[STREAM] read_kafka(...)`` in SQL texts: each becomes a reference to the read that it means."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from boathouse.engine.errors import StatementRefused, no_moment_of_stream
from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.messages.walk import children
from boathouse.engine.gateway.sql.relations import Uses, find_uses
from boathouse.engine.gateway.sql.statements import Edit, apply
from boathouse.engine.gateway.sql.tokens import Kind, Token, closing, parts_of, quote, read_name, tokenize

_numbers = itertools.count(1)
_FIRST_PLAN_ID = 1 << 48
_KAFKA, _SERVERS = "read_kafka", "kafka.bootstrap.servers"


@dataclass
class _Streamed:
    """One such place in a text: offsets of what is streamed, the read that it means, and what it is called without an alias."""

    start: int
    end: int
    relation: Any
    name: str
    blanks: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])


def expand_streams(root: Any) -> bool:
    """Replace what a plan's texts stream, in place; whether there was something.

    Raises:
        StatementRefused: If what follows the word STREAM cannot be read.
    """
    found = False
    for text in texts_of(root):
        if any(word in text.relation.sql.query.lower() for word in ("stream", "read_kafka")):
            found |= _expand(text)
    return found


def may_stream(request: bytes) -> bool:
    """Whether there can be something in a request that ``expand_streams`` replaces."""
    lower = request.lower()
    return b"stream" in lower or b"read_kafka" in lower


@dataclass(frozen=True)
class Text:
    """A SQL text in a plan.

    Attributes:
        relation: That it is.
        holder: The relation with what it refers to by name, or None without such.
    """

    relation: Any
    holder: Any | None

    def refer(self, query: str, references: Sequence[tuple[str, Any]]) -> None:
        """Let the text be another one, which refers to further relations by their names, in place."""
        relation = self.relation
        relation.sql.query = query
        if self.holder is None:
            root = proto().Relation()
            root.CopyFrom(relation)
            relation.Clear()
            relation.common.CopyFrom(root.common)
            relation.with_relations.root.CopyFrom(root)
        for name, meant in references:
            reference = (self.holder or relation).with_relations.references.add()
            reference.common.plan_id = _FIRST_PLAN_ID + next(_numbers)
            reference.subquery_alias.alias = name
            reference.subquery_alias.input.CopyFrom(meant)


def texts_of(root: Any) -> list[Text]:
    """The SQL texts in a plan, the innermost first: to refer to more in one copies what is inside of it."""
    messages = [root]
    for message in messages:
        messages.extend(children(message))
    relations = [one for one in messages if one.DESCRIPTOR.full_name == "spark.connect.Relation"]
    holders = {id(one.with_relations.root): one for one in relations if one.WhichOneof("rel_type") == "with_relations"}
    return [Text(one, holders.get(id(one))) for one in reversed(relations) if one.WhichOneof("rel_type") == "sql"]


def reference_name() -> str:
    """A name for what a text refers to, which nothing else has."""
    return f"__stream{next(_numbers)}"


def _expand(holding: Text) -> bool:
    text = holding.relation.sql.query
    streamed = _streamed(text)
    if not streamed:
        return False
    for one in streamed:
        for start, end in one.blanks:
            text = text[:start] + " " * (end - start) + text[end:]
    uses = find_uses(tokenize(text), text)
    aliased = {one.start for one in (*uses.relations, *uses.calls) if one.has_alias}
    edits: list[Edit] = []
    references: list[tuple[str, Any]] = []
    for one in streamed:
        name = reference_name()
        references.append((name, one.relation))
        edits.append(Edit(one.start, one.end, name if one.start in aliased else f"{name} AS {quote((one.name,))}"))
    holding.refer(apply(text, edits), references)
    return True


# ------------------------------------------------------------------------------------------------------------- parsing


def _streamed(text: str) -> list[_Streamed]:
    tokens = tokenize(text)
    found: list[_Streamed] = []
    uses = find_uses(tokens, text)
    for at in uses.streams:
        token = tokens[at]
        in_parentheses = tokens[at + 1].is_mark("(")
        first = at + 2 if in_parentheses else at + 1
        one, after = _read(tokens, first, text)
        one.blanks.append((token.start, token.end))
        if in_parentheses:
            if after >= len(tokens) or not tokens[after].is_mark(")"):
                raise _invalid("STREAM(...) takes one table, read_files(...) or read_kafka(...).")
            one.blanks += [(tokens[first - 1].start, tokens[first - 1].end), (tokens[after].start, tokens[after].end)]
            after += 1
        after = _options(tokens, after, text, one)
        _watermark(tokens, after, one)
        found.append(one)
    return found + _rows_of_kafka(tokens, text, uses, found)


def _rows_of_kafka(tokens: list[Token], text: str, uses: Uses, streamed: Sequence[_Streamed]) -> list[_Streamed]:
    """The calls of ``read_kafka`` without STREAM in a query, which mean the rows that are there now."""
    if not tokens or not tokens[0].is_word("SELECT", "WITH", "FROM"):
        return []
    taken = {one.start for one in streamed}
    calls = [one for one in uses.calls if one.is_relation and one.start not in taken]
    starts = {one.start for one in calls if len(one.name) == 1 and one.name[0].lower() == _KAFKA}
    found: list[_Streamed] = []
    for at, token in enumerate(tokens):
        if token.start in starts:
            one, _ = _read(tokens, at, text)
            one.relation.read.is_streaming = False
            found.append(one)
    return found


def _read(tokens: list[Token], first: int, text: str) -> tuple[_Streamed, int]:
    """What is streamed, and the index of the token after it."""
    relation = proto().Relation()
    relation.read.is_streaming = True
    if (
        first < len(tokens)
        and tokens[first].is_word("READ_FILES", "READ_KAFKA")
        and first + 1 < len(tokens)
        and tokens[first + 1].is_mark("(")
    ):
        end = _closing(tokens, first + 1)
        name = tokens[first].raw.lower()
        relation.read.data_source.format = "kafka" if name == _KAFKA else name
        for key, value in _arguments(tokens[first + 2 : end], text):
            if name == _KAFKA and key is None:
                raise _invalid("read_kafka takes arguments by their names: bootstrapServers => '...', subscribe => '...'.")
            option = _SERVERS if name == _KAFKA and str(key).lower() == "bootstrapservers" else key or "path"
            relation.read.data_source.options[option] = value
        return _Streamed(tokens[first].start, tokens[end].end, relation, name), end + 1
    parts, after = read_name(tokens, first)
    if not parts:
        raise _invalid("STREAM takes the name of a table, read_files(...) or read_kafka(...).")
    relation.read.named_table.unparsed_identifier = quote(parts)
    uses = find_uses(tokens, text).relations
    if any(use.moment is not None and use.start == tokens[first].start for use in uses):
        raise no_moment_of_stream()
    return _Streamed(tokens[first].start, tokens[after - 1].end, relation, parts[-1]), after


def _options(tokens: list[Token], at: int, text: str, one: _Streamed) -> int:
    """``WITH (option = value, ...)`` after a table; the index of the token after it."""
    opens = at + 1 < len(tokens) and tokens[at].is_word("WITH") and tokens[at + 1].is_mark("(")
    if not opens or not one.relation.read.HasField("named_table"):
        return at
    end = _closing(tokens, at + 1)
    for key, value in _arguments(tokens[at + 2 : end], text):
        if key is None:
            raise _invalid("WITH (...) after STREAM takes options as 'name' = 'value'.")
        one.relation.read.named_table.options[key] = value
    one.blanks.append((tokens[at].start, tokens[end].end))
    return end + 1


def _watermark(tokens: list[Token], at: int, one: _Streamed) -> None:
    """``WATERMARK column DELAY OF INTERVAL ...`` after what is streamed."""
    if at + 1 >= len(tokens) or not tokens[at].is_word("WATERMARK"):
        return
    parts, after = read_name(tokens, at + 1)
    words = tokens[after : after + 3]
    if (
        not parts
        or len(words) < 3
        or not (words[0].is_word("DELAY") and words[1].is_word("OF") and words[2].is_word("INTERVAL"))
    ):
        raise _invalid("WATERMARK takes a column and a delay: WATERMARK event_time DELAY OF INTERVAL 10 SECONDS.")
    end = after + 3
    while end < len(tokens) and (tokens[end].kind is Kind.STRING or _is_span(tokens[end], tokens[end - 1])):
        end += 1
    watermark = proto().Relation()
    watermark.with_watermark.input.CopyFrom(one.relation)
    watermark.with_watermark.event_time = quote(parts)
    delay = " ".join(token.value if token.kind is Kind.STRING else token.raw for token in tokens[after + 3 : end])
    watermark.with_watermark.delay_threshold = delay
    one.relation = watermark
    one.blanks.append((tokens[at].start, tokens[end - 1].end))


def _is_span(token: Token, before: Token) -> bool:
    """Whether a token is a number of a span of time, or the unit that follows a number or a string."""
    if token.kind is not Kind.WORD:
        return False
    return token.raw.isdigit() or before.kind is Kind.STRING or before.raw.isdigit()


def _arguments(tokens: list[Token], text: str) -> list[tuple[str | None, str]]:
    """``name => value`` and ``name = value`` in a list; names are None where there are none."""
    depth, parts = 0, list[list[Token]]([[]])
    for token in tokens:
        depth += token.is_mark("(") - token.is_mark(")")
        if depth == 0 and token.is_mark(","):
            parts.append([])
        else:
            parts[-1].append(token)
    found: list[tuple[str | None, str]] = []
    for part in parts:
        equals = next((index for index, one in enumerate(part) if one.is_mark("=")), None)
        key = None if equals is None else _key(part[:equals], text)
        value = part if equals is None else part[equals + 1 :]
        if equals is not None and value and value[0].is_mark(">"):
            value = value[1:]
        if not value or key == "":
            raise _invalid("An argument after STREAM has no name or no value.")
        plain = value[0].value if value[0].kind is Kind.STRING else text[value[0].start : value[-1].end]
        found.append((key, plain))
    return found


def _key(tokens: list[Token], text: str) -> str:
    if not tokens:
        return ""
    if len(tokens) == 1 and tokens[0].kind is Kind.STRING:
        return tokens[0].value
    written = text[tokens[0].start : tokens[-1].end]
    return ".".join(parts_of(written)) if "`" in written else written


def _closing(tokens: list[Token], at: int) -> int:
    end = closing(tokens, at)
    if end is None:
        raise _invalid("A parenthesis after STREAM is not closed.")
    return end


def _invalid(message: str) -> StatementRefused:
    return StatementRefused(f"[PARSE_SYNTAX_ERROR] {message}")
