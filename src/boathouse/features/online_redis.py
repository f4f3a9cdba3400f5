"""Online tables in Redis, one server or a cluster: one value per entity with all of its rows, and a head that says which generation of values counts.

A look-up is one MGET of the head and the values. All keys of a table have its name as their hash tag, so they are on one node
of a cluster.
"""

import uuid
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cached_property
from itertools import islice
from typing import Any, TypeVar

import msgspec
import redis
from redis.exceptions import NoPermissionError, RedisClusterException

from boathouse.features.errors import OnlineStoreUnavailable, OnlineTableNotFound
from boathouse.features.online import Asked, OnlineMeta, OnlineRow, RowPlace

_AT_ONCE = 20_000
_PATIENCE = {"socket_timeout": 5, "socket_connect_timeout": 5}
_PATIENCE_OF_WRITERS = {"socket_timeout": 30, "socket_connect_timeout": 5}
"""One command writes up to 20,000 entities."""
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[tuple[int, int, bytes]]).decode
_Item = TypeVar("_Item")
_Rows = dict[tuple[int, int], bytes]


def ping(url: str) -> None:
    """Go on only if a server answers.

    Raises:
        OnlineStoreUnavailable: If it does not.
    """
    with _told(), closing(_client(url, **_PATIENCE)) as client:
        client.ping()


def _client(url: str, **options: Any) -> Any:
    """A client of one server, or of the cluster that it is a node of."""
    client = redis.Redis.from_url(url, **options)
    try:
        is_cluster = bool(client.info("cluster").get("cluster_enabled"))
    except NoPermissionError:
        # Who may only read and write may not ask.
        is_cluster = False
    if not is_cluster:
        return client
    client.close()
    return redis.RedisCluster.from_url(url, **options)


@contextmanager
def _told() -> Generator[None, None, None]:
    try:
        yield
    except (redis.RedisError, RedisClusterException) as error:
        raise OnlineStoreUnavailable("Redis", error) from None


class _Head(msgspec.Struct, array_like=True, frozen=True):
    generation: str
    rows: int
    meta: str

    def key(self, name: str, entity: bytes) -> bytes:
        return f"boathouse:{{{name}}}:rows:{self.generation}:".encode() + entity


def _head_key(name: str) -> str:
    return f"boathouse:{{{name}}}:head"


class RedisTarget:
    """Writes one online table.

    Args:
        url: The server and database.
        name: The table's name in it.
    """

    def __init__(self, url: str, name: str) -> None:
        self._url, self._name = url, name

    @cached_property
    def _redis(self) -> Any:
        return _client(self._url, **_PATIENCE_OF_WRITERS)

    def meta(self) -> OnlineMeta | None:
        """What is published now, or None."""
        with _told():
            head = self._head()
        return None if head is None else OnlineMeta.known(head.meta)

    def write(self, meta: OnlineMeta, rows: Iterable[OnlineRow], *, replace: bool, gone: Sequence[RowPlace] = ()) -> int:
        """Publish rows at once; see ``OnlineTarget``."""
        with _told(), self._redis.lock(f"boathouse:{{{self._name}}}:lock", timeout=3600):
            before = None if replace else self._head()
            if before is None:
                head = _Head(uuid.uuid4().hex, 0, meta.dumps())
                # Nobody reads this generation yet.
                count = 0
                for some in _batches(rows):
                    values, more = self._merged(head, some, ())
                    self._redis.mset(values)
                    count += more
                self._redis.set(_head_key(self._name), msgspec.msgpack.encode(_Head(head.generation, count, head.meta)))
                self._forget(head.generation)
                return count
            values, more = self._merged(before, list(rows), gone)
            head = _Head(before.generation, before.rows + more, meta.dumps())
            with self._redis.pipeline(transaction=True) as pipe:
                for key, value in values.items():
                    pipe.set(key, value) if value else pipe.unlink(key)
                pipe.set(_head_key(self._name), msgspec.msgpack.encode(head))
                pipe.execute()
            return head.rows

    def delete(self) -> None:
        """Remove the table."""
        with _told():
            self._redis.unlink(_head_key(self._name))
            self._forget("")

    def _head(self) -> _Head | None:
        packed = self._redis.get(_head_key(self._name))
        return None if packed is None else msgspec.msgpack.decode(packed, type=_Head)

    def _merged(self, head: _Head, rows: Sequence[OnlineRow], gone: Sequence[RowPlace]) -> tuple[dict[bytes, bytes], int]:
        """The new values of all entities that change, empty for those that go; and how many rows there are more."""
        changed: dict[bytes, dict[tuple[int, int], bytes | None]] = defaultdict(dict)
        for entity, time, available in gone:
            changed[entity][time, available] = None
        for entity, time, available, value in rows:
            changed[entity][time, available] = value
        found: dict[bytes, bytes] = {}
        more = 0
        for some in _batches(changed):
            keys = [head.key(self._name, entity) for entity in some]
            for entity, key, packed in zip(some, keys, self._redis.mget(keys), strict=True):
                there: _Rows = (
                    {} if packed is None else {(time, available): value for time, available, value in _unpack(packed)}
                )
                now = {place: value for place, value in (there | changed[entity]).items() if value is not None}
                more += len(now) - len(there)
                found[key] = _pack([(*place, now[place]) for place in sorted(now)]) if now else b""
        return found, more

    def _forget(self, generation: str) -> None:
        """Remove the values of all generations but one."""
        kept = f"boathouse:{{{self._name}}}:rows:{generation}:".encode()
        old = (
            key for key in self._redis.scan_iter(f"boathouse:{{{self._name}}}:rows:*", count=1000) if not key.startswith(kept)
        )
        for some in _batches(old):
            self._redis.unlink(*some)


def _batches(items: Iterable[_Item]) -> Iterator[list[_Item]]:
    rest = iter(items)
    while some := list(islice(rest, _AT_ONCE)):
        yield some


class RedisSource:
    """Reads one online table. Safe for threads.

    Args:
        url: The server and database.
        name: The table's name in it.
        full_name: Its name, for messages.
    """

    def __init__(self, url: str, name: str, full_name: str) -> None:
        self._url, self._name, self._full_name = url, name, full_name
        self._seen: tuple[bytes, _Head, OnlineMeta] | None = None

    @cached_property
    def _redis(self) -> Any:
        return _client(self._url, **_PATIENCE)

    def read(self, wanted: Callable[[OnlineMeta], Asked]) -> tuple[OnlineMeta, list[bytes | None]]:
        """What the table holds, and what is found; see ``OnlineSource``."""
        with _told():
            seen = self._seen or self._learned(self._redis.get(_head_key(self._name)))
            while True:
                packed, head, meta = seen
                asked = wanted(meta)
                now, *values = self._redis.mget(_head_key(self._name), *(head.key(self._name, key) for key in asked.keys))
                if now == packed:
                    return meta, [_chosen(value, *bounds) for value, (_, bounds) in zip(values, asked.pairs(), strict=True)]
                seen = self._learned(now)

    def _learned(self, packed: bytes | None) -> tuple[bytes, _Head, OnlineMeta]:
        head = None if packed is None else msgspec.msgpack.decode(packed, type=_Head)
        meta = None if head is None else OnlineMeta.known(head.meta)
        if packed is None or head is None or meta is None:
            raise OnlineTableNotFound(self._full_name)
        self._seen = (packed, head, meta)
        return self._seen


def _chosen(packed: bytes | None, latest: int, earliest: int, known: int) -> bytes | None:
    for time, available, value in reversed(_unpack(packed)) if packed else ():
        if earliest <= time <= latest and available <= known:
            return value
    return None
