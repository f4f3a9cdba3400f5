"""YAML with places, and what is told of keys and types that are wrong."""

from pathlib import Path

import pytest

from boathouse.bundles.checking import Problems
from boathouse.bundles.errors import BundleInvalid, BundleMissing
from boathouse.bundles.loading import find_folder, load, select
from boathouse.bundles.reading import read
from boathouse.bundles.values import Place
from tests.bundles.project import ready, write

SCALARS = """
a: yes
b: 12:30
c: 0o17
d: 1.50
e: ~
f: "5"
g: 2024-01-31
h: -7
i: TRUE
j:
k: 1e3
l: 007
"""


def test_scalars_are_those_of_yaml_1_2() -> None:
    value = read(SCALARS, "x.yml")
    found = {key: one.data for key, one in value.fields.items()}
    assert found == {
        "a": "yes",
        "b": "12:30",
        "c": 15,
        "d": 1.5,
        "e": None,
        "f": "5",
        "g": "2024-01-31",
        "h": -7,
        "i": True,
        "j": None,
        "k": 1000.0,
        "l": 7.0,
    }
    assert value.fields["d"].text == "1.50"
    assert value.fields["h"].at == Place("x.yml", 9)


def test_anchors_and_merge_keys() -> None:
    text = """
    one: &one {a: 1, b: 1}
    two: &two {b: 2, c: 2}
    own: {<<: [*one, *two], c: 3}
    list: [{<<: *one}, *two]
    quoted: {"<<": plain}
    """
    found = read(text, "x.yml").plain()
    assert found["own"] == {"a": 1, "b": 1, "c": 3}
    assert found["list"] == [{"a": 1, "b": 1}, {"b": 2, "c": 2}]
    assert found["quoted"] == {"<<": "plain"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: [1\nb: 2", "x.yml:2: is no valid YAML: "),
        ("a: 1\na: 2", "x.yml:2: has the key 'a' a second time; the first is in line 1."),
        ("a: &a\n  b: *a", "x.yml:1: holds itself by its own anchor."),
        ("a:\n  <<: 5", "x.yml:2: has a merge key << whose value is no mapping."),
        ("? [a]\n: 1", "x.yml:1: has a key that is no text."),
    ],
)
def test_what_is_no_yaml_names_its_line(text: str, told: str) -> None:
    with pytest.raises(BundleInvalid) as error:
        read(text, "x.yml")
    assert error.value.message.startswith(told)


MAIN = """\
bundle:
  name: shop
  nmae: x
include: [parts/*.yml]
shared: &shared
  timeout_seconds: "60"
resources:
  jobs:
    one:
      name: one
      <<: *shared
      max_concurrent_runs: many
      taks: []
      queue: {enabled: "true"}
      tasks:
        task_key: a
targets:
  dev:
    mode: develop
"""
PART = """\
include: [more.yml]
resources:
  jobs:
    one: {name: again}
  schemas:
    s: {name: 5, catalog_name: [main]}
  apps:
    a: {name: x}
  jbos:
    a: {name: x}
python:
  resources: ["x:load"]
"""


def test_everything_that_is_wrong_is_told_with_its_place(tmp_path: Path) -> None:
    write(tmp_path, {"databricks.yml": MAIN, "parts/a.yml": PART})
    problems = Problems()
    with pytest.raises(BundleInvalid) as error:
        load(tmp_path, problems)
    told = error.value.message.splitlines()
    for begin in (
        "databricks.yml:12: resources.jobs.one.max_concurrent_runs is the text 'many'. Valid: a whole number.",
        "databricks.yml:16: resources.jobs.one.tasks is a mapping. Valid: a list.",
        "databricks.yml:19: targets.dev.mode is 'develop'. Valid: development, production.",
        "parts/a.yml:4: resources.jobs.one is defined in databricks.yml:10 already.",
        "parts/a.yml:6: resources.schemas.s.catalog_name is a list. Valid: a text.",
        "parts/a.yml:8: resources.apps are deployed to Databricks only",
        "parts/a.yml:10: resources.jbos is no kind of resource. Valid: catalogs, schemas,",
        "parts/a.yml:12: python (resources defined by code) is not served here",
    ):
        assert any(line.startswith(begin) for line in told), begin
    assert len(told) == 8
    assert [f"{at}: {text}" for at, text in problems.warnings] == [
        "databricks.yml:3: unknown key 'nmae' in bundle; it is left out. Did you mean name?",
        "databricks.yml:5: unknown key 'shared'; it is left out.",
        "databricks.yml:13: unknown key 'taks' in resources.jobs.one; it is left out. Did you mean tasks?",
        "parts/a.yml:1: include is heeded in databricks.yml alone; this one is left out.",
    ]


def test_scalars_become_what_their_fields_are(tmp_path: Path) -> None:
    text = """
    bundle: {name: 7}
    resources:
      jobs:
        one:
          name: 1.50
          timeout_seconds: "60"
          queue: {enabled: "true"}
          tasks:
            - task_key: a
              condition_task: {op: EQUAL_TO, left: 007, right: true}
    """
    project, warned = ready(write(tmp_path, {"databricks.yml": text}))
    assert warned == []
    assert project.name == "7"
    assert project.resources[0].body == {
        "name": "1.50",
        "timeout_seconds": 60,
        "queue": {"enabled": True},
        "tasks": [{"task_key": "a", "condition_task": {"op": "EQUAL_TO", "left": "007", "right": "true"}}],
    }


def test_targets_are_chosen(tmp_path: Path) -> None:
    with pytest.raises(BundleMissing):
        find_folder(tmp_path)
    text = "bundle: {name: x}\ntargets:\n  a: {}\n  b: {default: true}\n  c: {mode: production}\n"
    write(tmp_path, {"databricks.yml": text, "deep/er/x.txt": ""})
    assert find_folder(tmp_path / "deep" / "er") == tmp_path.resolve()
    source = load(tmp_path, Problems())
    assert select(source, None).name == "b"
    assert select(source, "c").mode == "production"
    with pytest.raises(BundleInvalid, match=r"databricks.yml:3: there is no target 'd'. Valid: a, b, c."):
        select(source, "d")
    write(tmp_path, {"databricks.yml": text.replace("{default: true}", "{}")})
    with pytest.raises(BundleInvalid, match=r"no target is the default. Choose one with -t: a, b, c."):
        select(load(tmp_path, Problems()), None)
    write(tmp_path, {"databricks.yml": "include: [none.yml]\n"})
    with pytest.raises(BundleInvalid) as error:
        load(tmp_path, Problems())
    assert error.value.message.splitlines() == [
        "databricks.yml:1: the file none.yml of include is not there.",
        "databricks.yml:1: bundle.name is missing. Valid: a text.",
    ]
    part = "resources:\n  schemas:\n    s: {name: s, catalog_name: main}\n"
    write(tmp_path, {"databricks.yml": "bundel: {name: x}\ninclude: [part.yml]\n", "part.yml": part})
    with pytest.raises(BundleInvalid) as error:
        load(tmp_path, Problems())
    assert error.value.message == "databricks.yml:1: bundle.name is missing. Valid: a text."
