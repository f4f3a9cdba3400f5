"""The template language, against what Go's own text/template says."""

import json
from pathlib import Path
from typing import Any

import pytest

from boathouse.templates.language import Function, Record, TemplateError, Templates

# Written by Go 1.26's text/template with the option missingkey=error; null where it refuses the template.
GO: dict[str, Any] = json.loads(Path(__file__).with_name("go_text_template.json").read_text())


def test_it_says_what_go_says() -> None:
    said = [[template, rendered(template)] for template, _ in GO["cases"]]
    assert said == GO["cases"]


def rendered(template: str) -> str | None:
    try:
        return Templates({}).render("t", template, GO["data"])
    except TemplateError:
        return None


@pytest.mark.parametrize(
    ("template", "place", "why"),
    [
        ("a\n  {{.nmae}}", "2:5", "there is no 'nmae'. Valid are: name, nested"),
        ("{{.name}}\n{{if .name}}", "2:13", "{{end}} is missing"),
        ("\n{{nofunction 1}}", "2:3", "function 'nofunction' is not defined"),
        ("{{template `none`}}", "1:3", "template 'none' is not defined. Defined are library"),
        ("{{eq .name 1}}", "1:3", "incompatible types for comparison: string and int"),
        ("{{len}}", "1:3", "wrong number of args for len: want 1 got 0"),
        ("{{ `a", "1:4", "unterminated raw quoted string"),
        ("{{define `x`}}{{template `x`}}{{end}}{{template `x`}}", "1:1", "without an end"),
        ("{{.nested.deep.deeper}}", "1:3", "can't evaluate field deeper in type int"),
        ("{{(thing).Secret}}", "1:3", "*thing has no 'Secret'. It has: Name"),
    ],
)
def test_errors_name_their_place_and_what_would_be_valid(template: str, place: str, why: str) -> None:
    templates = Templates({"thing": Function(lambda: Record("*thing", "it", {"Name": "n"}))})
    templates.define("library/functions.tmpl", "{{define `library`}}{{.}}{{end}}")
    with pytest.raises(TemplateError) as caught:
        templates.render("template/a.yml.tmpl", template, {"name": "x", "nested": {"deep": 1}})
    assert f"template/a.yml.tmpl:{place}: " in caught.value.message
    assert why in caught.value.message


def test_an_error_in_the_library_is_told_there() -> None:
    templates = Templates({})
    templates.define("library/functions.tmpl", "x\n{{define `inner`}}{{.missing}}{{end}}")
    with pytest.raises(TemplateError, match=r"library/functions\.tmpl:2:21: "):
        templates.render("template/a", "{{template `inner` .}}", {})


def test_a_file_redefines_for_itself_only() -> None:
    templates = Templates({})
    templates.define("library/a.tmpl", "{{define `who`}}library{{end}}")
    assert templates.render("one", "{{define `who`}}file{{end}}{{template `who`}}", None) == "file"
    assert templates.render("two", "{{template `who`}}", None) == "library"


@pytest.mark.parametrize("name", ["__class__", "kind", "text", "members", "mro", "keys", "format", "append"])
def test_nothing_of_python_is_reachable(name: str) -> None:
    data = {"text": "a", "list": [1], "map": {}, "record": Record("r", "r")}
    for key in data:
        with pytest.raises(TemplateError):
            Templates({}).render("t", f"{{{{.{key}.{name}}}}}", data)
