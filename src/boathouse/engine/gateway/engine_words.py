"""What the embedded engine says of names that are none and of types that do not fit, in Spark's words and under Spark's conditions."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from boathouse.engine.gateway.sql.tokens import quote

_PART = re.compile(r'Identifier\("((?:[^"\\]|\\.)*)"\)')
_ESCAPE = re.compile(r"\\(u\{[0-9a-fA-F]+\}|.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}
_UNRESOLVED = re.compile(
    r"attribute ObjectName\(\[(?P<name>.*?)\]\) is missing from the schema|\[UNRESOLVED_COLUMN\] Cannot find column (?P<plain>.+)",
    re.DOTALL,
)
_AMBIGUOUS = re.compile(r"ambiguous attribute: ObjectName\(\[(?P<name>.*?)\]\)", re.DOTALL)
_FUNCTION = re.compile(r"^unknown function: (?P<name>\S+)$")
_CONDITION = re.compile(r"^Cannot create filter with non-boolean predicate '.*' returning (?P<kind>\w+)", re.DOTALL)
_NO_TEXT = re.compile(r"Unexpected argument type to 'json_\w+' at position 1, expected a string")
_OVERFLOW = re.compile(r"\[ARITHMETIC_OVERFLOW\] (?P<text>.*?)(?: SQLSTATE: \w+)?\s*\Z", re.DOTALL)
_NEGATIVE = re.compile(r"Int\d+ overflow on negative\((?P<value>-\d+)\)")
_DECIMALS = re.compile(r"Arithmetic overflow: Overflow happened on:|Cannot cast to Decimal\d+\([\d, ]+\)\. Overflowing on")
_CAST = re.compile(
    r"Can't cast value (?P<value>\S+) to type (?P<kind>U?Int\d+)|value of (?P<decimal>-?\d+) is out of range (?P<range>Int\d+)"
)
_MALFORMED = re.compile(
    r"Cannot cast (?:string|value) '(?P<value>.*)' to value of (?P<kind>\w+?)(?:\([\d, ]+\))? type|invalid timestamp: (?P<time>.*)",
    re.DOTALL,
)
_TOO_LARGE = re.compile(r"(?P<value>-?[\d.]+) is too (?:large|small) to store in a Decimal\d+ of precision (?P<precision>\d+)")
_FIELDS = re.compile(
    r"Csv error: incorrect number of fields for line (?P<line>\d+), expected (?P<expected>\d+) got (?P<got>\d+)"
)
_UNPARSED = re.compile(r"expected \w+(?: \w+)* at byte offset \d+|invalid parsed (?:date|timestamp): .*")
_DAY = re.compile(r"Illegal input for day of week: (?P<day>.*)")
_MIXED = re.compile(r"Cannot coerce arithmetic expression (?P<text>.*?) to valid types")
_NOT_IN = re.compile(r"null_aware anti join only supports")
_ARITHMETIC = ("org.apache.spark.SparkArithmeticException", "java.lang.ArithmeticException")
_NUMBER = ("org.apache.spark.SparkNumberFormatException", "java.lang.NumberFormatException")
_TIME = ("org.apache.spark.SparkDateTimeException", "java.time.DateTimeException")
_INDEX = ("org.apache.spark.SparkArrayIndexOutOfBoundsException", "java.lang.ArrayIndexOutOfBoundsException")
_OTHER = ("org.apache.spark.SparkRuntimeException",)
_TYPES = {
    **{f"{sign}Int{bits}": name for sign in ("", "U") for bits, name in ((8, "TINYINT"), (16, "SMALLINT"), (32, "INT"))},
    "Int64": "BIGINT",
    "UInt64": "BIGINT",
    "Float32": "FLOAT",
    "Float64": "DOUBLE",
    "Utf8": "STRING",
    "Utf8View": "STRING",
    "LargeUtf8": "STRING",
    "Date32": "DATE",
    "Timestamp": "TIMESTAMP",
    "Decimal128": "DECIMAL",
    "Binary": "BINARY",
}


@dataclass(frozen=True)
class Told:
    """An error as Spark has it: its condition, its SQL state, what is said, and the classes of the exception."""

    condition: str
    state: str
    text: str
    classes: tuple[str, ...] = ("org.apache.spark.sql.AnalysisException",)

    @property
    def message(self) -> str:
        """The whole message."""
        return f"[{self.condition}] {self.text} SQLSTATE: {self.state}"


_UNDEFINED = (
    (
        re.compile(r"remainder by zero", re.IGNORECASE),
        Told(
            "REMAINDER_BY_ZERO",
            "22012",
            "Remainder by zero. Use try_mod to tolerate divisor being 0 and return NULL instead.",
            _ARITHMETIC,
        ),
    ),
    (
        re.compile(r"Overflow while rounding"),
        Told(
            "ARITHMETIC_OVERFLOW",
            "22003",
            "A rounded number does not fit into its type: cast it to a wider one before.",
            _ARITHMETIC,
        ),
    ),
    (
        re.compile(r"divide by zero", re.IGNORECASE),
        Told(
            "DIVIDE_BY_ZERO",
            "22012",
            "Division by zero. Use try_divide to tolerate divisor being 0 and return NULL instead.",
            _ARITHMETIC,
        ),
    ),
)
"""What is said of arithmetic that has no result, and what is told of it."""
_PLACES = (
    (
        re.compile(r"element_at: the index is out of bounds"),
        Told(
            "INVALID_ARRAY_INDEX_IN_ELEMENT_AT",
            "22003",
            "The index is out of bounds of the array. Use `try_element_at` for NULL instead.",
            _INDEX,
        ),
    ),
    (
        re.compile(r"the index 0 is invalid|field position must not be zero"),
        Told(
            "INVALID_INDEX_OF_ZERO",
            "22003",
            "The index 0 is invalid. An index shall be either < 0 or > 0 (the first element has index 1).",
            _OTHER,
        ),
    ),
    (
        re.compile(r"Scalar subquery returned more than one row"),
        Told(
            "SCALAR_SUBQUERY_TOO_MANY_ROWS",
            "21000",
            "More than one row returned by a subquery used as an expression.",
            _OTHER,
        ),
    ),
)
"""The same of a place that an array or a text does not have, or of rows where there has to be one."""


_ANALYSIS = ("org.apache.spark.sql.AnalysisException",)
_UNSUPPORTED = (
    "org.apache.spark.SparkUnsupportedOperationException",
    "java.lang.UnsupportedOperationException",
)
_ABSENT = (
    (
        re.compile(r"^function: (?P<name>input_file_(?:name|block_start|block_length))$"),
        "{name}()",
        "_metadata.file_path of read_files, or of a stream of files, tells of each row's file; DataFrame.inputFiles() of all.",
    ),
    (
        re.compile(r"^function: session_window$"),
        "session_window outside of groupBy",
        "Group a DataFrame by it: df.groupBy(session_window('t', '5 minutes')).",
    ),
    (
        re.compile(r"^unknown (?:window )?function: (?P<name>pandas_mode|pandas_product|ewm|null_index)$"),
        "What the API of pandas uses {name} for (ewm, interpolate)",
        "Take the rows to pandas first: df.to_pandas().",
    ),
    (
        re.compile(r"^as of join$"),
        "merge_asof of the API of pandas",
        "Take the rows to pandas first, or join with a time series table's features as of a time.",
    ),
    (
        re.compile(r"^unresolved table valued function$"),
        "This table function of spark.tvf",
        "Write it in SQL: spark.sql('SELECT * FROM variant_explode(...)').",
    ),
    (
        re.compile(r"^direct shuffle partition ID expression$"),
        "repartitionById",
        "Use repartition with columns.",
    ),
)
"""What the engine says where it has something not at all, what that is, and what there is in its place."""
_KNOWN = (
    (
        re.compile(r"look-around, including|backreferences are not supported"),
        "UNSUPPORTED_FEATURE.EMBEDDED_ENGINE",
        "0A000",
        "Regular expressions have no look-around and no back-references with the embedded engine: match more and take a group of it.",
        _UNSUPPORTED,
    ),
    (
        re.compile(r"regex parse error:|Regular expression did not compile|Invalid regex"),
        "INVALID_PARAMETER_VALUE.PATTERN",
        "22023",
        "The value of parameter `regexp` is invalid: it is no regular expression.",
        ("org.apache.spark.SparkRuntimeException",),
    ),
    (
        re.compile(r"^Temporary View already exists: (?P<name>.+)$"),
        "TEMP_TABLE_OR_VIEW_ALREADY_EXISTS",
        "42P07",
        (
            "Cannot create the temporary view {name} because it already exists. Choose a different name, drop or replace the existing view, or "
            "use createOrReplaceTempView."
        ),
        ("org.apache.spark.sql.catalyst.analysis.TempTableAlreadyExistsException", "org.apache.spark.sql.AnalysisException"),
    ),
    (
        re.compile(r"^listing table path already exists: "),
        "PATH_ALREADY_EXISTS",
        "42K04",
        "The path of the write already exists. Set mode as 'overwrite' to overwrite what is there, or as 'append' to add to it.",
        _ANALYSIS,
    ),
    (
        re.compile(r"^(?:invalid argument: )?configuration not found: (?P<name>.+)$"),
        "SQL_CONF_NOT_FOUND",
        "42K0I",
        'The SQL config "{name}" cannot be found. Please verify that the config exists, or give a default: spark.conf.get(key, default).',
        ("org.apache.spark.SparkNoSuchElementException", "java.util.NoSuchElementException"),
    ),
    (
        re.compile(r"^missing or ambiguous field: (?P<name>.+)$"),
        "FIELD_NOT_FOUND",
        "42704",
        "No such struct field `{name}`, or several of that name.",
        _ANALYSIS,
    ),
    (
        re.compile(r'Found unmasked nulls for non-nullable StructArray field "key"'),
        "NULL_MAP_KEY",
        "2200E",
        "Cannot use null as map key.",
        ("org.apache.spark.SparkRuntimeException",),
    ),
    (
        re.compile(r"^Physical plan does not support logical expression WindowFunction\("),
        "UNSUPPORTED_EXPR_FOR_OPERATOR.WINDOW",
        "42K0E",
        (
            "It is not allowed to use window functions in conditions and among what rows are grouped by: make a column of it before, with "
            "withColumn or in a subquery, or write QUALIFY."
        ),
        _ANALYSIS,
    ),
    (
        re.compile(r'^cannot resolve wildcard: ObjectName\(\[(?:.*, )?Identifier\("(?P<name>[^"]*)"\)\]\)$'),
        "CANNOT_RESOLVE_STAR_EXPAND",
        "42704",
        "Cannot resolve `{name}`.*: no relation and no struct column of this name is there.",
        _ANALYSIS,
    ),
    (
        re.compile(r'^No field named (?:"\?table\?"\.)?"#\d+".*Valid fields are "\w+\(', re.DOTALL),
        "MISSING_AGGREGATION",
        "42803",
        "A column beside the aggregates is not among what rows are grouped by: group by it, or take any_value() of it.",
        _ANALYSIS,
    ),
    (
        re.compile(r"^(?P<name>\w+) should be rewritten during logical plan analysis$"),
        "UNSUPPORTED_GENERATOR.OUTSIDE_SELECT",
        "42K0E",
        "The generator is not supported: {name} makes rows in the list of columns only. Select it first.",
        _ANALYSIS,
    ),
    (
        re.compile(r"^No data source found for: (?P<name>\w+)$"),
        "DATA_SOURCE_NOT_FOUND",
        "42K02",
        (
            "Failed to find the data source: {name}. This engine reads and writes csv, json, parquet, text and delta; read_files reads avro and "
            "orc, too."
        ),
        ("org.apache.spark.SparkClassNotFoundException", "java.lang.ClassNotFoundException"),
    ),
)
"""Some of the engine's messages, and the condition, SQL state, text and classes that Spark has for them."""


