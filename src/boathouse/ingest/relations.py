"""Files as relations of the engine."""

import json
from collections.abc import Sequence
from typing import Any

from boathouse.engine.api import Struct, local_relation, proto, type_to_json
from boathouse.ingest.batch import Staged
from boathouse.ingest.types import arrow_schema, to_message


def empty_relation(row: Struct) -> Any:
    """A relation of some columns without rows."""
    return local_relation(arrow_schema(row).empty_table())


def staged_relation(staged: Staged, row: Struct) -> Any:
    """Staged files as a relation."""
    if not staged.files:
        return empty_relation(row)
    return _parquet(staged.files, row)


def parquet_relation(paths: Sequence[str], row: Struct, rescued: str | None) -> Any:
    """Parquet files that have no other columns than a schema's as a relation with all of its columns."""
    data = Struct(tuple(one for one in row.fields if one.name != rescued))
    relation = proto().Relation()
    relation.project.input.CopyFrom(_parquet(paths, data))
    for one in row.fields:
        expression = relation.project.expressions.add()
        if one.name == rescued:
            expression.alias.name.append(one.name)
            to_message(one.type, expression.alias.expr.cast.type)
            expression.alias.expr.cast.expr.literal.null.null.SetInParent()
        else:
            expression.unresolved_attribute.unparsed_identifier = f"`{one.name.replace('`', '``')}`"
    return relation


def _parquet(paths: Sequence[str], row: Struct) -> Any:
    relation = proto().Relation()
    source = relation.read.data_source
    source.format = "parquet"
    source.paths.extend(paths)
    # Without it the engine would look into the files, and take what it finds in the first one.
    source.schema = json.dumps(type_to_json(row))
    return relation
