"""Calls of which the embedded engine gives another value than Spark, or that it has not, as calls that it has.

Each is a pattern in SQL, for texts and expressions of DataFrames alike: ``{0}`` is the first argument, and in patterns of functions
with a lambda function ``{body}`` is what that gives, its parameters written as the pattern says.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.forms.java_regexes import expression, hidden, replacement

Literal: TypeAlias = str | int | tuple[str, ...] | None
"""What is known of an argument by its words: a number, a string, or the keys and values of a map in turns."""
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
_ERROR = "CAST(raise_error('[{}] {}') AS INT)"
_BYTES = 16
"""No less is what has been encrypted; less ends the engine's thread."""
_NO_BYTES = (
    "CAST(raise_error('[INVALID_PARAMETER_VALUE.AES_CRYPTO_ERROR] What is decrypted has less than 16 bytes.') AS BINARY)"
)
_SHORT = f"(octet_length({{0}}) < {_BYTES})"
_WRITTEN = {"ignorenullfields": "true", "pretty": "false"}
"""Options of JSON that have one value only."""
_JSON_TIMES = """map('timestampFormat', "yyyy-MM-dd'T'HH:mm:ss.SSSXXX")"""
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
    ("right", 2): "right({0}, greatest({1}, 0))",
    ("quote", 1): "concat(chr(39), replace(CAST({0} AS STRING), chr(39), concat(chr(92), chr(39))), chr(39))",
    ("chr", 1): "if(({0} < 0), '', chr(({0} % 256)))",
    # With three places behind the seconds.
    ("to_json", 1): f"to_json({{0}}, {_JSON_TIMES})",
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
_REGEXES = frozenset(
    {"rlike", "regexp", "regexp_like", "regexp_count", "regexp_extract", "regexp_extract_all", "regexp_instr", "regexp_replace"}
    | {"regexp_substr", "split"}
)
"""Functions of which the second argument is a regular expression."""
NAMES = frozenset(
    {name for name, _ in (*_PATTERNS, *HIGHER)}
    | _REGEXES
    | {SEQUENCE, "left", "substring", "substr", "size", "cardinality", "elt", "slice", "conv", "hash", "xxhash64"}
    | {"json_array_length", "trunc", "date_trunc", "aes_decrypt", "try_aes_decrypt", "get_json_object", "to_json"}
)
PERCENTILES = frozenset({"percentile_approx", "approx_percentile"})
PERCENTILE = (
    "if((count({0}) > 0), try_element_at(array_sort(collect_list({0})), "
    "CAST(greatest(ceil((CAST({1} AS DOUBLE) * count({0}))), 1) AS INT)), NULL)"
)
"""The element of a certain place in the order: what Spark's approximation gives of up to 10,000 values, and near it beyond."""
# Over a window NULLs are collected, too.
_TIMES = "if(isnull({0}), 0, CAST(coalesce({2}, 0) AS INT))"
_REPEATED = f"array_sort(flatten(collect_list(array_repeat(CAST({{0}} AS DOUBLE), {_TIMES}))))"
_PLACE = f"(CAST({{1}} AS DOUBLE) * (size({_REPEATED}) - 1))"
_LOWER = f"try_element_at({_REPEATED}, CAST((greatest(floor({_PLACE}), 0) + 1) AS INT))"
_UPPER = f"try_element_at({_REPEATED}, CAST((greatest(ceil({_PLACE}), 0) + 1) AS INT))"
FREQUENT = f"if((floor({_PLACE}) = ceil({_PLACE})), {_LOWER}, (((ceil({_PLACE}) - {_PLACE}) * {_LOWER}) + (({_PLACE} - floor({_PLACE})) * {_UPPER})))"
"""A percentile of values that each stand for so many."""


def is_percentile(name: str, literals: Sequence[Literal]) -> bool:
    """Whether a call is made as PERCENTILE, or where it is ``percentile`` as FREQUENT."""
    return (name in PERCENTILES and len(literals) > 1) or (name == "percentile" and len(literals) == 3 and literals[2] != 1)


_YEARS = frozenset({"year", "yyyy", "yy", "quarter", "month", "mon", "mm", "week"})
_UNITS = {
    "trunc": _YEARS,
    "date_trunc": _YEARS | {"day", "dd", "hour", "minute", "second", "millisecond", "microsecond"},
}
"""What Spark truncates to: of anything else it gives NULL."""


