"""The as-of join in Polars.

Only keys and times are put in order; features are taken by their places at the end. Rows that became visible late are in the
order in which they did: one counts if no row seen before it is newer, and then the last that counts is the one to take.

What does not fit into memory is joined in parts, by a hash of the keys of each look-up.
"""

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import polars as pl

from boathouse.engine.as_of.request import AsOfLookup

_KEY, _TIME, _AVAILABLE, _SEEN, _PLACE, _ROW, _AT = (
    f"__as_of_{name}" for name in ("key", "time", "available", "seen", "place", "row", "at")
)
_MICROS = pl.Datetime("us", "UTC")
_COMPARED: tuple[pl.DataType, ...] = (pl.String(), pl.Boolean(), pl.Date())
_FIXED_BYTES, _OTHER_BYTES = 8, 40


class NotLocal(ValueError):
    """A join that this form does not make as the engine does."""


def join(
    rows: pl.LazyFrame,
    tables: Sequence[tuple[AsOfLookup, pl.LazyFrame, int]],
    write: Callable[[pl.DataFrame], None],
    budget: int,
) -> None:
    """Add features to rows.

    Args:
        rows: What they are added to.
        tables: Each look-up with its table's rows, and how many these are at most.
        write: Takes the parts of the result; the rows are in no order.
        budget: Bytes that a table's rows may have at once.

    Raises:
        NotLocal: If a key or time is of a type that is compared otherwise here than on the engine.
    """
    whole = rows.collect()
    *first, last = tables
    for lookup, table, count in first:
        whole = pl.concat(list(_parts(whole, lookup, table, count, budget)))
    for part in _parts(whole, *last, budget):
        write(part)


def _parts(rows: pl.DataFrame, lookup: AsOfLookup, table: pl.LazyFrame, count: int, budget: int) -> Any:
    schema = table.collect_schema()
    pairs = zip(lookup.row_keys, lookup.table_keys, strict=True)
    mine, its = zip(
        *(_keys(place, one, rows.schema[one], other, schema[other]) for place, (one, other) in enumerate(pairs)), strict=True
    )
    features = [pl.col(name).alias(output) for name, output in lookup.features.items()]
    times = [
        _moment(name, schema).alias(alias)
        for name, alias in ((lookup.timeseries_key, _TIME), (lookup.available_at, _AVAILABLE))
        if name
    ]
    wanted = table.select(*its, *times, *features)
    asked = rows.select(*mine, *([_moment(lookup.time, rows.schema).alias(_AT)] if lookup.time else ()))
    # Of a row's keys and times there are three copies while they are put in order.
    needed = count * (_bytes(wanted.collect_schema()) + 3 * 8 * (len(its) + len(times) + 1))
    parts = max(1, -(-needed // budget))
    if parts == 1:
        yield rows.hstack(_taken(asked, wanted.collect(engine="streaming"), lookup))
        return
    names = [f"{_KEY}_{place}" for place in range(len(its))]
    bucket = (
        reduce(lambda one, other: one ^ other, (pl.col(name).hash(place) for place, name in enumerate(names))) % parts
    ).fill_null(0)
    mine_of = asked.select(bucket).to_series()
    for part in range(parts):
        chosen = mine_of == part
        found = wanted.filter(bucket == part).collect(engine="streaming")
        yield rows.filter(chosen).hstack(_taken(asked.filter(chosen), found, lookup))


def _keys(place: int, mine: str, my_type: pl.DataType, its: str, its_type: pl.DataType) -> tuple[pl.Expr, pl.Expr]:
    """A key of the rows and of the table in one type."""
    name = f"{_KEY}_{place}"
    if my_type.is_signed_integer() and its_type.is_signed_integer():
        return pl.col(mine).cast(pl.Int64).alias(name), pl.col(its).cast(pl.Int64).alias(name)
    if my_type != its_type or my_type not in _COMPARED:
        message = f"the key '{its}' is of type {its_type}, '{mine}' of type {my_type}"
        raise NotLocal(message)
    return pl.col(mine).alias(name), pl.col(its).alias(name)


def _moment(name: str, schema: pl.Schema) -> pl.Expr:
    kind = schema[name]
    if not isinstance(kind, pl.Datetime):
        message = f"the time '{name}' is of type {kind}"
        raise NotLocal(message)
    return pl.col(name).cast(_MICROS) if kind.time_zone else pl.col(name).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def _bytes(schema: pl.Schema) -> int:
    return sum(
        _FIXED_BYTES if kind.is_numeric() or kind.is_temporal() or kind == pl.Boolean else _OTHER_BYTES
        for kind in schema.dtypes()
    )


def _taken(asked: pl.DataFrame, found: pl.DataFrame, lookup: AsOfLookup) -> pl.DataFrame:
    """The features for each of the rows, in their order."""
    keys = [name for name in found.columns if name.startswith(_KEY)]
    places = _places(asked, found, lookup, keys)
    return found.select(pl.col(output).gather(places) for output in lookup.features.values())


def _places(asked: pl.DataFrame, found: pl.DataFrame, lookup: AsOfLookup, keys: list[str]) -> pl.Series:
    """For each row the place of the feature row that it sees, or null."""
    times = [name for name in (_TIME, _AVAILABLE) if name in found.columns]
    its = found.lazy().select(*keys, *times).with_row_index(_PLACE).drop_nulls([*keys, *([_TIME] if _TIME in times else ())])
    numbered = asked.lazy().with_row_index(_ROW)
    if lookup.time is None:
        order = [pl.col(name) for name in times]
        latest = (
            its.sort(order, nulls_last=False).unique(keys, keep="last", maintain_order=True)
            if order
            else its.unique(keys, keep="any")
        )
        joined = numbered.join(latest, on=keys, how="left")
    else:
        seen = _TIME
        if _AVAILABLE in times:
            seen = _SEEN
            its = its.with_columns(pl.max_horizontal(_TIME, _AVAILABLE).alias(_SEEN)).sort(
                _SEEN, _TIME, _AVAILABLE, nulls_last=False
            )
            its = its.filter(pl.col(_TIME) == pl.col(_TIME).cum_max().over(keys)).drop(_AVAILABLE)
        else:
            its = its.sort(_TIME)
        # A copy, since the join leaves out its own; a row without a time sees nothing.
        its = its.with_columns(pl.col(_TIME).alias(_AVAILABLE), pl.col(seen).alias(_AT)).drop(_TIME, strict=False)
        asof = numbered.drop_nulls(_AT).sort(_AT).join_asof(its, on=_AT, by=keys, check_sortedness=False)
        place = pl.col(_PLACE)
        if lookup.lookback_micros is not None:
            age = (pl.col(_AT) - pl.col(_AVAILABLE)).dt.total_microseconds()
            place = pl.when(age <= lookup.lookback_micros).then(place)
        joined = asof.select(_ROW, place.alias(_PLACE))
    found_places = joined.select(_ROW, _PLACE).drop_nulls().collect()
    nowhere = pl.repeat(None, asked.height, dtype=found_places.schema[_PLACE], eager=True)
    return nowhere.scatter(found_places[_ROW], found_places[_PLACE])
