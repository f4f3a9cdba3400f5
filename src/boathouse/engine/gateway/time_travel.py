"""What a time travel clause means."""

from boathouse.catalog.api import TableInfo
from boathouse.engine.catalog_access import CatalogAccess
from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.relations import Moment
from boathouse.engine.gateway.session import EngineSession
from boathouse.engine.gateway.sql_tokens import tokenize


def version_of(moment: Moment, table: TableInfo, session: EngineSession, access: CatalogAccess) -> int:
    """The version of a table at a moment; an expression is evaluated by the engine.

    Raises:
        StatementRefused: If the expression has a query in it.
        InvalidParameterValue: If the table has no version that old or that young.
    """
    text = moment.text.strip()
    if moment.kind == "version" and text.strip("'\"").isdigit():
        return int(text.strip("'\""))
    if any(token.is_word("SELECT", "FROM", "TABLE") for token in tokenize(text)):
        message = f"'{text}' cannot stand after AS OF: give a number, a time or an expression without a query."
        raise StatementRefused(message)
    if moment.kind == "version":
        return int(session.value(f"CAST({text} AS BIGINT)"))
    return access.version_at(table, session.value(f"CAST({text} AS TIMESTAMP)"))