def in_sparks_words(details: str) -> Told | None:
    """An engine's error in Spark's words; None where it is about something else."""
    return _known(details.strip()) or _of_names(details)


def _of_names(details: str) -> Told | None:
    """A name that is none, or a type that does not fit."""
    if (found := _UNRESOLVED.search(details)) is not None:
        name = quote((found["plain"].strip(),)) if found["name"] is None else _name(found["name"])
        text = f"A column, variable, or function parameter with name {name} cannot be resolved."
        return Told("UNRESOLVED_COLUMN.WITHOUT_SUGGESTION", "42703", text)
    if (found := _AMBIGUOUS.search(details)) is not None:
        text = f"Reference {_name(found['name'])} is ambiguous: several of the tables have it. Say whose it is."
        return Told("AMBIGUOUS_REFERENCE", "42704", text)
    if (found := _FUNCTION.match(details)) is not None:
        text = f"Cannot resolve routine `{found['name']}`: the engine has no function of this name, and neither has the current schema."
        return Told("UNRESOLVED_ROUTINE", "42883", text)
    if (found := _CONDITION.match(details)) is not None:
        kind = _TYPES.get(found["kind"], found["kind"].upper())
        text = f'The condition of a filter or of HAVING is of type "{kind}". It must be "BOOLEAN".'
        return Told("DATATYPE_MISMATCH.FILTER_NOT_BOOLEAN", "42K09", text)
    if (told := _arithmetic(details) or _malformed(details) or _fixed(details, _PLACES) or _unsupported(details)) is not None:
        return told
    if _NO_TEXT.search(details) is not None:
        text = "A text of JSON is wanted, and this is no text. For a VARIANT use variant_get(v, '$.a', 'string')."
        return Told("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE", "42K09", text)
    return None


