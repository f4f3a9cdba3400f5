"""The paths in a SQL text: each is checked and becomes the real one, of Delta tables with the version that is asked for."""

from pathlib import Path
from typing import TYPE_CHECKING

from boathouse.engine.errors import PathRefused
from boathouse.engine.gateway.paths.guard import Use
from boathouse.engine.gateway.paths.time_travel import path_at
from boathouse.engine.gateway.sql.path_names import is_path_name
from boathouse.engine.gateway.sql.relations import RelationUse, find_uses
from boathouse.engine.gateway.sql.statements import Edit, PathUse, Statement
from boathouse.engine.gateway.sql.tokens import Kind, literal, quote
from boathouse.storage.paths import to_url
from boathouse.tables.api import forget_checkpoint_hint, without_float_bounds

if TYPE_CHECKING:
    from boathouse.engine.gateway.names.visit import Visit


def path_edits(visit: "Visit", statement: Statement, *, fragment: bool) -> list[Edit]:
    """How a text's paths have to be changed; the edit of one with a time travel clause takes the clause's place too.

    Raises:
        PathRefused: If a path is not allowed, or written otherwise than as a plain string.
        BoathouseError: If the principal may not use it, or there is no such version.
    """
    travels: dict[int, RelationUse] = {}
    if any(use.format == "delta" for use in statement.paths):
        uses = find_uses(statement.tokens, statement.sql, fragment=fragment).relations
        travels = {use.end: use for use in uses if use.moment is not None and is_path_name(use.name)}
    return [edit for use in statement.paths for edit in _path_edit(visit, use, travels.get(use.token.end))]


def _path_edit(visit: "Visit", use: PathUse, travel: RelationUse | None) -> list[Edit]:
    token = use.token
    if token.opaque:
        raise PathRefused(token.raw, "write the path as a plain string.")
    is_read = use.format == "delta" and not use.writes
    at = path_at(token.value, visit.guard, visit.session, travel and travel.moment) if is_read else None
    real = visit.guard.resolve(token.value, _use(use)) if at is None else at[0]
    if not use.writes:
        visit.paths_read.append(real)
    place = visit.open_tables.readable(real, at and at[1]) if visit.open_tables is not None and is_read else real
    if place != real:
        return [Edit(token.start, token.end if travel is None else travel.clause_end, quote([place]))]
    if is_read:
        without_float_bounds(to_url(Path(real)))
    if at is not None:
        forget_checkpoint_hint(to_url(Path(real)))
        return [Edit(token.start, travel.clause_end if travel else token.end, f"{quote([real])} VERSION AS OF {at[1]}")]
    if real == token.value and token.kind is Kind.NAME:
        return []
    # A string is always written anew, so that the engine reads it as it was read here.
    return [Edit(token.start, token.end, quote([real]) if token.kind is Kind.NAME else literal(real))]


def _use(use: PathUse) -> Use:
    if not use.writes:
        return Use.READ
    return Use.FILES if use.of_files else Use.of_sink(use.format)
