"""What cannot be served here says so by its name."""

from collections.abc import Mapping
from typing import Any, NoReturn


class Unserved:
    """A name that user code may expect and of which nothing is served.

    Args:
        name: As user code writes it.
        why: And what to do instead.
    """

    def __init__(self, name: str, why: str) -> None:
        self._name, self._why = name, why

    def _refuse(self, member: str) -> NoReturn:
        message = f"{self._name}{member} is not served here: {self._why}"
        raise NotImplementedError(message)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            # What IPython, copy and pickle look for.
            raise AttributeError(name)
        self._refuse(f".{name}")

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        """It cannot be called either."""
        self._refuse("")

    def __repr__(self) -> str:
        return f"<{self._name}: not served here: {self._why}>"


def unserved(part: str, why: str, *names: str) -> Mapping[str, Unserved]:
    """Members of a part of ``dbutils``."""
    return {name: Unserved(f"dbutils.{part}.{name}", why) for name in names}
