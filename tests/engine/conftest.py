"""Stock Spark Connect clients of the shared server."""

import logging
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pyspark.sql import SparkSession

from tests.conftest import Server

# The client logs every error that it raises.
logging.getLogger("pyspark.sql.connect.logging").setLevel(logging.CRITICAL)

Connect = Callable[..., SparkSession]


@pytest.fixture(scope="session")
def connect(server: Server) -> Iterator[Connect]:
    """Opens sessions, of the admin or of another token's owner."""
    opened: list[SparkSession] = []

    def new(token: str | None = None) -> SparkSession:
        opened.append(SparkSession.builder.remote(server.spark_remote(token)).create())
        return opened[-1]

    yield new
    for session in opened:
        session.stop()


@pytest.fixture(scope="session")
def admin_session(connect: Connect) -> SparkSession:
    """The session behind `spark`."""
    return connect()


@pytest.fixture
def spark(admin_session: SparkSession) -> Iterator[SparkSession]:
    """The admin's session, and the one that functions are declared in; temporary views of a test end with it."""
    kind: Any = type(admin_session)
    kind._active_session.session = kind._default_session = admin_session
    yield admin_session
    for view in admin_session.sql("SHOW VIEWS").collect():
        if view.isTemporary:
            admin_session.catalog.dropTempView(view.viewName)


@pytest.fixture
def schema(spark: SparkSession) -> str:
    """A new schema, `main.s...`."""
    name = f"main.s{uuid.uuid4().hex[:8]}"
    spark.sql(f"CREATE SCHEMA {name}")
    return name


@pytest.fixture
def grant(server: Server) -> Callable[..., None]:
    """Grants privileges: `grant("table", "main.s.t", "user", "SELECT")`."""
    client = server.client()

    def give(kind: str, name: str, principal: str, *privileges: str) -> None:
        body = {"changes": [{"principal": principal, "add": list(privileges)}]}
        client.patch(f"/api/2.1/unity-catalog/permissions/{kind}/{name}", json=body).raise_for_status()

    return give


@pytest.fixture
def location(server: Server) -> Callable[[str], str]:
    """The folder of a table."""
    client = server.client()

    def find(name: str) -> str:
        answer = client.get(f"/api/2.1/unity-catalog/tables/{name}")
        answer.raise_for_status()
        return str(answer.json()["storage_location"]).removeprefix("file://")

    return find


@pytest.fixture
def volume(server: Server) -> Callable[[str, str], str]:
    """Makes a volume and gives its path."""
    client = server.client()

    def make(schema: str, name: str) -> str:
        catalog, short = schema.split(".")
        body = {"catalog_name": catalog, "schema_name": short, "name": name, "volume_type": "MANAGED"}
        client.post("/api/2.1/unity-catalog/volumes", json=body).raise_for_status()
        return f"/Volumes/{catalog}/{short}/{name}"

    return make


@pytest.fixture
def user(server: Server, connect: Connect) -> tuple[str, SparkSession]:
    """A new user without any grant, and a session of it."""
    name = f"u{uuid.uuid4().hex[:8]}@example.com"
    return name, connect(server.new_principal(name))
