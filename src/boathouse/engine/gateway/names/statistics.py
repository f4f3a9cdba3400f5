"""Statistics of a DataFrame that the embedded engine has not, or gives in another form, as queries that it has.

``approxQuantile`` gives the element at its place in the order, ``freqItems`` the values that are as frequent as is asked: exactly, where
Spark may come near it. ``describe`` and ``summary`` give their rows in the order of the statistics, ``crosstab`` takes columns of all types, and ``groupingSets``
names what rows are grouped by once.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from boathouse.engine.errors import QueryRefused
from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.messages.spark_types import Atomic
from boathouse.engine.gateway.names.references import References
from boathouse.engine.gateway.session import EngineSession
from boathouse.engine.gateway.sql.tokens import quote

if TYPE_CHECKING:
    from boathouse.engine.gateway.names.visit import Visit

_DESCRIBED = ("count", "mean", "stddev", "min", "max")
_SUMMARISED = ("count", "mean", "stddev", "min", "25%", "50%", "75%", "max")


_KNOWN = ("count", "count_distinct", "approx_count_distinct", "mean", "stddev", "min", "max")


def look_at_aggregate(visit: "Visit", aggregate: Any) -> None:
    """Grouping sets of a DataFrame: the embedded engine takes what rows are grouped by from the sets alone."""
    is_of_sets = aggregate.group_type == proto().Aggregate.GROUP_TYPE_GROUPING_SETS
    if visit.session.capabilities.mixes_types or not is_of_sets:
        return
    listed = [one.SerializeToString(deterministic=True) for one in aggregate.grouping_expressions]
    found = [one.SerializeToString(deterministic=True) for given in aggregate.grouping_sets for one in given.grouping_set]
    if listed and list(dict.fromkeys(found)) == listed:
        aggregate.ClearField("grouping_expressions")
        visit.changed = True


def _query(relation: Any, given: Any, numbers: Iterator[int], sql: str) -> None:
    """Make a relation a query of another one, which is ``{rows}`` in it."""
    references = References(numbers)
    name = quote([references.add("rows", given)])
    relation.ClearField(relation.WhichOneof("rel_type"))
    relation.sql.query = sql.replace("{rows}", name)
    references.wrap(relation)


def _copy(message: Any) -> Any:
    made = proto().Relation()
    made.CopyFrom(message)
    return made


def _quantiles(relation: Any, numbers: Iterator[int]) -> None:
    asked = relation.approx_quantile
    lists, found = list[str](), list[str]()
    for number, name in enumerate(asked.cols):
        value = f"CAST({quote([name])} AS DOUBLE)"
        lists.append(f"array_sort(collect_list(if(isnan({value}), CAST(NULL AS DOUBLE), {value}))) AS v{number}")
        places = ", ".join(_element(number, quantile) for quantile in asked.probabilities)
        found.append(f"if(size(v{number}) > 0, array({places}), v{number})")
    sql = f"SELECT array({', '.join(found)}) AS approx_quantile FROM (SELECT {', '.join(lists)} FROM {{rows}})"  # noqa: S608 - names are quoted
    _query(relation, _copy(asked.input), numbers, sql)


def _element(number: int, share: float) -> str:
    """The element of an ordered list at a place that is told as a share of its length."""
    return f"try_element_at(v{number}, CAST(greatest(ceil(CAST({share!r} AS DOUBLE) * size(v{number})), 1) AS INT))"


def _frequent(relation: Any, numbers: Iterator[int]) -> None:
    asked = relation.freq_items
    support = asked.support if asked.HasField("support") else 0.01
    parts = [
        f"(SELECT collect_list(v) AS {quote([f'{name}_freqItems'])} FROM "  # noqa: S608 - names are quoted
        f"(SELECT {quote([name])} AS v, count(*) AS c, sum(count(*)) OVER () AS n FROM {{rows}} GROUP BY {quote([name])}) "
        f"WHERE c > CAST({support!r} AS DOUBLE) * n) AS t{number}"
        for number, name in enumerate(asked.cols)
    ]
    _query(relation, _copy(asked.input), numbers, f"SELECT * FROM {' CROSS JOIN '.join(parts)}")  # noqa: S608 - see above


def _crosstab(relation: Any, numbers: Iterator[int]) -> None:
    asked = relation.crosstab
    columns = ", ".join(
        f"coalesce(CAST({quote([name])} AS STRING), 'null') AS {quote([name])}"
        for name in dict.fromkeys((asked.col1, asked.col2))
    )
    _query(asked.input, _copy(asked.input), numbers, f"SELECT {columns} FROM {{rows}}")  # noqa: S608 - names are quoted


def _described(relation: Any, numbers: Iterator[int]) -> None:
    _query(relation, _copy(relation), numbers, f"SELECT * FROM {{rows}} ORDER BY {_order(_DESCRIBED)}")  # noqa: S608 - only words


def _put_summary(session: EngineSession, relation: Any, numbers: Iterator[int]) -> bool:
    """Have the rows of a summary in their order, with elements as percentiles: the engine would take what is between two."""
    asked = relation.summary
    statistics = list(asked.statistics) or list(_SUMMARISED)
    unknown = next((one for one in statistics if one not in _KNOWN and not one.endswith("%")), None)
    if unknown is not None:
        message = f"The statistic `{unknown}` is not recognized. Valid statistics include {', '.join(map('`{}`'.format, _KNOWN))} and percentiles as `25%`."
        raise QueryRefused("UNRECOGNIZED_STATISTIC", "22023", message)
    shares = {one: found for one in statistics if (found := _share(one)) is not None}
    struct = session.struct(asked.input) if shares else None
    if struct is None:
        shares = {}
    given, base = _copy(asked.input), _copy(relation)
    base.summary.ClearField("statistics")
    base.summary.statistics.extend(one for one in statistics if one not in shares)
    references = References(numbers)
    parts: list[str] = []
    if base.summary.statistics:
        parts.append(f"SELECT * FROM {quote([references.add('base', base)])}")  # noqa: S608 - a name of ours
    # Strings have no percentiles, but a column.
    columns = [
        (quote([one.name]), one.type.is_numeric)
        for one in (() if struct is None else struct.fields)
        if isinstance(one.type, Atomic) and (one.type.is_numeric or one.type.name == "string")
    ]
    lists = ", ".join(f"array_sort(collect_list({name})) AS v{number}" for number, (name, _) in enumerate(columns))
    for text, share in shares.items():
        listed = ", ".join(
            [
                f"'{text}' AS summary",
                *(
                    f"CAST({_element(number, share) if is_number else 'NULL'} AS STRING) AS {name}"
                    for number, (name, is_number) in enumerate(columns)
                ),
            ]
        )
        rows = quote([references.add("rows", given)])
        parts.append(f"SELECT {listed} FROM (SELECT {lists or '1 AS one'} FROM {rows})")  # noqa: S608 - names are quoted
    relation.ClearField("summary")
    relation.sql.query = f"SELECT * FROM ({' UNION ALL '.join(parts)}) ORDER BY {_order(statistics)}"  # noqa: S608 - see above
    references.wrap(relation)
    return True


def _share(text: str) -> float | None:
    """What a percentile's name says, as ``25%``; None for another statistic, and for what the engine refuses."""
    try:
        share = float(text.removesuffix("%")) / 100 if text.endswith("%") else -1.0
    except ValueError:
        return None
    return share if 0 <= share <= 1 else None


def _order(statistics: Sequence[str]) -> str:
    listed = ", ".join("'" + one.replace("'", "") + "'" for one in statistics)
    return f"array_position(array({listed}), summary)"


def _made(put: Callable[[Any, Iterator[int]], None]) -> Callable[[EngineSession, Any, Iterator[int]], bool]:
    def work(_: EngineSession, relation: Any, numbers: Iterator[int]) -> bool:
        put(relation, numbers)
        return True

    return work


PUT: Mapping[str, Callable[[EngineSession, Any, Iterator[int]], bool]] = {
    "approx_quantile": _made(_quantiles),
    "crosstab": _made(_crosstab),
    "describe": _made(_described),
    "freq_items": _made(_frequent),
    "summary": _put_summary,
}
"""By the kind of a relation, what makes it of one that the engine has, in place; whether it was another."""
