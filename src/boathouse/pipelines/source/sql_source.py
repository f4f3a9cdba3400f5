"""SQL files of a pipeline: their statements as declarations."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from boathouse.engine.gateway.sql.tokens import Kind as TokenKind
from boathouse.engine.gateway.sql.tokens import Token, quote, tokenize
from boathouse.engine.gateway.sql.words import StatementSyntax, Words
from boathouse.errors import BoathouseError
from boathouse.pipelines.errors import DefinitionInvalid
from boathouse.pipelines.model import (
    Action,
    AutoCdc,
    Column,
    Dataset,
    Declarations,
    Expectation,
    Flow,
    Kind,
    Location,
    Policy,
    Relation,
)

CLUSTER_AUTO = "the columns to cluster by: nothing here watches which columns queries ask for, so AUTO is not supported"
Naming = Callable[[tuple[str, ...]], tuple[str, ...]]
"""Makes of a function's name what it means there."""

_PARAMETER = re.compile(r"\$\{([^{}]*)\}")
_COLUMN_ENDS = ("NOT", "COMMENT", "GENERATED", "DEFAULT", "MASK", "CONSTRAINT", "PRIMARY")
_CDC_EXPRESSIONS = {
    ("APPLY", "AS", "DELETE", "WHEN"): "apply_as_deletes",
    ("APPLY", "AS", "TRUNCATE", "WHEN"): "apply_as_truncates",
    ("SEQUENCE", "BY"): "sequence_by",
}
_CDC_LISTS = {("COLUMNS",): ("columns", "except_columns"), ("TRACK", "HISTORY", "ON"): ("track", "track_except")}
_CDC_ENDS = ("IGNORE", "APPLY", "SEQUENCE", "COLUMNS", "STORED", "TRACK", "WHERE")


@dataclass
class SqlContext:
    """What SET and USE have said so far in one file, whose statements may stand in several cells.

    Attributes:
        configuration: The pipeline's. Parameters that no SET gives a value have theirs there.
        settings: What SET has said.
    """

    configuration: Mapping[str, str] = field(default_factory=dict[str, str])
    settings: dict[str, str] = field(default_factory=dict[str, str])
    catalog: str | None = None
    schema: str | None = None


def sql_relation(text: str) -> Relation:
    """The relation of a query's text."""
    from boathouse.engine.gateway.messages.protocol import proto  # noqa: PLC0415 - heavy

    relation = proto().Relation()
    relation.sql.query = text
    return relation


