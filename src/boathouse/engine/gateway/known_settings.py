"""Settings of sessions as their engines have told them: clients ask for the same few before each query, and only requests set one."""

import re
from dataclasses import dataclass

from boathouse.engine.gateway.messages.heads import session_of
from boathouse.engine.gateway.messages.wire import fields
from boathouse.engine.link import Engine

_OPERATION = 3
"""The field of a ConfigRequest with what it is to do."""
_ASKING = frozenset({2, 3, 4, 5})
"""What asks for settings: get, get_with_default, get_option, get_all."""
_SETTING = re.compile(rb"\b(?:re)?set\b|\bimmediate\b", re.IGNORECASE)
_LONGEST = 1 << 20
_MOST = 1000


@dataclass(frozen=True)
class SettingsAsked:
    """A ConfigRequest that asks for settings.

    Attributes:
        request: As it came.
        known: What the engine has answered to such requests since a setting of the session was set.
    """

    request: bytes
    known: dict[bytes, bytes]

    @property
    def answer(self) -> bytes | None:
        """What the engine would answer; None where that is not known."""
        return self.known.get(self.request)

    def learn(self, answer: bytes) -> None:
        """Take note of the engine's answer. If a setting was set since it was asked, nobody is told of it."""
        if len(self.known) < _MOST:
            self.known[self.request] = answer


def settings_asked(request: bytes, engine: Engine, principal_id: str) -> SettingsAsked | None:
    """A ConfigRequest as one that asks for settings; None for one that sets some, or asks which can be set."""
    operation = next(((start, end) for number, start, end in fields(request) if number == _OPERATION), None)
    if operation is None or not {number for number, _, _ in fields(request, *operation)} <= _ASKING:
        return None
    sessions = engine.settings
    key = principal_id, session_of(request)
    if key not in sessions and len(sessions) >= _MOST:
        sessions.pop(next(iter(sessions)))
    return SettingsAsked(request, sessions.setdefault(key, {}))


def forget_settings(engine: Engine, principal_id: str, session_id: str) -> None:
    """A setting of a session is set, or it has ended."""
    engine.settings.pop((principal_id, session_id), None)


def may_set(request: bytes) -> bool:
    """Whether a request with a plan may hold a statement that sets something."""
    return len(request) > _LONGEST or _SETTING.search(request) is not None
