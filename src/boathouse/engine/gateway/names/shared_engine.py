"""What must not reach an engine that serves all principals: whatever in it names data, code or state past the gateway.

Such an engine has rights to all files of the lake. Names mean nothing to it, since it has no catalog of ours; what is left are
paths, which the gateway checks where it sees them, and so all ways to hide one are refused. Admins, who may name any path, are
held to the statements and not to the rest.
"""

import re
from collections.abc import Sequence
from typing import Any

from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.sql.path_names import FILE_FORMATS
from boathouse.engine.gateway.sql.statements import Statement
from boathouse.engine.gateway.sql.tokens import Kind, Token
from boathouse.engine.link import Engine
from boathouse.iam.api import Principal

_QUERIES = ("SELECT", "WITH", "FROM", "VALUES", "TABLE", "MAP", "REDUCE")
_CHANGES = ("INSERT", "MERGE", "UPDATE", "DELETE", "CREATE", "REPLACE", "TRUNCATE", "COPY")
_ASKS = ("SHOW", "DESCRIBE", "DESC")
_SETTINGS = ("SET", "RESET")
_CODE = frozenset({"reflect", "java_method", "try_reflect"})
_BY_PATH = frozenset({"table_changes_by_path"})
_SOURCES = FILE_FORMATS | {"", "noop", "console", "memory", "rate", "rate-micro-batch"}
_OWN = "__bh"
_CUT_OTHERWISE = re.compile(r"'''|\"\"\"|--[^\n\r]*\\\r?\n|\b[rR][ \t]+['\"]")
"""What Spark and the gateway cut differently: triple quotes, comments that go on, raw strings after a space."""
_LEXER_SETTINGS = ("doublequotedidentifiers", "escapedstringliterals", "consecutivestringliterals")
"""Settings that change where a string begins and ends."""
PYTHON = frozenset({"spark.connect.PythonUDF", "spark.connect.PythonUDTF", "spark.connect.PythonDataSource"})
JVM = frozenset({"spark.connect.ScalarScalaUDF", "spark.connect.JavaUDF"})