def _checked(name: str, literals: Sequence[Literal], nulls: Sequence[bool]) -> str | None:
    """The pattern of a call that checks its arguments; None for any other, and for arguments that are right as they are written."""
    count = len(literals)
    match name:
        case "elt" if count > 1 and not (isinstance(literals[0], int) and 0 < literals[0] < count):
            told = _ERROR.format("INVALID_ARRAY_INDEX", f"The index is out of bounds. The array has {count - 1} elements.")
            place = f"if(((coalesce({{0}}, 1) < 1) OR (coalesce({{0}}, 1) > {count - 1})), {told}, {{0}})"
            return f"elt({place}, {_rest(1, count)})"
        case "json_array_length" if count == 1:
            return "CAST(NULL AS INT)" if nulls[0] else "if(startswith(ltrim({0}), '['), json_array_length({0}), NULL)"
        case "regexp_replace" if count == 3 and isinstance(literals[2], str):
            made = replacement(literals[2], literals[1] if isinstance(literals[1], str) else None)
            return None if made is None else f"regexp_replace({{0}}, {{1}}, {made})"
        case "slice" if count == 3:
            return _slice(literals)
        case "hash" | "xxhash64" if any(nulls):
            kept = ", ".join(f"{{{at}}}" for at, is_null in enumerate(nulls) if not is_null)
            return f"{name}({kept})" if kept else f"CAST(42 AS {'INT' if name == 'hash' else 'BIGINT'})"
        case "aes_decrypt" | "try_aes_decrypt" if count > 1:
            short = "NULL" if name.startswith("try") else _NO_BYTES
            return f"{name}(if({_SHORT}, {short}, {{0}}), {_rest(1, count)})"
        case "conv" if count == 3 and isinstance(literals[1], int) and isinstance(literals[2], int):
            return _converted(literals[1], literals[2])
        case "to_json" if count == 2 and isinstance(literals[1], tuple):
            return _json(literals[1])
        case "get_json_object" if count == 2 and "[*]" in str(literals[1]):
            message = (
                f"get_json_object with [*] in its path ({literals[1]}) is not supported by this engine: read the array with "
                "from_json(text, 'array<...>') and take its elements, or use the Spark engine."
            )
            raise StatementRefused(message)
        case _:
            return None


def _json(listed: tuple[str, ...]) -> str | None:
    """``to_json`` with options."""
    options = {key.lower(): value.lower() for key, value in zip(listed[::2], listed[1::2], strict=False)}
    wrong = next((key for key, value in _WRITTEN.items() if options.get(key, value) != value), None)
    if wrong is not None:
        message = (
            f"The option {wrong} = {options[wrong]} of to_json is not supported by this engine, which writes {wrong} = {_WRITTEN[wrong]}. "
            "Use the Spark engine."
        )
        raise StatementRefused(message)
    return None if "timestampformat" in options else f"to_json({{0}}, map_concat({{1}}, {_JSON_TIMES}))"


def _rest(first: int, count: int) -> str:
    """The arguments from one on."""
    return ", ".join(f"{{{at}}}" for at in range(first, count))


def _slice(literals: Sequence[Literal]) -> str | None:
    start, length = literals[1], literals[2]
    if isinstance(start, int) and start and isinstance(length, int) and length >= 0:
        return None
    told = _ERROR.format("INVALID_PARAMETER_VALUE.START", "The start of a slice is a positive or a negative number, not 0.")
    begin = f"if((({{1}} = 0) AND isnotnull({{0}})), {told}, {{1}})"
    told = _ERROR.format("INVALID_PARAMETER_VALUE.LENGTH", "The length of a slice is 0 or more.")
    return f"slice({{0}}, {begin}, if((({{2}} < 0) AND isnotnull({{0}})), {told}, {{2}}))"


_COMPLEMENTS = {
    2: "bin((0 - CAST({} AS BIGINT)))",
    10: "CAST((CAST('18446744073709551616' AS DECIMAL(20, 0)) - CAST({} AS DECIMAL(20, 0))) AS STRING)",
    16: "hex((0 - CAST({} AS BIGINT)))",
}
"""How a negative number of 64 bits is written in a base."""


def _converted(given: int, wanted: int) -> str | None:
    """``conv`` of what begins with digits, and of negative numbers; None for bases that there are not."""
    if not (2 <= given <= 36 and 2 <= abs(wanted) <= 36):
        return None
    letters = "".join(f"{chr(87 + at)}{chr(55 + at)}" for at in range(10, given))
    text = "trim(CAST({0} AS STRING))"
    figures = f"regexp_extract({text}, '^-?([0-{min(given, 10) - 1}{letters}]*)', 1)"
    figures = f"if((({figures} = '') AND (length({text}) > 0)), '0', {figures})"
    made = f"conv({figures}, {given}, {abs(wanted)})"
    if wanted < 0:
        negative = f"concat('-', {made})"
    elif wanted in _COMPLEMENTS:
        negative = _COMPLEMENTS[wanted].format(f"conv({figures}, {given}, 10)")
    else:
        negative = f"CAST(raise_error('conv of a negative number to base {wanted} is not supported by this engine.') AS STRING)"
    return f"if(startswith({text}, '-'), {negative}, {made})"


def pattern(name: str, literals: Sequence[Literal], nulls: Sequence[bool]) -> str | None:
    """The pattern of a call; None where the engine does as Spark does.

    Args:
        name: The function's, in lower case.
        literals: What each argument is, where it is a plain number or string, or a map of strings.
        nulls: Whether each argument is NULL as it is written.

    Raises:
        StatementRefused: If the engine would give something else, and no call gives what is wanted.
    """
    made = _pattern(name, literals, nulls)
    if name not in _REGEXES or len(literals) < 2 or not isinstance(literals[1], str):
        return made
    matched = expression(literals[1])
    if matched is None:
        return made
    return (made or f"{name}({_rest(0, len(literals))})").replace("{1}", hidden(matched))


def _pattern(name: str, literals: Sequence[Literal], nulls: Sequence[bool]) -> str | None:
    count = len(literals)
    if name in _UNITS and count == 2:
        # Before the pattern of those that have units.
        unit = 0 if name == "date_trunc" else 1
        if nulls[unit] or (isinstance(literals[unit], str) and str(literals[unit]).lower() not in _UNITS[name]):
            return f"CAST(NULL AS {'TIMESTAMP' if unit == 0 else 'DATE'})"
    made = _PATTERNS.get((name, count))
    if made is not None:
        return made
    made = _checked(name, literals, nulls)
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
        case _:
            return None
