"""Single sign-on against real OpenID providers, each a process of its own."""

import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.conftest import Server, running_server
from tests.iam import providers
from tests.iam.faulty_provider import CLIENT, SECRET
from tests.postgres import create_database

ME = "/api/2.0/preview/scim/v2/Me"
USERS = "/api/2.0/preview/scim/v2/Users"
LOGIN = "/api/boathouse/v1/sso/login"
SAME_SITE = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with providers.faulty() as running:
        yield running


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def sso(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, issuer: str) -> Iterator[Server]:
    environment = {
        "BOATHOUSE_OIDC_ISSUER": issuer,
        "BOATHOUSE_OIDC_CLIENT_ID": CLIENT,
        "BOATHOUSE_OIDC_CLIENT_SECRET": SECRET,
        "BOATHOUSE_OIDC_GROUPS_CLAIM": "groups",
        "BOATHOUSE_OIDC_ADMIN_GROUP": "platform-team",
        "BOATHOUSE_OIDC_ALLOWED_DOMAINS": "example.com, other.example",
        "BOATHOUSE_OIDC_AUTO_PROVISION": "true",
    }
    if request.param == "postgresql":
        environment["BOATHOUSE_DATABASE_URL"] = create_database(request.getfixturevalue("postgres_url"))
    with running_server(tmp_path_factory.mktemp("sso"), **environment) as running:
        yield running


def control(issuer: str, fault: str = "", *, rotate: bool = False, **claims: Any) -> None:
    httpx.post(f"{issuer}/control", json={"fault": fault, "rotate": rotate, "claims": claims}).raise_for_status()


def somebody(**more: Any) -> dict[str, Any]:
    name = uuid.uuid4().hex[:12]
    return {"sub": f"sub-{name}", "email": f"{name}@example.com", "email_verified": True, "name": f"N {name}"} | more


def to_callback(server: Server, next_path: str = "/catalog") -> tuple[httpx.Client, str]:
    """A browser that has been at the provider, and where the provider sends it."""
    # Each browser has an address of its own: failures are counted by address.
    browser = server.client("")
    browser.headers["X-Forwarded-For"] = f"198.51.100.{uuid.uuid4().int % 250}, 203.0.113.{uuid.uuid4().int % 250}"
    begun = browser.get(LOGIN, params={"next": next_path})
    assert begun.status_code == 302, begun.text
    at_provider = httpx.get(begun.headers["location"])
    assert at_provider.status_code == 302, at_provider.text
    return browser, at_provider.headers["location"]


def sign_in(server: Server, next_path: str = "/catalog") -> tuple[httpx.Client, httpx.Response]:
    browser, location = to_callback(server, next_path)
    return browser, browser.get(location)


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error_code"]


def test_the_provider_signs_a_new_user_in(sso: Server, issuer: str) -> None:
    who = somebody()
    control(issuer, **who)
    browser, answer = sign_in(sso)
    assert answer.status_code == 200
    assert 'content="0;url=/catalog"' in answer.text
    cookie = next(one for one in answer.headers.get_list("set-cookie") if one.startswith("boathouse_session="))
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    me = browser.get(ME).json()
    assert (me["userName"], me["displayName"]) == (who["email"], who["name"])
    assert {group["display"] for group in me["groups"]} == {"account users"}


def test_the_request_has_state_nonce_and_pkce(sso: Server, issuer: str) -> None:
    begun = sso.client("").get(LOGIN)
    asked = parse_qs(urlsplit(begun.headers["location"]).query)
    assert begun.headers["location"].startswith(f"{issuer}/authorize?")
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["redirect_uri"] == [f"{sso.url}/api/boathouse/v1/sso/callback"]
    assert set(asked["scope"][0].split()) == {"openid", "email", "profile"}
    assert min(len(asked[name][0]) for name in ("state", "nonce", "code_challenge")) >= 43
    again = parse_qs(urlsplit(sso.client("").get(LOGIN).headers["location"]).query)
    assert all(asked[name] != again[name] for name in ("state", "nonce", "code_challenge"))
    assert "SameSite=lax" in begun.headers["set-cookie"]
    assert "HttpOnly" in begun.headers["set-cookie"]


