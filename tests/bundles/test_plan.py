"""What is told of differences, in which order things are made, and which server is meant."""

from pathlib import Path

import pytest

from boathouse.bundles.client import Local, server_for
from boathouse.bundles.diff import Change, changes
from boathouse.bundles.errors import BundleInvalid, NotConnected
from boathouse.bundles.plan import Found, made, removal_order
from boathouse.bundles.project import Resource, in_order
from boathouse.bundles.runs import key_of
from boathouse.bundles.state import Deployed, State
from boathouse.bundles.values import NOWHERE
from boathouse.errors import InvalidParameterValue


def test_differences_are_told_field_by_field() -> None:
    old = {
        "name": "a",
        "gone": 1,
        "tasks": [{"task_key": "x", "n": 1}, {"task_key": "y", "on": ["a", "b"]}],
        "tags": {"a": "1"},
        "same": [{"a": [1]}],
    }
    new = {
        "name": "b",
        "tasks": [{"task_key": "y", "on": ["a", "c", "d"]}, {"task_key": "x", "n": 1}, {"task_key": "z"}],
        "tags": {"a": "1", "b": {"c": 2}},
        "same": [{"a": [1]}],
    }
    assert changes(old, new) == [
        Change("name", "a", "b"),
        Change("gone", 1, None),
        Change("tasks[y].on[1]", "b", "c"),
        Change("tasks[y].on[2]", None, "d"),
        Change("tasks[z]", None, {"task_key": "z"}),
        Change("tags.b", None, {"c": 2}),
    ]
    assert changes(old, old) == []
    assert Change("tasks[y].on[1]", 1, 2).field == "tasks"


def test_what_is_referred_to_comes_first() -> None:
    def one(kind: str, key: str, *others: str) -> Resource:
        return Resource(kind, key, {"uses": [f"${{resources.{other}.id}}" for other in others], "n": 1}, NOWHERE)

    found = in_order([one("schemas", "s", "volumes.v"), one("volumes", "v"), one("jobs", "a", "jobs.b"), one("jobs", "b")])
    assert [each.name for each in found] == ["volumes.v", "schemas.s", "jobs.b", "jobs.a"]
    with pytest.raises(BundleInvalid, match=r"in a circle: jobs.a -> jobs.b -> jobs.a"):
        in_order([one("jobs", "a", "jobs.b"), one("jobs", "b", "jobs.a")])
    state = State(resources={each.name: Deployed(1, {}, {}, each.refers_to) for each in found})
    assert removal_order(state) == ["jobs.a", "jobs.b", "schemas.s", "volumes.v"]
    round_trip = {"jobs.a": Deployed(1, {}, {}, ["jobs.b"]), "jobs.b": Deployed(2, {}, {}, ["jobs.a"])}
    assert sorted(removal_order(State(resources=round_trip))) == ["jobs.a", "jobs.b"]
    body = {"job": "${resources.jobs.b.id}", "text": "x ${resources.jobs.b.id} ${resources.jobs.c.id}"}
    assert made(body, {"jobs.b": Found.of(7, {}, {})}, NOWHERE) == {"job": 7, "text": "x 7 ${resources.jobs.c.id}"}
    with pytest.raises(BundleInvalid, match=r"refers to nothing. Valid there: id."):
        made({"job": "${resources.jobs.b.url}"}, {"jobs.b": Found.of(7, {}, {})}, NOWHERE)


def test_what_is_run_is_named_by_its_key() -> None:
    deployed = ["jobs.a", "pipelines.a", "pipelines.p", "schemas.s"]
    assert key_of("p", deployed) == "pipelines.p"
    assert key_of("jobs.a", deployed) == "jobs.a"
    for key, told in (
        ("a", "'a' is more than one. Valid: jobs.a, pipelines.a."),
        ("s", "Valid: jobs.a, pipelines.a, pipelines.p."),
    ):
        with pytest.raises(InvalidParameterValue, match=told):
            key_of(key, deployed)


def test_which_server_is_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABRICKS_HOST", raising=False)
    own, profiles = tmp_path / "own", tmp_path / "profiles"
    own.write_text("[DEFAULT]\nhost = https://x.example.com/\ntoken = zero\n")
    profiles.write_text("[lake]\nhost = http://127.0.0.1:2\ntoken = two\n")
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(own))
    here = Local("http://127.0.0.1:1", "one")

    def server(workspace: dict[str, str], *, local: Local | None = here, **given: str) -> dict[str, object]:
        asked = {"host": None, "profile": None, **given}
        return server_for(workspace, **asked, local=local, profiles=profiles)

    at_here = {"host": here.host, "token": "one", "auth_type": "pat"}
    assert server({}) == server({"host": "http://localhost:1/"}) == at_here
    assert server({"host": "http://127.0.0.1:9"}, host="http://127.0.0.1:1") == at_here
    assert server({"host": "http://127.0.0.1:2"}) == {
        "host": "http://127.0.0.1:2",
        "profile": "lake",
        "config_file": str(profiles),
    }
    assert server({"host": "x.example.com"}) == {
        "host": "https://x.example.com",
        "profile": "DEFAULT",
        "config_file": str(own),
    }
    assert server({"host": "http://127.0.0.1:4", "client_id": "robot"}) == {"host": "http://127.0.0.1:4", "client_id": "robot"}
    assert server({}, local=None, profile="p") == {"profile": "p"}
    monkeypatch.setenv("DATABRICKS_HOST", "http://127.0.0.1:3")
    assert server({}) == {"host": "http://127.0.0.1:3"}
    assert server({"host": "http://127.0.0.1:1"}, host="http://127.0.0.1:1") == at_here
    with pytest.raises(
        NotConnected, match=r"workspace.host is http://127.0.0.1:1, but DATABRICKS_HOST is http://127.0.0.1:3\."
    ):
        server({"host": "http://127.0.0.1:1"})
