"""One walk over a plan: every name in it becomes what its reader may see of it, and every path is checked and made real."""

import itertools
import re
import secrets
from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from typing import Any

from boathouse.catalog.api import PolicyInTheWay, Privilege, SecurableNotFound, SecurableType
from boathouse.engine.catalog_access import CatalogAccess
from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.answers import Asked, answer
from boathouse.engine.gateway.answers.spark_catalog import answer_catalog
from boathouse.engine.gateway.effects import Effects
from boathouse.engine.gateway.forms.day_frames import WINDOW
from boathouse.engine.gateway.forms.frame_plans import look_at_checkpoint, put_plan
from boathouse.engine.gateway.messages.protocol import empty_answer, local_relation, of_today, proto, sql_node
from boathouse.engine.gateway.messages.spark_types import Struct
from boathouse.engine.gateway.messages.walk import children
from boathouse.engine.gateway.names import frame_functions, late_forms, reads
from boathouse.engine.gateway.names.definitions import Definitions, defines
from boathouse.engine.gateway.names.endpoint_columns import aggregates, name_columns
from boathouse.engine.gateway.names.engine_texts import EngineTexts
from boathouse.engine.gateway.names.frame_filters import said_below
from boathouse.engine.gateway.names.identifiers import plain_identifiers
from boathouse.engine.gateway.names.pruning import Comparison
from boathouse.engine.gateway.names.recursion import says_recursive, without_recursion
from boathouse.engine.gateway.names.references import Reader, References
from boathouse.engine.gateway.names.resolver import Resolver
from boathouse.engine.gateway.names.shared_engine import SharedEngine
from boathouse.engine.gateway.names.stream_reads import OF_STREAMS, StreamReads
from boathouse.engine.gateway.names.variable_uses import with_identifiers
from boathouse.engine.gateway.names.variables import Variables, changes_variables
from boathouse.engine.gateway.paths import time_travel
from boathouse.engine.gateway.paths.guard import PathGuard, Use
from boathouse.engine.gateway.paths.open_tables import OpenTables, to_read
from boathouse.engine.gateway.paths.path_edits import path_edits
from boathouse.engine.gateway.session import EngineSession
from boathouse.engine.gateway.sql.described import columns_answer, described_query
from boathouse.engine.gateway.sql.parameters import bind
from boathouse.engine.gateway.sql.path_names import FILE_FORMATS, looks_absolute
from boathouse.engine.gateway.sql.statements import Statement, apply, cached_query, fixed, parse
from boathouse.engine.gateway.sql.tokens import Kind, parts_of, quote, tokenize
from boathouse.engine.pool import SCRATCH_CATALOG
from boathouse.iam.api import Principal

_READ_HERE = re.compile(r"\bas\s+of\b|\btable_changes|\bread_files\b", re.IGNORECASE)
_PATH_OPTIONS = frozenset({"path", "paths", "location", "checkpointlocation"})


