"""The data of widgets, by the gateway: governed, and told in the query history as the dashboard's."""

from boathouse.engine.api import quote
from boathouse.iam.api import Principal
from boathouse.sql.acting import Acting
from boathouse.sql.dashboards.questions import Question
from boathouse.sql.statements import Answer, SqlSession

MOST_ROWS = 5000
"""Rows that a widget gets."""
SECONDS = 600.0
"""How long a widget is waited for."""


def purpose_of(dashboard_id: str) -> str:
    """What runs the queries, as ``x-boathouse-entity`` has it."""
    return f"DASHBOARD:{dashboard_id}"


async def ask(session: SqlSession, question: Question, most: int = MOST_ROWS) -> Answer:
    """Execute what a widget asks.

    Raises:
        StatementFailed: If the gateway or the engine refuses it.
    """
    if question.catalog:
        await session.execute(f"USE CATALOG {quote([question.catalog])}")
    if question.schema:
        await session.execute(f"USE SCHEMA {quote([question.schema])}")
    return await session.execute(question.statement, most)


async def ask_as(acting: Acting, principal: Principal, dashboard_id: str, question: Question) -> Answer:
    """The same in a session of its own, as a principal."""
    async with acting.session(principal, purpose_of(dashboard_id), SECONDS) as session:
        return await ask(session, question)