def _known(details: str) -> Told | None:
    """What the engine has not, and messages that are Spark's in other words."""
    for words, what, instead in _ABSENT:
        if (found := words.search(details)) is not None:
            text = f"{what.format(**found.groupdict())} is not there with the embedded engine. {instead}"
            return Told("UNSUPPORTED_FEATURE.EMBEDDED_ENGINE", "0A000", text, _UNSUPPORTED)
    for words, condition, state, text, classes in _KNOWN:
        if (found := words.search(details)) is not None:
            return Told(condition, state, text.format(**found.groupdict()), classes)
    return None


def _arithmetic(details: str) -> Told | None:
    """A number that does not fit, or a division by zero."""
    if (found := _OVERFLOW.search(details)) is not None:
        return Told("ARITHMETIC_OVERFLOW", "22003", found["text"], _ARITHMETIC)
    if (found := _NEGATIVE.search(details)) is not None:
        text = f"The value {found['value']} has no negative of its type: cast it to a wider one before."
        return Told("ARITHMETIC_OVERFLOW", "22003", text, _ARITHMETIC)
    if _DECIMALS.search(details) is not None:
        text = "A decimal has more than 38 digits: cast the operands to fewer places before."
        return Told("NUMERIC_VALUE_OUT_OF_RANGE.WITHOUT_SUGGESTION", "22003", text, _ARITHMETIC)
    if (found := _CAST.search(details)) is not None:
        kind = found["kind"] or found["range"]
        text = f'The value {found["value"] or found["decimal"]} does not fit into "{_TYPES.get(kind, kind.upper())}": an overflow. Use a wider type, or try_cast for NULL instead.'
        return Told("CAST_OVERFLOW", "22003", text, _ARITHMETIC)
    return _fixed(details, _UNDEFINED)


