"""The functions that templates of bundles have besides those of the language."""

import os
import random
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, cast
from urllib.parse import urlsplit

from boathouse.errors import BoathouseError
from boathouse.templates.language.printf import printf
from boathouse.templates.language.values import Function, Record, Refused, Value
from boathouse.templates.regexps import compiled, expanded


class Workspace(Protocol):
    """What templates may ask about the server and the user; asked for only if a template does."""

    def host(self) -> str:
        """The server's address."""
        ...

    def user_name(self) -> str:
        """Who renders."""
        ...

    def is_service_principal(self) -> bool:
        """Whether that is a service principal."""
        ...

    def default_catalog(self) -> str:
        """The catalog of names without one."""
        ...

    def smallest_node_type(self) -> str:
        """The kind of machine to try things on."""
        ...


@dataclass(frozen=True)
class Pair(Record):
    """An entry for ``map``."""

    kind: str = "pair"
    text: str = ""
    key: str = ""
    value: Value = field(default=None)


def helpers(workspace: Workspace) -> Mapping[str, Function]:
    """The functions, for one rendering.

    ``skip`` is not among them that do something: it depends on the file that calls it.
    """
    own_id = str(uuid.uuid4())
    return {
        "bundle_uuid": Function(lambda: own_id),
        "default_catalog": Function(_asking(workspace.default_catalog)),
        "fail": Function(_fail, (str,), object),
        "is_service_principal": Function(_asking(workspace.is_service_principal)),
        "map": Function(_map, (), Pair),
        "pair": Function(_pair, (str, object)),
        "path_separator": Function(lambda: os.sep),
        "random_int": Function(_random_int, (int,)),
        "regexp": Function(_regexp, (str,)),
        "short_name": Function(lambda: _short(cast("str", _asking(workspace.user_name)()))),
        "smallest_node_type": Function(_asking(workspace.smallest_node_type)),
        "url": Function(_url, (str,)),
        "user_name": Function(_asking(workspace.user_name)),
        "uuid": Function(lambda: str(uuid.uuid4())),
        "workspace_host": Function(_asking(workspace.host)),
    }


def _asking(ask: Callable[[], Value]) -> Callable[[], Value]:
    def answer() -> Value:
        try:
            return ask()
        except BoathouseError as error:
            raise Refused(error.message) from None

    return answer


def _short(user_name: str) -> str:
    """The user's name as part of other names."""
    return "".join(one if one.isalnum() else "_" for one in user_name.partition("@")[0])


def _fail(message: str, *given: Value) -> Value:
    raise Refused(printf(message, *given))


def _pair(key: str, value: Value) -> Pair:
    return Pair(key=key, value=value)


def _map(*pairs: Pair) -> dict[str, Value]:
    return {pair.key: pair.value for pair in pairs}


def _random_int(below: int) -> int:
    if below <= 0:
        raise Refused(f"random_int of {below}: a number over 0 is valid")
    return random.randrange(below)  # noqa: S311 - for names and schedules, not for secrets


def _url(text: str) -> Record:
    try:
        parts = urlsplit(text)
        port = "" if parts.port is None else str(parts.port)
    except ValueError as error:
        raise Refused(f"{text!r} is no URL: {error}") from None
    return Record(
        "*url.URL",
        text,
        {
            "Scheme": parts.scheme,
            "Host": parts.netloc.rpartition("@")[2],
            "Path": parts.path,
            "RawQuery": parts.query,
            "Fragment": parts.fragment,
            "Hostname": Function(lambda: parts.hostname or ""),
            "Port": Function(lambda: port),
            "String": Function(lambda: text),
        },
    )


def _regexp(pattern: str) -> Record:
    try:
        found = compiled(pattern)
    except ValueError as error:
        raise Refused(f"{pattern!r} is no regular expression: {error}") from None
    return Record(
        "*regexp.Regexp",
        pattern,
        {
            "MatchString": Function(lambda text: found.search(text) is not None, (str,)),
            "FindString": Function(lambda text: (found.search(text) or [""])[0], (str,)),
            "ReplaceAllString": Function(lambda text, by: found.sub(lambda one: expanded(one, by), text), (str, str)),
            "ReplaceAllLiteralString": Function(lambda text, by: found.sub(lambda _: by, text), (str, str)),
            "String": Function(lambda: pattern),
        },
    )
