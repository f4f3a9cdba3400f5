"""What can be wrong with a template, its answers, or the place that its files should go to."""

from collections.abc import Iterable

from boathouse.errors import AlreadyExists, InvalidParameterValue, NotFound


class TemplateNotFound(NotFound):
    """Nothing under the name, folder or address."""


class TemplateInvalid(InvalidParameterValue):
    """A folder that is no template."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"{what} is no valid template: {why}")


class AnswerInvalid(InvalidParameterValue):
    """A value that a property of the template does not take.

    Attributes:
        property: The property's name.
        why: The message without it.
    """

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name}: {why}", field=name)
        self.property, self.why = name, why


class FilesInTheWay(AlreadyExists):
    """Files of the rendering are there already."""

    def __init__(self, folder: str, paths: Iterable[str]) -> None:
        named = sorted(paths)
        shown = ", ".join(named[:20]) + (f" and {len(named) - 20} more" if len(named) > 20 else "")
        super().__init__(
            f"Nothing was written, because these are in {folder} already: {shown}. Move them, or give another --output-dir."
        )
