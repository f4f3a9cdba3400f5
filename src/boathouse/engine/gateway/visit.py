"""One walk over a plan: every name and path in it is checked, and paths are made real."""

from collections.abc import Iterable, MutableMapping
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from boathouse.catalog.api import Privilege, SecurableNotFound, SecurableType, TableInfo
from boathouse.engine.catalog_access import CatalogAccess
from boathouse.engine.errors import PathRefused, StatementRefused
from boathouse.engine.gateway.answers import answer
from boathouse.engine.gateway.paths import FILE_FORMATS, PathGuard, Use, looks_absolute
from boathouse.engine.gateway.session import EngineSession
from boathouse.engine.gateway.sql_tokens import Kind, Token, literal, quote, read_name, tokenize
from boathouse.engine.gateway.statements import Edit, Statement, apply, fixed, parse
from boathouse.engine.pool import SCRATCH_CATALOG
from boathouse.iam.api import Principal
from boathouse.storage.paths import from_url

_TIME_OPTIONS = frozenset({"versionasof", "timestampasof"})
_PATH_OPTIONS = frozenset({"path", "paths", "location", "checkpointlocation"})


class Visit:
    """A request on its way to the engine.

    Attributes:
        changed: Whether the walk has changed the plan.
    """

    def __init__(self, access: CatalogAccess, principal: Principal, session: EngineSession) -> None:
        self.access = access
        self.principal = principal
        self.session = session
        self.guard = PathGuard(access, principal)
        self.changed = False

    def walk(self, root: Any) -> None:
        """Look at every message of a plan, the outermost first. Iterative, since plans can be thousands deep."""
        stack = [root]
        while stack:
            message = stack.pop()
            look = _LOOKS.get(message.DESCRIPTOR.full_name)
            if look is not None:
                look(self, message)
            stack.extend(_children(message))

    # ------------------------------------------------------------------------------------------------------ messages

    def look_at_relation(self, relation: Any) -> None:
        """A relation: if it is a statement that the gateway itself answers, put the answer in its place."""
        if relation.WhichOneof("rel_type") != "sql":
            return
        statement = parse(relation.sql.query)
        rows = answer(statement, self.principal, self.access, self.session)
        if rows is not None:
            relation.local_relation.CopyFrom(rows.local_relation)
            self.changed = True
            return
        relation.sql.query = self.sql(statement)

    def look_at_sql_command(self, command: Any) -> None:
        """A SQL command of an older client: bring it into the form of today's."""
        if not command.HasField("input") and command.sql:
            node = command.input.sql
            node.query = command.sql
            for key, value in command.args.items():
                node.args[key].CopyFrom(value)
            node.pos_args.extend(command.pos_args)
            for key, value in command.named_arguments.items():
                node.named_arguments[key].CopyFrom(value)
            node.pos_arguments.extend(command.pos_arguments)
            command.ClearField("sql")
            self.changed = True

    def look_at_read(self, read: Any) -> None:
        """A table or files that are read."""
        if read.HasField("named_table"):
            name = read.named_table.unparsed_identifier
            read.named_table.unparsed_identifier = self.table_name(name, Use.READ)
            self.look_at_options(read.named_table.options, "", Use.READ)
            if any(key.lower() in _TIME_OPTIONS for key in read.named_table.options):
                self._travel(read, name)
        elif read.HasField("data_source"):
            source = read.data_source
            paths = [self.path(path, source.format, Use.READ) for path in source.paths]
            if paths != list(source.paths):
                source.paths[:] = paths
            self.look_at_options(source.options, source.format, Use.READ)
            path = source.options.get("path")
            if path and not source.paths and source.format.lower() in FILE_FORMATS:
                # The engine does not look for the files of a reader there.
                source.paths.append(path)
                del source.options["path"]
                self.changed = True

    def _travel(self, read: Any, name: str) -> None:
        """An old version of a table is read by its path: the engine would expect the columns of today."""
        table = self._delta_table(_parts(name))
        if table is not None:
            options = dict(read.named_table.options)
            read.data_source.format = "delta"
            read.data_source.paths.append(str(from_url(table.storage_location)))
            read.data_source.options.update(options)
            self.changed = True

    def _delta_table(self, parts: tuple[str, ...]) -> TableInfo | None:
        name = self.session.qualify(parts)
        table = None if name is None else self.access.table(self.principal, ".".join(name), Privilege.SELECT)
        return table if table is not None and table.data_source_format == "DELTA" else None

    def look_at_options(self, options: MutableMapping[str, str], source: str, use: Use) -> None:
        """Options of a reader or writer: the path, and whatever else names a place in the lake."""
        for key, value in list(options.items()):
            if key.lower() in _PATH_OPTIONS:
                real = self.path(value, source, use)
                if real != value:
                    options[key] = real
            else:
                self.look_at_text(value)

    def look_at_expression_string(self, expression: Any) -> None:
        """SQL text of an expression; it can hold a query."""
        real = self.sql(parse(expression.expression))
        if real != expression.expression:
            expression.expression = real

    def look_at_literal(self, value: Any) -> None:
        """A value; a statement's parameter can become a name or a path."""
        if value.WhichOneof("literal_type") == "string":
            self.look_at_text(value.string)

    def look_at_namespace(self, command: Any) -> None:
        """A command of spark.catalog that names a catalog or a schema."""
        for field, value in command.ListFields():
            if field.type == FieldDescriptor.TYPE_STRING:
                _refuse_scratch(value)

    def look_at_merge(self, command: Any) -> None:
        """MERGE INTO of a DataFrame."""
        self.require_modify(_parts(command.target_table_name))

    def look_at_stream(self, command: Any) -> None:
        """The sink of a stream."""
        if command.path:
            command.path = self.path(command.path, command.format, Use.WRITE)
        if command.table_name:
            self.require_modify(_parts(command.table_name))
        self.look_at_options(command.options, command.format, Use.WRITE)

    def look_at_catalog_table(self, command: Any) -> None:
        """spark.catalog.createTable and createExternalTable."""
        if command.path:
            real = self.path(command.path, command.source, Use.WRITE)
            self.changed |= real != command.path
            command.path = real
        self.look_at_options(command.options, command.source, Use.WRITE)

    # --------------------------------------------------------------------------------------------------------- texts

    def path(self, text: str, source: str, use: Use) -> str:
        """Where a path really lies; one of a source that is not of files is only a text."""
        if source and source.lower() not in FILE_FORMATS and not looks_absolute(text):
            return text
        real = self.guard.resolve(text, use)
        self.changed |= real != text
        return real

    def table_name(self, text: str, use: Use) -> str:
        """A name as it is to be given to the engine: ``format.`path``` with the real path."""
        parts = _parts(text)
        _refuse_scratch(text)
        if len(parts) == 2 and parts[0].lower() in FILE_FORMATS and _is_path(parts[1]):
            real = self.guard.resolve(parts[1], use)
            self.changed |= real != parts[1]
            return f"{parts[0]}.{quote([real])}" if real != parts[1] else text
        if use is Use.READ:
            self.require_select([parts])
        else:
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

    def sql(self, statement: Statement) -> str:
        """A SQL text with real paths, in the engine's spelling, after its names were checked."""
        _refuse_scratch(statement.sql)
        edits = [*fixed(statement)]
        for travel in statement.travels:
            table = self._delta_table(travel.name)
            if table is not None:
                path = str(from_url(table.storage_location))
                edits.append(Edit(travel.start, travel.end, f"delta.{quote([path])}"))
                if not travel.has_alias:
                    edits.append(Edit(travel.clause_end, travel.clause_end, f" AS {quote([table.name])}"))
        for use in statement.paths:
            edits += self._path_edit(use.token, Use.WRITE if use.writes else Use.READ)
        for token in statement.texts:
            self.look_at_text(token.value)
        for target in statement.targets:
            self.require_modify(target)
        written = set(statement.targets)
        self.require_select(name for name in statement.sources if name not in written)
        if not edits:
            return statement.sql
        self.changed = True
        return apply(statement.sql, edits)

    def _path_edit(self, token: Token, use: Use) -> list[Edit]:
        if token.opaque:
            raise PathRefused(token.raw, "write the path as a plain string.")
        real = self.guard.resolve(token.value, use)
        if real == token.value and token.kind is Kind.NAME:
            return []
        # A string is always written anew, so that the engine reads it as it was read here.
        return [Edit(token.start, token.end, quote([real]) if token.kind is Kind.NAME else literal(real))]

    def require_modify(self, parts: Iterable[str]) -> None:
        """Go on only if the principal may write a table, if it is one of the catalog."""
        if self.principal.is_admin:
            return
        name = self.session.qualify(tuple(parts))
        if name is not None:
            self.access.table(self.principal, ".".join(name), Privilege.MODIFY)

    def require_select(self, names: Iterable[Iterable[str]]) -> None:
        """Go on only if the principal may read those names that are tables of the catalog."""
        if self.principal.is_admin:
            return
        for parts in names:
            name = self.session.qualify(tuple(parts))
            if name is not None:
                self.access.table(self.principal, ".".join(name), Privilege.SELECT)