class Visit:
    """A request on its way to the engine.

    Attributes:
        changed: Whether the walk has changed the plan.
        paths_read: Where files are read that are named by their path.
        resolver: What resolves its names; it knows afterwards what is read.
        effects: What its statements do beside what the plan says.
        streams: What takes the place of streaming reads.
        texts: What makes its texts as the engine has to have them.
    """

    def __init__(
        self,
        access: CatalogAccess,
        principal: Principal,
        session: EngineSession,
        *,
        executes: bool = False,
        streams: StreamReads | None = None,
        numbers: Iterator[int] | None = None,
    ) -> None:
        self.access = access
        self.executes = executes
        self.streams = streams or StreamReads()
        self.principal = principal
        self.session = session
        self.guard = PathGuard(access, principal)
        self.changed = False
        self.paths_read: list[str] = []
        capabilities = session.capabilities
        self.shared = SharedEngine(session.engine, principal) if capabilities.is_shared else None
        self.open_tables = OpenTables(access, principal) if capabilities.is_shared else None
        # Where references are temporary views, nobody must be able to guess their names.
        self.numbers = numbers or (
            session.names.numbers if capabilities.binds_everywhere else itertools.count(secrets.randbits(38))
        )
        self.effects = Effects()
        self.resolver = Resolver(access, principal, session, self.numbers, self.effects)
        self.texts = EngineTexts(access, principal, session, self.resolver)

    def walk(self, root: Any, *, of_extension: bool = False) -> None:
        """Look at every message of a plan, the outermost first. Iterative, since plans can be thousands deep.

        Args:
            root: A plan, or a request with one.
            of_extension: Whether the plan was made from a command of an extension, so that its root may be a statement.
        """
        relations: list[tuple[Any, References]] = []
        stack: list[tuple[Any, References | None, bool, tuple[Comparison, ...], bool]] = [(root, None, False, (), False)]
        while stack:
            message, references, standalone, said, aggregated = stack.pop()
            name = message.DESCRIPTOR.full_name
            aggregated = aggregates(message, name, inside=aggregated)
            if self.shared is not None:
                self.shared.check_message(message, name)
            if name == "spark.connect.Relation":
                references = References(self.numbers)
                relations.append((message, references))
                inner = self.look_at_relation(message, references, said, standalone=standalone)
            elif name == "spark.connect.Expression.ExpressionString":
                inner = self.look_at_expression_string(message, references, aggregated=aggregated)
            else:
                self.changed |= name_columns(message, name, self._asks)
                look = _LOOKS.get(name)
                if look is not None:
                    look(self, message)
                inner = children(message)
            commands = name == "spark.connect.SqlCommand" or (of_extension and name == "spark.connect.Plan")
            commands = commands and self.executes
            below = said_below(message, said)
            stack.extend((child, references, commands, below, aggregated) for child in inner)
        self.changed |= self.texts.put_windows()
        # The innermost first: wrapping copies what is inside.
        for relation, references in reversed(relations):
            if references:
                if sql_node(relation) is None and not self.session.capabilities.binds_everywhere:
                    message = (
                        "An expression of a DataFrame cannot read a table by its name with this engine; join with spark.table."
                    )
                    raise StatementRefused(message)
                references.wrap(relation)
                self.changed = True
        self.changed |= self.texts.put_literals(root)
        self.changed |= self.texts.put_set_types(root)
        self.changed |= self.texts.put_checks(root, executes=self.executes)
        self.changed |= self.texts.put_late_forms(root, self.numbers)

    # ------------------------------------------------------------------------------------------------------ messages

    def look_at_relation(
        self, relation: Any, references: References, said: Sequence[Comparison], *, standalone: bool
    ) -> list[Any]:
        """A relation: govern its names. Answers the messages in it that are still to be looked at.

        Args:
            relation: Is changed in place.
            references: Takes the relations that its texts will refer to.
            said: What is true of those of its rows that count.
            standalone: Whether it is a SQL command of its own.
        """
        kind = relation.WhichOneof("rel_type")
        if kind in OF_STREAMS and reads.replace_streams(self, relation):
            return []
        self.changed |= not self.session.capabilities.reads_all_forms and put_plan(relation)
        kind = relation.WhichOneof("rel_type")
        if kind == "sql":
            return self._look_at_sql(relation, relation, references, standalone=standalone)
        if kind == "with_relations" and relation.with_relations.root.WhichOneof("rel_type") == "sql":
            given = list(relation.with_relations.references)
            inner = self._look_at_sql(relation.with_relations.root, relation, references, standalone=standalone)
            return [*given, *inner]
        if kind == "catalog":
            rows = answer_catalog(relation.catalog, Asked(self.principal, self.access, self.session, standalone, self.effects))
            if rows is not None:
                relation.CopyFrom(local_relation(rows))
                self.changed = True
                return []
        if kind == "read":
            self.changed |= time_travel.read_by_path(relation.read)
        if kind == "read" and relation.read.HasField("named_table") and reads.read_table(self, relation, said):
            return []
        if kind == "read" and relation.read.HasField("data_source") and reads.replace_files(self, relation):
            return []
        return children(relation)

    def _look_at_sql(self, node: Any, holder: Any, references: References, *, standalone: bool) -> list[Any]:
        """A SQL text: if it is a statement that the gateway itself answers, the answer comes in its place."""
        if self.shared is not None:
            self.shared.check_text(node.sql.query, tokenize(node.sql.query))
        if not self.session.capabilities.binds_parameters or _is_bound_here(node.sql.query):
            self.changed |= bind(node.sql)
        if self.session.variables:
            node.sql.query = with_identifiers(node.sql.query, self.session.variables)
        if says_recursive(node.sql.query) and not self.session.capabilities.reads_all_forms:
            self._compute_recursions(
                node, holder, executes=self.executes and not (standalone and parse(node.sql.query).is_query)
            )
            return self.look_at_relation(holder, references, (), standalone=standalone)
        text = plain_identifiers(node.sql, "query", self.session)
        statement = self._without_cache(parse(text), standalone=standalone)
        asked = Asked(self.principal, self.access, self.session, standalone, self.effects)
        rows = (
            self._set_variables(statement, asked, holder)
            or self._define(statement, asked)
            or self._described(statement, holder)
            or answer(statement, asked)
        )
        if rows is not None:
            holder.CopyFrom(rows)
            self.changed = True
            return []
        if self.shared is not None:
            self.shared.check_statement(statement)
        statement = self.texts.statement(statement, lambda text: self._schema_of(text, holder))
        governed = self.sql(statement, references)
        if statement.tokens and statement.tokens[0].is_word("EXPLAIN"):
            self.require_explainable()
        if governed != node.sql.query:
            node.sql.query = governed
            self.changed = True
        self.texts.governed(node.sql, "query")
        return children(node.sql)

    def _compute_recursions(self, node: Any, holder: Any, *, executes: bool) -> None:
        """Put rows that are computed in steps in the places of recursive queries."""
        added = References(self.numbers)

        def ask(query: str, known: dict[str, Any]) -> Any:
            asked = proto().Relation()
            asked.CopyFrom(holder)
            inner = sql_node(asked)
            read = References(self.numbers)
            for name, relation in known.items():
                query = query.replace(quote([name]), quote([read.add(name, relation)]))
            if inner is not None:
                inner.query = query
            read.wrap(asked)
            visit = Visit(self.access, self.principal, self.session, streams=self.streams)
            visit.walk(asked)
            self.resolver.reads.update(visit.resolver.reads)
            return asked

        text = without_recursion(
            node.sql.query, self.session, ask, lambda relation: added.add(object(), relation), executes=executes
        )
        node.sql.query = text
        added.wrap(holder)
        self.changed = self.texts.respelled = True

    def _set_variables(self, statement: Statement, asked: Asked, holder: Any) -> Any | None:
        """Execute a statement on variables of the session, if it is one."""
        if self.session.capabilities.reads_all_forms or not changes_variables(statement):
            return None
        asked.to_change(" ".join(statement.verb[:2]))
        Variables(self.session, lambda text: self._asked(text, holder)).execute(statement)
        return empty_answer()

    def _described(self, statement: Statement, holder: Any) -> Any | None:
        """The answer to DESCRIBE [QUERY] with a query."""
        query = described_query(statement)
        if query is None or self.session.capabilities.reads_all_forms:
            return None
        asked = self._asked(query, holder)
        return None if asked is None else columns_answer(self.session.schema(asked))

    def _schema_of(self, text: str, holder: Any) -> Struct | None:
        """What a query gives that refers to what a SQL relation refers to; None where the engine cannot tell."""
        asked = self._asked(text, holder)
        return None if asked is None else self.session.struct(asked)

    def _asked(self, query: str, holder: Any) -> Any | None:
        """A query with governed names that refers to what a SQL relation refers to."""
        asked = proto().Relation()
        asked.CopyFrom(holder)
        node = sql_node(asked)
        if node is None:
            return None
        node.query = query
        Visit(self.access, self.principal, self.session, streams=self.streams).walk(asked)
        return asked

    def _without_cache(self, statement: Statement, *, standalone: bool) -> Statement:
        """CACHE TABLE with a query as the temporary view that it makes."""
        found = cached_query(statement)
        if found is None:
            return statement
        name, text = found
        if standalone:
            self.session.names.cached.add((self.session.request.session_id, name.lower()))
        return parse(text)

    def _define(self, statement: Statement, asked: Asked) -> Any | None:
        """Execute a statement on a view, function or policy, if it is one."""
        if not defines(statement):
            return None
        asked.to_change(" ".join(statement.verb[:2]))
        definitions = Definitions(self.access, self.principal, self.session, self.resolver, lambda: References(self.numbers))
        rows = definitions.execute(statement)
        self.effects.view = definitions.view or self.effects.view
        return None if rows is None else local_relation(rows)

    def replace(self, relation: Any, meant: Any, alias: str) -> None:
        """Put a relation in the place of a read, under the name of what is read."""
        replacement = self.named(meant, alias)
        replacement.common.CopyFrom(relation.common)
        relation.CopyFrom(replacement)
        self.changed = True

    def named(self, meant: Any, alias: str) -> Any:
        """A relation under a name for its reader; inside of that it has one by which lineage knows it."""
        relation = proto().Relation()
        relation.subquery_alias.alias = alias
        inner = relation.subquery_alias.input.subquery_alias
        inner.alias = f"__bh{next(self.numbers)}"
        inner.input.CopyFrom(meant)
        self.resolver.note(inner.alias, meant)
        return relation

    def _asks(self, name: str) -> bool:
        """Whether a function of a name asks an endpoint, in a text of the asker."""
        return self.resolver.functions.asks_endpoint([name], Reader(self.principal, is_asker=True))

    def look_at_expression_string(self, expression: Any, references: References | None, *, aggregated: bool) -> list[Any]:
        """SQL text of an expression; it can hold a query.

        Args:
            expression: Is changed in place.
            references: Takes the relations that the text will refer to.
            aggregated: Whether it stands in an aggregation.
        """
        if self.shared is not None:
            self.shared.check_text(expression.expression, tokenize(expression.expression))
        text = plain_identifiers(expression, "expression", self.session)
        if self.shared is not None:
            self.shared.check_text(text, tokenize(text))
        real = self.sql(parse(self.texts.expression(text)), references, fragment=True, aggregated=aggregated)
        if real != expression.expression:
            expression.expression = real
            self.changed = True
        self.texts.governed(expression, "expression")
        return []

    def look_at_sql_command(self, command: Any) -> None:
        """A SQL command of an older client: bring it into the form of today's."""
        self.changed |= of_today(command)

    def look_at_view(self, command: Any) -> None:
        """A temporary view: from now on its name may hide a table's."""
        self._define_temporary(command.name.lower())

    def _define_temporary(self, *names: str) -> None:
        self.session.names.temporary.update(names)
        for name in names:
            self.session.names.streams.pop((self.session.request.session_id, name), None)
        self.effects.defined.update(names)

    def look_at_options(self, options: MutableMapping[str, str], source: str, use: Use) -> None:
        """Options of a reader or writer: the path, and whatever else names a place in the lake."""
        for key, value in list(options.items()):
            if key.lower() in _PATH_OPTIONS:
                is_rows = key.lower() != "checkpointlocation" or use is Use.READ
                real = self.path(value, source, use if is_rows else Use.WRITE)
                if real != value:
                    options[key] = real
            else:
                self.look_at_text(value)

    def look_at_literal(self, value: Any) -> None:
        """A value; a statement's parameter can become a name or a path."""
        if value.WhichOneof("literal_type") == "string":
            self.look_at_text(value.string)

    def look_at_stream(self, command: Any) -> None:
        """The sink of a stream."""
        if command.path:
            command.path = self.path(command.path, command.format, Use.of_sink(command.format))
        if command.table_name:
            self.require_modify(parts_of(command.table_name))
        self.look_at_options(command.options, command.format, Use.of_sink(command.format))

    # --------------------------------------------------------------------------------------------------------- texts

    def path(self, text: str, source: str, use: Use) -> str:
        """Where a path really lies; one of a source that is not of files is only a text."""
        if source and source.lower() not in FILE_FORMATS and not looks_absolute(text):
            return text
        real = self.guard.resolve(text, use)
        if use is Use.READ:
            self.paths_read.append(real)
            real = to_read(self, real, source)
        self.changed |= real != text
        return real

    def table_name(self, text: str, use: Use) -> str:
        """A name as it is to be given to the engine: ``format.`path``` with the real path."""
        parts = parts_of(text)
        _refuse_scratch(text)
        if self.shared is not None:
            self.shared.check_text(text, tokenize(text))
        if len(parts) == 2 and parts[0].lower() in FILE_FORMATS and _is_path(parts[1]):
            real = self.guard.resolve(parts[1], use if use is Use.READ else Use.of_sink(parts[0]))
            if use is Use.READ:
                self.paths_read.append(real)
                real = to_read(self, real, parts[0])
            self.changed |= real != parts[1]
            return f"{parts[0]}.{quote([real])}" if real != parts[1] else text
        if use is Use.WRITE:
            self.require_modify(parts)
        return text

    def look_at_text(self, text: str) -> None:
        """A text that is not known to be a path: refuse it where it reaches into the lake past the catalog."""
        _refuse_scratch(text)
        if self.principal.is_admin or len(text) > 10_000:
            return
        if looks_absolute(text) and self.guard.touches_lake(text):
            self.guard.resolve(text, Use.READ)
        elif "`" in text:
            try:
                tokens = tokenize(text)
            except StatementRefused:
                return
            for index, token in enumerate(tokens):
                if token.kind is Kind.NAME and index > 1 and tokens[index - 2].identifier.lower() in FILE_FORMATS:
                    self.guard.resolve(token.value, Use.READ)

    def sql(
        self, statement: Statement, references: References | None, *, fragment: bool = False, aggregated: bool = False
    ) -> str:
        """A SQL text with governed names and real paths, in the engine's spelling."""
        _refuse_scratch(statement.sql)
        self._define_temporary(*statement.temporary_views)
        paths = path_edits(self, statement, fragment=fragment)
        for token in statement.texts:
            self.look_at_text(token.value)
        for target in statement.targets:
            self.require_modify(target)
            if statement.verb[:1] in {("UPDATE",), ("DELETE",), ("MERGE",)}:
                self.require_whole(target)
        found = self.resolver.edits(statement.sql, statement.tokens, references, fragment=fragment, aggregated=aggregated)
        # What an expression after AS OF means is told by its path's edit.
        found = [one for one in found if not any(path.start <= one.start < path.end for path in paths)]
        edits = [*fixed(statement), *paths, *found]
        return apply(statement.sql, edits) if edits else statement.sql

    def require_modify(self, parts: Iterable[str]) -> None:
        """Go on only if the principal may write a table, if it is one of the catalog."""
        if self.principal.is_admin:
            return
        name = self.session.qualify(tuple(parts))
        if name is not None:
            self.access.table(self.principal, ".".join(name), Privilege.MODIFY)

    def require_explainable(self) -> None:
        """Go on only if a plan may be shown: it tells of policies, of views' queries and of statistics of what they hide.

        Raises:
            PolicyInTheWay: If it reads a table with a policy, or a view, that the principal does not manage.
        """
        for table in self.resolver.reads.values():
            if (table.is_view or table.has_policy) and not self.access.manages(self.principal, table):
                raise PolicyInTheWay(table.full_name)

    def require_whole(self, parts: Iterable[str]) -> None:
        """Go on only if no policy hides a part of a table from the principal: what it changes tells of what is there.

        Raises:
            PolicyInTheWay: If the table has a row filter or a column mask and the principal does not manage it.
        """
        name = self.session.qualify(tuple(parts))
        table = None if name is None else self.access.table(self.principal, ".".join(name))
        if table is not None:
            self.access.require_whole(self.principal, table)