@pytest.mark.parametrize(
    "fault",
    [
        "wrong nonce",
        "no nonce",
        "expired",
        "issued in the future",
        "wrong audience",
        "audience of another client, authorized party ours",
        "wrong issuer",
        "unknown key",
        "key of a stranger",
        "no expiry",
        "signed with the client secret",
        "not signed",
        "no id token",
    ],
)
def test_an_id_token_that_does_not_hold_lets_nobody_in(sso: Server, issuer: str, fault: str) -> None:
    control(issuer, fault, **somebody())
    browser, answer = sign_in(sso)
    assert refusal(answer) == (401, "SSO_TOKEN_INVALID"), answer.text
    assert browser.get(ME).status_code == 401
    assert "boathouse_session" not in browser.cookies


@pytest.mark.parametrize("fault", ["expired a moment ago", "two audiences"])
def test_what_the_rules_allow_is_allowed(sso: Server, issuer: str, fault: str) -> None:
    control(issuer, fault, **somebody())
    browser, answer = sign_in(sso)
    assert answer.status_code == 200, answer.text
    assert browser.get(ME).status_code == 200


def test_the_providers_keys_may_change(sso: Server, issuer: str) -> None:
    for turn in range(3):
        control(issuer, rotate=turn > 0, **somebody())
        assert sign_in(sso)[1].status_code == 200


def test_a_state_works_once_and_in_its_browser_only(sso: Server, issuer: str) -> None:
    control(issuer, **somebody())
    browser, location = to_callback(sso)
    victim = sso.client("")
    assert refusal(victim.get(location)) == (401, "SSO_STATE_INVALID")
    other, _ = to_callback(sso)
    assert refusal(other.get(location)) == (401, "SSO_STATE_INVALID")
    assert browser.get(location).status_code == 200
    cookies = browser.cookies
    assert "boathouse_sso" not in cookies
    assert refusal(browser.get(location)) == (401, "SSO_STATE_INVALID")
    forged = browser.get("/api/boathouse/v1/sso/callback", params={"state": "x", "code": "y"})
    assert refusal(forged) == (401, "SSO_STATE_INVALID")


def test_a_state_is_used_up_even_if_the_token_does_not_hold(sso: Server, issuer: str) -> None:
    control(issuer, "wrong nonce", **somebody())
    browser, location = to_callback(sso)
    flow = browser.cookies["boathouse_sso"]
    assert refusal(browser.get(location)) == (401, "SSO_TOKEN_INVALID")
    again = sso.client("").get(location, headers={"Cookie": f"boathouse_sso={flow}"})
    assert refusal(again) == (401, "SSO_STATE_INVALID")


def test_what_the_provider_refuses_is_told(sso: Server, issuer: str) -> None:
    control(issuer, "denied", **somebody())
    browser, location = to_callback(sso)
    assert refusal(browser.get(location)) == (401, "SSO_DENIED")
    browser, location = to_callback(sso)
    shown = browser.get(location, headers={"Accept": "text/html"})
    assert (shown.status_code, shown.headers["location"]) == (303, "/sign-in?error=SSO_DENIED")
    # Some providers leave the state out then.
    told = sso.client("").get("/api/boathouse/v1/sso/callback", params={"error": "access_denied"})
    assert refusal(told) == (401, "SSO_DENIED")
    assert "access_denied" in told.json()["message"]


@pytest.mark.parametrize("fault", ["error page"])
def test_a_broken_provider_is_named(sso: Server, issuer: str, fault: str) -> None:
    control(issuer, fault, **somebody())
    assert refusal(sign_in(sso)[1]) == (503, "SSO_UNAVAILABLE")


