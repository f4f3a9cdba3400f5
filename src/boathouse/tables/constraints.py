"""CHECK constraints: in the log they are properties, and every writer has to hold them."""

from collections.abc import Callable

from boathouse.tables import properties
from boathouse.tables.alter import Edit, alter
from boathouse.tables.errors import DeltaRefused
from boathouse.tables.log import Operation, State


def add_check(location: str, name: str, expression: str, user: str | None, *, holds: Callable[[State, str], None]) -> None:
    """Add a CHECK constraint.

    Args:
        location: The table.
        name: Of the constraint; names are compared without case.
        expression: SQL of the condition.
        user: Who adds it.
        holds: Raises if a row of a state does not meet an expression.

    Raises:
        DeltaRefused: If there is a constraint of the name.
    """
    key = properties.CONSTRAINT + name.lower()

    def work(edit: Edit) -> None:
        if key in {one.lower() for one in edit.configuration}:
            was = next(value for one, value in edit.configuration.items() if one.lower() == key)
            message = f"Constraint '{name}' already exists. Please delete the old constraint first. Old constraint: {was}"
            raise DeltaRefused("DELTA_CONSTRAINT_ALREADY_EXISTS", message)
        holds(edit.state, expression)
        edit.configuration[key] = expression
        edit.need("checkConstraints")

    alter(location, Operation("ADD CONSTRAINT", {"name": name, "expr": expression}, user), work)


def drop_check(location: str, name: str, user: str | None, *, if_exists: bool = False) -> bool:
    """Drop a CHECK constraint; whether there was one.

    Raises:
        DeltaRefused: If there is none of the name, unless ``if_exists``.
    """
    found = False

    def work(edit: Edit) -> None:
        nonlocal found
        key = next((one for one in edit.configuration if one.lower() == properties.CONSTRAINT + name.lower()), None)
        found = key is not None
        if key is not None:
            del edit.configuration[key]
        elif not if_exists:
            message = f"Cannot drop nonexistent constraint '{name}'. To avoid an error, write DROP CONSTRAINT IF EXISTS."
            raise DeltaRefused("DELTA_CONSTRAINT_DOES_NOT_EXIST", message)

    alter(location, Operation("DROP CONSTRAINT", {"name": name}, user), work)
    return found
