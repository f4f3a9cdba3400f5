"""What the gateway asks about functions for nobody in particular: a table's policies hold whoever may execute them."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from boathouse.catalog.info import FunctionInfo, function_info
from boathouse.catalog.models import SecurableRow
from boathouse.catalog.privileges import SecurableType
from boathouse.catalog.repository import CatalogRepository


def policy_function(session: Session, full_name: str) -> FunctionInfo | None:
    """A function by its full name, without a look at privileges."""
    row = CatalogRepository(session).find(SecurableType.FUNCTION, full_name)
    return None if row is None else function_info(row)


def function_names(session: Session) -> frozenset[str]:
    """The last parts of the names of all functions."""
    query = select(SecurableRow.name).where(SecurableRow.type == SecurableType.FUNCTION.value).distinct()
    return frozenset(session.scalars(query))
