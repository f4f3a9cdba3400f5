"""Who made a commit, from what statements can have made."""

from boathouse.history.authors import Author, Claim, authors
from boathouse.history.records import Entity

JOB = Entity(type="JOB", id="7", run_id="1")
ANN, BOB = Author("ann", "1", None), Author("bob", "2", JOB)


def claim(statement: str, author: Author, *versions: int, named: bool = False, sure: bool = True) -> list[Claim]:
    return [Claim(version, version * 10, statement, named, sure, author) for version in versions]


def by_version(claims: list[Claim]) -> dict[int, tuple[str | None, Entity | None]]:
    return {version: (author.principal, author.entity) for (version, _), author in authors(claims).items()}


def test_one_statement_made_it() -> None:
    assert by_version(claim("a", ANN, 1)) == {1: ("ann", None)}


def test_what_is_surely_anothers_is_taken_away() -> None:
    claims = [*claim("a", ANN, 1), *claim("b", BOB, 1, 2), *claim("c", ANN, 1, 2, 3)]
    assert by_version(claims) == {1: ("ann", None), 2: ("bob", JOB), 3: ("ann", None)}


def test_what_both_can_have_made_is_nobodys() -> None:
    assert by_version([*claim("a", ANN, 1, 2), *claim("b", BOB, 1, 2)]) == {1: (None, None), 2: (None, None)}


def test_a_statement_that_may_have_changed_nothing_takes_nothing_away() -> None:
    assert by_version([*claim("a", ANN, 1, sure=False), *claim("b", BOB, 1, 2)]) == {1: (None, None), 2: ("bob", JOB)}


def test_what_one_principal_made_in_either_statement() -> None:
    claims = [*claim("a", ANN, 1, 2), *claim("b", Author("ann", "1", JOB), 1, 2)]
    assert by_version(claims) == {1: ("ann", None), 2: ("ann", None)}


def test_names_in_the_log_hold() -> None:
    claims = [*claim("a", ANN, 1, named=True), *claim("a", ANN, 2), *claim("b", BOB, 2, 3)]
    assert by_version(claims) == {1: ("ann", None), 2: ("ann", None), 3: ("bob", JOB)}


def test_two_that_are_sure_of_the_same_commit() -> None:
    assert by_version([*claim("a", ANN, 1), *claim("b", BOB, 1)]) == {1: (None, None)}
