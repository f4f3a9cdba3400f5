"""Views, functions and policies in SQL: what the catalog keeps as texts and the gateway puts in place of names.

A text is kept with full names, checked by the engine once, so that it means the same for every reader wherever it is read.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from boathouse.catalog import delta_schema
from boathouse.catalog.api import FunctionInfo, Parameter, Policy, Privilege, SecurableNotFound, SecurableType
from boathouse.engine.catalog_access import CatalogAccess
from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.names.engine_texts import put_types_of_results
from boathouse.engine.gateway.names.references import Reader, References
from boathouse.engine.gateway.names.resolver import Resolver
from boathouse.engine.gateway.session import EngineSession
from boathouse.engine.gateway.sql.relations import find_uses
from boathouse.engine.gateway.sql.statements import Edit, Statement, apply, read_properties
from boathouse.engine.gateway.sql.tokens import Kind, Token, quote, tokenize
from boathouse.engine.gateway.sql.words import Words
from boathouse.iam.api import Principal
from boathouse.kit.clock import now_ms
from boathouse.kit.python_body import check_source

_TYPE_ENDS = (
    "LANGUAGE",
    "DETERMINISTIC",
    "NOT",
    "COMMENT",
    "CONTAINS",
    "READS",
    "SQL",
    "RETURN",
    "AS",
    "ENVIRONMENT",
    "DEFAULT",
)


TABLE_TYPE = "TABLE_TYPE"
_SAID_ANYWAY = (("SQL", "SECURITY", "DEFINER"), ("CONTAINS", "SQL"), ("READS", "SQL", "DATA"))


class Definitions:
    """Executes one principal's statements on views, functions and policies.

    Args:
        access: The catalog.
        principal: Who asks.
        session: The session of the request.
        resolver: Resolves the names of the request.
        references: Makes the references of a relation.
    """

    def __init__(
        self,
        access: CatalogAccess,
        principal: Principal,
        session: EngineSession,
        resolver: Resolver,
        references: Callable[[], References],
    ) -> None:
        self._access = access
        self._principal = principal
        self._session = session
        self._resolver = resolver
        self._references = references
        self.view: str | None = None
        """Full name of the view that was defined."""

    def execute(self, statement: Statement) -> pa.Table | None:
        """Execute a statement if it is one of these; None for any other.

        Raises:
            BoathouseError: If it is wrong, or may not be done.
        """
        words = Words(statement.sql, statement.tokens)
        if words.accept("CREATE"):
            replace = words.accept("OR", "REPLACE")
            if words.accept("VIEW"):
                return self._create_view(words, replace=replace)
            if words.accept("FUNCTION"):
                return self._create_function(words, replace=replace)
            if words.accept("TEMPORARY", "FUNCTION") or words.accept("TEMP", "FUNCTION"):
                return self._create_temporary(words, replace=replace)
            return None
        if words.accept("DROP", "VIEW"):
            return self._drop(words, SecurableType.TABLE)
        if words.accept("DROP", "FUNCTION"):
            return self._drop(words, SecurableType.FUNCTION)
        if words.accept("DROP", "TEMPORARY", "FUNCTION") or words.accept("DROP", "TEMP", "FUNCTION"):
            return self._drop_temporary(words)
        if words.accept("ALTER", "VIEW"):
            return self._alter_view(words)
        if words.accept("ALTER", "TABLE"):
            return self._alter_table(words)
        return None

    # --------------------------------------------------------------------------------------------------------- views

    def _create_view(self, words: Words, *, replace: bool) -> pa.Table:
        missing_only = words.accept("IF", "NOT", "EXISTS")
        name = self._full(words.name("the name of the view"))
        names: list[tuple[str, str | None]] = []
        comment, properties = None, dict[str, str]()
        if words.accept_mark("("):
            names.append((words.word("a column"), words.string() if words.accept("COMMENT") else None))
            while words.accept_mark(","):
                names.append((words.word("a column"), words.string() if words.accept("COMMENT") else None))
            words.expect_mark(")")
        while not words.accept("AS"):
            if words.accept("COMMENT"):
                comment = words.string()
            elif words.accept("TBLPROPERTIES"):
                properties = read_properties(words.tokens, words.at)
                words.text_until("AS", "COMMENT")
            elif words.accept("WITH", "SCHEMA"):
                words.word("BINDING, COMPENSATION, EVOLUTION or TYPE EVOLUTION")
            else:
                raise words.wrong("AS and a query")
        if missing_only and self._access.table(self._principal, name) is not None:
            return _NOTHING
        definition, columns = self._query(words.rest(), names)
        self._access.create_view(
            self._principal,
            name,
            definition=definition,
            columns=columns,
            comment=comment,
            properties=properties,
            replace=replace,
        )
        self.view = name
        return _NOTHING

    def _alter_view(self, words: Words) -> pa.Table | None:
        name = self._full(words.name("the name of the view"))
        if not words.accept("AS"):
            return None
        view = self._access.table(self._principal, name, Privilege.MANAGE)
        if view is None or not view.is_view:
            raise SecurableNotFound(SecurableType.TABLE, name)
        definition, columns = self._query(words.rest(), [])
        self._access.create_view(
            self._principal,
            name,
            definition=definition,
            columns=columns,
            comment=view.comment,
            properties=view.properties,
            replace=True,
        )
        self.view = name
        return _NOTHING

    def _query(self, text: str, names: Sequence[tuple[str, str | None]]) -> tuple[str, list[dict[str, Any]]]:
        """A view's query with full names, and its columns."""
        definition = self.full_names(text)
        fields = self._fields(definition)
        if names and len(names) != len(fields):
            message = f"The view has {len(names)} names for {len(fields)} columns; give one for each."
            raise StatementRefused(message)
        if names:
            renamed = ", ".join(
                f"{quote([field['name']])} AS {quote([name])}" for field, (name, _) in zip(fields, names, strict=True)
            )
            definition = f"SELECT {renamed} FROM (\n{definition}\n)"  # noqa: S608 - names are quoted
            for field, (name, comment) in zip(fields, names, strict=True):
                field["name"] = name
                field["metadata"] = {**field.get("metadata", {}), **({"comment": comment} if comment else {})}
        lower = [str(field["name"]).lower() for field in fields]
        twice = sorted({name for name in lower if lower.count(name) > 1})
        if twice:
            message = f"The query has more than one column named {', '.join(twice)}. Give each a name of its own with AS."
            raise StatementRefused(message)
        return definition, [delta_schema.column_info(field, index) for index, field in enumerate(fields)]

    def _fields(self, query: str) -> list[dict[str, Any]]:
        """The columns of a query of the asker's, in the form of Delta's schemas."""
        from pyspark.sql.connect.types import proto_schema_to_pyspark_data_type  # noqa: PLC0415 - heavy

        references = self._references()
        relation = proto().Relation()
        relation.sql.query = self._resolver.govern(query, Reader(self._principal, is_asker=False), references)
        references.wrap(relation)
        put_types_of_results(self._session, relation, self._resolver.reads.values())
        schema: Any = proto_schema_to_pyspark_data_type(self._session.schema(relation))
        return list(schema.jsonValue()["fields"])

    def full_names(self, text: str) -> str:
        """A text with the full names of all tables and functions of the catalog.

        Raises:
            StatementRefused: If it names a temporary view, which another reader does not have, or a path.
            SecurableNotFound: If it names what does not exist.
        """
        tokens = tokenize(text)
        uses = find_uses(tokens, text)
        edits: list[Edit] = []
        for use in uses.relations:
            if use.expression is not None:
                continue
            if len(use.name) == 2 and "/" in use.name[1]:
                message = f"{'.'.join(use.name)} is a path: a view reads tables and views of the catalog."
                raise StatementRefused(message)
            if len(use.name) == 1 and self._session.is_temporary(use.name[0]):
                message = (
                    f"{use.name[0]} is a temporary view, which only this session has. Name a table or view of the catalog."
                )
                raise StatementRefused(message)
            full = self._session.qualify(use.name)
            if full is None or not self._resolver.exists(full):
                raise SecurableNotFound(SecurableType.TABLE, ".".join(full or use.name))
            alias = "" if use.has_alias or use.moment is not None else f" AS {quote([use.name[-1]])}"
            edits.append(Edit(use.start, use.end, quote(full) + alias))
        asker = Reader(self._principal, is_asker=True)
        for call in uses.calls:
            function = self._resolver.functions.named(call.name, asker)
            if function is not None and function.name.lower() in self._session.temporary_functions and len(call.name) == 1:
                message = f"{function.name} is a temporary function, which only this session has. Call one of the catalog, by its full name."
                raise StatementRefused(message)
            if function is not None:
                stop = next(token.start for token in tokens if token.start > call.start and token.is_mark("("))
                edits.append(Edit(call.start, stop, quote(function.full_name.split("."))))
        return apply(text, edits)

    # ----------------------------------------------------------------------------------------------------- functions

    def _create_function(self, words: Words, *, replace: bool) -> pa.Table:
        missing_only = words.accept("IF", "NOT", "EXISTS")
        name = self._full(words.name("the name of the function"))
        parameters = self._parameters(words)
        return_type, return_columns = "", list[tuple[str, str]]()
        if words.accept("RETURNS"):
            if words.accept("TABLE"):
                return_type = TABLE_TYPE
                return_columns = [(one.name, one.type_text) for one in self._parameters(words)] if _opens(words) else []
            else:
                return_type = words.text_until(*_TYPE_ENDS)
        language, deterministic, comment = _characteristics(words)
        if missing_only and self._access.function(self._principal, name) is not None:
            return _NOTHING
        parameters = self._with_defaults(name, parameters)
        if language == "PYTHON":
            words.expect("AS")
            body = words.string("the body between $$ and $$")
            self._check_python(name, parameters, return_type, body)
        else:
            words.expect("RETURN")
            body, return_type = self._sql_body(parameters, return_type, words.rest())
        self._access.create_function(
            self._principal,
            name,
            parameters=parameters,
            return_type=return_type,
            return_columns=return_columns,
            language=language,
            body=body,
            is_deterministic=deterministic,
            comment=comment,
            replace=replace,
        )
        return _NOTHING

    def _create_temporary(self, words: Words, *, replace: bool) -> pa.Table:
        """``CREATE [OR REPLACE] TEMPORARY FUNCTION name(parameters) [RETURNS type] RETURN expression``, for the session alone."""
        known = self._session.temporary_functions
        missing_only = words.accept("IF", "NOT", "EXISTS")
        name = words.word("the name of the function, in one part")
        parameters = self._parameters(words)
        return_type, return_columns = "", list[tuple[str, str]]()
        if words.accept("RETURNS"):
            if words.accept("TABLE"):
                return_type = TABLE_TYPE
                return_columns = [(one.name, one.type_text) for one in self._parameters(words)] if _opens(words) else []
            else:
                return_type = words.text_until(*_TYPE_ENDS)
        language, deterministic, comment = _characteristics(words)
        if language != "SQL":
            message = (
                "A temporary function is one in SQL. Register one in Python with spark.udf.register, or make it in the catalog."
            )
            raise StatementRefused(message)
        if name.lower() in known and not replace:
            if missing_only:
                return _NOTHING
            message = f"There is a temporary function {name} already. Write CREATE OR REPLACE TEMPORARY FUNCTION."
            raise StatementRefused(message)
        words.expect("RETURN")
        parameters = self._with_defaults(name, parameters)
        body, return_type = self._sql_body(parameters, return_type, words.rest())
        now = now_ms()
        known[name.lower()] = FunctionInfo(
            id=f"temporary-{name.lower()}",
            type=SecurableType.FUNCTION,
            name=name,
            full_name=".".join((*self._session.namespace, name)),
            owner=self._principal.name,
            comment=comment,
            properties={},
            created_at=now,
            created_by=self._principal.name,
            updated_at=now,
            updated_by=self._principal.name,
            parameters=tuple(parameters),
            return_type=return_type,
            return_columns=tuple(return_columns),
            language=language,
            body=body,
            is_deterministic=deterministic,
        )
        return _NOTHING

    def _drop_temporary(self, words: Words) -> pa.Table:
        missing_too = words.accept("IF", "EXISTS")
        name = words.word("the name of the function")
        words.end()
        if self._session.temporary_functions.pop(name.lower(), None) is None and not missing_too:
            raise SecurableNotFound(SecurableType.FUNCTION, name)
        return _NOTHING

    def _parameters(self, words: Words) -> list[Parameter]:
        found: list[Parameter] = []
        words.expect_mark("(")
        while not words.accept_mark(")"):
            if found:
                words.expect_mark(",")
            name = words.word("the name of a parameter")
            type_text = words.text_until("DEFAULT", "COMMENT", marks=",")
            if not type_text:
                raise words.wrong(f"the type of {name}")
            default = words.text_until("COMMENT", marks=",") if words.accept("DEFAULT") else None
            found.append(Parameter(name, type_text, default, words.string() if words.accept("COMMENT") else None))
        return found

    def _with_defaults(self, function: str, parameters: Sequence[Parameter]) -> list[Parameter]:
        """Parameters whose default values have full names and are valid, as the engine says.

        Raises:
            StatementRefused: If a parameter without a default value follows one that has one.
        """
        found: list[Parameter] = []
        for one in parameters:
            if one.default is None:
                before = next((earlier.name for earlier in found if earlier.default is not None), None)
                if before is not None:
                    message = f"{function}: the parameter {one.name} needs a DEFAULT too, since {before} before it has one."
                    raise StatementRefused(message)
                found.append(one)
                continue
            text = self.full_names(one.default)
            references = self._references()
            governed = self._resolver.govern(text, Reader(self._principal, is_asker=False), references, fragment=True)
            relation = proto().Relation()
            relation.sql.query = f"SELECT CAST(({governed}) AS {one.type_text}) AS value"
            references.wrap(relation)
            self._session.schema(relation)
            found.append(replace(one, default=text))
        return found

    def _check_python(self, name: str, parameters: Sequence[Parameter], return_type: str, body: str) -> None:
        if not return_type or return_type == "TABLE_TYPE":
            message = "A function in Python returns a single value: say RETURNS and its type."
            raise StatementRefused(message)
        self._session.data_type(return_type)
        try:
            check_source(name, tuple(one.name for one in parameters), body)
        except SyntaxError as error:
            message = f"The body of {name} is no valid Python: {error.msg} (line {(error.lineno or 2) - 1})."
            raise StatementRefused(message) from error

    def _sql_body(self, parameters: Sequence[Parameter], return_type: str, text: str) -> tuple[str, str]:
        """A body with full names, and its type; the engine says whether it is valid."""
        body = self.full_names(text)
        nulls = {one.name.lower(): f"CAST(NULL AS {one.type_text})" for one in parameters}
        references = self._references()
        governed = self._resolver.govern(body, Reader(self._principal, is_asker=False), references, nulls)
        relation = proto().Relation()
        relation.sql.query = governed if return_type == "TABLE_TYPE" else f"SELECT ({governed}) AS value"
        references.wrap(relation)
        put_types_of_results(self._session, relation, self._resolver.reads.values())
        schema = self._session.schema(relation)
        if return_type:
            if return_type != "TABLE_TYPE":
                self._session.data_type(return_type)
            return body, return_type
        from pyspark.sql.connect.types import proto_schema_to_pyspark_data_type  # noqa: PLC0415 - heavy

        kind: Any = proto_schema_to_pyspark_data_type(schema)
        return body, kind[0].dataType.simpleString()

    # ------------------------------------------------------------------------------------------------------ policies

    def _alter_table(self, words: Words) -> pa.Table | None:
        name = self._full(words.name("the name of the table"))
        if words.accept("DROP", "ROW", "FILTER"):
            words.end()
            self._access.set_row_filter(self._principal, name, None)
            return _NOTHING
        if words.accept("SET", "ROW", "FILTER"):
            function = self._full(words.name("the name of a function"))
            words.expect("ON")
            using = self._arguments(words)
            words.end()
            self._access.set_row_filter(self._principal, name, Policy(function, using))
            return _NOTHING
        if not words.accept("ALTER"):
            return None
        words.accept("COLUMN")
        column = words.word("a column")
        if words.accept("DROP", "MASK"):
            words.end()
            self._access.set_column_mask(self._principal, name, column, None)
            return _NOTHING
        if words.accept("SET", "MASK"):
            function = self._full(words.name("the name of a function"))
            using = self._arguments(words) if words.accept("USING", "COLUMNS") else ()
            words.end()
            self._access.set_column_mask(self._principal, name, column, Policy(function, using))
            return _NOTHING
        return None

    def _arguments(self, words: Words) -> tuple[str, ...]:
        words.expect_mark("(")
        found: list[str] = []
        while not words.accept_mark(")"):
            if found:
                words.expect_mark(",")
            here = words.here
            found.append(words.word() if here is not None and here.kind is Kind.NAME else words.text_until(marks=","))
        return tuple(found)

    # --------------------------------------------------------------------------------------------------------- common

    def _drop(self, words: Words, kind: SecurableType) -> pa.Table | None:
        missing_too = words.accept("IF", "EXISTS")
        given = words.name()
        words.end()
        if len(given) == 1 and kind is SecurableType.TABLE and self._session.is_temporary(given[0]):
            return None
        name = self._full(given)
        there = self._access.table(self._principal, name) if kind is SecurableType.TABLE else self._access.function(None, name)
        if there is None:
            if missing_too:
                return _NOTHING
            raise SecurableNotFound(kind, name)
        if not isinstance(there, FunctionInfo) and not there.is_view:
            message = f"{name} is a table, not a view. Write DROP TABLE {name}."
            raise StatementRefused(message)
        self._access.drop(self._principal, kind, name)
        return _NOTHING

    def _full(self, name: tuple[str, ...]) -> str:
        full = self._session.qualify(name)
        if full is None:
            message = f"'{'.'.join(name)}' has too many parts: give catalog.schema.name."
            raise StatementRefused(message)
        return ".".join(full).lower()


