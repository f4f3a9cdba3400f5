import httpx

from tests.conftest import Server

SIGN_IN = "/api/boathouse/v1/sign-in"
ME = "/api/2.0/preview/scim/v2/Me"
SAME_SITE = {"Sec-Fetch-Site": "same-origin"}


def signed_in(server: Server) -> httpx.Client:
    browser = server.client("")
    browser.post(SIGN_IN, json={"token": server.token}).raise_for_status()
    return browser


def test_a_link_signs_in_once(server: Server) -> None:
    url = server.client().post("/api/boathouse/v1/sign-in-links").json()["url"]
    assert url.startswith(f"{server.url}/sign-in?code=")
    code = url.split("code=")[1]
    browser = server.client("")
    answer = browser.post(SIGN_IN, json={"code": code})
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert browser.get(ME).status_code == 200
    again = server.client("").post(SIGN_IN, json={"code": code})
    assert (again.status_code, again.json()["error_code"]) == (401, "UNAUTHENTICATED")
    assert "boathouse status --link" in again.json()["message"]
    assert server.client(code).get(ME).status_code == 401


def test_a_wrong_token_does_not_sign_in(server: Server) -> None:
    assert server.client("").post(SIGN_IN, json={"token": "bhp_no"}).status_code == 401
    assert server.client("").post(SIGN_IN, json={}).status_code == 400


def test_another_site_cannot_use_the_session(server: Server) -> None:
    browser = signed_in(server)
    body = {"comment": "forged"}
    for headers in ({}, {"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert browser.post("/api/2.0/token/create", json=body, headers=headers).status_code == 403
    assert browser.post("/api/2.0/token/create", json=body, headers=SAME_SITE).status_code == 200
    assert browser.post("/api/2.0/token/create", json=body, headers={"Origin": server.url}).status_code == 200


def test_signing_out_ends_the_session(server: Server) -> None:
    browser = signed_in(server)
    cookie = browser.cookies["boathouse_session"]
    assert browser.get(ME).status_code == 200
    assert browser.post("/api/boathouse/v1/sign-out", headers=SAME_SITE).status_code == 204
    stolen = server.client("").get(ME, headers={"Cookie": f"boathouse_session={cookie}"})
    assert stolen.status_code == 401
