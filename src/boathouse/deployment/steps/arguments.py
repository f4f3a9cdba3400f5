"""What steps ask of their arguments."""

from collections.abc import Sequence


def require_one_of(argument: str, value: str, valid: Sequence[str]) -> None:
    """Go on only if a value is one of those that there are.

    Raises:
        ValueError: If it is not; it names the argument, and what is valid.
    """
    if value not in valid:
        message = f"{argument} is '{value}'. Valid: {', '.join(valid)}."
        raise ValueError(message)
