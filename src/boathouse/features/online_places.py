"""Where online tables are kept: an address for each, and what reads and writes it.

A store whose name has a URL in the setting ``online_stores`` keeps its tables there, any other in files of LMDB. The drivers of
the others are only imported for them.
"""

from dataclasses import dataclass
from pathlib import Path

from boathouse.features.online import OnlineReader, OnlineTarget, file_of, stored_name
from boathouse.features.online_lmdb import LmdbSource, LmdbTarget
from boathouse.storage.layout import Layout


@dataclass(frozen=True)
class Place:
    """Where an online table is kept: a file, or a name under a URL."""

    address: str
    name: str = ""

    def dumps(self) -> str:
        """As one text."""
        return f"{self.address} {self.name}" if self.name else self.address

    @classmethod
    def loads(cls, text: str) -> "Place":
        """From that."""
        return cls(*text.split(" ")) if "://" in text else cls(text)

    @property
    def is_local(self) -> bool:
        """Whether it is a file, so that nobody has to be waited for."""
        return self.kind == "lmdb"

    @property
    def kind(self) -> str:
        """``lmdb``, ``postgresql`` or ``redis``."""
        scheme = self.address.split("://")[0] if self.name else "lmdb"
        return {"postgres": "postgresql", "rediss": "redis", "unix": "redis"}.get(scheme, scheme)


def place_of(layout: Layout, store: str, full_name: str, *, reading: bool = False) -> Place:
    """The place of an online table of a store; for readers alone, where they have a URL of their own."""
    urls = layout.online_stores.get(store)
    if urls is None:
        return Place(str(file_of(layout.online, full_name)))
    return Place(urls.read_url if reading else urls.url, stored_name(full_name))


def ping(layout: Layout, store: str) -> None:
    """Go on only if a store answers who writes there and who reads.

    Raises:
        OnlineStoreUnavailable: If it does not.
    """
    urls = layout.online_stores.get(store)
    for url in () if urls is None else dict.fromkeys((urls.url, urls.read_url)):
        match Place(url, store).kind:
            case "postgresql":
                from boathouse.features import online_postgres  # noqa: PLC0415 - of an extra

                online_postgres.ping(url)
            case _:
                from boathouse.features import online_redis  # noqa: PLC0415 - of an extra

                online_redis.ping(url)


def target(place: Place) -> OnlineTarget:
    """What writes the table of a place."""
    match place.kind:
        case "postgresql":
            from boathouse.features.online_postgres import PostgresTarget  # noqa: PLC0415 - of an extra

            return PostgresTarget(place.address, place.name)
        case "redis":
            from boathouse.features.online_redis import RedisTarget  # noqa: PLC0415 - of an extra

            return RedisTarget(place.address, place.name)
        case _:
            return LmdbTarget(Path(place.address))


def reader(place: Place, full_name: str) -> OnlineReader:
    """What looks features up in the table of a place."""
    match place.kind:
        case "postgresql":
            from boathouse.features.online_postgres import PostgresSource  # noqa: PLC0415 - of an extra

            return OnlineReader(PostgresSource(place.address, place.name, full_name), full_name)
        case "redis":
            from boathouse.features.online_redis import RedisSource  # noqa: PLC0415 - of an extra

            return OnlineReader(RedisSource(place.address, place.name, full_name), full_name)
        case _:
            return OnlineReader(LmdbSource(Path(place.address), full_name), full_name)