class SqlFile:
    """One SQL file.

    Args:
        text: Its content.
        file: Its name, for messages.
        into: Takes what it declares.
        context: What the cells before it have said, and what values parameters have.
        first_line: Line of its beginning, in a notebook.
    """

    def __init__(self, text: str, file: str, into: Declarations, context: SqlContext, first_line: int = 1) -> None:
        self._text = text
        self._file = file
        self._into = into
        self._first_line = first_line
        self._context = context
        self._location = Location(file, first_line)

    def read(self) -> None:
        """Read all statements.

        Raises:
            DefinitionInvalid: If one is not a statement of a pipeline.
        """
        try:
            statements = _statements(tokenize(self._text))
        except BoathouseError as error:
            raise DefinitionInvalid("PARSE_SYNTAX_ERROR", error.message, self._location) from error
        for tokens in statements:
            line = self._text.count("\n", 0, tokens[0].start) + self._first_line
            self._location = Location(self._file, line)
            try:
                self._statement(self._filled(tokens))
            except StatementSyntax as error:
                raise DefinitionInvalid("PARSE_SYNTAX_ERROR", error.message, self._location) from error

    def _filled(self, tokens: list[Token]) -> Words:
        """A statement with the values of its parameters, ``${name}``, wherever they stand."""
        start, end = tokens[0].start, tokens[-1].end
        text = self._text[start:end]
        if not _PARAMETER.search(text):
            return Words(self._text, tokens)
        filled = _blank(self._text[:start]) + _PARAMETER.sub(self._value, text)
        try:
            return Words(filled, tokenize(filled))
        except BoathouseError as error:
            raise DefinitionInvalid("PARSE_SYNTAX_ERROR", error.message, self._location) from error

    def _value(self, parameter: re.Match[str]) -> str:
        key = parameter[1].strip()
        value = self._context.settings.get(key, self._context.configuration.get(key))
        if value is None:
            message = f"The parameter {parameter[0]} has no value. Give it one in the pipeline's configuration, or before with SET {key} = ..."
            raise DefinitionInvalid("UNDEFINED_PARAMETER", message, self._location)
        return value

    def _statement(self, words: Words) -> None:
        if words.accept("SET"):
            self._set(words)
        elif words.accept("USE"):
            self._use(words)
        elif words.accept("CREATE"):
            self._create(words)
        elif words.accept("APPLY", "CHANGES", "INTO") or words.accept("AUTO", "CDC", "INTO"):
            target = ".".join(words.name("the target"))
            self._flow(target, target, cdc=self._changes(words))
        else:
            raise words.wrong(
                "CREATE OR REFRESH STREAMING TABLE or MATERIALIZED VIEW, CREATE TEMPORARY VIEW, CREATE FLOW, AUTO CDC INTO, "
                "SET or USE"
            )

    def _set(self, words: Words) -> None:
        key = words.text_until(marks="=").strip("`")
        words.expect_mark("=")
        here = words.here
        value = words.string() if here is not None and here.kind is TokenKind.STRING else words.rest()
        words.end()
        self._context.settings[key] = value

    def _use(self, words: Words) -> None:
        if words.accept("CATALOG"):
            self._context.catalog = words.word("the name of a catalog")
            words.end()
            return
        _ = words.accept("SCHEMA") or words.accept("DATABASE")
        name = words.name("the name of a schema")
        words.end()
        self._context.schema = name[-1]
        if len(name) == 2:
            self._context.catalog = name[0]

    # ------------------------------------------------------------------------------------------------------- datasets

    def _create(self, words: Words) -> None:
        if words.accept("FLOW"):
            self._create_flow(words)
            return
        _ = words.accept("OR", "REFRESH") or words.accept("OR", "REPLACE")
        private = words.accept("PRIVATE")
        temporary = words.accept("TEMPORARY") or words.accept("TEMP")
        live = words.accept("LIVE")
        if words.accept("STREAMING"):
            words.accept("LIVE")
            words.expect("TABLE")
            self._dataset(words, Kind.STREAMING_TABLE, is_private=private or temporary)
        elif words.accept("MATERIALIZED", "VIEW") or (live and words.accept("TABLE")):
            self._dataset(words, Kind.MATERIALIZED_VIEW, is_private=private or temporary)
        elif (temporary or live) and (words.accept("VIEW") or words.accept("LIVE", "VIEW")):
            self._dataset(words, Kind.TEMPORARY_VIEW, is_private=False)
        elif temporary and words.accept("LIVE", "TABLE"):
            self._dataset(words, Kind.MATERIALIZED_VIEW, is_private=True)
        else:
            raise words.wrong("STREAMING TABLE, MATERIALIZED VIEW, TEMPORARY VIEW or FLOW")

    def _dataset(self, words: Words, kind: Kind, *, is_private: bool) -> None:
        words.accept("IF", "NOT", "EXISTS")
        name = self._qualified(words.name("the name of the dataset"), kind)
        dataset = Dataset(name, kind, self._location, is_private=is_private)
        if words.here is not None and words.here.is_mark("("):
            columns, expectations = read_columns(words, self._named_function)
            dataset = replace(dataset, columns=columns, expectations=expectations)
        while words.here is not None and not words.sees("AS") and not words.sees("FLOW"):
            dataset = self._clause(words, dataset)
        self._into.datasets.append(dataset)
        if words.accept("AS"):
            self._flow(name, name, query=self._query(words))
        elif words.accept("FLOW"):
            words.expect("AUTO", "CDC")
            once = words.accept("ONCE")
            self._flow(name, name, cdc=self._changes(words), once=once)
        elif kind is not Kind.STREAMING_TABLE:
            raise words.wrong("AS and a query")

    def _clause(self, words: Words, dataset: Dataset) -> Dataset:
        if words.accept("COMMENT"):
            return replace(dataset, comment=words.string())
        if words.accept("PARTITIONED", "BY"):
            return replace(dataset, partition_by=tuple(words.names()))
        if words.accept("CLUSTER", "BY"):
            if words.sees("AUTO"):
                raise words.wrong(CLUSTER_AUTO)
            return replace(dataset, cluster_by=() if words.accept("NONE") else tuple(words.names()))
        if words.accept("TBLPROPERTIES"):
            return replace(dataset, properties={**dataset.properties, **_properties(words)})
        if words.accept("USING"):
            if words.word("DELTA").upper() != "DELTA":
                raise words.wrong("DELTA")
            return dataset
        if words.accept("LOCATION"):
            return replace(dataset, path=words.string())
        if words.accept("WITH", "ROW", "FILTER") or words.accept("ROW", "FILTER"):
            return replace(dataset, row_filter=_row_filter(words, self._named_function))
        raise words.wrong(
            "COMMENT, PARTITIONED BY, CLUSTER BY, LOCATION, WITH ROW FILTER, TBLPROPERTIES, USING DELTA, or AS and a query"
        )

    def _named_function(self, name: tuple[str, ...]) -> tuple[str, ...]:
        """A function's name with what USE has said."""
        if len(name) == 1 and self._context.schema is not None:
            name = (self._context.schema, *name)
        return (self._context.catalog, *name) if len(name) == 2 and self._context.catalog is not None else name

    def _create_flow(self, words: Words) -> None:
        name = ".".join(words.name("the name of the flow"))
        if words.accept("COMMENT"):
            words.string()
        words.expect("AS")
        if words.accept("AUTO", "CDC"):
            once = words.accept("ONCE")
            words.expect("INTO")
            target = ".".join(words.name("the target"))
            self._flow(name, target, cdc=self._changes(words), once=once)
            return
        words.expect("INSERT", "INTO")
        once = words.accept("ONCE")
        target = ".".join(words.name("the target"))
        words.expect("BY", "NAME")
        self._flow(name, target, query=self._query(words), once=once)

    def _query(self, words: Words) -> Callable[[], Relation]:
        if words.here is None:
            raise words.wrong("a query")
        # Blank up to it, so that the engine's positions are those of the file.
        text = "\n" * (self._first_line - 1) + _blank(words.sql[: words.here.start]) + words.rest()
        return lambda: sql_relation(text)

    def _flow(
        self,
        name: str,
        target: str,
        *,
        query: Callable[[], Relation] | None = None,
        cdc: AutoCdc | None = None,
        once: bool = False,
    ) -> None:
        full = target if "." in target else self._qualified((target,), None)
        settings = dict(self._context.settings)
        self._into.flows.append(Flow(full if name == target else name, full, self._location, query, cdc, once, settings))

    def _qualified(self, name: tuple[str, ...], kind: Kind | None) -> str:
        """A dataset's name with what USE has said; views have one part."""
        context = self._context
        named_view = any(one.kind is Kind.TEMPORARY_VIEW and one.name == name[-1] for one in self._into.datasets)
        if kind is Kind.TEMPORARY_VIEW or (kind is None and named_view):
            return ".".join(name)
        if len(name) == 1 and context.schema is not None:
            name = (context.schema, *name)
        if len(name) == 2 and context.catalog is not None and name[0].upper() != "LIVE":
            name = (context.catalog, *name)
        return ".".join(name)

    # ------------------------------------------------------------------------------------------------------- changes

    def _changes(self, words: Words) -> AutoCdc:
        words.expect("FROM")
        source = self._source(words)
        words.expect("KEYS")
        cdc = AutoCdc(source, tuple(words.names()), "")
        while words.here is not None:
            cdc = _cdc_clause(words, cdc)
        if not cdc.sequence_by:
            raise words.wrong("SEQUENCE BY and an expression")
        return cdc

    def _source(self, words: Words) -> str:
        stream = words.accept("STREAM")
        inside = stream and words.accept_mark("(")
        name = words.name("the source")
        if inside:
            words.expect_mark(")")
        return ".".join(name)


