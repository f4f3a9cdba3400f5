"""UNDROP TABLE."""

import pyarrow as pa

from boathouse.engine.gateway.answers.asked import Asked
from boathouse.engine.gateway.answers.grammar import Grammar
from boathouse.engine.gateway.answers.registry import NOTHING, answers


@answers("UNDROP TABLE", "UNDROP")
def undrop(words: Grammar, asked: Asked) -> pa.Table:
    """``UNDROP [TABLE] table`` or ``UNDROP [TABLE] WITH ID 'id'``."""
    if words.accept("WITH"):
        words.expect("ID")
        wanted = words.string("the identifier that SHOW TABLES DROPPED tells")
    else:
        wanted = asked.full_name(words.name("the name of a table, or WITH ID"))
    words.end()
    asked.to_change("UNDROP")
    with asked.catalog(write=True) as service:
        service.undrop_table(wanted)
    return NOTHING
