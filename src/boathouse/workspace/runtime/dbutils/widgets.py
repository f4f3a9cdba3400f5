"""``dbutils.widgets``: the parameters of a notebook."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


class InputWidgetNotDefined(Exception):
    """A widget that is asked for is not there."""


@dataclass
class Widget:
    """A parameter."""

    kind: str
    default: str
    choices: tuple[str, ...] = ()
    label: str | None = None


class Widgets:
    """The parameters of a notebook, as it declares them and as the run gives them.

    Args:
        given: Values of this run.
        declared: What was declared before Python was restarted.
    """

    def __init__(self, given: Mapping[str, str], declared: Mapping[str, Widget] | None = None) -> None:
        self._given = {key: str(value) for key, value in given.items()}
        self._declared: dict[str, Widget] = dict(declared or {})

    @property
    def declared(self) -> dict[str, Widget]:
        """What is declared."""
        return dict(self._declared)

    @property
    def given(self) -> dict[str, str]:
        """The values of this run."""
        return dict(self._given)

    def give(self, values: Mapping[str, str]) -> None:
        """Set values, as ``%run`` does."""
        self._given.update(values)

    def text(self, name: str, defaultValue: str, label: str | None = None) -> None:
        """Declare one that takes any text."""
        self._declare(name, Widget("text", str(defaultValue), (), label))

    def dropdown(self, name: str, defaultValue: str, choices: Sequence[str], label: str | None = None) -> None:
        """Declare one with one of some values."""
        self._choose("dropdown", name, defaultValue, choices, label)

    def combobox(self, name: str, defaultValue: str, choices: Sequence[str], label: str | None = None) -> None:
        """Declare one that offers values and takes any."""
        self._declare(name, Widget("combobox", str(defaultValue), tuple(map(str, choices)), label))

    def multiselect(self, name: str, defaultValue: str, choices: Sequence[str], label: str | None = None) -> None:
        """Declare one with several of some values; its own value has them with commas."""
        self._choose("multiselect", name, defaultValue, choices, label)

    def _choose(self, kind: str, name: str, default: str, choices: Sequence[str], label: str | None) -> None:
        texts = tuple(map(str, choices))
        chosen = str(default).split(",") if kind == "multiselect" else [str(default)]
        for one in chosen:
            if one not in texts:
                message = f"The default value '{one}' of the widget {name} is none of its choices: {', '.join(texts)}."
                raise ValueError(message)
        self._declare(name, Widget(kind, str(default), texts, label))

    def _declare(self, name: str, widget: Widget) -> None:
        if not isinstance(name, str) or not name:  # pyright: ignore[reportUnnecessaryIsInstance] - user code has no types
            message = "A widget needs a name."
            raise ValueError(message)
        self._declared[name] = widget

    def get(self, name: str) -> str:
        """The value of one: as the run gives it, else its default.

        Raises:
            InputWidgetNotDefined: If there is none.
        """
        if name in self._given:
            return self._given[name]
        if name in self._declared:
            return self._declared[name].default
        known = ", ".join(sorted({*self._given, *self._declared})) or "none"
        message = f"No input widget named {name} is defined. Defined: {known}."
        raise InputWidgetNotDefined(message)

    def getArgument(self, name: str, defaultValue: str | None = None) -> str | None:
        """The value of one, or another value if there is none."""
        try:
            return self.get(name)
        except InputWidgetNotDefined:
            if defaultValue is None:
                raise
            return defaultValue

    def getAll(self) -> dict[str, str]:
        """All values."""
        return {**{name: widget.default for name, widget in self._declared.items()}, **self._given}

    def remove(self, name: str) -> None:
        """Forget one."""
        if name not in self._declared and name not in self._given:
            self.get(name)
        self._declared.pop(name, None)
        self._given.pop(name, None)

    def removeAll(self) -> None:
        """Forget all."""
        self._declared.clear()
        self._given.clear()
