from typing import Any

import pytest

from boathouse.iam.errors import ScimInvalid
from boathouse.iam.scim_filter import Combination, Comparison, matches, parse
from boathouse.iam.scim_patch import Operation, apply


def test_and_binds_closer_than_or() -> None:
    a, b, c = (Comparison(name, "eq", name) for name in "abc")
    assert parse('a eq "a" or b eq "b" and c eq "c"') == Combination("or", (a, Combination("and", (b, c))))
    assert parse('(a eq "a" or b eq "b") and c eq "c"') == Combination("and", (Combination("or", (a, b)), c))
    assert parse('NOT (a EQ "a")') == Combination("not", (a,))


def test_values_are_json_or_bare_words() -> None:
    assert parse('a eq "say \\"hi\\" (to) me"') == Comparison("a", "eq", 'say "hi" (to) me')
    assert parse("a eq true") == Comparison("a", "eq", value=True)
    assert parse("a eq ann@example.com") == Comparison("a", "eq", "ann@example.com")
    assert parse("a pr") == Comparison("a", "pr", None)
    assert parse('urn:ietf:params:scim:schemas:core:2.0:User:userName eq "x"') == Comparison("userName", "eq", "x")


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ('type eq "WORK"', True),
        ('type ne "work"', False),
        ('value co "@ex"', True),
        ('value sw "ann" and primary eq true', True),
        ('value ew ".org"', False),
        ("missing pr or value pr", True),
        ("primary ne true", False),
        ('not (missing eq "x")', True),
    ],
)
def test_values_of_a_list_pass_or_not(text: str, passes: bool) -> None:
    item = {"type": "work", "value": "ann@example.com", "primary": True}
    assert matches(parse(text), item) is passes


ATTRIBUTES = frozenset({"displayName", "members", "name"})


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        (Operation("add", "members", {"value": "c"}), ["a", "b", "c"]),
        (Operation("add", "members", ["c", "a"]), ["b", "c", "a"]),
        (Operation("remove", "members", None), []),
        (Operation("remove", "members", [{"value": "a"}, {"value": "z"}]), ["b"]),
        (Operation("remove", 'members[value eq "a" or value eq "b"]', None), []),
        (Operation("remove", 'members[value eq "z"]', None), ["a", "b"]),
        (Operation("replace", 'members[value eq "a"]', {"value": "z"}), ["z", "b"]),
        (Operation("replace", None, {"members": [{"value": "q"}], "id": "ignored"}), ["q"]),
    ],
)
def test_operations_on_a_list(operation: Operation, members: list[str]) -> None:
    document: dict[str, Any] = {"id": "1", "members": [{"value": "a"}, {"value": "b"}]}
    changed = apply(document, [operation], ATTRIBUTES)
    assert [member["value"] for member in changed["members"]] == members
    assert document == {"id": "1", "members": [{"value": "a"}, {"value": "b"}]}


def test_operations_on_objects_and_texts() -> None:
    document: dict[str, Any] = {"displayName": "x", "name": {"givenName": "A", "familyName": "B"}}
    operations = [
        Operation("remove", "displayName", None),
        Operation("remove", "name.familyName", None),
        Operation("add", "name", {"formatted": "A B"}),
    ]
    assert apply(document, operations, ATTRIBUTES) == {"name": {"givenName": "A", "formatted": "A B"}}
    with pytest.raises(ScimInvalid):
        apply({"displayName": "x"}, [Operation("replace", "displayName.part", "y")], ATTRIBUTES)
