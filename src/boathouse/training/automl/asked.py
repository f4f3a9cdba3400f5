"""What a search is asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from boathouse.training.problems import Problem


@dataclass(frozen=True)
class Asked:
    """What a search was asked for; see ``classify``."""

    problem: Problem
    target: str
    metric: str
    minutes: float
    experiment_dir: str | None
    experiment_name: str | None
    excluded: Sequence[str]
    excluded_frameworks: Sequence[str]
    imputers: Mapping[str, Any]
    positive: Any
    time_column: str | None
    split_column: str | None
    weight_column: str | None


@dataclass(frozen=True)
class ForecastAsked:
    """What else a forecast was asked for; see ``forecast``."""

    time: str
    keys: Sequence[str]
    frequency: str
    horizon: int
    country: str
    database: str | None
