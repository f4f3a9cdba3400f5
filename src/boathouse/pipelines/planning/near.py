"""Columns that are not there, told with the dataset, the line, and those that may have been meant."""

import re
from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches

from boathouse.engine.gateway.sql.tokens import parts_of, tokenize
from boathouse.pipelines.errors import DefinitionInvalid
from boathouse.pipelines.model import Location, Relation

_UNRESOLVED = "UNRESOLVED_COLUMN"
_NAME = re.compile(r"with name (`.*`) cannot be resolved")
_MOST_NEAR, _MOST = 3, 20


def missing_column(fault: DefinitionInvalid) -> tuple[str, ...]:
    """The parts of the name of the column that a fault is about; none where it is about something else."""
    found = _NAME.search(fault.message) if fault.condition.startswith(_UNRESOLVED) else None
    return parts_of(found[1]) if found is not None else ()


def hint(name: Sequence[str], columns: Sequence[str]) -> str:
    """Those of some columns that a name may have been meant for, else all of them, as a sentence."""
    by_lower = {one.lower(): one for one in columns}
    near = [by_lower[one] for one in get_close_matches(name[-1].lower(), by_lower, _MOST_NEAR)]
    if near:
        return f"Did you mean {' or '.join(near)}?"
    more = f" and {len(columns) - _MOST} more" if len(columns) > _MOST else ""
    return f"There are: {', '.join(columns[:_MOST])}{more}."


def of_query(
    dataset: str, name: Sequence[str], sources: Sequence[str], columns: Sequence[str], at: Location
) -> DefinitionInvalid:
    """That the query of a dataset names a column that is not there.

    Args:
        dataset: Its name.
        name: The column's.
        sources: Names of what the query reads.
        columns: Of these.
        at: Where.
    """
    text = f"The query of {dataset} names the column {'.'.join(name)}, which is not there."
    if sources:
        text = (
            f"The query of {dataset} names the column {'.'.join(name)}, which is not in what it reads, {' and '.join(sources)}."
        )
    return DefinitionInvalid(_UNRESOLVED, f"{text} {hint(name, columns)}" if columns else text, at)


def line_of(name: Sequence[str], relation: Relation | None, location: Location) -> Location:
    """Where a column is named, for the query of a SQL file, which has its lines; else where the query is."""
    if relation is None or relation.WhichOneof("rel_type") != "sql" or location.line is None or location.file.endswith(".py"):
        return location
    text = relation.sql.query
    for token in tokenize(text):
        if token.is_identifier and token.identifier.lower() == name[-1].lower():
            line = text.count("\n", 0, token.start) + 1
            return replace(location, line=line) if line >= location.line else location
    return location
