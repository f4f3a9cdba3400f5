"""Names in a flow's relation: which it reads, and how they are replaced by what they mean in the pipeline."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.messages.walk import walk
from boathouse.engine.gateway.names.stream_reads import streaming_reads
from boathouse.engine.gateway.sql.relations import find_uses
from boathouse.engine.gateway.sql.statements import Edit, apply
from boathouse.engine.gateway.sql.tokens import literal, parts_of, quote, tokenize
from boathouse.engine.gateway.streams.texts import expand_streams
from boathouse.pipelines.model import Action, Dataset, Kind, Relation

_FIRST_PLAN_ID = 1 << 39
_SCHEMA_LOCATION = {"cloudfiles": "cloudFiles.schemaLocation", "read_files": "schemaLocation"}
"""By the format of a stream of files, the option that says where its schema is kept."""


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


def with_schema_locations(relation: Relation, checkpoint: Callable[[], str]) -> Relation:
    """A relation whose streams of files keep the schemas that are inferred for them in a checkpoint, as its query would.

    So the plan of an update tells the types that the query has, whatever files have come since.
    """
    copy = proto().Relation()
    copy.CopyFrom(relation)
    expand_streams(copy)
    inferring = [
        (index, _SCHEMA_LOCATION[one.read.data_source.format.lower()], one.read.data_source)
        for index, one in enumerate(streaming_reads(copy))
        if one.read.data_source.format.lower() in _SCHEMA_LOCATION
    ]
    for index, option, source in inferring:
        if not any(key.lower().removeprefix("cloudfiles.") == "schemalocation" for key in source.options):
            source.options[option] = f"{checkpoint()}/sources/{index}"
    return copy if inferring else relation


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


def query_over(text: str, name: str, rows: Relation) -> Relation:
    """The relation of a query that reads some rows by a name."""
    relation = proto().Relation()
    relation.sql.query = text
    _wrap(relation, [(name, rows)])
    return relation


class _Rewriter:
    """Replaces the names of one relation in place."""

    def __init__(self, meaning: Meaning) -> None:
        self._meaning = meaning
        self._number = 0

    def rewrite(self, root: Relation) -> None:
        expand_streams(root)
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
        text = node.query
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
            meant = self._meaning(Use(use.name, is_stream=False))
            if isinstance(meant, str):
                edits.append(Edit(use.start, use.end, meant))
            else:
                name = self._reference(references, meant)
                edits.append(Edit(use.start, use.end, name if use.has_alias else f"{name} AS {quote((use.name[-1],))}"))
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
