"""What feature tables there are: their features, how fresh they are, what uses them, how values are distributed, and which row is taken when."""

import datetime as dt
import json
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
from sqlalchemy.orm import Session

from boathouse.catalog.api import FEATURE_SPEC, CatalogService, SecurableType, TableInfo
from boathouse.errors import BoathouseError, InvalidParameterValue
from boathouse.features.errors import KeysUndeclared
from boathouse.features.keys import FeatureKeys, feature_keys
from boathouse.features.models import OnlineTableRow
from boathouse.features.online import to_microseconds
from boathouse.features.repository import FeatureRepository
from boathouse.history.api import LineageGraph, Node, Titles
from boathouse.iam.api import Principal
from boathouse.storage.layout import Layout
from boathouse.storage.paths import from_url
from boathouse.tables.api import commit_time, last_version, query

SAMPLED_ROWS = 100_000
MOST_PREVIEWED = 250
"""Rows of each status; of those after the time the nearest to it, of others the newest."""
_BINS = 12
_MOST_VALUES = 8
_STEPS, _MOST_NODES = 3, 500
"""How far dashboards are looked for: behind views of views."""


@dataclass(frozen=True)
class Found:
    """A feature table.

    Attributes:
        info: As the catalog has it.
        keys: Its keys.
        version: Of its log; None where that cannot be read.
        updated_at: When that was made, ms since the epoch.
        online: What is published of it.
        tags: Its tags.
    """

    info: TableInfo
    keys: FeatureKeys
    version: int | None
    updated_at: int | None
    online: tuple[OnlineTableRow, ...]
    tags: Mapping[str, str]


Serving: TypeAlias = Callable[
    [Session, Principal, Collection[tuple[str, int]], Collection[str]], tuple[list[tuple[str, str, int | None]], int]
]
"""The endpoints that serve some versions of models and some feature specs: names, what they serve, in which version; and how many others do."""


@dataclass(frozen=True)
class Uses:
    """What uses a feature table; what the asker may not see is only counted.

    Attributes:
        models: Versions of models that were trained on it, and on which of its versions.
        hidden_models: Of other models.
        specs: Feature specs that look up in it.
        endpoints: Endpoints, what they serve of these, and in which version, where that is a model.
        hidden_endpoints: Other endpoints that serve these.
        dashboards: Identifiers and names of dashboards that have read it or a view of it, and when last, ms since the epoch.
    """

    models: tuple[tuple[str, int, int], ...]
    hidden_models: int
    specs: tuple[str, ...]
    endpoints: tuple[tuple[str, str, int | None], ...]
    hidden_endpoints: int
    dashboards: tuple[tuple[str, str, int], ...]


