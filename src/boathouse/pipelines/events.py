"""What an update tells while it runs, in the terms of the event log."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from boathouse.kit.clock import now_ms


class Level(StrEnum):
    """How much an event matters."""

    INFO = "INFO"
    WARN = "WARN"
    ERROR = "ERROR"
    METRICS = "METRICS"


class UpdateState(StrEnum):
    """How far an update is."""

    QUEUED = "QUEUED"
    CREATED = "CREATED"
    WAITING_FOR_RESOURCES = "WAITING_FOR_RESOURCES"
    INITIALIZING = "INITIALIZING"
    RESETTING = "RESETTING"
    SETTING_UP_TABLES = "SETTING_UP_TABLES"
    RUNNING = "RUNNING"
    STOPPING = "STOPPING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"

    @property
    def is_final(self) -> bool:
        """Whether the update has ended."""
        return self in {UpdateState.COMPLETED, UpdateState.FAILED, UpdateState.CANCELED}


class FlowState(StrEnum):
    """How far a flow is."""

    QUEUED = "QUEUED"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"
    STOPPED = "STOPPED"
    EXCLUDED = "EXCLUDED"


@dataclass(frozen=True)
class Event:
    """One event.

    Attributes:
        kind: ``flow_progress``, ``update_progress`` and so on.
        message: For people.
        level: How much it matters.
        details: What the event log has in the field of the event's kind.
        dataset: Full name of the dataset that it is about.
        flow: Name of the flow that it is about.
        error: What went wrong, as the event log has it.
        time_ms: When, in ms since the epoch.
    """

    kind: str
    message: str
    level: Level = Level.INFO
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])
    dataset: str | None = None
    flow: str | None = None
    error: Mapping[str, Any] | None = None
    time_ms: int = field(default_factory=now_ms)

    def to_json(self) -> dict[str, Any]:
        """It as JSON."""
        return {key: value for key, value in vars(self).items() if value is not None}

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> "Event":
        """An event from its JSON."""
        return Event(**dict(value, level=Level(value.get("level", "INFO"))))  # pyright: ignore[reportArgumentType] - of its own JSON


Emit = Callable[[Event], None]


def error_of(error: BaseException, *, fatal: bool) -> dict[str, Any]:
    """An error as the event log has it."""
    location = getattr(error, "location", None)
    stack = []
    if location is not None:
        stack = [{"declaring_class": "", "method_name": "", "file_name": location.file, "line_number": location.line}]
    name = getattr(error, "condition", None) or getattr(error, "error_code", None) or type(error).__name__
    message = getattr(error, "message", None) or str(error)
    return {"fatal": fatal, "exceptions": [{"class_name": name, "message": message, "stack": stack}]}


def flow_progress(
    name: str,
    dataset: str,
    state: FlowState,
    *,
    message: str = "",
    metrics: Mapping[str, int] | None = None,
    quality: Mapping[str, Any] | None = None,
    error: BaseException | None = None,
) -> Event:
    """How far a flow is."""
    details: dict[str, Any] = {"status": state.value}
    if metrics is not None:
        details["metrics"] = dict(metrics)
    if quality is not None:
        details["data_quality"] = dict(quality)
    failed = state is FlowState.FAILED
    level = Level.ERROR if failed else Level.WARN if state is FlowState.SKIPPED else Level.INFO
    text = message or f"Flow '{name}' is {state.value}."
    return Event(
        "flow_progress", text, level, details, dataset, name, error_of(error, fatal=False) if error is not None else None
    )


def update_progress(update_id: str, state: UpdateState, *, error: BaseException | None = None) -> Event:
    """How far an update is."""
    level = Level.ERROR if state is UpdateState.FAILED else Level.INFO
    told = (
        f"Update {update_id[:6]} is {state.value}." if error is None else f"Update {update_id[:6]} has failed: {_text(error)}"
    )
    details = {"state": state.value}
    return Event("update_progress", told, level, details, error=error_of(error, fatal=True) if error is not None else None)


def _text(error: BaseException) -> str:
    return getattr(error, "message", None) or str(error)