_NOTHING = pa.table({})


def _characteristics(words: Words) -> tuple[str, bool, str | None]:
    """What stands between a function's type and its body: language, whether it is deterministic, comment."""
    language, deterministic, comment = "SQL", False, None
    while not words.sees("RETURN") and not words.sees("AS"):
        if words.accept("LANGUAGE"):
            language = words.word("SQL or PYTHON").upper()
        elif words.accept("NOT", "DETERMINISTIC"):
            deterministic = False
        elif words.accept("DETERMINISTIC"):
            deterministic = True
        elif words.accept("COMMENT"):
            comment = words.string()
        elif not any(words.accept(*clause) for clause in _SAID_ANYWAY):
            raise words.wrong("RETURN and an expression, or AS and a body in Python")
    return language, deterministic, comment


def _opens(words: Words) -> bool:
    token: Token | None = words.here
    return token is not None and token.is_mark("(")


def defines(statement: Statement) -> bool:
    """Whether a statement may be one of these; a cheap look before the cursor's."""
    first = statement.verb[:1]
    if first == ("DROP",):
        return statement.verb[1:2] in {("VIEW",), ("FUNCTION",)} or statement.verb[1:3] in {
            ("TEMPORARY", "FUNCTION"),
            ("TEMP", "FUNCTION"),
        }
    return first in {("CREATE",), ("ALTER",)} and not statement.temporary_views
