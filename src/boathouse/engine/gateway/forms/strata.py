"""``sampleBy`` of an expression: the embedded engine takes a column only, so the expression becomes one, for as long as rows are drawn."""

from typing import Any

from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.messages.walk import relations

_STRATUM = "__bh_stratum"


def has_strata(sample: Any) -> bool:
    """Whether rows are drawn by an expression."""
    return sample.col.WhichOneof("expr_type") != "unresolved_attribute"


def put_strata(root: Any) -> bool:
    """Have the rows of a plan drawn by columns, in place; whether there were any to draw."""
    changed = False
    for relation in reversed(relations(root)):
        if relation.WhichOneof("rel_type") != "sample_by" or not has_strata(relation.sample_by):
            continue
        sample = proto().StatSampleBy()
        sample.CopyFrom(relation.sample_by)
        drawn = relation.drop.input.sample_by
        drawn.fractions.extend(sample.fractions)
        if sample.HasField("seed"):
            drawn.seed = sample.seed
        drawn.col.unresolved_attribute.unparsed_identifier = _STRATUM
        drawn.input.with_columns.input.CopyFrom(sample.input)
        stratum = drawn.input.with_columns.aliases.add()
        stratum.name.append(_STRATUM)
        stratum.expr.CopyFrom(sample.col)
        relation.drop.column_names.append(_STRATUM)
        changed = True
    return changed