def _blank(text: str) -> str:
    """Nothing but spaces and line ends, where a text has them."""
    return "".join(char if char == "\n" else " " for char in text)


def _cdc_clause(words: Words, cdc: AutoCdc) -> AutoCdc:
    for clause, field_name in _CDC_EXPRESSIONS.items():
        if words.accept(*clause):
            return replace(cdc, **{field_name: expression(words, *_CDC_ENDS)})
    for clause, (field_name, excepting) in _CDC_LISTS.items():
        if words.accept(*clause):
            if words.accept_mark("*"):
                words.expect("EXCEPT")
                return replace(cdc, **{excepting: tuple(words.names())})
            return replace(cdc, **{field_name: tuple(_names(words))})
    if words.accept("IGNORE", "NULL", "UPDATES"):
        return replace(cdc, ignore_null_updates=True)
    if words.accept("STORED", "AS", "SCD", "TYPE"):
        number = words.word("1 or 2")
        if number not in {"1", "2"}:
            raise words.wrong("1 or 2")
        return replace(cdc, scd_type=int(number))
    raise words.wrong("a clause of AUTO CDC: IGNORE NULL UPDATES, APPLY AS, SEQUENCE BY, COLUMNS, STORED AS, TRACK HISTORY ON")


def expression(words: Words, *stops: str) -> str:
    """The text of an expression: up to a word or the end of the parentheses it stands in. It may compare with ``<``.

    Raises:
        StatementSyntax: If there is none.
    """
    first, depth = words.at, 0
    while words.here is not None and not (depth == 0 and (words.here.is_word(*stops) or words.here.is_mark(")"))):
        depth += words.here.is_mark("(") - words.here.is_mark(")")
        words.at += 1
    if first == words.at:
        raise words.wrong("an expression")
    return words.sql[words.tokens[first].start : words.tokens[words.at - 1].end]


def _names(words: Words) -> list[str]:
    """Names with commas, in parentheses or without."""
    if words.here is not None and words.here.is_mark("("):
        return words.names()
    found = [words.word("a column")]
    while words.accept_mark(","):
        found.append(words.word("a column"))
    return found