class Discovery:
    """Looks feature tables up for one principal.

    Args:
        session: The transaction.
        principal: Who asks; sees what the catalog shows it.
        layout: The lake's folders.
    """

    def __init__(self, session: Session, principal: Principal, layout: Layout) -> None:
        self._session, self._principal = session, principal
        self._catalog = CatalogService(session, principal, layout)
        self._rows = FeatureRepository(session)

    def tables(self, text: str, after: str, limit: int) -> list[Found]:
        """Feature tables by name, after one; all words of a text occur in names, comments, columns, owners or tags."""
        words, found = text.lower().split(), list[Found]()
        for info in sorted(self._catalog.tables_with_keys(), key=lambda one: one.full_name):
            if info.full_name <= after or not _has(info, tags := self._tags(info), words):
                continue
            if (one := self._found(info, tags)) is not None:
                found.append(one)
                if len(found) == limit:
                    break
        return found

    def table(self, full_name: str) -> Found:
        """One feature table.

        Raises:
            SecurableNotFound: If there is no such table.
            KeysUndeclared: If it is no feature table.
        """
        info = self._catalog.get_table(full_name)
        found = self._found(info, self._tags(info))
        if found is None:
            raise KeysUndeclared(info.full_name, "has no primary key")
        return found

    def _tags(self, info: TableInfo) -> Mapping[str, str]:
        return self._catalog.get_tags(SecurableType.TABLE, info.full_name)

    def _found(self, info: TableInfo, tags: Mapping[str, str]) -> Found | None:
        try:
            keys = feature_keys(info.full_name, [one["name"] for one in info.columns], info.constraints, info.properties)
        except KeysUndeclared:
            return None
        try:
            version = last_version(info.storage_location)
            updated = commit_time(from_url(info.storage_location), version)
        except (BoathouseError, OSError):
            version = updated = None
        online = tuple(self._rows.tables_of_source(info.full_name))
        return Found(info, keys, version, updated, online, tags)

    def uses(self, full_name: str, serving: Serving, titles: Mapping[str, Titles]) -> Uses:
        """What uses a table. Needs SELECT on it.

        Args:
            full_name: Of the table.
            serving: Knows the endpoints.
            titles: Knows what things of other slices are called, by type.

        Raises:
            PrivilegeMissing: Without it.
        """
        pins = self._catalog.pins_of_table(full_name)
        models = sorted((one.model, one.model_version, one.table_version) for one in pins if one.model and one.model_version)
        specs = [
            one.full_name
            for one in self._catalog.all_functions()
            if one.language == FEATURE_SPEC and full_name in _tables(one.body)
        ]
        versions = {(model, version) for model, version, _ in models}
        endpoints, hidden = serving(self._session, self._principal, versions, specs)
        return Uses(
            models=tuple(models),
            hidden_models=sum(one.model is None for one in pins),
            specs=tuple(sorted(specs)),
            endpoints=tuple(endpoints),
            hidden_endpoints=hidden,
            dashboards=tuple(self._dashboards(full_name, titles)),
        )

    def _dashboards(self, full_name: str, titles: Mapping[str, Titles]) -> list[tuple[str, str, int]]:
        graph = LineageGraph(self._catalog, titles).around(Node("table", full_name), "downstream", _STEPS, _MOST_NODES)
        read = {graph.root} | {one.id for one in graph.nodes.values() if one.kind == "VIEW"}
        last: dict[str, int] = {}
        for edge in graph.edges.values():
            if edge.source in read:
                last[edge.target] = max(last.get(edge.target, 0), edge.last_at)
        dashboards = (one for one in graph.nodes.values() if one.node is not None and one.node.type == "dashboard")
        found = [(one.node.name, one.title, last[one.id]) for one in dashboards if one.node and one.id in last]
        return sorted(found, key=lambda one: one[1:])

    def location(self, full_name: str) -> str:
        """Where a table lies that the principal may read whole."""
        return self._catalog.get_readable_table(full_name).storage_location


def _has(info: TableInfo, tags: Mapping[str, str], words: list[str]) -> bool:
    columns = (f"{one['name']} {one.get('comment') or ''}" for one in info.columns)
    tagged = (f"{key} {value}" for key, value in tags.items())
    whole = " ".join((info.full_name, info.comment or "", info.owner, *columns, *tagged)).lower()
    return all(word in whole for word in words)


def _tables(body: str) -> set[str]:
    try:
        return {str(one["table"]) for one in json.loads(body)["lookups"]}
    except (ValueError, KeyError, TypeError):
        return set()


def distribution(found: Found, location: str) -> list[dict[str, Any]]:
    """How the values of each feature are distributed in a sample: the first rows of the table.

    Returns:
        For each feature ``name``, ``rows``, ``nulls``, ``distinct``; of numbers ``least``, ``mean``, ``most``, ``deviation`` (of the
        sample) and ``bins`` (``low``, ``high``, ``rows``; of equal width); of others the most frequent ``values`` with their ``rows``.
    """
    names = [one["name"] for one in found.info.columns if one["name"] not in found.keys.columns]
    if not names:
        return []
    shown = ", ".join(_quoted(name) for name in names)
    rows = query(location, f"SELECT {shown} FROM t LIMIT {SAMPLED_ROWS}")  # noqa: S608 - quoted names
    return [_distributed(name, rows[name]) for name in names]


def _distributed(name: str, column: pa.ChunkedArray) -> dict[str, Any]:
    values = column.drop_null()
    told: dict[str, Any] = {"name": name, "rows": len(column), "nulls": column.null_count}
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_decimal(column.type):
        numbers = np.asarray(values.to_pandas(), dtype="float64")
        numbers = numbers[np.isfinite(numbers)]
        told["distinct"] = len(np.unique(numbers))
        if not len(numbers):
            return told
        counts, edges = np.histogram(numbers, bins=_BINS if told["distinct"] > 1 else 1)
        deviation = float(numbers.std(ddof=1)) if len(numbers) > 1 else 0.0
        told |= {
            "least": float(numbers.min()),
            "mean": float(numbers.mean()),
            "most": float(numbers.max()),
            "deviation": deviation,
        }
        bins = zip(edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), strict=True)
        return told | {"bins": [{"low": low, "high": high, "rows": count} for low, high, count in bins]}
    texts = pd.Series([str(value) for value in values.to_pylist()], dtype="object")
    counted = texts.value_counts()
    most = [{"value": str(value)[:200], "rows": int(count)} for value, count in counted.head(_MOST_VALUES).items()]
    return told | {"distinct": len(counted), "values": most}


