"""Structured logs: one line per event, to the console for people or as JSON for machines."""

import logging
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import structlog

SECRET_KEYS = frozenset({"token", "authorization", "password", "cookie", "secret", "code"})


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace the value of any key that names a secret."""
    for key in event:
        if key.lower() in SECRET_KEYS:
            event[key] = "[REDACTED]"
    return event


def configure(level: str = "info", fmt: str = "console", file: Path | None = None) -> None:
    """Send structlog and the standard library's records through one chain.

    Args:
        level: Least level that is written.
        fmt: ``console`` or ``json``.
        file: Where JSON lines go too, besides standard error.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        # What is not written is not put together either.
        wrapper_class=structlog.make_filtering_bound_logger(level.lower()),
        cache_logger_on_first_use=True,
    )

    def formatter(renderer: structlog.typing.Processor) -> logging.Formatter:
        return structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )

    as_json = [structlog.processors.JSONRenderer()]
    console = logging.StreamHandler(sys.stderr)
    console.setFormatter(
        formatter(
            as_json[0]
            if fmt == "json"
            else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
        )
    )
    handlers: list[logging.Handler] = [console]
    if file is not None:
        to_file = logging.FileHandler(file)
        to_file.setFormatter(formatter(as_json[0]))
        handlers.append(to_file)
    logging.basicConfig(level=level.upper(), handlers=handlers, force=True)
    for chatty in ("alembic", "uvicorn.access", "httpx", "httpcore"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
