"""The online store: what is kept of an online table, how it is written and looked up; where, say ``online_lmdb`` and its like.

A publish is one transaction, so a reader sees the table before it or after it, never between. Times are microseconds since the
epoch; a table without a timeseries key has every row at time 0, one without ``available_at`` has every row available from the
beginning.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import repeat
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec

from boathouse.errors import InvalidParameterValue
from boathouse.features.errors import FeatureSpecInvalid
from boathouse.features.spec import SpecLookup

ALWAYS = -(2**63)
FOREVER = 2**63 - 1
FORMAT = 2
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[Any]).decode

_T = TypeVar("_T")
OnlineRow = tuple[bytes, int, int, bytes]
"""Packed key, time, available, packed value."""
RowPlace = tuple[bytes, int, int]
"""Packed key, time, available: no two rows have the same."""
Bounds = tuple[int, int, int]
"""Latest time, earliest time, and until when a row had to be available."""


@dataclass(frozen=True)
class OnlineMeta:
    """What an online table holds.

    Attributes:
        source_table: Full name of the source table.
        source_id: Identifier of the source table.
        source_version: Delta version of the source that is published.
        key_columns: Primary key columns of the source, in order.
        key_types: Their types: ``string``, ``integer``, ``boolean`` or ``date``.
        timeseries_key: The time column of the source, if any.
        available_at: The column that says from when on a row may be used, if any.
        features: The other columns, in the order of the packed value.
        format: Version of the file's layout.
    """

    source_table: str
    source_id: str
    source_version: int
    key_columns: tuple[str, ...]
    key_types: tuple[str, ...]
    timeseries_key: str | None
    available_at: str | None
    features: tuple[str, ...]
    format: int = FORMAT

    def dumps(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def loads(cls, text: str) -> "OnlineMeta":
        """From the JSON in the file."""
        raw = json.loads(text)
        for name in ("key_columns", "key_types", "features"):
            raw[name] = tuple(raw[name])
        return cls(**raw)

    @classmethod
    def known(cls, text: str) -> "OnlineMeta | None":
        """The same, or None for one of another format: such a table has to be published anew."""
        meta = cls.loads(text)
        return meta if meta.format == FORMAT else None


class Asked(NamedTuple):
    """What is looked up.

    Attributes:
        keys: For each row its packed key.
        bounds: For each row its bounds, or one for all.
    """

    keys: Sequence[bytes] = ()
    bounds: Sequence[Bounds] = ()

    def pairs(self) -> Iterator[tuple[bytes, Bounds]]:
        """Each key with its bounds."""
        return per_key(self.keys, self.bounds)


def per_key(keys: Sequence[bytes], each: Sequence[_T]) -> Iterator[tuple[bytes, _T]]:
    """Each key with its own, or with the one that all have."""
    return zip(keys, each if len(each) != 1 else repeat(each[0]), strict=False)


def stored_name(full_name: str) -> str:
    """The name under which an online table is kept."""
    return hashlib.sha256(full_name.lower().encode()).hexdigest()[:32]


def file_of(folder: Path, full_name: str) -> Path:
    """The file of an online table."""
    return folder / f"{stored_name(full_name)}.mdb"


def pack_key(values: Iterable[Any]) -> bytes:
    """The stored form of a key."""
    return _pack(list(values))


def pack_value(values: Iterable[Any]) -> bytes:
    """The stored form of a row's features."""
    return _pack(list(values))


class OnlineSource(Protocol):
    """Reads one online table. Safe for threads."""

    def read(self, wanted: Callable[[OnlineMeta], Asked]) -> tuple[OnlineMeta, list[bytes | None]]:
        """What the table holds, and at the same time for each row asked for the packed value of the newest within its bounds.

        Args:
            wanted: Says what is asked for; may be called twice.

        Raises:
            OnlineTableNotFound: If it is not published.
            OnlineStoreUnavailable: If its store does not answer.
        """
        ...


