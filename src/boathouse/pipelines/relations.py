"""Names in a flow's relation: which it reads, and how they are replaced by what they mean in the pipeline."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from boathouse.engine.gateway.protocol import proto
from boathouse.engine.gateway.relations import find_uses
from boathouse.engine.gateway.sql_tokens import Kind as TokenKind
from boathouse.engine.gateway.sql_tokens import Token, literal, parts_of, quote, tokenize
from boathouse.engine.gateway.statements import Edit, apply
from boathouse.pipelines.errors import DefinitionInvalid
from boathouse.pipelines.model import Action, Dataset, Kind, Relation

_FIRST_PLAN_ID = 1 << 39
_BEFORE_RELATION = ("FROM", "JOIN")


@dataclass(frozen=True)
class Use:
    """A name that a relation reads, and whether as a stream."""

    name: tuple[str, ...]
    is_stream: bool


Meaning = Callable[[Use], Relation | str]
"""What a name means: a relation, or a table by its full name in backticks."""


def uses(relation: Relation) -> tuple[list[Use], bool]:
    """The names that a relation reads, and whether a stream is among what it reads."""
    found: dict[Use, None] = {}

    def note(use: Use) -> str:
        found[use] = None
        return quote(use.name)

    copy = proto().Relation()
    copy.CopyFrom(relation)
    _Rewriter(note).rewrite(copy)
    streams = any(use.is_stream for use in found) or any(
        message.is_streaming for message in walk(copy) if message.DESCRIPTOR.full_name == "spark.connect.Read"
    )
    return list(found), streams


def rewritten(relation: Relation, meaning: Meaning) -> Relation:
    """A relation whose names are replaced by what they mean."""
    copy = proto().Relation()
    copy.CopyFrom(relation)
    _Rewriter(meaning).rewrite(copy)
    return copy


def as_batch(relation: Relation) -> Relation:
    """A relation that reads tables as they are instead of as streams; it has the same schema."""
    copy = proto().Relation()
    copy.CopyFrom(relation)
    for message in walk(copy):
        if message.DESCRIPTOR.full_name == "spark.connect.Read" and message.HasField("named_table"):
            message.is_streaming = False
            message.named_table.options.clear()
    return copy


def table(name: Sequence[str], *, is_stream: bool = False) -> Relation:
    """The relation of a table."""
    relation = proto().Relation()
    relation.read.named_table.unparsed_identifier = quote(tuple(name))
    relation.read.is_streaming = is_stream
    return relation


def enforced_in_view(dataset: Dataset, rows: Relation) -> Relation:
    """The rows of a view: those that are to be dropped are left out, and one that must not be there raises an error."""
    for one in dataset.expectations if dataset.kind is Kind.TEMPORARY_VIEW else ():
        if one.action is Action.WARN:
            continue
        message = f"[EXPECTATION_VIOLATION] The expectation {one.name} of {dataset.name} failed: {one.constraint}"
        raising = f"CAST(raise_error({literal(message)}) AS BOOLEAN)"
        condition = f"({one.constraint}) IS TRUE"
        if one.action is Action.FAIL:
            condition = f"CASE WHEN {condition} THEN true ELSE {raising} END"
        relation = proto().Relation()
        relation.filter.input.CopyFrom(rows)
        relation.filter.condition.expression_string.expression = condition
        rows = relation
    return rows


def with_columns(rows: Relation, columns: Mapping[str, str]) -> Relation:
    """Rows with further columns, which SQL expressions make."""
    relation = proto().Relation()
    relation.with_columns.input.CopyFrom(rows)
    for name, text in columns.items():
        alias = relation.with_columns.aliases.add()
        alias.name.append(name)
        alias.expr.expression_string.expression = text
    return relation


def walk(root: Any) -> Iterator[Any]:
    """All messages of a plan, the outermost first."""
    stack = [root]
    while stack:
        message = stack.pop()
        yield message
        stack.extend(_children(message))


def _children(message: Any) -> list[Any]:
    children: list[Any] = []
    for field, value in message.ListFields():
        if field.type != FieldDescriptor.TYPE_MESSAGE:
            continue
        if field.message_type.GetOptions().map_entry:
            if field.message_type.fields_by_name["value"].type == FieldDescriptor.TYPE_MESSAGE:
                children.extend(value.values())
        elif field.is_repeated:
            children.extend(value)
        else:
            children.append(value)
    return children


class _Rewriter:
    """Replaces the names of one relation in place."""

    def __init__(self, meaning: Meaning) -> None:
        self._meaning = meaning
        self._number = 0

    def rewrite(self, root: Relation) -> None:
        # What comes in the place of a name is not looked at again: its own names are not this relation's.
        found = [one for one in walk(root) if one.DESCRIPTOR.full_name == "spark.connect.Relation"]
        inside = {id(one.with_relations.root): one for one in found if one.WhichOneof("rel_type") == "with_relations"}
        for relation in reversed(found):
            kind = relation.WhichOneof("rel_type")
            if kind == "sql":
                self._sql(relation, inside.get(id(relation)))
            elif kind == "read" and relation.read.HasField("named_table"):
                self._named(relation)

    def _named(self, relation: Relation) -> None:
        read = relation.read
        parts = parts_of(read.named_table.unparsed_identifier)
        meant = self._meaning(Use(parts, read.is_streaming))
        if isinstance(meant, str):
            read.named_table.unparsed_identifier = meant
            return
        replacement = proto().Relation()
        replacement.common.CopyFrom(relation.common)
        replacement.subquery_alias.alias = parts[-1]
        replacement.subquery_alias.input.CopyFrom(meant)
        relation.CopyFrom(replacement)

    def _sql(self, relation: Relation, holder: Relation | None) -> None:
        node = relation.sql
        text, streams, files = _without_stream(node.query)
        given = set[str]()
        if holder is not None:
            given = {
                one.subquery_alias.alias.lower()
                for one in holder.with_relations.references
                if one.WhichOneof("rel_type") == "subquery_alias"
            }
        edits: list[Edit] = []
        references: list[tuple[str, Relation]] = []
        for use in find_uses(tokenize(text), text).relations:
            is_path = len(use.name) == 2 and "/" in use.name[1]
            if use.expression is not None or is_path or (len(use.name) == 1 and use.name[0].lower() in given):
                continue
            is_stream = use.start in streams
            meant = self._meaning(Use(use.name, is_stream))
            if isinstance(meant, str) and is_stream:
                meant = table(parts_of(meant), is_stream=True)
            if isinstance(meant, str):
                edits.append(Edit(use.start, use.end, meant))
            else:
                name = self._reference(references, meant)
                edits.append(Edit(use.start, use.end, name if use.has_alias else f"{name} AS {quote((use.name[-1],))}"))
        for call in files:
            name = self._reference(references, call.relation)
            edits.append(Edit(call.start, call.end, name if call.has_alias else f"{name} AS read_files"))
        node.query = apply(text, edits)
        if references:
            _wrap(relation if holder is None else holder, references)

    def _reference(self, references: list[tuple[str, Relation]], relation: Relation) -> str:
        self._number += 1
        name = f"__flow{self._number}"
        references.append((name, relation))
        return f"`{name}`"


def _wrap(relation: Relation, references: list[tuple[str, Relation]]) -> None:
    if relation.WhichOneof("rel_type") != "with_relations":
        root = proto().Relation()
        root.CopyFrom(relation)
        relation.Clear()
        relation.common.CopyFrom(root.common)
        relation.with_relations.root.CopyFrom(root)
    for number, (name, meant) in enumerate(references):
        reference = relation.with_relations.references.add()
        reference.common.plan_id = _FIRST_PLAN_ID + number
        reference.subquery_alias.alias = name.strip("`")
        reference.subquery_alias.input.CopyFrom(meant)


# ---------------------------------------------------------------------------------------------------------- STREAM


@dataclass(frozen=True)
class _Files:
    """``STREAM read_files(...)``: where it stands, and the read that it is."""

    start: int
    end: int
    relation: Relation
    has_alias: bool


def _without_stream(text: str) -> tuple[str, set[int], list[_Files]]:
    """A text without its words STREAM, all other characters where they were; where streamed names begin; streamed files."""
    tokens = tokenize(text)
    blanks: list[tuple[int, int]] = []
    streams: set[int] = set()
    files: list[_Files] = []
    for at, token in enumerate(tokens[:-1]):
        if not (token.is_word("STREAM") and at and (tokens[at - 1].is_word(*_BEFORE_RELATION) or tokens[at - 1].is_mark(","))):
            continue
        following = at + 1
        if tokens[following].is_mark("("):
            end = _closing(tokens, following)
            blanks += [(tokens[following].start, tokens[following].end), (tokens[end].start, tokens[end].end)]
            following += 1
        elif not tokens[following].is_identifier or tokens[following].is_word("AS"):
            continue
        blanks.append((token.start, token.end))
        if tokens[following].is_word("READ_FILES"):
            end = _closing(tokens, following + 1)
            after = tokens[end + 1 :]
            while after and after[0].is_mark(")") and (after[0].start, after[0].end) in blanks:
                after = after[1:]
            files.append(
                _Files(
                    tokens[following].start,
                    tokens[end].end,
                    _cloud_files(tokens[following + 2 : end], text),
                    bool(after) and (after[0].is_word("AS") or after[0].kind is TokenKind.NAME),
                )
            )
        else:
            streams.add(tokens[following].start)
    for start, end in blanks:
        text = text[:start] + " " * (end - start) + text[end:]
    return text, streams, files


def _closing(tokens: list[Token], at: int) -> int:
    """The index of the parenthesis that closes the one at an index."""
    depth = 0
    for index in range(at, len(tokens)):
        depth += tokens[index].is_mark("(") - tokens[index].is_mark(")")
        if depth == 0:
            return index
    raise DefinitionInvalid("PARSE_SYNTAX_ERROR", "A parenthesis is not closed.")


def _cloud_files(arguments: list[Token], text: str) -> Relation:
    """``read_files(path, format => 'json', ...)`` as the streaming read that it stands for."""
    relation = proto().Relation()
    relation.read.is_streaming = True
    source = relation.read.data_source
    source.format = "read_files"
    depth, parts = 0, list[list[Token]]([[]])
    for token in arguments:
        depth += token.is_mark("(") - token.is_mark(")")
        if depth == 0 and token.is_mark(","):
            parts.append([])
        else:
            parts[-1].append(token)
    for part in parts:
        arrow = next(
            (at for at, one in enumerate(part) if one.is_mark("=") and at + 1 < len(part) and part[at + 1].is_mark(">")), None
        )
        value = part if arrow is None else part[arrow + 2 :]
        if not value:
            raise DefinitionInvalid("PARSE_SYNTAX_ERROR", "An argument of read_files has no value.")
        plain = value[0].value if value[0].kind is TokenKind.STRING else text[value[0].start : value[-1].end]
        if arrow is None:
            source.options["path"] = plain
        else:
            key = text[part[0].start : part[arrow - 1].end].strip("`")
            source.options[key] = plain
    return relation