def preview(
    found: Found, location: str, key: Mapping[str, Any], time: str | None, lookback_seconds: float | None
) -> list[dict[str, Any]]:
    """The rows of one entity, newest first, each with what an as-of look-up makes of it.

    Returns:
        Dictionaries of the table's columns and ``as_of_status``: ``chosen``, ``an older row``, ``after the time``, ``not known yet`` or
        ``too old``; as ``preview_lookup`` of the client has them. At most ``MOST_PREVIEWED`` of each.

    Raises:
        InvalidParameterValue: If the key does not name the table's keys, or a time is not valid or not wanted.
    """
    keys = found.keys
    if set(key) != set(keys.primary_keys):
        message = f"key has to have the columns {', '.join(keys.primary_keys)}; it has: {', '.join(key) or 'none'}."
        raise InvalidParameterValue(message, field="key")
    if time is not None and keys.timeseries_key is None:
        message = f"time is given, and {found.info.full_name} has no time in its primary key."
        raise InvalidParameterValue(message, field="time")
    if lookback_seconds is not None and time is None:
        raise InvalidParameterValue("lookback_seconds needs a time: the age is counted from it.", field="lookback_seconds")
    moment = None if time is None else to_microseconds(time, "time")
    types = {one["name"]: str(one["type_text"]).lower() for one in found.info.columns}
    conditions = " AND ".join(f"{_quoted(name)} = {_literal(name, types[name], value)}" for name, value in key.items())
    order = [f"{_quoted(name)} DESC NULLS LAST" for name in (keys.timeseries_key, keys.available_at) if name]
    ordered = f" ORDER BY {', '.join(order)}" if order else ""
    whole = query(location, f"SELECT * FROM t WHERE {conditions}{ordered}")  # noqa: S608 - quoted names and values
    back = None if lookback_seconds is None else int(lookback_seconds * 1_000_000)
    times = zip(*(_moments(whole, name) for name in (keys.timeseries_key, keys.available_at)), strict=True)
    places: dict[str, deque[int]] = {"after the time": deque(maxlen=MOST_PREVIEWED)}
    for place, (at, known) in enumerate(times):
        status = _late(moment, at, known, back) or ("an older row" if "chosen" in places else "chosen")
        of_status = places.setdefault(status, deque())
        if of_status.maxlen or len(of_status) < MOST_PREVIEWED:
            of_status.append(place)
    shown = sorted((place, status) for status, some in places.items() for place in some)
    # Arrow cannot take rows with texts of its newer form.
    rows = (whole.slice(place, 1).to_pylist()[0] for place, _ in shown)
    return [
        {"as_of_status": status} | {name: _plain(value) for name, value in row.items()}
        for row, (_, status) in zip(rows, shown, strict=True)
    ]


def _moments(rows: pa.Table, name: str | None) -> list[int | None]:
    return [None] * len(rows) if name is None else [_micros(value) for value in rows[name].to_pylist()]


def _late(moment: int | None, at: int | None, known: int | None, lookback: int | None) -> str:
    if moment is None:
        return ""
    if at is None or at > moment:
        return "after the time"
    if known is not None and known > moment:
        return "not known yet"
    return "too old" if lookback is not None and moment - at > lookback else ""


def _micros(value: Any) -> int | None:
    if value is None:
        return None
    moment = value if isinstance(value, dt.datetime) else dt.datetime(value.year, value.month, value.day)  # noqa: DTZ001 - a date has none
    moment = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)


def _plain(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return (value if value.tzinfo else value.replace(tzinfo=dt.UTC)).astimezone(dt.UTC).isoformat()
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(name: str, kind: str, value: Any) -> str:
    """A key's value in the SQL of delta-rs; the page has all of them as texts."""
    wrong = InvalidParameterValue(f"key: {value!r} is no value of '{name}', which is of type {kind}.", field="key")
    if kind in {"byte", "tinyint", "short", "smallint", "int", "integer", "long", "bigint"}:
        try:
            return str(int(str(value)))
        except ValueError:
            raise wrong from None
    if kind == "boolean":
        if str(value).lower() not in {"true", "false"}:
            raise wrong
        return str(value).lower()
    if not isinstance(value, str):
        raise wrong
    text = "'" + value.replace("'", "''") + "'"
    if kind != "date":
        return text
    try:
        dt.date.fromisoformat(value)
    except ValueError:
        raise wrong from None
    return f"CAST({text} AS DATE)"
