"""Arguments of the server's table functions, and stars that leave hidden columns out."""

from typing import Any

import pytest

from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.names.table_functions import Argument, read_arguments, stars_beside
from boathouse.engine.gateway.sql.statements import apply
from boathouse.engine.gateway.sql.tokens import tokenize


def arguments(*texts: str) -> list[Argument]:
    session: Any = None
    return read_arguments("f", texts, session, lambda name: ".".join(("main", *name)))


def test_arguments():
    assert arguments("'/a'", "format => 'json'", "header => TRUE", "`multiLine` => false") == [
        Argument(None, "/a"),
        Argument("format", "json"),
        Argument("header", value=True),
        Argument("multiLine", value=False),
    ]
    assert arguments("TABLE(s.t)") == arguments("s.t") == [Argument(None, "main.s.t")]


@pytest.mark.parametrize(
    ("texts", "message"),
    [(("a => 'x'", "'y'"), "stands after arguments with names"), (("a => (SELECT 1)",), "not queries")],
)
def test_arguments_that_are_refused(texts: tuple[str, ...], message: str):
    with pytest.raises(StatementRefused, match=message):
        arguments(*texts)


@pytest.mark.parametrize(
    ("sql", "shown"),
    [
        ("SELECT *, a * 2 FROM f('x')", "SELECT `a`, `b c`, a * 2 FROM f('x')"),
        ("SELECT DISTINCT * FROM f('x') WHERE a IN (1, 2)", "SELECT DISTINCT `a`, `b c` FROM f('x') WHERE a IN (1, 2)"),
        ("SELECT t.* FROM z JOIN f('x') AS t", "SELECT `t`.`a`, `t`.`b c` FROM z JOIN f('x') AS t"),
        ("SELECT * FROM z, f('x') AS t", "SELECT * FROM z, f('x') AS t"),
        ("SELECT count(*) FROM f('x')", "SELECT count(*) FROM f('x')"),
        ("SELECT * FROM (SELECT * FROM f('x')) JOIN z", "SELECT * FROM (SELECT `a`, `b c` FROM f('x')) JOIN z"),
    ],
)
def test_stars(sql: str, shown: str):
    assert apply(sql, stars_beside(tokenize(sql), sql.index("f('x')"), ["a", "b c"])) == shown
