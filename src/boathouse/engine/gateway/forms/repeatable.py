"""Whether a query gives the same rows when it is evaluated again, and what its plan does to the rows of each of its sources.

Functions are taken from a list of those that depend on nothing but their arguments, so that an unknown one, a user's among them, is
never taken for one. What a plan does is read off the engine's own explanation, in which views, stars and clauses are resolved.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from boathouse.engine.gateway.messages.plan_text import PlanNode
from boathouse.engine.gateway.messages.walk import walk
from boathouse.engine.gateway.sql.tokens import Kind, tokenize
from boathouse.storage.paths import to_url
from boathouse.tables.api import forget_checkpoint_hint
from boathouse.tables.versions import last_version


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


REPEATABLE = _words(
    """
    abs acos acosh add_months aes_decrypt aggregate and array array_append array_compact array_contains array_distinct
    array_except array_insert array_intersect array_join array_max array_min array_position array_prepend array_remove
    array_repeat array_size array_sort array_union arrays_overlap arrays_zip ascii asin asinh assert_true atan atan2
    atanh base64 between bigint bin binary bit_count bit_get bit_length bitwise_not bitwisenot boolean bround btrim
    bucket cardinality cast cbrt ceil ceiling char char_length character_length chr coalesce collate collation concat
    concat_ws contains conv convert_timezone cos cosh cot crc32 create_map csc date date_add date_diff date_format
    date_from_unix_date date_part date_sub date_trunc dateadd datediff datepart day dayname dayofmonth dayofweek
    dayofyear days decimal decode degrees double e element_at elt encode endswith equal_null exists exp explode
    explode_outer expm1 extract factorial filter find_in_set flatten float floor forall format_number format_string
    from_csv from_json from_unixtime from_utc_timestamp from_xml get get_json_object getbit greatest hash hex hour hours
    hypot if ifnull ilike in initcap inline inline_outer instr int integer is_valid_utf8 is_valid_variant
    is_variant_null isnan isnotnull isnull json_array_length json_object_keys json_tuple last_day lcase least left
    length levenshtein like ln locate log log10 log1p log2 lower lpad ltrim make_date make_dt_interval make_interval
    make_time make_timestamp make_timestamp_ltz make_timestamp_ntz make_valid_utf8 make_ym_interval map_concat
    map_contains_key map_entries map_filter map_from_arrays map_from_entries map_keys map_values map_zip_with mask md5
    minute mod month monthname months months_between named_struct nanvl negate negative next_day not nullif nullifzero
    nvl nvl2 octet_length or overlay parse_json parse_url pi pmod posexplode posexplode_outer position positive pow
    power printf quarter quote radians raise_error range reduce regexp regexp_count regexp_extract regexp_extract_all
    regexp_instr regexp_like regexp_replace regexp_substr repeat replace reverse right rint rlike round rpad rtrim
    schema_of_csv schema_of_json schema_of_variant schema_of_xml sec second sequence sha sha1 sha2 shiftleft shiftright
    shiftrightunsigned sign signum sin sinh size slice smallint sort_array soundex split split_part sqrt st_asbinary
    st_geogfromwkb st_geomfromwkb st_setsrid st_srid stack startswith str_to_map string struct substr substring
    substring_index tan tanh time_bucket time_diff time_from_micros time_from_millis time_from_seconds time_to_micros
    time_to_millis time_to_seconds time_trunc timestamp timestamp_add timestamp_diff timestamp_micros timestamp_millis
    timestamp_ntz timestamp_seconds tinyint to_binary to_char to_csv to_date to_json to_number to_time to_timestamp
    to_timestamp_ltz to_timestamp_ntz to_unix_timestamp to_utc_timestamp to_varchar to_variant_object to_xml todegrees
    toradians transform transform_keys transform_values translate trim trunc try_add try_aes_decrypt try_cast try_divide
    try_element_at try_make_interval try_make_timestamp try_make_timestamp_ltz try_make_timestamp_ntz try_mod
    try_multiply try_parse_json try_parse_url try_subtract try_to_binary try_to_date try_to_number try_to_time
    try_to_timestamp try_url_decode try_validate_utf8 try_variant_get typeof ucase unbase64 unhex unix_date unix_micros
    unix_millis unix_seconds upper url_decode url_encode validate_utf8 variant_get weekday weekofyear when width_bucket
    xpath xpath_boolean xpath_double xpath_float xpath_int xpath_long xpath_number xpath_short xpath_string xxhash64
    year years zeroifnull zip_with
    """
)
"""Functions of one row whose value depends on nothing but their arguments."""
MERGEABLE = frozenset({"count", "sum", "min", "max", "avg", "mean"})
"""Aggregates of which those of two parts of the rows give that of all."""
_AGGREGATES = MERGEABLE | _words("count_if bool_and bool_or every some any bit_and bit_or bit_xor")
_MOMENTARY = _words(
    "CURRENT_DATE CURRENT_TIMESTAMP CURRENT_TIME LOCALTIMESTAMP LOCALTIME CURRENT_USER SESSION_USER TABLESAMPLE"
)
BEFORE_BRACKET = _words(
    """
    ALL AND ANTI ANY ARRAY AS BETWEEN BY CASE CHAR CROSS CUBE DEC DECIMAL DISTINCT ELSE EXCEPT EXISTS FILTER FROM FULL GROUP HAVING IN
    INNER INTERSECT INTERVAL INTO IS JOIN LATERAL LEFT LIKE ILIKE MAP MINUS NATURAL NOT NUMERIC ON OR OUTER OVER PARTITION QUALIFY
    RIGHT RLIKE ROLLUP SELECT SEMI SETS SOME STRUCT THEN UNION USING VALUES VARCHAR WHEN WHERE WITH
    """
)
_OPERATORS = _words("+ - * / % == = != <> <=> < <= > >= ! ~ & | ^ || and or not")
_OPAQUE = (
    "UserDefinedFunction",
    "UserDefinedTableFunction",
    "PythonUDF",
    "CallFunction",
    "MapPartitions",
    "GroupMap",
    "CoGroupMap",
)


def unrepeatable(relation: Any) -> str | None:
    """The first thing in a relation whose value may be another one the next time; None where there is none."""
    return next(_findings(relation), None)


def _findings(root: Any) -> Iterator[str]:
    for message in walk(root):
        name = message.DESCRIPTOR.name
        if name == "UnresolvedFunction":
            if message.is_user_defined_function or not _is_known(message.function_name):
                yield message.function_name
        elif name == "ExpressionString":
            yield from _in_text(message.expression)
        elif name == "SQL":
            yield from _in_text(message.query)
        elif name.endswith(_OPAQUE) or name == "Sample":
            yield getattr(message, "function_name", None) or name


def _is_known(name: str) -> bool:
    return name.lower() in REPEATABLE or name.lower() in _AGGREGATES or name.lower() in _OPERATORS


def _in_text(text: str) -> Iterator[str]:
    tokens = tokenize(text)
    for number, token in enumerate(tokens):
        if token.kind is Kind.NAME and "/" in token.value:
            yield token.value
        elif token.is_word(*_MOMENTARY):
            yield token.value.lower()
        elif token.is_identifier and number + 1 < len(tokens) and tokens[number + 1].is_mark("("):
            is_clause = token.kind is Kind.WORD and token.value in BEFORE_BRACKET
            if not is_clause and not _is_known(token.identifier):
                yield token.identifier


def fix_versions(relation: Any, own: Path) -> bool:
    """Have a relation, all of whose names are resolved, read each Delta table in its newest version, in place.

    Args:
        relation: The relation.
        own: A folder of the server's, whose files stay as they are: of a stream's batch, for example.

    Returns:
        Whether all that it reads is fixed now.
    """
    found: list[Any] = []
    for message in walk(relation):
        if message.DESCRIPTOR.name in {"CachedRemoteRelation", "RelationChanges"}:
            return False
        if message.DESCRIPTOR.name == "Read":
            found.append(message)
    tables = [one for one in found if not _reads_below(one.data_source, own)]
    if not all(one.data_source.format.lower() == "delta" and len(one.data_source.paths) == 1 for one in tables):
        return False
    for read in tables:
        options = read.data_source.options
        if not any(key.lower() in {"versionasof", "timestampasof"} for key in options):
            location = to_url(Path(read.data_source.paths[0]))
            options["versionAsOf"] = str(last_version(location))
            forget_checkpoint_hint(location)
    return True


def _reads_below(source: Any, folder: Path) -> bool:
    """Whether it reads nothing but Parquet files in a folder."""
    is_plain = source.format.lower() == "parquet" and bool(source.paths) and not source.options
    return is_plain and all(Path(os.path.realpath(one)).is_relative_to(os.path.realpath(folder)) for one in source.paths)


_ROW_BY_ROW = frozenset(
    {"Projection", "Filter", "SubqueryAlias", "TableScan", "Values", "EmptyRelation", "Union", "Unnest", "Subquery"}
)


def is_row_by_row(plan: PlanNode) -> bool:
    """Whether a plan makes each of its rows of single rows of what it reads, in no order and without counting them."""
    return all(node.kind in _ROW_BY_ROW or node.kind.endswith(" Join") for node in plan.walk())
