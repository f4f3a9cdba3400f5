"""Go's template language, as its documentation (pkg.go.dev/text/template) has it."""

from boathouse.templates.language.evaluate import Templates
from boathouse.templates.language.source import TemplateError
from boathouse.templates.language.values import Function, Record, Value

__all__ = ["Function", "Record", "TemplateError", "Templates", "Value"]
