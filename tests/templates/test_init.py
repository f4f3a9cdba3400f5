"""`boathouse init`: questions, answers and files."""

import json
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from boathouse.cli import app
from boathouse.templates import rendering
from boathouse.templates.errors import AnswerInvalid, TemplateInvalid
from boathouse.templates.language import TemplateError
from boathouse.templates.rendering import File, Renderer
from boathouse.templates.schema import Property, holds
from tests.conftest import Server, server_environment
from tests.templates.workspace import Nobody

SCHEMA: dict[str, Any] = {
    "welcome_message": "Hello {{print `you`}}",
    "min_databricks_cli_version": "v9.9.9",
    "properties": {
        "team": {"order": 2, "type": "string", "default": "{{.name}}-team", "description": "Team of {{.name}}"},
        "name": {
            "order": 1,
            "type": "string",
            "description": "\nName",
            "pattern": "^[a-z]{3,}$",
            "pattern_match_failure_message": "Three small letters or more.",
        },
        "tests": {"order": 3, "type": "boolean", "default": True},
        "replicas": {"order": 4, "type": "integer", "default": 2},
        "cloud": {"order": 5, "type": "string", "default": "aws", "enum": ["aws", "gcp"]},
        "region": {
            "order": 6,
            "type": "string",
            "default": "{{if eq .cloud `aws`}}eu-west-1{{else}}europe-west1{{end}}",
            "skip_prompt_if": {
                "anyOf": [{"properties": {"tests": {"const": False}}}, {"properties": {"cloud": {"const": "gcp"}}}]
            },
        },
    },
    "success_message": "Made {{.name}} in {{.region}}",
}
FILES = {
    "library/names.tmpl": "{{define `file`}}{{.name}}_{{.replicas}}{{end}}",
    "template/layout.tmpl": "{{if not .tests}}{{skip (printf `%s/tests` .name)}}{{end}}{{skip `layout`}}{{skip `*/*.bak`}}",
    "template/{{.name}}/{{template `file` .}}.txt.tmpl": "{{.team}}: {{if .tests}}tested{{end}} {{.cloud}}/{{.region}}\r\n",
    "template/{{.name}}/verbatim.txt": "{{.not rendered}}",
    "template/{{.name}}/old.bak.tmpl": "",
    "template/{{.name}}/bin/run.sh.tmpl": "#!/bin/sh\necho {{.name}}\n",
    "template/{{.name}}/tests/test_it.py": "",
    "template/{{.name}}/docs/notes.tmpl": "{{skip `draft`}}{{bundle_uuid}}",
    "template/{{.name}}/docs/draft/a.md": "",
    "template/{{.name}}/docs/uuid.tmpl": "{{bundle_uuid}}",
}


@pytest.fixture
def template(tmp_path: Path) -> Path:
    return made(tmp_path / "template", FILES, SCHEMA)


def made(folder: Path, files: dict[str, str], schema: dict[str, Any]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text.encode())
        (folder / name).chmod(0o755 if ".sh" in name else 0o644)
    (folder / "databricks_template_schema.json").write_text(json.dumps(schema))
    return folder


def init(*arguments: object, said: str | None = None) -> Result:
    return CliRunner().invoke(app, ["init", *map(str, arguments)], input=said, catch_exceptions=False)


def by_file(template: Path, folder: Path, **answers: Any) -> Result:
    file = template.parent / "answers.json"
    file.write_text(json.dumps(answers))
    return init(template, "--config-file", file, "--output-dir", folder)


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_an_answers_file(template: Path, tmp_path: Path) -> None:
    done = by_file(template, tmp_path / "out", name="boat", replicas=3)
    assert done.exit_code == 0, done.output
    assert done.output == "Hello you\nMade boat in eu-west-1\n"
    out = tmp_path / "out" / "boat"
    assert names(out) == {"boat_3.txt", "verbatim.txt", "bin/run.sh", "tests/test_it.py", "docs/notes", "docs/uuid"}
    assert (out / "boat_3.txt").read_bytes() == b"boat-team: tested aws/eu-west-1\r\n"
    assert (out / "verbatim.txt").read_text() == "{{.not rendered}}"
    assert (out / "docs/notes").read_text() == (out / "docs/uuid").read_text()
    assert (out / "bin/run.sh").stat().st_mode & stat.S_IXUSR
    assert not (out / "boat_3.txt").stat().st_mode & stat.S_IXUSR

    again = by_file(template, tmp_path / "out", name="boat", tests=False)
    assert again.exit_code == 1
    assert "RESOURCE_ALREADY_EXISTS: Nothing was written" in again.stderr
    assert "boat/bin/run.sh, boat/docs/notes, boat/docs/uuid, boat/verbatim.txt" in again.stderr
    assert "boat_2.txt" not in names(out)

    done = by_file(template, tmp_path / "other", name="boat", tests=False, region="moon", nmae="x")
    assert done.exit_code == 0, done.output
    assert "the template does not ask for nmae, so it has no effect. It asks for: name, team, tests" in done.stderr
    assert not any("tests" in name for name in names(tmp_path / "other"))
    assert (tmp_path / "other/boat/boat_2.txt").read_bytes() == b"boat-team:  aws/moon\r\n"


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ({}, "name: no answer is given, and it has no default."),
        ({"name": "ab"}, "name: 'ab' is not valid. Three small letters or more."),
        ({"name": "abc\n"}, "name: 'abc\\n' is not valid."),
        ({"name": 7}, "name: 7 is no string."),
        ({"name": "abc", "cloud": "moon"}, "cloud: 'moon' is not valid. Valid are: aws, gcp."),
        ({"name": "abc", "tests": "yes"}, 'tests: "yes" is no boolean.'),
        ({"name": "abc", "replicas": True}, "replicas: true is no integer."),
        ({"name": "abc", "replicas": 1.5}, "replicas: 1.5 is no integer."),
    ],
)
def test_answers_that_are_not_valid(template: Path, tmp_path: Path, answers: dict[str, Any], why: str) -> None:
    done = by_file(template, tmp_path / "out", **answers)
    assert done.exit_code == 1
    assert why in done.stderr
    assert not (tmp_path / "out").exists()


