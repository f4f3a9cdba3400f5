"""Who made a table's commits, from what statements can have made.

The engine writes no name into a commit, and a statement that has ended knows only between which versions its own lies. So every
statement claims all commits that can be its own. A statement that has surely committed, and whose claim is a single commit, made
that; the others lose their claim to it; and so on. What more than one can still have made is told as far as they agree.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from boathouse.history.records import Entity


@dataclass(frozen=True)
class Author:
    """Who made a commit, and what caused it."""

    principal: str | None
    principal_id: str | None
    entity: Entity | None


@dataclass(frozen=True)
class Claim:
    """A commit that a statement can have made.

    Attributes:
        version: Of the table.
        committed_ms: When it was committed, in ms since the epoch.
        statement_id: Of the statement.
        is_named: Whether the commit itself has the principal's name.
        is_sure: Whether the statement has made a commit without a name.
        author: Who ran the statement.
    """

    version: int
    committed_ms: int
    statement_id: str
    is_named: bool
    is_sure: bool
    author: Author


def authors(claims: Iterable[Claim]) -> dict[tuple[int, int], Author]:
    """The author of each commit, by its version and time: a table that lies where another lay has the same versions."""
    named: dict[tuple[int, int], list[Claim]] = {}
    open_claims: dict[str, list[Claim]] = {}
    for claim in claims:
        if claim.is_named:
            named.setdefault((claim.version, claim.committed_ms), []).append(claim)
        else:
            open_claims.setdefault(claim.statement_id, []).append(claim)
    _settle(open_claims)
    for mine in open_claims.values():
        for claim in mine:
            named.setdefault((claim.version, claim.committed_ms), []).append(claim)
    return {key: _agreed(of) for key, of in named.items()}


def _settle(claims: dict[str, list[Claim]]) -> None:
    """Take from each statement the commits that surely are another's."""
    done: set[str] = set()
    while True:
        single = [mine[0] for mine in claims.values() if len(mine) == 1 and mine[0].is_sure]
        owner = next((one for one in single if one.statement_id not in done), None)
        if owner is None:
            return
        done.add(owner.statement_id)
        if sum(one.version == owner.version for one in single) > 1:
            continue
        for statement, mine in claims.items():
            if statement != owner.statement_id:
                mine[:] = [one for one in mine if one.version != owner.version]


def _agreed(claims: Sequence[Claim]) -> Author:
    found = [claim.author for claim in claims]
    first = found[0]
    same = all(one.principal_id == first.principal_id for one in found)
    return Author(
        first.principal if same else None,
        first.principal_id if same else None,
        first.entity if all(one.entity == first.entity for one in found) else None,
    )
