"""Search over the names, comments, columns and tags of all securables that a principal may know of."""

from collections.abc import Collection
from dataclasses import dataclass

from boathouse.catalog.access import Place
from boathouse.catalog.privileges import SecurableType
from boathouse.catalog.service import CatalogService
from boathouse.catalog.words import normalised
from boathouse.errors import InvalidParameterValue

MOST = 1000
LONGEST = 500
SEARCHABLE = frozenset(SecurableType) - {SecurableType.METASTORE}


@dataclass(frozen=True)
class Hit:
    """A securable that was found.

    Attributes:
        table_type: ``MANAGED``, ``EXTERNAL`` or ``VIEW``, of a table.
        rank: 0 for the exact name, 1 for a name that begins so, 2 for a word of the name, 3 for a part of the name, 4 for a
            word of the comment, a column or a tag, 5 for a part of one.
    """

    id: str
    type: SecurableType
    name: str
    full_name: str
    owner: str
    comment: str | None
    table_type: str | None
    rank: int


def search(
    catalog: CatalogService, text: str, types: Collection[SecurableType] = SEARCHABLE, *, max_results: int = 50
) -> list[Hit]:
    """Find securables by words: all have to occur, in any order; words between dots are looked for in the full name.

    Args:
        catalog: Of who asks; what it may not know of is not found.
        text: The words.
        types: Only these kinds.
        max_results: At most so many, 1 to 1000.

    Returns:
        The best first; of the same rank by full name.

    Raises:
        InvalidParameterValue: If there is nothing to look for.
    """
    if len(text) > LONGEST:
        message = f"q is too long: at most {LONGEST} characters."
        raise InvalidParameterValue(message, field="q")
    words = [word for part in text.split() if (word := normalised(part).strip())]
    if not words:
        message = "q is empty: give at least one letter or digit to look for."
        raise InvalidParameterValue(message, field="q")
    visibility = catalog.access.visibility()
    found: list[Hit] = []
    path = text.strip().lower() if "." in text.strip(". ") and " " not in text.strip() else None
    kinds = [kind.value for kind in types if kind in SEARCHABLE]
    for row in catalog.rows.matching(words, path, kinds):
        if visibility.shows(Place(row.id, row.parent_id, row.type, row.owner)):
            kind = SecurableType(row.type)
            table_type = row.kind if kind is SecurableType.TABLE else None
            found.append(Hit(row.id, kind, row.name, row.full_name, row.owner, row.comment, table_type, row.rank))
            if len(found) == max_results:
                break
    return found