def _statements(tokens: list[Token]) -> list[list[Token]]:
    found: list[list[Token]] = [[]]
    for token in tokens:
        if token.is_mark(";"):
            found.append([])
        else:
            found[-1].append(token)
    return [one for one in found if one]


def _properties(words: Words) -> dict[str, str]:
    found: dict[str, str] = {}
    words.expect_mark("(")
    while not words.accept_mark(")"):
        if found:
            words.expect_mark(",")
        here = words.here
        key = words.string() if here is not None and here.kind is TokenKind.STRING else words.text_until(marks="=")
        words.expect_mark("=")
        here = words.here
        found[key] = words.string() if here is not None and here.kind is TokenKind.STRING else words.text_until(marks=",")
    return found


def row_filter_of(text: str) -> Policy:
    """A row filter as Python says it: ``ROW FILTER function ON (columns)``.

    Raises:
        StatementSyntax: If it is none.
    """
    words = Words(text, tokenize(text))
    words.expect("ROW", "FILTER")
    found = _row_filter(words)
    words.end()
    return found


def _row_filter(words: Words, named: Naming = tuple) -> Policy:
    function = named(words.name("the name of a function"))
    words.expect("ON")
    return Policy(function, _arguments(words))


def _arguments(words: Words) -> str:
    """The text in the parentheses that open here."""
    words.expect_mark("(")
    found = words.text_until()
    words.expect_mark(")")
    return found


def read_columns(words: Words, named: Naming = tuple) -> tuple[tuple[Column, ...], tuple[Expectation, ...]]:
    """The columns and expectations in the parentheses that open here."""
    columns: list[Column] = []
    expectations: list[Expectation] = []
    words.expect_mark("(")
    first = True
    while not words.accept_mark(")"):
        if not first:
            words.expect_mark(",")
        first = False
        if words.accept("CONSTRAINT"):
            expectation = _constraint(words)
            expectations += [] if expectation is None else [expectation]
        elif words.sees("PRIMARY", "KEY") or words.sees("FOREIGN", "KEY"):
            words.text_until(marks=",")
        else:
            columns.append(_column(words, named))
    return tuple(columns), tuple(expectations)


def _constraint(words: Words) -> Expectation | None:
    """An expectation; None for a key, which is for information only."""
    name = words.word("the name of a constraint")
    if words.sees("PRIMARY", "KEY") or words.sees("FOREIGN", "KEY"):
        words.text_until(marks=",")
        return None
    words.expect("EXPECT")
    words.expect_mark("(")
    constraint = expression(words)
    words.expect_mark(")")
    action = Action.WARN
    if words.accept("ON", "VIOLATION"):
        if words.accept("DROP", "ROW"):
            action = Action.DROP
        else:
            words.expect("FAIL", "UPDATE")
            action = Action.FAIL
    return Expectation(name, constraint, action)


def _column(words: Words, named: Naming) -> Column:
    column = Column(words.word("a column"))
    column = replace(column, type=words.text_until(*_COLUMN_ENDS, marks=",").lstrip(": ") or None)
    while words.here is not None and not words.here.is_mark(",") and not words.here.is_mark(")"):
        if words.accept("NOT", "NULL"):
            column = replace(column, not_null=True)
        elif words.accept("COMMENT"):
            column = replace(column, comment=words.string())
        elif words.accept("GENERATED", "ALWAYS", "AS"):
            words.expect_mark("(")
            column = replace(column, generated=expression(words))
            words.expect_mark(")")
        elif words.accept("MASK"):
            function = named(words.name("the name of a function"))
            mask = Policy(function, _arguments(words) if words.accept("USING", "COLUMNS") else "")
            column = replace(column, mask=mask)
        else:
            raise words.wrong("NOT NULL, COMMENT, GENERATED ALWAYS AS or MASK")
    return column


def columns_of(ddl: str) -> tuple[Column, ...]:
    """The columns of a schema's DDL, with or without STRUCT<> around it.

    Raises:
        StatementSyntax: If it is none.
    """
    text = ddl.strip()
    if text[:7].upper() == "STRUCT<" and text.endswith(">"):
        text = text[7:-1]
    text = f"({text})"
    columns, expectations = read_columns(Words(text, tokenize(text)))
    if expectations or any(column.type is None for column in columns):
        raise Words(text, tokenize(text)).wrong("columns with types")
    return columns


def column_ddl(column: Column) -> str:
    """A column with a type as DDL."""
    text = f"{quote((column.name,))} {column.type}"
    if column.generated is not None:
        text += f" GENERATED ALWAYS AS ({column.generated})"
    if column.not_null:
        text += " NOT NULL"
    if column.comment is not None:
        escaped = column.comment.replace("\\", "\\\\").replace("'", "\\'")
        text += f" COMMENT '{escaped}'"
    return text