def _fixed(details: str, known: Sequence[tuple[re.Pattern[str], Told]]) -> Told | None:
    """What is told of the first of some words; None where none of them is there."""
    return next((told for words, told in known if words.search(details) is not None), None)


def _unsupported(details: str) -> Told | None:
    """A time or day that cannot be read, or operands that do not fit together."""
    if _UNPARSED.search(details) is not None:
        text = f"A text could not be parsed: {details.strip()}. Use `try_to_timestamp` or `try_to_date` for NULL instead."
        return Told("CANNOT_PARSE_TIMESTAMP", "22007", text, _TIME)
    if (found := _DAY.search(details)) is not None:
        return Told("ILLEGAL_DAY_OF_WEEK", "22009", f"Illegal input for day of week: {found['day'].strip()}.", _OTHER)
    if (found := _MIXED.search(details)) is not None:
        kinds = re.sub(r"\b[A-Z]\w*\b", lambda one: _TYPES.get(one[0], one[0]), found["text"])
        return Told(
            "DATATYPE_MISMATCH.BINARY_OP_WRONG_TYPE", "42K09", f"The operands of {kinds} do not fit together: cast one of them."
        )
    if _NOT_IN.search(details) is not None:
        text = "NOT IN of a query that names columns of the query around it is not supported by this engine: write NOT EXISTS."
        return Told("UNSUPPORTED_FEATURE.CORRELATED_NOT_IN", "0A000", text)
    return None


def _malformed(details: str) -> Told | None:
    """A text or number that a type does not hold."""
    if (found := _MALFORMED.search(details)) is not None:
        value, kind = (found["time"], "TIMESTAMP") if found["kind"] is None else (found["value"], found["kind"])
        shown = _TYPES.get(kind, kind.upper())
        text = f'The value \'{value}\' of the type "STRING" cannot be cast to "{shown}" because it is malformed. Use try_cast for NULL instead.'
        classes = {"TIMESTAMP": _TIME, "BOOLEAN": _OTHER}.get(shown, _NUMBER)
        return Told("CAST_INVALID_INPUT", "22018", text, classes)
    if (found := _FIELDS.search(details)) is not None:
        text = (
            f"Line {found['line']} of a CSV file has {found['got']} fields where {found['expected']} are expected. Read it with the option "
            "mode PERMISSIVE to leave additional fields out, DROPMALFORMED to leave such lines out, or with read_files to rescue them."
        )
        return Told("MALFORMED_CSV_RECORD", "KD000", text, _OTHER)
    if (found := _TOO_LARGE.search(details)) is not None:
        text = f"The value {found['value']} cannot be represented with {found['precision']} digits. Use more, or try_cast for NULL instead."
        return Told("NUMERIC_VALUE_OUT_OF_RANGE.WITHOUT_SUGGESTION", "22003", text, _ARITHMETIC)
    return None


def _name(parts: str) -> str:
    return quote(tuple(_ESCAPE.sub(_unescape, part) for part in _PART.findall(parts)))


def _unescape(found: re.Match[str]) -> str:
    text = found[1]
    return chr(int(text[2:-1], 16)) if text.startswith("u{") else _ESCAPED.get(text, text)
