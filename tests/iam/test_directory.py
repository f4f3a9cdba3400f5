"""Rules that need no HTTP: references to names by other slices, limits, the provider's discovery."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy.orm import Session

from boathouse.config import Settings
from boathouse.db import Database
from boathouse.iam.authenticator import Authenticator
from boathouse.iam.errors import SsoUnavailable, StillReferenced, TokenUnknown, TooManyRequests
from boathouse.iam.limits import AttemptLimit
from boathouse.iam.provider import Provider, ProviderConfig
from boathouse.iam.service import IamService
from boathouse.iam.service.directory import Directory
from boathouse.iam.service.values import GroupChange, PersonChange
from tests.databases import new_sqlite
from tests.iam import providers


class Ledger:
    """A slice that keeps names."""

    def __init__(self) -> None:
        self.owners: dict[str, str] = {}
        self.grants: set[str] = set()

    def held_by(self, _session: Session, name: str) -> list[str]:
        return [thing for thing, owner in self.owners.items() if owner == name]

    def renamed(self, _session: Session, old: str, new: str) -> None:
        self.owners = {thing: new if owner == old else owner for thing, owner in self.owners.items()}
        self.grants = {new if name == old else name for name in self.grants}

    def deleted(self, _session: Session, name: str) -> None:
        self.grants.discard(name)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(new_sqlite(tmp_path / "metadata.db"))
    with made.session(write=True) as session:
        IamService(session).ensure_admin("root@localhost")
    yield made
    made.dispose()


def test_what_other_slices_keep_by_name_follows(database: Database) -> None:
    ledger = Ledger()
    with database.session(write=True) as session:
        directory = Directory(session, [ledger])
        group = directory.create_group(GroupChange("analysts"))
        ledger.owners["table main.s.t"] = "analysts"
        ledger.grants.add("analysts")
        directory.replace_group(group.id, GroupChange("scientists"))
        assert ledger.owners == {"table main.s.t": "scientists"}
        assert ledger.grants == {"scientists"}
        with pytest.raises(StillReferenced, match=r"table main\.s\.t"):
            directory.delete_group(group.id)
        ledger.owners.clear()
        directory.delete_group(group.id)
        assert ledger.grants == set()
        user = directory.create_person("user", "ann@example.com", PersonChange())
        ledger.owners["catalog c"] = user.name
        with pytest.raises(StillReferenced, match="catalog c"):
            directory.delete_person("user", user.id)


def test_what_is_remembered_of_a_token_ends_with_the_change(database: Database) -> None:
    authenticator = Authenticator(database)
    with database.session(write=True) as session:
        user = IamService(session).create_principal("ann@example.com", "user")
        token, _ = IamService(session).issue(user.id, "personal")
    assert authenticator.authenticate(token).name == "ann@example.com"
    with database.session(write=True) as session:
        directory = Directory(session, (), authenticator.forget_all)
        directory.begin()
        directory.replace_person("user", user.id, PersonChange(active=False))
        # Before the commit it is as it was, and what is read now must not be remembered after.
        assert authenticator.authenticate(token).name == "ann@example.com"
    with pytest.raises(TokenUnknown):
        authenticator.authenticate(token)


def test_a_limit_counts_by_key_and_forgets() -> None:
    limit = AttemptLimit("attempts", 2, 0.2)
    limit.take("a")
    limit.take("a")
    with pytest.raises(TooManyRequests):
        limit.take("a")
    limit.take("b")
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            limit.check("a")
        except TooManyRequests:
            time.sleep(0.01)
            continue
        return
    pytest.fail("the limit did not forget")


def test_a_provider_that_is_another_or_down_is_not_used() -> None:
    settings = Settings(oidc_issuer="http://127.0.0.1:9", oidc_client_id="x")
    config = ProviderConfig.of(settings)
    assert config is not None
    with pytest.raises(SsoUnavailable):
        Provider(config, "http://127.0.0.1:1/callback").begin()
    with providers.faulty() as issuer:
        httpx.post(f"{issuer}/control", json={"fault": "other issuer in discovery"}).raise_for_status()
        config = ProviderConfig.of(settings.model_copy(update={"oidc_issuer": issuer}))
        assert config is not None
        provider = Provider(config, "http://127.0.0.1:1/callback")
        with pytest.raises(SsoUnavailable, match="issuer"):
            provider.begin()
        httpx.post(f"{issuer}/control", json={}).raise_for_status()
        assert provider.begin().url.startswith(f"{issuer}/authorize?")
