"""What the server records of a single sign-on, against a real OpenID provider."""

import uuid
from collections.abc import Iterator

import httpx
import pytest

from boathouse.db import Database
from boathouse.history.api import Recorder
from boathouse.storage.layout import Layout
from tests.conftest import Server, running_server
from tests.history.conftest import rows
from tests.iam import providers
from tests.iam.faulty_provider import CLIENT, SECRET


@pytest.fixture
def issuer() -> Iterator[str]:
    with providers.faulty() as running:
        yield running


@pytest.fixture
def sso(tmp_path_factory: pytest.TempPathFactory, issuer: str) -> Iterator[Server]:
    settings = {"ISSUER": issuer, "CLIENT_ID": CLIENT, "CLIENT_SECRET": SECRET, "AUTO_PROVISION": "true"}
    environment = {f"BOATHOUSE_OIDC_{name}": value for name, value in settings.items()}
    with running_server(tmp_path_factory.mktemp("sso"), **environment) as running:
        yield running


def test_a_sign_in_names_who_came_and_keeps_no_code(sso: Server, issuer: str) -> None:
    email = f"{uuid.uuid4().hex[:8]}@example.com"
    claims = {"sub": email, "email": email, "email_verified": True, "name": "N"}
    httpx.post(f"{issuer}/control", json={"fault": "", "rotate": False, "claims": claims}).raise_for_status()
    browser = sso.client("")
    begun = browser.get("/api/boathouse/v1/sso/login")
    back = httpx.get(begun.headers["location"]).headers["location"]
    assert browser.get(back).status_code == 200
    again = browser.get(back, headers={"Accept": "text/html"})
    assert again.status_code == 303
    layout = Layout(sso.root.resolve())
    database = Database(sso.database_url)
    came: list[tuple[str | None, int]] = []
    recorder = Recorder(database, layout)
    while len(came) < 2:
        recorder.flush()
        found = [row for row in rows(layout, "system.access.audit") if row["action_name"] == "ssoCallback"]
        came = [(row["user_identity"]["email"], row["response"]["status_code"]) for row in found]
    database.dispose()
    assert sorted(came, key=str) == sorted([(email, 200), (None, 303)], key=str)
    failed = next(row for row in found if row["response"]["status_code"] == 303)
    assert failed["response"]["error_message"]
    for part in httpx.URL(back).params.values():
        assert part not in str(rows(layout, "system.access.audit"))