class SharedEngine:
    """The bounds of one principal on a shared engine.

    Args:
        engine: The engine.
        principal: Who asks.
    """

    def __init__(self, engine: Engine, principal: Principal) -> None:
        self._name = engine.capabilities.name
        self._python = engine.refuses_python(principal)
        self._is_admin = principal.is_admin

    def check_statement(self, statement: Statement) -> None:
        """Go on only if a statement is one that the gateway understands as the engine does.

        Raises:
            StatementRefused: If it is not.
        """
        tokens = statement.tokens
        at = 0
        if tokens and tokens[0].is_word("EXPLAIN"):
            while at < len(tokens) and not tokens[at].is_word(*_QUERIES, *_CHANGES, *_ASKS) and not tokens[at].is_mark("("):
                at += 1
        first = tokens[at] if at < len(tokens) else None
        known = first is not None and (
            first.is_word(*_QUERIES, *_CHANGES, *_ASKS, *_SETTINGS) or first.is_mark("(") or _drops_view(tokens)
        )
        if not known:
            shown = " ".join(token.raw for token in tokens[:2])
            raise self._refused(f"The statement {shown} ...", "It is not known to keep to the catalog's grants.")
        if first is not None and first.is_word("CREATE") and _is_view(tokens):
            self._check_view(tokens)
        if first is not None and first.is_word(*_SETTINGS):
            self.check_setting(statement.sql)
        if any(token.kind is Kind.STRING and token.raw.startswith("$") for token in tokens):
            raise self._refused("A string between dollar signs", "Write it in single quotes.")
        self.check_text(statement.sql, tokens)

    def check_setting(self, text: str) -> None:
        """Go on only if a setting leaves the lexical rules as they are."""
        if any(one in text.lower() for one in _LEXER_SETTINGS):
            raise self._refused(f"Setting {text}", "It changes how statements are read.")

    def check_config(self, request: Any) -> None:
        """Go on only if a ConfigRequest sets nothing that must stay as it is."""
        for pair in request.operation.set.pairs:
            self.check_setting(pair.key)

    def check_artifacts(self, request: Any) -> None:
        """Go on only if an AddArtifactsRequest brings rows and no code, or the principal's code may run."""
        names = [one.name for one in request.batch.artifacts]
        if request.HasField("begin_chunk"):
            names.append(request.begin_chunk.name)
        for name in names:
            if name.startswith(("jars/", "classes/")) and not self._is_admin:
                raise self._refused("A jar or class", "Only admins may add such.")
            if not name.startswith("cache/") and self._python is not None:
                raise StatementRefused(self._python)

    def check_text(self, sql: str, tokens: Sequence[Token]) -> None:
        """Go on only if nothing in a text is beyond what the gateway sees of it.

        Raises:
            StatementRefused: If something is.
        """
        found = _CUT_OTHERWISE.search(sql)
        if found is not None:
            raise self._refused(
                f"The text {found[0].strip()!r}", "Write strings in single quotes, with \\' for a quote in one."
            )
        if "${" in sql:
            raise self._refused(
                "${...} in a statement", "Write the value, or give it as a parameter: spark.sql(..., args=...)."
            )
        for index, token in enumerate(tokens):
            if token.kind is Kind.STRING or token.kind is Kind.MARK:
                continue
            name = token.identifier.lower()
            following = tokens[index + 1] if index + 1 < len(tokens) else None
            if following is not None and following.is_mark("("):
                self.check_function(name)
            if name == "global_temp":
                raise self._refused("The schema global_temp", "All users share it. Use temporary views.")
            if name.startswith(_OWN):
                raise self._refused(f"The name {token.raw}", "It is kept for the gateway.")
            if following is not None and following.is_mark(".") and index + 2 < len(tokens):
                self._check_path(token, tokens[index + 2])
            if token.is_word("USING") and following is not None and _is_view(tokens):
                self.check_source(following.identifier)

    def _check_path(self, source: Token, path: Token) -> None:
        if path.kind is Kind.NAME and "/" in path.value and source.identifier.lower() not in FILE_FORMATS:
            raise self._refused(f"{source.raw}.{path.raw}", f"Formats before a path: {', '.join(sorted(FILE_FORMATS))}.")

    def _check_view(self, tokens: Sequence[Token]) -> None:
        if any(token.is_word("GLOBAL") for token in tokens[:4]):
            raise self._refused("CREATE GLOBAL TEMPORARY VIEW", "All users share it. Use CREATE TEMPORARY VIEW.")

    def check_function(self, name: str) -> None:
        """Go on only if a function of the engine neither runs code by its name nor reads tables by their paths."""
        if name in _BY_PATH or (name in _CODE and not self._is_admin):
            raise self._refused(f"The function {name}", "It reaches past the catalog's grants.")

    def check_source(self, source: str) -> None:
        """Go on only if a source is one of files, whose paths are looked at."""
        if not self._is_admin and source.lower() not in _SOURCES:
            valid = ", ".join(sorted(FILE_FORMATS))
            raise self._refused(f"The source '{source}'", f"Only admins may use it. Formats of files: {valid}.")

    def check_message(self, message: Any, name: str) -> None:
        """Go on only if a message of a plan brings no code that must not run."""
        if name in PYTHON and self._python is not None:
            raise StatementRefused(self._python)
        if name in JVM and not self._is_admin:
            raise self._refused("A function in Java or Scala", "Only admins may run such.")
        match name:
            case "spark.connect.CreateDataFrameViewCommand" if message.is_global:
                raise self._refused("createGlobalTempView", "All users share it. Use createTempView.")
            case "spark.connect.UnresolvedTableValuedFunction" | "spark.connect.UnresolvedFunction":
                self.check_function(message.function_name.lower())
            case "spark.connect.CallFunction":
                self.check_function(message.function_name.strip("`").lower())
            case "spark.connect.Expression.UnresolvedFunction":
                self.check_function(message.function_name.lower())
            case "spark.connect.Read.DataSource":
                self.check_source(message.format)
            case "spark.connect.WriteOperation":
                self.check_source(message.source)
            case "spark.connect.WriteStreamOperationStart":
                self.check_source(message.format)
            case _:
                pass

    def _refused(self, what: str, why: str) -> StatementRefused:
        return StatementRefused(f"{what} is not supported with {self._name} as the engine. {why}")


def _is_view(tokens: Sequence[Token]) -> bool:
    return any(token.is_word("VIEW") for token in tokens[:6]) and any(
        token.is_word("TEMP", "TEMPORARY") for token in tokens[:5]
    )


def _drops_view(tokens: Sequence[Token]) -> bool:
    return len(tokens) > 1 and tokens[0].is_word("DROP") and tokens[1].is_word("VIEW", "TEMPORARY")
