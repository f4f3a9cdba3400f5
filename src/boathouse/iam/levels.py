"""Levels of permission on what is no securable of the catalog: pipelines, endpoints."""

from collections.abc import Iterable
from dataclasses import dataclass

from boathouse.iam.principal import Principal


@dataclass(frozen=True)
class Access:
    """A level of permission of one grantee; ``kind`` is the API's field for it."""

    grantee: str
    kind: str
    level: str


@dataclass(frozen=True)
class Levels:
    """The levels that one kind of object has.

    Attributes:
        names: Each includes those before it; an admin has the last.
    """

    names: tuple[str, ...]

    def held(self, principal: Principal, access: Iterable[Access]) -> str | None:
        """The highest level that a principal has by itself or by its groups, or None."""
        if principal.is_admin:
            return self.names[-1]
        grantees = {principal.name, *principal.groups}
        levels = [self.names.index(one.level) for one in access if one.grantee in grantees]
        return self.names[max(levels)] if levels else None

    def reaches(self, held: str | None, wanted: str) -> bool:
        """Whether a level that is held is at least another one."""
        return held is not None and self.names.index(held) >= self.names.index(wanted)
