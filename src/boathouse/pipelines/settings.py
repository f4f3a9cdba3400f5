"""The settings of an update that a pipeline's ``configuration`` holds, by the names that Databricks gives them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from boathouse.kit.spans import VALID_SPAN, seconds_of
from boathouse.pipelines.errors import SpecInvalid

PREFIX = "pipelines."
"""What begins so is for the update; all else is for the pipeline's source."""
_RETRIES = "pipelines.maxFlowRetryAttempts"
_PARALLEL = "pipelines.maxParallelFlows"
_INTERVAL = "pipelines.trigger.interval"


@dataclass(frozen=True)
class Settings:
    """How the flows of an update run.

    Attributes:
        retries: How often a flow that failed is tried again; None where the pipeline does not say.
        parallel: How many flows run at once.
        interval: Seconds between two rounds of a continuous update.
    """

    retries: int | None
    parallel: int
    interval: float

    @classmethod
    def of(cls, configuration: Mapping[str, str], field: str = "configuration") -> Self:
        """From the configuration, which stands in this field of a request.

        Raises:
            SpecInvalid: If a value is none of its setting's.
        """
        retries = _whole(configuration, field, _RETRIES, least=0)
        parallel = _whole(configuration, field, _PARALLEL, least=1)
        interval = 2.0
        if (text := configuration.get(_INTERVAL)) is not None:
            seconds = seconds_of(text)
            if seconds is None:
                raise SpecInvalid(f"{field}.{_INTERVAL}", f"is '{text}'. Valid: {VALID_SPAN}.")
            interval = seconds
        return cls(retries, 4 if parallel is None else parallel, interval)


def _whole(configuration: Mapping[str, str], field: str, name: str, *, least: int) -> int | None:
    text = configuration.get(name)
    if text is None:
        return None
    if not text.strip().isdecimal() or int(text) < least:
        raise SpecInvalid(f"{field}.{name}", f"is '{text}'. Valid: a whole number from {least}.")
    return int(text)
