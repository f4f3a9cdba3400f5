"""The texts of one plan as its engine has to have them: in the forms that it reads, with windows and literals that it takes for what they are."""

from collections.abc import Iterable, Iterator
from typing import Any

from boathouse.catalog.api import TableInfo
from boathouse.engine.catalog_access import CatalogAccess
from boathouse.engine.gateway.forms.call_forms import with_calls
from boathouse.engine.gateway.forms.colon_paths import with_functions
from boathouse.engine.gateway.forms.common_rows import has_common_rows, put_common_rows
from boathouse.engine.gateway.forms.day_frames import counts_days, put_days, types_of
from boathouse.engine.gateway.forms.decimal_literals import Doubles
from boathouse.engine.gateway.forms.exploded_maps import put_entries
from boathouse.engine.gateway.forms.first_values import put_types
from boathouse.engine.gateway.forms.frame_calls import put_calls
from boathouse.engine.gateway.forms.overflow_plans import Overflow
from boathouse.engine.gateway.forms.relation_forms import with_quotes
from boathouse.engine.gateway.forms.set_types import SetTypes
from boathouse.engine.gateway.forms.spelling import delete_as_merge, spell
from boathouse.engine.gateway.forms.strata import has_strata, put_strata
from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.names.late_forms import put_late_forms
from boathouse.engine.gateway.names.resolver import Resolver
from boathouse.engine.gateway.names.variable_uses import with_prefixed, with_values
from boathouse.engine.gateway.session import EngineSession
from boathouse.engine.gateway.sql.select_scopes import Schema
from boathouse.engine.gateway.sql.statements import Statement, parse
from boathouse.iam.api import Principal


class EngineTexts:
    """Changes texts where the engine needs them otherwise than Spark.

    Attributes:
        respelled: Whether a text had forms that the engine does not read.
    """

    def __init__(self, access: CatalogAccess, principal: Principal, session: EngineSession, resolver: Resolver) -> None:
        self.respelled = False
        self._access, self._principal, self._session, self._resolver = access, principal, session, resolver
        self._doubles = Doubles(session)
        self._governed: list[tuple[Any, str]] = []
        self._counts_days = self._counts_rows = self._joins_rows = self._draws_rows = False
        self._has_late_forms = False

    def statement(self, statement: Statement, schema: Schema) -> Statement:
        """A statement in the forms that the engine reads.

        Args:
            statement: The statement.
            schema: Tells what a query gives that names what the statement can name.
        """
        if self._session.capabilities.reads_all_forms:
            return statement
        known = self._session.variables
        given = with_values(statement.sql, known, schema) if known else statement.sql
        if given != statement.sql:
            statement, given = parse(given), statement.sql
        text = spell(self._deletion(statement) or statement.sql, schema)
        if text == given:
            return statement
        self.respelled = True
        return parse(text)

    def expression(self, text: str) -> str:
        """The text of an expression in the forms that the engine reads."""
        if self._session.capabilities.reads_all_forms:
            return text
        return with_calls(with_functions(with_quotes(with_prefixed(text, self._session.variables))))

    def _deletion(self, statement: Statement) -> str | None:
        """What does the work of a DELETE that the engine cannot do."""
        if statement.verb[:1] != ("DELETE",) or not statement.targets:
            return None
        name = self._session.qualify(statement.targets[0])
        table = None if name is None else self._access.table(self._principal, ".".join(name))
        if table is None or table.data_source_format != "DELTA" or not table.columns:
            return None
        return delete_as_merge(statement.sql, list(statement.tokens), [str(column["name"]) for column in table.columns])

    def governed(self, message: Any, field: str) -> None:
        """Take note of a text whose names are governed."""
        self._governed.append((message, field))

    def look_at_window(self, window: Any) -> None:
        """Take note of a DataFrame's window."""
        self._counts_days |= counts_days(window)

    def look_at_set_operation(self, operation: Any) -> None:
        """Take note of a DataFrame's UNION, EXCEPT or INTERSECT."""
        self._counts_rows |= has_common_rows(operation)
        self._joins_rows = True

    def look_at_late_form(self) -> None:
        """Take note of a relation that only the columns of its rows tell how to make."""
        self._has_late_forms = True

    def put_late_forms(self, root: Any, numbers: Iterator[int]) -> bool:
        """Have such relations made as the engine makes them; whether there were any. It is the last of what changes a plan."""
        if not self._has_late_forms or self._session.capabilities.mixes_types or self._resolver.declares:
            return False
        return put_late_forms(self._session, root, numbers)

    def look_at_sample(self, sample: Any) -> None:
        """Take note of rows of a DataFrame that are drawn by strata."""
        self._draws_rows |= has_strata(sample)

    def put_windows(self) -> bool:
        """Change the windows of those texts, now that it is known which tables they are about; whether there was anything to change."""
        changed = False
        for message, field in self._governed:
            text = getattr(message, field)
            spelled = self._resolver.spelled(text)
            if spelled != text:
                setattr(message, field, spelled)
                changed = True
        self._governed.clear()
        return changed

    def put_literals(self, root: Any) -> bool:
        """Give the literals of a plan their types, and have maps taken apart, days and common rows counted; whether there was anything to change."""
        if self._session.capabilities.mixes_types or self._resolver.declares:
            return False
        changed = self._doubles.put(root)
        if self._counts_rows:
            changed |= put_common_rows(root)
        if self._draws_rows:
            changed |= put_strata(root)
        changed |= put_calls(self._session, root)
        changed |= put_entries(self._session, root)
        if self._counts_days:
            changed |= put_days(self._session, root)
        return put_types(self._session, root) or changed

    def put_set_types(self, root: Any) -> bool:
        """Give the columns of a plan's set operations the types that they have together; whether there was anything to change."""
        if self._session.capabilities.mixes_types or self._resolver.declares:
            return False
        return SetTypes(self._session, self._joins_rows).put(root)

    def put_doubles(self, root: Any) -> bool:
        """Make doubles of decimal literals in what has come into a plan since; whether there were any."""
        return not self._session.capabilities.mixes_types and self._doubles.put(root)

    def put_checks(self, root: Any, *, executes: bool) -> bool:
        """Have arithmetic of decimals made as Spark makes it, and that of whole numbers checked in what is executed; whether there was any."""
        if self._session.capabilities.checks_overflow or self._resolver.declares:
            return False
        return Overflow(self._session, types_of(table.columns for table in self._resolver.reads.values()), executes).put(root)


def put_types_of_results(session: EngineSession, relation: Any, tables: Iterable[TableInfo]) -> None:
    """Give the columns of a relation whose names are governed the types that they have when it is executed, in place.

    Args:
        session: Of the request.
        relation: The relation.
        tables: What it reads.
    """
    if not session.capabilities.mixes_types:
        SetTypes(session, has_frames=False).put(relation)
    if not session.capabilities.checks_overflow:
        holder = proto().Relation()
        holder.limit.input.CopyFrom(relation)
        if Overflow(session, types_of(table.columns for table in tables), executes=False).put(holder):
            relation.CopyFrom(holder.limit.input)
