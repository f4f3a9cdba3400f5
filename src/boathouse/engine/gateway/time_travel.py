"""What a time travel clause means."""

from collections.abc import MutableMapping

from boathouse.catalog.api import TableInfo
from boathouse.engine.catalog_access import CatalogAccess
from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.relations import Moment
from boathouse.engine.gateway.session import EngineSession
from boathouse.engine.gateway.sql_tokens import literal, tokenize

MOMENTS = {"versionasof": "version", "timestampasof": "timestamp"}
"""A reader's options, in lower case -> the clause that they stand for."""


def moment_of(options: MutableMapping[str, str]) -> Moment | None:
    """The moment that a reader's options name; they are taken out."""
    moment = None
    for key in [one for one in options if one.lower() in MOMENTS]:
        kind, value = MOMENTS[key.lower()], options.pop(key)
        moment = Moment(kind, value if kind == "version" else literal(value))
    return moment


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
