"""External locations and storage credentials: CREATE, DROP, DESCRIBE, SHOW."""

from collections.abc import Callable

import pyarrow as pa

from boathouse.catalog.api import CatalogService
from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.answers.asked import Asked
from boathouse.engine.gateway.answers.describe import pairs_table
from boathouse.engine.gateway.answers.grammar import Grammar
from boathouse.engine.gateway.answers.registry import NOTHING, answers
from boathouse.engine.gateway.answers.show import like


@answers("CREATE EXTERNAL LOCATION")
def create_location(words: Grammar, asked: Asked) -> pa.Table:
    """``CREATE EXTERNAL LOCATION [IF NOT EXISTS] name URL 'url' [WITH (STORAGE CREDENTIAL name)] [COMMENT text]``."""
    missing_only = words.accept("IF", "NOT", "EXISTS")
    name = words.word("the name of a location")
    words.expect("URL")
    url = words.string("the location's URL")
    credential: str | None = None
    comment: str | None = None
    while words.here is not None:
        if words.accept("COMMENT"):
            comment = words.string()
        elif words.accept("WITH"):
            words.expect_mark("(")
            words.accept("STORAGE")
            words.expect("CREDENTIAL")
            credential = words.word("the name of a storage credential")
            words.expect_mark(")")
        else:
            raise words.wrong("WITH (STORAGE CREDENTIAL name) or COMMENT")
    asked.to_change("CREATE EXTERNAL LOCATION")
    with asked.catalog(write=True) as service:
        # One of the same name overlaps itself, so that its name has to be looked up first.
        if not (missing_only and name.lower() in {one.name for one in service.list_locations()}):
            service.create_location(name, url=url, credential_name=credential, comment=comment)
    return NOTHING


@answers("DROP EXTERNAL LOCATION")
def drop_location(words: Grammar, asked: Asked) -> pa.Table:
    """``DROP EXTERNAL LOCATION [IF EXISTS] name [FORCE]``."""
    return _drop(words, asked, "DROP EXTERNAL LOCATION", "location", CatalogService.delete_location)


@answers("DESCRIBE EXTERNAL LOCATION", "DESC EXTERNAL LOCATION")
def describe_location(words: Grammar, asked: Asked) -> pa.Table:
    """``DESCRIBE EXTERNAL LOCATION name``."""
    name = words.word("the name of a location")
    words.end()
    with asked.catalog() as service:
        info = service.get_location(name)
    fields = {
        "name": info.name,
        "url": info.url,
        "credential_name": info.credential_name,
        "owner": info.owner,
        "created_by": info.created_by,
        "comment": info.comment,
    }
    return pa.table({key: pa.array([value], pa.string()) for key, value in fields.items()})


@answers("SHOW EXTERNAL LOCATIONS")
def show_locations(words: Grammar, asked: Asked) -> pa.Table:
    """``SHOW EXTERNAL LOCATIONS [LIKE pattern]``."""
    with asked.catalog() as service:
        found = {one.name: one for one in service.list_locations()}
    names = like(found, words)
    words.end()
    return pa.table(
        {
            "name": pa.array(names, pa.string()),
            "url": pa.array([found[name].url for name in names], pa.string()),
            "comment": pa.array([found[name].comment for name in names], pa.string()),
        }
    )


# ---------------------------------------------------------------------------------------------------------- credentials


@answers("CREATE STORAGE CREDENTIAL", "CREATE CREDENTIAL")
def create_credential(_words: Grammar, _asked: Asked) -> pa.Table:
    """Refused: a statement with a secret in it would stand in the history of queries."""
    message = (
        "A storage credential is not made in SQL, since its secret would stand in the history of queries. Use the REST API "
        "(POST /api/2.1/unity-catalog/storage-credentials) or the SDK."
    )
    raise StatementRefused(message)


@answers("SHOW STORAGE CREDENTIALS", "SHOW CREDENTIALS")
def show_credentials(words: Grammar, asked: Asked) -> pa.Table:
    """``SHOW STORAGE CREDENTIALS [LIKE pattern]``."""
    with asked.catalog() as service:
        found = {one.name: one for one in service.list_credentials()}
    names = like(found, words)
    words.end()
    return pa.table(
        {
            "name": pa.array(names, pa.string()),
            "comment": pa.array([found[name].comment for name in names], pa.string()),
        }
    )


@answers("DESCRIBE STORAGE CREDENTIAL", "DESC STORAGE CREDENTIAL")
def describe_credential(words: Grammar, asked: Asked) -> pa.Table:
    """``DESCRIBE STORAGE CREDENTIAL name``: without its secrets."""
    name = words.word("the name of a credential")
    words.end()
    with asked.catalog() as service:
        info = service.get_credential(name)
    return pairs_table([("Name", info.name), ("Kind", info.kind), ("Owner", info.owner), ("Comment", info.comment or "")])


@answers("DROP STORAGE CREDENTIAL", "DROP CREDENTIAL")
def drop_credential(words: Grammar, asked: Asked) -> pa.Table:
    """``DROP STORAGE CREDENTIAL [IF EXISTS] name [FORCE]``."""
    return _drop(words, asked, "DROP STORAGE CREDENTIAL", "credential", CatalogService.delete_credential)


def _drop(words: Grammar, asked: Asked, what: str, noun: str, delete: Callable[..., None]) -> pa.Table:
    missing_ok = words.accept("IF", "EXISTS")
    name = words.word(f"the name of a {noun}")
    force = words.accept("FORCE")
    words.end()
    asked.to_change(what)
    with asked.dropping(missing_ok=missing_ok) as service:
        delete(service, name, force=force)
    return NOTHING