def _is_bound_here(sql: str) -> bool:
    """Whether a text's parameters are put into it whatever the engine can: where it binds none, or the gateway reads what they are."""
    statement = parse(sql)
    return _READ_HERE.search(sql) is not None or not (statement.is_query or statement.verb[:1] in {("INSERT",), ("WITH",)})


def _refuse_scratch(text: str) -> None:
    """The engine's scratch catalog is the gateway's own: what lies there is past the catalog's grants."""
    if SCRATCH_CATALOG in text.lower():
        raise SecurableNotFound(SecurableType.CATALOG, SCRATCH_CATALOG)


def _is_path(text: str) -> bool:
    return looks_absolute(text) or "/" in text or ".." in text


_LOOKS = {
    "spark.connect.SqlCommand": Visit.look_at_sql_command,
    "spark.connect.Read": reads.look_at_read,
    "spark.connect.Expression.Literal": Visit.look_at_literal,
    WINDOW: lambda visit, window: visit.texts.look_at_window(window),
    "spark.connect.SetOperation": lambda visit, operation: visit.texts.look_at_set_operation(operation),
    **late_forms.LOOKS,
    "spark.connect.StatSampleBy": lambda visit, sample: visit.texts.look_at_sample(sample),
    "spark.connect.Expression.UnresolvedFunction": frame_functions.look_at_function,
    "spark.connect.CallFunction": frame_functions.look_at_call,
    "spark.connect.PythonUDF": frame_functions.look_at_python,
    "spark.connect.PythonUDTF": frame_functions.put_modules,
    "spark.connect.CreateDataFrameViewCommand": Visit.look_at_view,
    "spark.connect.CheckpointCommand": look_at_checkpoint,
    "spark.connect.Command": frame_functions.look_at_registration,
    "spark.connect.WriteStreamOperationStart": Visit.look_at_stream,
}
