"""Connections: CREATE, ALTER ... OPTIONS, DROP, DESCRIBE, SHOW."""

import pyarrow as pa

from boathouse.engine.gateway.answers.asked import Asked
from boathouse.engine.gateway.answers.describe import pairs_table
from boathouse.engine.gateway.answers.grammar import Grammar
from boathouse.engine.gateway.answers.registry import NOTHING, answers
from boathouse.engine.gateway.answers.show import like
from boathouse.secrets.api import Reference


@answers("CREATE CONNECTION", "CREATE SERVER")
def create_connection(words: Grammar, asked: Asked) -> pa.Table:
    """``CREATE CONNECTION [IF NOT EXISTS] name TYPE type OPTIONS (option value, ...) [COMMENT text]``."""
    missing_only = words.accept("IF", "NOT", "EXISTS")
    name = words.word("the name of a connection")
    words.expect("TYPE")
    kind = words.word("the type of a connection")
    words.expect("OPTIONS")
    options = _options(words)
    comment = words.string() if words.accept("COMMENT") else None
    words.end()
    asked.to_change("CREATE CONNECTION")
    with asked.catalog(write=True) as service:
        if not (missing_only and name.lower() in {one.name for one in service.list_connections()}):
            service.create_connection(name, connection_type=kind, options=options, comment=comment)
    return NOTHING


def change_options(words: Grammar, asked: Asked, name: str) -> pa.Table:
    """``ALTER CONNECTION name OPTIONS (option value, ...)``, behind OPTIONS."""
    options = _options(words)
    words.end()
    asked.to_change("ALTER CONNECTION")
    with asked.catalog(write=True) as service:
        service.update_connection(name, options)
    return NOTHING


def _options(words: Grammar) -> dict[str, str]:
    """Options in parentheses; a value is a literal or ``secret('scope', 'key')``."""
    words.expect_mark("(")
    found: dict[str, str] = {}
    while True:
        option = words.key()
        words.accept_mark("=")
        if words.accept("SECRET"):
            words.expect_mark("(")
            scope = words.string("the name of a scope")
            words.expect_mark(",")
            found[option] = str(Reference(scope, words.string("the key of a secret")))
            words.expect_mark(")")
        else:
            found[option] = words.literal_text()
        if not words.accept_mark(","):
            break
    words.expect_mark(")")
    return found


@answers("SHOW CONNECTIONS")
def show_connections(words: Grammar, asked: Asked) -> pa.Table:
    """``SHOW CONNECTIONS [LIKE pattern]``."""
    with asked.catalog() as service:
        found = {one.name: one for one in service.list_connections()}
    names = like(found, words)
    words.end()
    columns = {
        "name": names,
        "connection_type": [found[name].connection_type for name in names],
        "credential_type": [found[name].credential_type for name in names],
        "comment": [found[name].comment for name in names],
    }
    return pa.table({key: pa.array(values, pa.string()) for key, values in columns.items()})


@answers("DESCRIBE CONNECTION", "DESC CONNECTION")
def describe_connection(words: Grammar, asked: Asked) -> pa.Table:
    """``DESCRIBE CONNECTION [EXTENDED] name``: without its secret options."""
    words.accept("EXTENDED")
    name = words.word("the name of a connection")
    words.end()
    with asked.catalog() as service:
        info = service.get_connection(name)
    options = ", ".join(f"{key}={value}" for key, value in sorted(info.options.items()))
    return pairs_table(
        [
            ("Connection Name", info.name),
            ("Type", info.connection_type),
            ("Credential Type", info.credential_type),
            ("Owner", info.owner),
            ("Comment", info.comment or ""),
            ("Options", f"[{options}]"),
        ]
    )


@answers("DROP CONNECTION", "DROP SERVER")
def drop_connection(words: Grammar, asked: Asked) -> pa.Table:
    """``DROP CONNECTION [IF EXISTS] name``."""
    missing_ok = words.accept("IF", "EXISTS")
    name = words.word("the name of a connection")
    words.end()
    asked.to_change("DROP CONNECTION")
    with asked.dropping(missing_ok=missing_ok) as service:
        service.delete_connection(name)
    return NOTHING
