"""Texts as values of a type: whole columns at once where all of them fit, one by one where something does not."""

import base64
import datetime as dt
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

import pyarrow as pa

from boathouse.engine.api import Atomic
from boathouse.ingest import moments
from boathouse.ingest.options import Options
from boathouse.ingest.types import compute, to_arrow

_WHOLE = re.compile(r"[+-]?\d+")
_FLOAT = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[dDfF]?")
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class Misfit(ValueError):
    """A text is no value of a type."""


@dataclass(frozen=True)
class Notation:
    """How values are written.

    Attributes:
        zone: Time zone of times that have none.
        special: Names of floating point values that are no numbers.
    """

    date: Callable[[str], dt.datetime] = moments.iso_day
    timestamp: Callable[[str], dt.datetime] = moments.iso
    is_iso: bool = True
    zone: str = "UTC"
    special: dict[str, float] = field(
        default_factory=lambda: {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf, "+Infinity": math.inf}
    )


def notation(options: Options, zone: str = "UTC") -> Notation:
    """How values are written according to the options.

    Raises:
        OptionInvalid: If a pattern is not known.
    """
    special = Notation().special
    if options.file_format == "csv":
        csv = options.csv
        special = special | {csv.nan_value: math.nan, csv.positive_inf: math.inf, csv.negative_inf: -math.inf}
    return Notation(
        moments.parser("dateFormat", options.date_format),
        moments.parser("timestampFormat", options.timestamp_format),
        options.date_format is None and options.timestamp_format is None,
        zone,
        special,
    )


def value_of(text: str, kind: Atomic, how: Notation) -> Any:  # noqa: C901, PLR0912 - one case for each type
    """The value of one text.

    Raises:
        Misfit: If it is none of the type.
    """
    try:
        match kind.name:
            case "string":
                return text
            case "byte" | "short" | "integer" | "long":
                if _WHOLE.fullmatch(text) and -(1 << ((kind.bits or 64) - 1)) <= int(text) < 1 << ((kind.bits or 64) - 1):
                    return int(text)
            case "double" | "float":
                if text in how.special:
                    return how.special[text]
                if _FLOAT.fullmatch(text):
                    return float(text.rstrip("dDfF"))
            case "boolean":
                if text.lower() in {"true", "false"}:
                    return text.lower() == "true"
            case "date":
                return how.date(text).date()
            case "timestamp":
                return moments.aware(how.timestamp(text), how.zone)
            case "timestamp_ntz":
                return how.timestamp(text).replace(tzinfo=None)
            case "binary":
                return base64.b64decode(text, validate=True)
            case _ if (found := kind.decimal) is not None:
                return _decimal(text, *found)
            case _:
                pass
    except (ValueError, OverflowError, InvalidOperation):
        pass
    raise Misfit(text)


def _decimal(text: str, precision: int, scale: int) -> Decimal:
    value = Decimal(text)
    if not value.is_finite():
        raise Misfit(text)
    rounded = value.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP)
    if len(rounded.as_tuple().digits) > precision:
        raise Misfit(text)
    return rounded


def seconds_since_epoch(seconds: int) -> dt.datetime:
    """The moment that a whole number means in the place of a time."""
    return _EPOCH + dt.timedelta(seconds=seconds)


def column_of(texts: pa.Array, kind: Atomic, how: Notation) -> tuple[pa.Array, list[int]]:
    """A column of texts as values, and the rows whose text is none of the type: they are null."""
    if kind.name == "string":
        return texts, []
    fast = _at_once(texts, kind, how)
    if fast is not None:
        return fast, []
    values: list[Any] = []
    misfits: list[int] = []
    for row, text in enumerate(texts.to_pylist()):
        try:
            values.append(None if text is None else value_of(text, kind, how))
        except Misfit:
            values.append(None)
            misfits.append(row)
    return pa.array(values, to_arrow(kind)), misfits


def _at_once(texts: pa.Array, kind: Atomic, how: Notation) -> pa.Array | None:
    """All values of a column, if Arrow reads each text just as it is read one by one."""
    try:
        match kind.name:
            case "byte" | "short" | "integer" | "long":
                return compute.cast(texts, to_arrow(kind)) if _all(compute.match_substring_regex(texts, "^-?[0-9]+$")) else None
            case "double" | "float":
                values = compute.cast(texts, to_arrow(kind))
                return values if _all(compute.is_finite(values)) else None
            case "boolean":
                return (
                    compute.cast(texts, pa.bool_()) if _all(compute.is_in(texts, pa.array(["true", "false", None]))) else None
                )
            case "date":
                return compute.cast(texts, pa.date32()) if how.is_iso else None
            case "timestamp" if how.is_iso:
                return _timestamps(texts, how.zone)
            case "timestamp_ntz" if how.is_iso:
                return compute.cast(texts, pa.timestamp("us"))
            case _ if kind.decimal is not None:
                return compute.cast(texts, to_arrow(kind))
            case _:
                return None
    except pa.ArrowInvalid:
        return None


def _timestamps(texts: pa.Array, zone: str) -> pa.Array:
    try:
        return compute.cast(texts, pa.timestamp("us", "UTC"))
    except pa.ArrowInvalid:
        local = compute.assume_timezone(compute.cast(texts, pa.timestamp("us")), zone)
        return compute.cast(local, pa.timestamp("us", "UTC"))


def _all(mask: pa.Array) -> bool:
    return bool(compute.all(mask, skip_nulls=True, min_count=0).as_py())