def test_prompts(template: Path, tmp_path: Path) -> None:
    typed = "ab\nboat\n\nno\nmany\n4\ngcp\n"
    done = init(template, "--output-dir", tmp_path / "out", said=typed)
    assert done.exit_code == 0, done.output
    assert "Three small letters or more." in done.stderr
    assert "'many' is no integer." in done.stderr
    assert "Team of boat [boat-team]: " in done.output
    assert "cloud (aws, gcp) [aws]: " in done.output
    assert "region" not in done.output
    assert names(tmp_path / "out/boat") == {"boat_4.txt", "verbatim.txt", "bin/run.sh", "docs/notes", "docs/uuid"}
    assert (tmp_path / "out/boat/boat_4.txt").read_bytes() == b"boat-team:  gcp/europe-west1\r\n"


def test_a_repository(template: Path, tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        own = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "init.defaultBranch=main"]
        subprocess.run(["git", "-C", str(tmp_path / "repository"), *own, *arguments], check=True, capture_output=True)

    (tmp_path / "repository").mkdir()
    template.rename(tmp_path / "repository" / "nested")
    for command in (["init"], ["add", "."], ["commit", "-m", "one"], ["tag", "v1"]):
        git(*command)
    (tmp_path / "repository/nested/template/later").write_text("")
    for command in (["add", "."], ["commit", "-m", "two"]):
        git(*command)
    address, answers = f"file://{tmp_path}/repository", tmp_path / "answers.json"
    answers.write_text('{"name": "boat"}')
    command = (address, "--template-dir", "nested", "--config-file", answers, "--output-dir")
    assert init(*command, tmp_path / "old", "--tag", "v1").exit_code == 0
    assert init(*command, tmp_path / "new", "--branch", "main").exit_code == 0
    assert "later" in names(tmp_path / "new")
    assert "later" not in names(tmp_path / "old")
    for arguments, why in (
        ((*command, tmp_path / "x", "--tag", "v9"), "v9"),
        ((*command, tmp_path / "x", "--tag", "v1", "--branch", "main"), "--branch and --tag exclude each other"),
        (("file:///nowhere",), "file:///nowhere cannot be fetched"),
        (("nowhere",), "There is no template 'nowhere'. Valid are a folder, the address of a git repository, or:"),
        ((tmp_path, "--tag", "v1"), "--branch and --tag say nothing here"),
        ((address, "--template-dir", "../.."), "There is no folder '../..'"),
        ((tmp_path / "repository",), "it has no databricks_template_schema.json"),
    ):
        refused = init(*arguments)
        assert refused.exit_code == 1
        assert why in refused.stderr
    assert not (tmp_path / "x").exists()


