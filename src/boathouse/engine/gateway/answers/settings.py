"""SET and RESET: settings of the session, for engines whose SQL cannot set them."""

import pyarrow as pa
from grpc.aio import AioRpcError

from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.answers.asked import Asked
from boathouse.engine.gateway.answers.grammar import Grammar
from boathouse.engine.gateway.answers.registry import NOTHING, answers
from boathouse.engine.gateway.sql.tokens import Kind
from boathouse.engine.gateway.sql.words import Words

_TIME_ZONE = "spark.sql.session.timeZone"
_FURTHEST = 18 * 3600
_NOT_SETTINGS = ("VAR", "VARIABLE", "ROLE", "TAG", "PATH")


@answers("SET")
def set_setting(words: Grammar, asked: Asked) -> pa.Table | None:
    """``SET``, ``SET key``, ``SET key = value``, ``SET TIME ZONE zone | LOCAL | INTERVAL ...``."""
    if asked.session.capabilities.sets_in_sql or _is_other(words):
        return None
    if words.here is None or words.accept_mark("-"):
        return _pairs(sorted(asked.session.settings().items()))
    if words.accept("TIME", "ZONE"):
        key, value = _TIME_ZONE, _time_zone(words, asked)
        words.end()
    else:
        key = _key(words)
        if words.at == len(words.tokens):
            return _pairs([(key, asked.session.setting(key) or "<undefined>")])
        words.expect_mark("=")
        value = _value(words)
    asked.to_change("SET")
    asked.session.set(key, value)
    return _pairs([(key, value)])


def _time_zone(words: Words, asked: Asked) -> str:
    """A zone, that of the engine's machine, or a distance from UTC."""
    if words.accept("LOCAL"):
        return asked.session.first_setting(_TIME_ZONE) or "UTC"
    if not words.sees("INTERVAL"):
        return words.string("a time zone such as 'UTC', LOCAL, or an INTERVAL of hours and minutes")
    text = words.rest()
    try:
        seconds = asked.session.value(f"unix_seconds(TIMESTAMP'1970-01-02 00:00:00Z' + {text}) - 86400")
    except AioRpcError as error:
        raise words.wrong("an INTERVAL of hours and minutes, such as INTERVAL '5:30' HOUR TO MINUTE") from error
    if seconds is None or abs(seconds) > _FURTHEST or seconds % 60:
        message = f"A time zone is at most 18 hours from UTC, in whole minutes; {text} is not."
        raise StatementRefused(message)
    return f"{'-' if seconds < 0 else '+'}{abs(seconds) // 3600:02}:{abs(seconds) // 60 % 60:02}"


def _is_other(words: Grammar) -> bool:
    return words.here is not None and words.here.is_word(*_NOT_SETTINGS)


@answers("RESET")
def reset_setting(words: Grammar, asked: Asked) -> pa.Table | None:
    """``RESET``, ``RESET key``."""
    if asked.session.capabilities.sets_in_sql:
        return None
    key = None if words.here is None else _key(words)
    words.end()
    asked.to_change("RESET")
    asked.session.reset(*([] if key is None else [key]))
    return NOTHING


def _key(words: Words) -> str:
    """All up to the equals sign: keys can have parts with a dash in them."""
    if words.here is not None and words.here.kind is Kind.NAME:
        return words.word()
    text = words.text_until(marks="=")
    if not text or any(one.isspace() for one in text):
        raise words.wrong("the key of a setting, without spaces")
    return text


def _value(words: Words) -> str:
    """The text as it stands, or the one that is quoted."""
    last = words.tokens[-1]
    if words.here is last and last.kind in {Kind.STRING, Kind.NAME}:
        return last.value
    text = words.rest()
    if not text:
        raise words.wrong("a value")
    return text


def _pairs(pairs: list[tuple[str, str]]) -> pa.Table:
    return pa.table(
        {"key": pa.array([key for key, _ in pairs], pa.string()), "value": pa.array([value for _, value in pairs], pa.string())}
    )