class OnlineTarget(Protocol):
    """Writes one online table."""

    def meta(self) -> OnlineMeta | None:
        """What is published now, or None."""
        ...

    def write(self, meta: OnlineMeta, rows: Iterable[OnlineRow], *, replace: bool, gone: Sequence[RowPlace] = ()) -> int:
        """Publish rows at once.

        Args:
            meta: What the table holds afterwards.
            rows: The rows; one of an existing key, time and available takes its place.
            replace: Whether the rows that are there go.
            gone: Rows that go; before ``rows`` come.

        Returns:
            How many rows the table holds now.
        """
        ...

    def delete(self) -> None:
        """Remove the table."""
        ...


def canonical_key(value: Any, key_type: str, column: str) -> Any:
    """A key value of a request as it was stored.

    Raises:
        InvalidParameterValue: If the value cannot be of the key's type; it names the column.
    """
    match key_type, value:
        case "string", str():
            return value
        case "boolean", bool():
            return value
        case "integer", int() if not isinstance(value, bool):
            return value
        case "integer", float() if value.is_integer():
            return int(value)
        case "date", str():
            return value[:10]
        case "date", dt.date():
            return value.isoformat()[:10]
        case _:
            message = f"Column '{column}' is a lookup key of type {key_type}; {value!r} is not one."
            raise InvalidParameterValue(message, column=column)


def canonical_keys(values: Sequence[Any], key_type: str, column: str) -> Sequence[Any]:
    """A column of key values as they were stored; a null finds nothing, as no row has such a key.

    Raises:
        InvalidParameterValue: If a value cannot be of the key's type; it names the column.
    """
    if key_type == "string" and {str}.issuperset(map(type, values)):
        return values
    return [None if value is None else canonical_key(value, key_type, column) for value in values]


