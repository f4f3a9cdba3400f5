"""What a time travel clause means."""

import re
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from boathouse.engine.errors import PathMissing, StatementRefused
from boathouse.engine.gateway.paths import PathGuard, Use
from boathouse.engine.gateway.relations import Moment, find_uses, moment_after_at
from boathouse.engine.gateway.session import EngineSession
from boathouse.engine.gateway.sql_tokens import literal, tokenize
from boathouse.engine.gateway.statements import Edit, apply
from boathouse.engine.gateway.walk import walk
from boathouse.storage.paths import to_url
from boathouse.tables.api import is_table, version_at

_SAID = re.compile(rb"@(?:[vV][0-9]|[0-9]{17})")
_TEXTS = {
    "spark.connect.SQL": "query",
    "spark.connect.SqlCommand": "sql",
    "spark.connect.Expression.ExpressionString": "expression",
}
MOMENTS = {"versionasof": "version", "timestampasof": "timestamp"}
"""A reader's options, in lower case -> the clause that they stand for."""


def moment_of(options: MutableMapping[str, str], said: Moment | None = None) -> Moment | None:
    """The moment that a reader's options name, which are taken out, or else the one that is said behind the table's name.

    Raises:
        StatementRefused: If there is one here and there.
    """
    moment = said
    for key in [one for one in options if one.lower() in MOMENTS]:
        kind, value = MOMENTS[key.lower()], options.pop(key)
        if said is not None:
            message = f"A version is said twice: by the option {key}, and behind the table's name. Leave one out."
            raise StatementRefused(message)
        moment = Moment(kind, value if kind == "version" else literal(value))
    return moment


def spell_out(root: Any) -> bool:
    """Write ``t@v3`` in a plan's texts as ``t VERSION AS OF 3``, which engines understand, in place; whether there was one."""
    found = False
    for message in walk(root):
        field = _TEXTS.get(message.DESCRIPTOR.full_name)
        text = "" if field is None else getattr(message, field)
        if field is not None and _SAID.search(text.encode()):
            is_fragment = message.DESCRIPTOR.name == "ExpressionString"
            uses = find_uses(tokenize(text), text, fragment=is_fragment).relations
            edits = [
                Edit(use.end, use.clause_end, f" {use.moment.kind.upper()} AS OF {use.moment.text}")
                for use in uses
                if use.moment is not None and text[use.end] == "@"
            ]
            setattr(message, field, apply(text, edits))
            found |= bool(edits)
    return found


def says_behind(request: bytes) -> bool:
    """Whether something in a request may be a version behind a name."""
    return _SAID.search(request) is not None


def split_at(name: str) -> tuple[str, Moment | None]:
    """A name or path, and the moment that is said behind it: ``t@v12``, ``/path@20240131123000000``."""
    before, _, after = name.rpartition("@")
    moment = moment_after_at(after) if before else None
    return (name, None) if moment is None else (before, moment)


def path_at(text: str, guard: PathGuard, session: EngineSession) -> tuple[str, int] | None:
    """The real path of a Delta table and its version, where a path says a moment; else None.

    Raises:
        PermissionDenied: Without SELECT on the table there.
        DeltaRefused: If the table has no version that old or that young.
    """
    path, moment = split_at(text)
    if moment is None:
        return None
    try:
        real = guard.resolve(path, Use.READ)
    except PathMissing:
        return None
    location = to_url(Path(real))
    # Else the text is the name of a folder as it is.
    return (real, version_of(moment, location, session)) if is_table(location) else None


def put_versions(source: Any, guard: PathGuard, session: EngineSession) -> bool:
    """Have a reader of Delta tables by their paths read the version that is said behind one; whether one was.

    Raises:
        StatementRefused: If an option says a version too.
    """
    if source.format.lower() != "delta":
        return False
    paths = list(source.paths) or [value for key, value in source.options.items() if key.lower() == "path"]
    found = path_at(paths[0], guard, session) if len(paths) == 1 else None
    if found is None:
        return False
    if any(key.lower() in MOMENTS for key in source.options):
        message = f"A version is said twice: by an option, and by '{paths[0]}'. Leave one out."
        raise StatementRefused(message)
    for key in [one for one in source.options if one.lower() == "path"]:
        del source.options[key]
    source.paths[:] = [found[0]]
    source.options["versionAsOf"] = str(found[1])
    return True


def version_of(moment: Moment, location: str, session: EngineSession) -> int:
    """The version of a table at a moment; an expression is evaluated by the engine.

    Raises:
        StatementRefused: If the expression has a query in it.
        DeltaRefused: If the table has no version that old or that young.
    """
    text = moment.text.strip()
    if moment.kind == "version" and text.strip("'\"").isdigit():
        return int(text.strip("'\""))
    if any(token.is_word("SELECT", "FROM", "TABLE") for token in tokenize(text)):
        message = f"'{text}' cannot stand after AS OF: give a number, a time or an expression without a query."
        raise StatementRefused(message)
    if moment.kind == "version":
        return int(session.value(f"CAST({text} AS BIGINT)"))
    return version_at(location, session.value(f"CAST({text} AS TIMESTAMP)"))
