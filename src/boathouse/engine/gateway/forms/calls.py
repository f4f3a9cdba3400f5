"""Calls of which the embedded engine gives another value than Spark, or that it has not, as calls that it has.

Each is a pattern in SQL, for texts and expressions of DataFrames alike: ``{0}`` is the first argument, and in patterns of functions
with a lambda function ``{body}`` is what that gives, its parameters written as the pattern says.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from boathouse.engine.errors import StatementRefused

ELEMENT = "{element}"
"""Stands for a lambda function's parameter that is in no other one."""
_CONTAINS = (
    "coalesce(nullif(array_contains({0}, {1}), FALSE), "
    "nullif(if(isnull({1}), TRUE, exists({0}, {element} -> isnull({element}))), TRUE))"
)
_DIVIDED = "({0} / if(({1} <> 0), {1}, NULL))"
_DAYS = "CAST(datediff({0}, {1}) AS INT)"
_DATE = "to_date(try_to_timestamp({0}))"
_DATE_IN = "to_date(try_to_timestamp({0}, {1}))"
_FACTORIAL = "factorial(if((({0} >= 0) AND ({0} <= 20)), {0}, NULL))"
_UNION = "array_union(map_keys({0}), map_keys({1}))"
_VARIANCE = "((var_pop({0}) * count({0})) / if((count({0}) > {1}), (count({0}) - {1}), NULL))"
_PAIRS = "count(if(isnull({0}), NULL, {1}))"
_COVARIANCE = f"((covar_pop({{0}}, {{1}}) * {_PAIRS}) / if(({_PAIRS} > {{2}}), ({_PAIRS} - {{2}}), NULL))"
_SKEW = "((sqrt((count({0}) * (count({0}) - 1))) / (count({0}) - 2)) * coalesce(nanvl(skewness({0}), 0), 0))"
_TAILS = "(((count({0}) + 1) * coalesce(nanvl(kurtosis({0}), 0), 0)) + 6)"
_KURTOSIS = f"((((count({{0}}) - 1) * {_TAILS}) / (count({{0}}) - 2)) / (count({{0}}) - 3))"
SEQUENCE = "distributed_sequence_id"
"""Numbers rows from 0, for pandas' API."""
_PATTERNS = {
    ("array_contains", 2): _CONTAINS,
    ("try_divide", 2): _DIVIDED,
    ("try_to_date", 1): _DATE,
    ("try_to_date", 2): _DATE_IN,
    ("factorial", 1): _FACTORIAL,
    # Clients give a seed of their own.
    ("uuid", 1): "uuid()",
    ("shuffle", 2): "shuffle({0})",
    # Of pandas' API, with pandas' divisors.
    ("distributed_id", 0): "monotonically_increasing_id()",
    ("pandas_var", 2): _VARIANCE,
    ("pandas_stddev", 2): f"sqrt({_VARIANCE})",
    ("pandas_covar", 3): _COVARIANCE,
    ("pandas_skew", 1): f"if((count({{0}}) > 2), {_SKEW}, NULL)",
    ("pandas_kurt", 1): f"if((count({{0}}) > 3), {_KURTOSIS}, NULL)",
    # Of dates and strings it would be a time without a zone.
    ("date_trunc", 2): "date_trunc({0}, CAST({1} AS TIMESTAMP))",
    ("datediff", 2): _DAYS,
    ("date_diff", 2): _DAYS,
    ("rint", 1): "bround(CAST({0} AS DOUBLE))",
    ("regexp_count", 2): "CAST(regexp_count({0}, {1}) AS INT)",
    ("timestamp_seconds", 1): "timestamp_micros(CAST(round((CAST({0} AS DOUBLE) * 1000000)) AS BIGINT))",
    # What counts pairs gives a type that there is no name for.
    ("regr_count", 2): "count(if(isnull({0}), NULL, {1}))",
    ("try_avg", 1): "avg({0})",
}


@dataclass(frozen=True)
class Higher:
    """How a function with a lambda function is made.

    Attributes:
        pattern: The whole.
        parameters: What each of the lambda function's parameters is.
    """

    pattern: str
    parameters: tuple[str, ...]


HIGHER = {
    ("transform_values", 2): Higher(
        "map_from_arrays(map_keys({0}), transform(map_entries({0}), {element} -> {body}))",
        ("{element}.key", "{element}.value"),
    ),
    ("transform_keys", 2): Higher(
        "map_from_arrays(transform(map_entries({0}), {element} -> {body}), map_values({0}))",
        ("{element}.key", "{element}.value"),
    ),
    # Of what is no column the engine numbers the fields.
    ("zip_with", 3): Higher(
        "transform(arrays_zip(coalesce({0}), coalesce({1})), {element} -> {body})",
        ("{element}.`0`", "{element}.`1`"),
    ),
    ("map_zip_with", 3): Higher(
        f"map_from_arrays({_UNION}, transform({_UNION}, {{element}} -> {{body}}))",
        ("{element}", "try_element_at({0}, {element})", "try_element_at({1}, {element})"),
    ),
}
"""By name and number of arguments."""
NAMES = frozenset(
    {name for name, _ in (*_PATTERNS, *HIGHER)} | {SEQUENCE, "left", "substring", "substr", "split", "size", "cardinality"}
)
PERCENTILES = frozenset({"percentile_approx", "approx_percentile"})
PERCENTILE = (
    "if((count({0}) > 0), try_element_at(array_sort(collect_list({0})), "
    "CAST(greatest(ceil((CAST({1} AS DOUBLE) * count({0}))), 1) AS INT)), NULL)"
)
"""The element of a certain place in the order: what Spark's approximation gives of up to 10,000 values, and near it beyond."""


def pattern(name: str, literals: Sequence[str | int | None], nulls: Sequence[bool]) -> str | None:
    """The pattern of a call; None where the engine does as Spark does.

    Args:
        name: The function's, in lower case.
        literals: What each argument is, where it is a plain number or string.
        nulls: Whether each argument is NULL as it is written.

    Raises:
        StatementRefused: If the engine would give something else, and no call gives what is wanted.
    """
    count = len(literals)
    made = _PATTERNS.get((name, count))
    if made is not None:
        return made
    last = literals[-1] if literals else None
    match name, count:
        case "left", 2 if not isinstance(last, int) or last < 0:
            return "left({0}, greatest({1}, 0))"
        case (("substring" | "substr"), 3) if isinstance(literals[1], int) and literals[1] < 0:
            before = "greatest(((length({0}) + {1}) + {2}), 0)"
            return f"if((length({{0}}) < abs({{1}})), substring({{0}}, 1, {before}), substring({{0}}, {{1}}, {{2}}))"
        case "split", (2 | 3) if literals[1] == "" and (count == 2 or last in {-1, 0}):
            return "filter(split({0}, {1}), {element} -> (length({element}) > 0))"
        case (("size" | "cardinality"), 1) if nulls[0]:
            return "CAST(NULL AS INT)"
        case "percentile", 3 if last != 1:
            message = (
                "percentile(value, percentage, frequency) is not supported by this engine, which would leave the frequencies out. "
                "Repeat the rows instead: LATERAL VIEW explode(array_repeat(value, frequency)), or use the Spark engine."
            )
            raise StatementRefused(message)
        case _:
            return None
