"""How far topics are read: a JSON object ``{"topic": {"0": 23}}``, as Spark's connector writes it."""

import json
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from boathouse.engine.streaming.errors import StreamRefused
from boathouse.engine.streaming.source import Offset

Partition: TypeAlias = tuple[str, int]
Positions: TypeAlias = dict[Partition, int]

LATEST, EARLIEST = -1, -2


def as_offset(positions: Mapping[Partition, int]) -> Offset:
    """Positions as they are written down."""
    written: dict[str, dict[str, int]] = {}
    for (topic, number), offset in sorted(positions.items()):
        written.setdefault(topic, {})[str(number)] = offset
    return written


def positions_of(offset: Offset) -> Positions:
    """Positions as they were written down."""
    return {(topic, int(number)): int(position) for topic, numbers in offset.items() for number, position in numbers.items()}


def parsed(text: str, option: str) -> Positions:
    """The positions, or times in ms, that an option gives for each partition.

    Raises:
        StreamRefused: If it is not such a JSON object.
    """
    try:
        return positions_of(json.loads(text))
    except (ValueError, TypeError, AttributeError) as error:
        message = (
            f'The option \'{option}\' is not valid: it takes a JSON object such as {{"topicA": {{"0": 23, "1": -2}}}}, in which -2 '
            "is the earliest and -1 the latest offset."
        )
        raise StreamRefused(message) from error


def assigned(text: str) -> list[Partition]:
    """The partitions that the option ``assign`` names."""
    try:
        return [(str(topic), int(number)) for topic, numbers in json.loads(text).items() for number in numbers]
    except (ValueError, TypeError, AttributeError) as error:
        message = 'The option \'assign\' is not valid: it takes a JSON object such as {"topicA": [0, 1], "topicB": [2]}.'
        raise StreamRefused(message) from error


def require_same(given: Iterable[Partition], there: Iterable[Partition], option: str) -> None:
    """Go on only if an option names each partition that is read, and no other."""
    missing, other = sorted(set(there) - set(given)), sorted(set(given) - set(there))
    if missing or other:
        message = (
            f"The option '{option}' must name all partitions that are read, and only those. "
            f"Missing: {_shown(missing)}; not there: {_shown(other)}."
        )
        raise StreamRefused(message)


def _shown(partitions: list[Partition]) -> str:
    return ", ".join(f"{topic}-{number}" for topic, number in partitions) or "none"


def limited(start: Positions, end: Positions, most: int) -> Positions:
    """An end before another so that about so many rows lie before it, of each partition as much as of its share."""
    sizes = {one: max(0, end[one] - start.get(one, 0)) for one in end}
    total = sum(sizes.values())
    if total <= most:
        return end
    # Of a small share at least one, so that no partition waits for ever.
    return {
        one: end[one] if not size else min(end[one], start.get(one, 0) + max(1, most * size // total))
        for one, size in sizes.items()
    }
