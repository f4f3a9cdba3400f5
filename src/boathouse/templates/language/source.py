"""The text of a template, and errors that name their place in it."""

from dataclasses import dataclass

from boathouse.errors import InvalidParameterValue


@dataclass(frozen=True)
class Source:
    """The text of one template file.

    Attributes:
        name: What errors call it: the file's path in its template.
    """

    name: str
    text: str

    def error(self, at: int, why: str) -> "TemplateError":
        """An error at an offset of the text."""
        before = self.text[:at]
        return TemplateError(self.name, before.count("\n") + 1, at - (before.rfind("\n") + 1) + 1, why)


class TemplateError(InvalidParameterValue):
    """A template that cannot be read or rendered.

    Attributes:
        file: The template file's path in its template.
        line: From 1.
        column: In characters, from 1.
        why: The message without the place.
    """

    def __init__(self, file: str, line: int, column: int, why: str) -> None:
        super().__init__(f"{file}:{line}:{column}: {why}", file=file)
        self.file, self.line, self.column, self.why = file, line, column, why