def _parts(text: str) -> tuple[str, ...]:
    parts, _ = read_name(tokenize(text), 0)
    return tuple(parts)


def _refuse_scratch(text: str) -> None:
    """The engine's scratch catalog is the gateway's own: what lies there is past the catalog's grants."""
    if SCRATCH_CATALOG in text.lower():
        raise SecurableNotFound(SecurableType.CATALOG, SCRATCH_CATALOG)


def _is_path(text: str) -> bool:
    return looks_absolute(text) or "/" in text or ".." in text


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


_LOOKS = {
    "spark.connect.Relation": Visit.look_at_relation,
    "spark.connect.SqlCommand": Visit.look_at_sql_command,
    "spark.connect.Read": Visit.look_at_read,
    "spark.connect.Expression.ExpressionString": Visit.look_at_expression_string,
    "spark.connect.Expression.Literal": Visit.look_at_literal,
    "spark.connect.MergeIntoTableCommand": Visit.look_at_merge,
    "spark.connect.WriteStreamOperationStart": Visit.look_at_stream,
    **dict.fromkeys(
        (
            f"spark.connect.{name}"
            for name in ("SetCurrentCatalog", "SetCurrentDatabase", "ListTables", "GetTable", "ListColumns")
        ),
        Visit.look_at_namespace,
    ),
    "spark.connect.CreateTable": Visit.look_at_catalog_table,
    "spark.connect.CreateExternalTable": Visit.look_at_catalog_table,
}
