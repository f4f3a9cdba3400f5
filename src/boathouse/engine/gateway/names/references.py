"""What the texts of a request refer to, and whose privileges count in them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.messages.protocol import proto
from boathouse.iam.api import Principal

_DEEPEST = 24
_FIRST_PLAN_ID = 1 << 40


class References:
    """The relations that the texts inside one relation refer to by name.

    Args:
        numbers: Numbers that are unique in the request.
    """

    def __init__(self, numbers: Iterator[int]) -> None:
        self._numbers = numbers
        self._known: dict[object, str] = {}
        self._relations: list[tuple[int, str, Any]] = []

    def __bool__(self) -> bool:
        return bool(self._relations)

    def add(self, key: object, relation: Any) -> str:
        """The name by which a relation can be read; the same key gives the same name."""
        if key not in self._known:
            number = next(self._numbers)
            self._known[key] = f"__bh{number}"
            self._relations.append((number, self._known[key], relation))
        return self._known[key]

    def known(self, key: object) -> str | None:
        """The name of a relation that is there already."""
        return self._known.get(key)

    def wrap(self, relation: Any) -> None:
        """Make the references known inside a relation, in place."""
        if not self._relations:
            return
        if relation.WhichOneof("rel_type") != "with_relations":
            root = proto().Relation()
            root.CopyFrom(relation)
            relation.with_relations.root.CopyFrom(root)
        for number, name, meant in self._relations:
            reference = relation.with_relations.references.add()
            reference.common.plan_id = _FIRST_PLAN_ID + number
            reference.subquery_alias.alias = name
            reference.subquery_alias.input.CopyFrom(meant)


@dataclass(frozen=True)
class Reader:
    """Whose privileges count in a text.

    Attributes:
        principal: The asker, or the owner of the view or function that the text belongs to.
        is_asker: Whether it is the asker's own text, where names may be short and mean temporary views.
        depth: How many views and functions it lies in.
        place: Catalog and schema of the view or function, in which its short names lie; of texts with full names none.
    """

    principal: Principal
    is_asker: bool
    depth: int = 0
    place: tuple[str, ...] = ()

    def inside(self, owner: Principal, kind: str, full_name: str) -> "Reader":
        """The reader of the text of a view or function.

        Args:
            owner: Its owner.
            kind: ``View`` or ``Function``.
            full_name: Its full name.

        Raises:
            StatementRefused: If they are nested too deep, as those are that contain themselves.
        """
        if self.depth >= _DEEPEST:
            message = (
                f"{kind} {full_name} cannot be read: views and functions are nested more than {_DEEPEST} deep, or contain "
                "themselves."
            )
            raise StatementRefused(message)
        return Reader(owner, is_asker=False, depth=self.depth + 1, place=tuple(full_name.split(".")[:2]))

    def named(self, name: tuple[str, ...]) -> tuple[str, ...]:
        """A relation's name as it is looked up: in the text of a view or function a short one lies beside it.

        What the asker has named in its session, such as a temporary view, is never meant there.
        """
        return name if self.is_asker else (*self.place[: max(0, 3 - len(name))], *name)