def test_what_a_template_may_ask_the_server(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "{{workspace_host}} {{user_name}} {{short_name}} {{is_service_principal}} {{default_catalog}} {{smallest_node_type}}"
    template = made(tmp_path / "template", {"template/facts.tmpl": text}, {"properties": {}})
    monkeypatch.setenv("BOATHOUSE_CONFIG_DIR", server_environment(server.config_dir)["BOATHOUSE_CONFIG_DIR"])
    done = init(template, "--output-dir", tmp_path / "out", "--root", server.root)
    assert done.exit_code == 0, done.output
    with server.client() as admin:
        name = admin.get("/api/2.0/preview/scim/v2/Me").json()["userName"]
    short = name.partition("@")[0].replace(".", "_").replace("-", "_")
    assert (tmp_path / "out/facts").read_text() == f"{server.url} {name} {short} false main local"
    refused = init(template, "--output-dir", tmp_path / "none", "--root", tmp_path / "lake")
    assert refused.exit_code == 1
    assert "template/facts.tmpl:1:3: No server runs on the lake" in refused.stderr


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"template/{{print `..`}}/a": ""}, "becomes '..', which is no name of a file here"),
        ({"template/{{printf `%cetc` 47}}": ""}, "becomes '/etc'"),
        ({"template/{{print ``}}/a": ""}, "becomes ''"),
        ({"template/a": "", "template/{{print `a`}}": ""}, "two of its files become a"),
        ({"template/{{print `.`}}": ""}, "has no name once it is rendered"),
        ({"template/folder/.tmpl": ""}, "has no name once it is rendered"),
        ({"library/a": ""}, "it has no folder 'template'"),
    ],
)
def test_templates_that_are_refused(tmp_path: Path, files: dict[str, str], why: str) -> None:
    made(tmp_path, files, {"properties": {}})
    with pytest.raises(TemplateInvalid, match=why):
        Renderer(tmp_path, Nobody()).files({})


def test_links_are_not_followed(tmp_path: Path) -> None:
    made(tmp_path, {"template/a": ""}, {"properties": {}})
    (tmp_path / "template/passwords").symlink_to("/etc/passwd")
    with pytest.raises(TemplateInvalid, match="template/passwords is a link"):
        Renderer(tmp_path, Nobody()).files({})


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    # The second file cannot have the first one as its folder: found out only while they are written.
    with pytest.raises(OSError, match="a/b"):
        rendering.write([File("kept/new", b""), File("a/b", b""), File("a/b/c", b"")], tmp_path)
    assert [path.name for path in tmp_path.rglob("*")] == ["kept"]
    (tmp_path / "file").write_text("mine")
    with pytest.raises(Exception, match="already: file"):
        rendering.write([File("file/inner", b"")], tmp_path)


def test_helpers(tmp_path: Path) -> None:
    renderer = Renderer(made(tmp_path, {"template/a": ""}, {}), Nobody())

    def say(text: str) -> str:
        return renderer.say("t", text, {})

    assert say("{{(url `https://me:x@host:81/p/q?a=1#f`).Host}}") == "host:81"
    parts = "{{.Scheme}} {{.Hostname}} {{.Port}} {{.Path}} {{.RawQuery}} {{.Fragment}} {{.}}"
    assert say(f"{{{{with url `https://h:1/p?a=1#f`}}}}{parts}{{{{end}}}}") == "https h 1 /p a=1 f https://h:1/p?a=1#f"
    assert say("{{(regexp `(\\w+)-(?P<n>\\d)`).ReplaceAllString `ab-1 c-2` `${n}$1$$`}}") == "1ab$ 2c$"
    assert say("{{(regexp `[[:upper:][]`).ReplaceAllString `aB[c` `_`}} {{(regexp `^é$`).MatchString `é`}}") == "a__c true"
    assert say("{{(regexp `a$`).MatchString (print `a` `\n`)}} {{regexp `x` | print}}") == "false x"
    assert say("{{range $k, $v := map (pair `b` 1) (pair `a` (map))}}{{$k}}={{$v}};{{end}}") == "a=map[];b=1;"
    assert 0 <= int(say("{{random_int 10}}")) < 10
    assert say("{{uuid}}") != say("{{uuid}}")
    assert say("{{bundle_uuid}}") == say("{{bundle_uuid}}")
    for text, why in (
        ("{{fail `no %s` `cloud`}}", "no cloud"),
        ("{{regexp `(?=a)`}}", "look-around"),
        ("{{regexp `(`}}", "is no regular expression"),
        ("{{random_int 0}}", "a number over 0 is valid"),
        ("{{map 1}}", "wrong type for argument 1 of map"),
        ("{{user_name}}", "boathouse up"),
    ):
        with pytest.raises(TemplateError, match=r"t:1:3: .*") as caught:
            say(text)
        assert why in caught.value.message


def test_conditions_of_prompts() -> None:
    assert holds({"properties": {"a": {"const": 1}}}, {"a": 1})
    assert not holds({"properties": {"a": {"const": 1}}}, {"a": True})
    assert holds({"properties": {"a": {"const": 1}}}, {})
    assert not holds({"required": ["a"], "properties": {"a": {"const": 1}}}, {})
    assert holds({"allOf": [{"properties": {"a": {"enum": [1, 2]}}}, {"not": {"required": ["b"]}}]}, {"a": 2})
    assert not holds({"oneOf": [True, {"required": ["a"]}]}, {"a": 1})
    with pytest.raises(ValueError, match=r"has 'if'\. Known are"):
        holds({"anyOf": [True, {"if": {}}]}, {})
    with pytest.raises(AnswerInvalid, match="wants: 'maybe' is no boolean"):
        Property("wants", "boolean").typed("maybe")
