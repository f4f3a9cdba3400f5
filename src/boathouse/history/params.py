"""What a call was made with, fit to be kept: flat, short, and without secrets."""

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

MAX_PARAMS = 100
MAX_VALUE = 2048
MAX_KEY = 255
REDACTED = "[REDACTED]"

_SECRET_PARTS = (
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "credential",
    "authorization",
    "apikey",
    "accesskey",
    "accountkey",
    "privatekey",
    "connectionstring",
    "cookie",
    "signature",
    "assertion",
    "verifier",
    "stringvalue",
    "bytesvalue",
    "environmentvars",
)
"""A field whose name has one of these, without case and marks, has its value kept back."""

_SECRET_NAMES = frozenset({"code", "state", "nonce", "sas", "pwd", "auth"})
"""The same for whole names."""

_PUBLIC_NAMES = frozenset(
    {
        "credentialid",
        "credentialname",
        "maxtokens",
        "pagetoken",
        "secretid",
        "secretscope",
        "storagecredentialid",
        "storagecredentialname",
        "tokenid",
    }
)
"""Names that only look like it."""

_SQL_NAMES = frozenset({"statement", "query_text"})
"""Fields that hold statements."""

_TOKENS = re.compile(r"\b(?:dapi[\w-]{8,}|bh[a-z]_[\w-]{16,}|eyJ[\w-]{8,}\.[\w.-]+|AKIA[A-Z0-9]{12,})")
"""Texts that are tokens wherever they stand."""

_STRING = r"""'(?:[^'\\]|\\.|'')*+(?:'|$)|"(?:[^"\\]|\\.|"")*+(?:"|$)"""
_GIVEN = re.compile(
    r"""(?P<name>'(?:[^'\\]|\\.|'')*+'|"(?:[^"\\]|\\.|"")*+"|`[^`]*+`|(?<![\w.$-])[\w.$-]++)"""
    rf"""(?P<gap>\s*(?:=>|=)?\s*)(?:{_STRING})|{_STRING}""",
    re.DOTALL,
)
"""A name and the string that it is given in SQL, or a string that is given to none; the text may end within the string."""

_SET = re.compile(r"\s*SET\s+(?P<name>[^\s=]+)\s*=\s*(?P<value>.*)", re.DOTALL | re.IGNORECASE)


def is_secret(name: str) -> bool:
    """Whether a field of this name holds a secret."""
    return _is_secret(name) if len(name) <= MAX_KEY else _is_secret.__wrapped__(name)


@lru_cache(maxsize=4096)
def _is_secret(name: str) -> bool:
    return _plain(name) in _SECRET_NAMES or _has_secret_part(name)


def _has_secret_part(name: str) -> bool:
    plain = _plain(name)
    return plain not in _PUBLIC_NAMES and any(part in plain for part in _SECRET_PARTS)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def redact_sql(text: str) -> str:
    """A statement without the values that it gives to secret settings, options and properties, and without tokens."""
    found = _SET.match(text)
    if found is not None and _has_secret_part(found["name"]):
        return text[: found.start("value")] + REDACTED
    return _TOKENS.sub(REDACTED, _GIVEN.sub(_redacted_value, text))


def _redacted_value(found: re.Match[str]) -> str:
    name = found["name"]
    return f"{name}{found['gap']}'{REDACTED}'" if name is not None and _has_secret_part(name) else found[0]


def flatten(params: Mapping[str, Any]) -> dict[str, str]:
    """Parameters as texts, one level deep: ``{"a": {"b": 1}}`` is ``{"a.b": "1"}``; what lies deeper is JSON.

    Values of secret fields are replaced, long ones cut, and after 100 fields the rest is left out.
    """
    found: dict[str, str] = {}
    for name, value in _redacted(dict(params)).items():
        nested = isinstance(value, dict) and bool(value)
        for key, item in {f"{name}.{key}": item for key, item in value.items()}.items() if nested else ((name, value),):
            if len(found) == MAX_PARAMS:
                return found
            if item is not None:
                found[key[:MAX_KEY]] = _text(item)
    return found


def _redacted(value: Any) -> Any:
    if isinstance(value, dict):
        # {"path": "password", "value": "..."} and its like name the field in a value.
        names_secret = any(
            is_secret(str(value[key])) for key in ("path", "key", "name", "op") if isinstance(value.get(key), str)
        )
        return {
            str(key): REDACTED if is_secret(str(key)) or (names_secret and key == "value") else _redacted_field(key, item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_redacted(item) for item in value[:MAX_PARAMS]]
    # No token is short: most texts need not be looked through.
    return _TOKENS.sub(REDACTED, value[: MAX_VALUE * 4]) if isinstance(value, str) and len(value) >= 12 else value


def _redacted_field(name: object, value: Any) -> Any:
    return redact_sql(value[: MAX_VALUE * 4]) if name in _SQL_NAMES and isinstance(value, str) else _redacted(value)


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 1] + "…"