@pytest.mark.parametrize(
    ("target", "lands"),
    [
        ("/serving/my?tab=x", "/serving/my?tab=x"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/sign-in?code=x", "/"),
        ('/"><script>', "/&quot;&gt;&lt;script&gt;"),
    ],
)
def test_the_browser_lands_on_the_own_page_only(sso: Server, issuer: str, target: str, lands: str) -> None:
    control(issuer, **somebody())
    _, answer = sign_in(sso, target)
    assert f'content="0;url={lands}"' in answer.text


def test_a_login_under_another_name_goes_to_the_address_that_the_provider_knows(sso: Server) -> None:
    port = urlsplit(sso.url).port
    answer = sso.client("").get(LOGIN, params={"next": "/models"}, headers={"Host": f"localhost:{port}"})
    assert answer.headers["location"] == f"{sso.url}{LOGIN}?next=%2Fmodels&here=true"


def test_who_may_come_in(sso: Server, issuer: str) -> None:
    outsider = somebody(email=f"{uuid.uuid4().hex}@evil.example")
    unverified = somebody(email_verified=False)
    unsaid = {key: value for key, value in somebody().items() if key != "email_verified"}
    nameless = {"sub": uuid.uuid4().hex}
    lookalike = somebody(email=f"{uuid.uuid4().hex}@notexample.com")
    for who in (outsider, unverified, unsaid, nameless, lookalike):
        control(issuer, **who)
        assert refusal(sign_in(sso)[1]) == (403, "SSO_NOT_ALLOWED"), who


def test_a_user_is_found_by_address_once_and_by_subject_from_then_on(sso: Server, issuer: str) -> None:
    who = somebody()
    sso.new_principal(who["email"])
    control(issuer, **who | {"email": who["email"].upper()})
    browser, answer = sign_in(sso)
    assert answer.status_code == 200, answer.text
    user_id = browser.get(ME).json()["id"]
    renamed = who | {"email": f"new-{who['email']}"}
    control(issuer, **renamed)
    assert sign_in(sso)[0].get(ME).json()["id"] == user_id
    thief = who | {"sub": "another subject with the same address"}
    control(issuer, **thief)
    assert refusal(sign_in(sso)[1]) == (403, "SSO_NOT_ALLOWED")


def test_a_deactivated_user_is_out_at_once_and_stays_out(sso: Server, issuer: str) -> None:
    control(issuer, **somebody())
    browser, _ = sign_in(sso)
    user_id = browser.get(ME).json()["id"]
    patch = {"Operations": [{"op": "replace", "path": "active", "value": False}]}
    sso.client().patch(f"{USERS}/{user_id}", json=patch).raise_for_status()
    assert browser.get(ME).status_code == 401
    assert refusal(sign_in(sso)[1]) == (403, "SSO_NOT_ALLOWED")


def groups(browser: httpx.Client) -> set[str]:
    return {group["display"] for group in browser.get(ME).json()["groups"]} - {"account users"}


def test_groups_follow_the_claim_and_leave_what_people_set(sso: Server, issuer: str) -> None:
    who = somebody()
    sso.new_principal(who["email"], groups=(f"by hand {who['sub']}",))
    control(issuer, **who, groups=[f"a {who['sub']}", f"b {who['sub']}", "admins", "account users", who["email"], 7])
    assert groups(sign_in(sso)[0]) == {f"by hand {who['sub']}", f"a {who['sub']}", f"b {who['sub']}"}
    control(issuer, **who, groups=[f"b {who['sub']}", f"by hand {who['sub']}"])
    assert groups(sign_in(sso)[0]) == {f"by hand {who['sub']}", f"b {who['sub']}"}
    control(issuer, **who, groups=[])
    assert groups(sign_in(sso)[0]) == {f"by hand {who['sub']}"}


def test_one_group_of_the_provider_makes_admins(sso: Server, issuer: str) -> None:
    who = somebody()
    control(issuer, **who, groups=["platform-team"])
    browser, _ = sign_in(sso)
    assert groups(browser) == {"admins", "platform-team"}
    control(issuer, **who, groups=[])
    browser, _ = sign_in(sso)
    assert groups(browser) == set()


def test_the_claim_of_a_group_within_the_admins_makes_none(sso: Server, issuer: str) -> None:
    who, admin = somebody(), sso.client()
    inner = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": f"ops {who['sub']}"}
    scim = "/api/2.0/preview/scim/v2/Groups"
    ops = admin.post(scim, json=inner).json()["id"]
    (admins,) = admin.get(scim, params={"filter": 'displayName eq "admins"'}).json()["Resources"]
    body = {"Operations": [{"op": "add", "path": "members", "value": [{"value": ops}]}]}
    admin.patch(f"{scim}/{admins['id']}", json=body).raise_for_status()
    control(issuer, **who, groups=[inner["displayName"], f"a {who['sub']}"])
    assert groups(sign_in(sso)[0]) == {f"a {who['sub']}"}
    admin.delete(f"{scim}/{ops}").raise_for_status()


def test_signing_out_ends_the_session_and_names_the_providers(sso: Server, issuer: str) -> None:
    control(issuer, **somebody())
    browser, _ = sign_in(sso)
    cookie = browser.cookies["boathouse_session"]
    answer = browser.post("/api/boathouse/v1/sign-out", headers=SAME_SITE)
    assert answer.json()["end_session_url"].startswith(f"{issuer}/end?client_id={CLIENT}&post_logout_redirect_uri=")
    stolen = sso.client("").get(ME, headers={"Cookie": f"boathouse_session={cookie}"})
    assert stolen.status_code == 401


def test_the_page_learns_of_it(sso: Server, shared_server: Server) -> None:
    assert sso.client("").get("/api/boathouse/v1/sign-in-options").json() == {"sso": {"name": "127.0.0.1", "url": LOGIN}}
    assert shared_server.client("").get("/api/boathouse/v1/sign-in-options").json() == {"sso": None}
    assert refusal(shared_server.client("").get(LOGIN)) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert refusal(shared_server.client("").get("/api/boathouse/v1/sso/callback")) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_no_secret_reaches_the_log_or_the_database(sso: Server, issuer: str) -> None:
    control(issuer, **somebody())
    browser, location = to_callback(sso)
    code, state = (parse_qs(urlsplit(location).query)[name][0] for name in ("code", "state"))
    flow = browser.cookies["boathouse_sso"]
    database = sso.root / "metadata.db"
    stored = b"".join(path.read_bytes() for path in (database, sso.root / "metadata.db-wal") if path.exists())
    browser.get(location).raise_for_status()
    logged = (sso.root / "logs" / "server.log").read_text()
    for secret in (SECRET, code, state, flow, browser.cookies["boathouse_session"]):
        assert secret not in logged
        assert secret.encode() not in stored


def test_a_maintained_provider_works_too(tmp_path: Any) -> None:
    claims = '{"sub": "ann", "email": "ann@example.com", "email_verified": true, "groups": ["analysts"]}'
    with providers.mock("--require-nonce", "true", "--user-claims", claims) as issuer:
        environment = {
            "BOATHOUSE_OIDC_ISSUER": issuer,
            "BOATHOUSE_OIDC_CLIENT_ID": "anything",
            "BOATHOUSE_OIDC_CLIENT_SECRET": "anything",
            "BOATHOUSE_OIDC_GROUPS_CLAIM": "groups",
        }
        with running_server(tmp_path, **environment) as server:

            def once() -> tuple[httpx.Client, httpx.Response]:
                browser = server.client("")
                begun = browser.get(LOGIN)
                approved = httpx.post(begun.headers["location"], data={"sub": "ann"})
                return browser, browser.get(approved.headers["location"])

            assert refusal(once()[1]) == (403, "SSO_NOT_ALLOWED")
            server.new_principal("ann@example.com")
            browser, answer = once()
            assert answer.status_code == 200, answer.text
            assert groups(browser) == {"analysts"}


def test_a_server_behind_a_proxy_is_known_by_its_public_url(tmp_path: Any, issuer: str) -> None:
    environment = {
        "BOATHOUSE_PUBLIC_URL": "https://lake.example/",
        "BOATHOUSE_OIDC_ISSUER": issuer,
        "BOATHOUSE_OIDC_CLIENT_ID": CLIENT,
    }
    with running_server(tmp_path, **environment) as server:
        proxied = server.client()
        proxied.headers.update({"Host": "lake.example", "X-Forwarded-Proto": "https"})
        assert proxied.get(ME).status_code == 200
        assert proxied.get("/.well-known/databricks-config").json()["oidc_endpoint"] == "https://lake.example/oidc"
        assert proxied.post("/api/boathouse/v1/sign-in-links").json()["url"].startswith("https://lake.example/sign-in?")
        begun = proxied.get(LOGIN)
        asked = parse_qs(urlsplit(begun.headers["location"]).query)
        assert asked["redirect_uri"] == ["https://lake.example/api/boathouse/v1/sso/callback"]
        assert "Secure" in begun.headers["set-cookie"]
        assert server.client().get(ME, headers={"Host": "evil.example"}).status_code == 403
        assert server.client().get(LOGIN).headers["location"].startswith("https://lake.example/api/boathouse/v1/sso/login?")


def test_settings_that_do_not_fit_stop_the_start(tmp_path: Any) -> None:
    from boathouse.config import Settings
    from boathouse.iam.errors import SsoMisconfigured
    from boathouse.iam.identity import Identity

    for wrong in (
        {"oidc_issuer": "https://idp.example"},
        {"oidc_issuer": "http://idp.example", "oidc_client_id": "x"},
        {"oidc_issuer": "https://idp.example", "oidc_client_id": "x", "oidc_admin_group": "y"},
    ):
        with pytest.raises(SsoMisconfigured):
            Identity.of(Settings(root=tmp_path, **wrong), "http://127.0.0.1:1")