def to_microseconds(value: Any, column: str) -> int:
    """A time of a request: ISO 8601 text (UTC unless it says otherwise) or epoch milliseconds.

    Raises:
        InvalidParameterValue: If it is neither; it names the column.
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and value == value:  # noqa: PLR0124 - NaN
        return int(value * 1000)
    if isinstance(value, str):
        try:
            moment = dt.datetime.fromisoformat(value)
        except ValueError:
            pass
        else:
            moment = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
            since = moment - _EPOCH
            return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    message = (
        f"Column '{column}' is a time: give ISO 8601 text such as 2013-10-01T09:15:00Z, or epoch milliseconds; not {value!r}."
    )
    raise InvalidParameterValue(message, column=column)


class OnlineReader:
    """Looks features up in one online table. Safe for threads.

    Args:
        store: The table where it is kept.
        full_name: Its name, for messages.
    """

    def __init__(self, store: OnlineSource, full_name: str) -> None:
        self._store = store
        self._full_name = full_name

    def meta(self) -> OnlineMeta:
        """What the table holds now."""
        return self._store.read(lambda _: Asked())[0]

    def check(self, lookup: SpecLookup) -> None:
        """Whether a look-up fits this table.

        Raises:
            FeatureSpecInvalid: If it does not; it says how.
        """
        meta = self.meta()
        if len(lookup.lookup_key) != len(meta.key_columns):
            wanted = ", ".join(meta.key_columns)
            raise FeatureSpecInvalid("lookup_key", f"has to give a column for each key of {self._full_name}: {wanted}.")
        for name in lookup.features:
            if name not in meta.features:
                valid = ", ".join(meta.features)
                problem = (
                    f"has '{name}', which {self._full_name} does not have. Valid: {valid}. If that is a new name of a column of "
                    f"{meta.source_table}, publish the table again."
                )
                raise FeatureSpecInvalid("features", problem)

    def read(
        self,
        keys: Sequence[Sequence[Any]],
        times: Sequence[int | None],
        features: Sequence[str],
        lookback: int | None = None,
    ) -> list[tuple[Any, ...] | None]:
        """The features of some keys.

        Args:
            keys: For each row, its key values in the order of the table's primary keys.
            times: For each row, the time to look up as of, or None for the latest row.
            features: Which columns.
            lookback: How old a row may be, inclusive; None for any.

        Returns:
            For each row the values in the order of ``features``, or None where there is no such row.
        """
        meta, found = self._store.read(lambda meta: _asked(meta, keys, times, lookback))
        return _unpacked(meta, found, features)

    def look_up(self, lookup: SpecLookup, columns: Mapping[str, Sequence[Any]], rows: int) -> dict[str, list[Any]]:
        """The columns that a look-up gives, for the columns of a request.

        Args:
            lookup: Which features, by which columns of the request.
            columns: The request's columns; the lookup keys have to be there, the timestamp column need not.
            rows: How many rows the request has.

        Returns:
            Column of the model -> its values, defaults filled in.

        Raises:
            InvalidParameterValue: If a key or time of the request is not of its type.
        """
        column = lookup.timestamp_lookup_key
        times = (_times(columns.get(column, ()), column) if column else []) or [None] * rows
        lookback = None if lookup.lookback_seconds is None else int(lookup.lookback_seconds * 1_000_000)

        def wanted(meta: OnlineMeta) -> Asked:
            named = zip(lookup.lookup_key, meta.key_types, strict=True)
            keys = zip(*(canonical_keys(columns[name], key_type, name) for name, key_type in named), strict=True)
            return _asked(meta, keys, times, lookback)

        found = _unpacked(*self._store.read(wanted), lookup.features)
        defaults = [lookup.defaults.get(name) for name in lookup.outputs]
        result: dict[str, list[Any]] = {}
        for place, name in enumerate(lookup.outputs):
            default = defaults[place]
            result[name] = [default if row is None or row[place] is None else row[place] for row in found]
        return result


def _times(values: Sequence[Any], column: str) -> list[int | None]:
    """A column of times in microseconds; a text that comes again, as the same moment for all rows does, is read once."""
    read: dict[str, int] = {}
    times: list[int | None] = []
    for value in values:
        if type(value) is str:
            time = read.get(value)
            if time is None:
                time = read[value] = to_microseconds(value, column)
        else:
            time = None if value is None else to_microseconds(value, column)
        times.append(time)
    return times


def _asked(meta: OnlineMeta, keys: Iterable[Sequence[Any]], times: Sequence[int | None], lookback: int | None) -> Asked:
    packed, has_times = [_pack(key) for key in keys], meta.timeseries_key is not None
    if len(set(times)) <= 1:
        return Asked(packed, [_bounds(has_times, time, lookback) for time in times[:1]])
    return Asked(packed, [_bounds(has_times, time, lookback) for time in times])


@lru_cache(1000)
def _bounds(has_times: bool, time: int | None, lookback: int | None) -> Bounds:
    latest = FOREVER if time is None else time
    if not has_times:
        return FOREVER, ALWAYS, latest
    return latest, ALWAYS if time is None or lookback is None else time - lookback, latest


def _unpacked(meta: OnlineMeta, found: Iterable[bytes | None], features: Sequence[str]) -> list[tuple[Any, ...] | None]:
    missing = [name for name in features if name not in meta.features]
    if missing:
        problem = (
            f"has '{missing[0]}', which the online table of {meta.source_table} does not have any more. Valid: "
            f"{', '.join(meta.features)}. If the column has a new name, deploy the feature spec again, or a model that is trained with it."
        )
        raise FeatureSpecInvalid("features", problem)
    chosen = _choice(meta.features, tuple(features))
    return [None if packed is None else chosen(_unpack(packed)) for packed in found]


@lru_cache(1000)
def _choice(there: tuple[str, ...], wanted: tuple[str, ...]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    """Takes some of a row's values, in the order in which they are wanted."""
    if there == wanted:
        return tuple
    places = [there.index(name) for name in wanted]
    if len(places) == 1:
        place = places[0]
        return lambda values: (values[place],)
    return itemgetter(*places) if places else lambda _: ()
