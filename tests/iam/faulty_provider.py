"""An OpenID provider in a process of its own that can be told to break the rules: ``python faulty_provider.py PORT``.

It lets in whoever comes, checks PKCE, the client's secret and that a code is used once, and signs with RS256.
"""

import base64
import hashlib
import secrets
import sys
import time
from typing import Annotated, Any
from urllib.parse import urlencode

import uvicorn
from fastapi import FastAPI, Form, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey

CLIENT, SECRET = "boathouse-test", "a client secret of the tests"


class State:
    """What the tests set."""

    def __init__(self) -> None:
        self.fault = ""
        self.claims: dict[str, Any] = {}
        self.codes: dict[str, dict[str, str]] = {}
        self.key = self.stranger = RSAKey.generate_key(2048)
        self.rotate()
        self.stranger = RSAKey.generate_key(2048, {"kid": self.key.kid})

    def rotate(self) -> None:
        """Sign with a new key from now on; the old one is not published any more."""
        self.key = RSAKey.generate_key(2048, {"kid": secrets.token_hex(4)})


def provider(issuer: str) -> FastAPI:  # noqa: C901, PLR0915 - the routes of one small application, and all its faults
    app, state = FastAPI(), State()

    @app.get("/.well-known/openid-configuration")
    def configuration() -> dict[str, Any]:
        return {
            "issuer": "https://elsewhere.example" if state.fault == "other issuer in discovery" else issuer,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/token",
            "jwks_uri": f"{issuer}/keys",
            "end_session_endpoint": f"{issuer}/end",
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
        }

    @app.get("/keys")
    def keys() -> dict[str, Any]:
        return KeySet([state.key]).as_dict(private=False)

    @app.get("/authorize")
    def authorize(request: Request) -> Response:
        asked = dict(request.query_params)
        if state.fault == "denied":
            query = {"error": "access_denied", "state": asked["state"]}
        else:
            code = secrets.token_urlsafe(16)
            state.codes[code] = asked
            query = {"code": code, "state": asked["state"]}
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(query)}", 302)

    @app.post("/token")
    def token(
        request: Request,
        code: Annotated[str, Form()],
        code_verifier: Annotated[str, Form()],
        redirect_uri: Annotated[str, Form()],
    ) -> Response:
        asked = state.codes.pop(code, None)
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(code_verifier.encode()).digest()).decode().rstrip("=")
        if request.headers.get("authorization") != f"Basic {basic}":
            return JSONResponse({"error": "invalid_client"}, 401)
        if asked is None or asked["redirect_uri"] != redirect_uri or asked.get("code_challenge_method") != "S256":
            return JSONResponse({"error": "invalid_grant"}, 400)
        if asked["code_challenge"] != challenge:
            return JSONResponse({"error": "invalid_grant"}, 400)
        body = {"access_token": secrets.token_urlsafe(16), "token_type": "Bearer", "expires_in": 60}
        if state.fault == "error page":
            return Response("<h1>down</h1>", 502)
        if state.fault != "no id token":
            body["id_token"] = signed(asked)
        return JSONResponse(body)

    def signed(asked: dict[str, str]) -> str:  # noqa: C901, PLR0912 - one case for each fault
        now = int(time.time())
        claims: dict[str, Any] = {"iss": issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        claims |= state.claims
        header, key = {"alg": "RS256", "kid": state.key.kid}, state.key
        match state.fault:
            case "wrong nonce":
                claims["nonce"] = "another"
            case "no nonce":
                del claims["nonce"]
            case "expired":
                claims |= {"iat": now - 7200, "exp": now - 3600}
            case "expired a moment ago":
                claims |= {"iat": now - 320, "exp": now - 20}
            case "issued in the future":
                claims |= {"iat": now + 3600, "nbf": now + 3600, "exp": now + 7200}
            case "wrong audience":
                claims["aud"] = "another-client"
            case "audience of another client, authorized party ours":
                claims |= {"aud": "another-client", "azp": CLIENT}
            case "two audiences":
                claims |= {"aud": [CLIENT, "another-client"], "azp": CLIENT}
            case "wrong issuer":
                claims["iss"] = "https://elsewhere.example"
            case "unknown key":
                header["kid"] = "nobody-knows"
            case "key of a stranger":
                key = state.stranger
            case "no expiry":
                del claims["exp"]
            case "signed with the client secret":
                header, key = {"alg": "HS256"}, OctKey.import_key(SECRET * 2)
            case "not signed":
                parts = [{"alg": "none"}, claims]
                encoded = [
                    base64.urlsafe_b64encode(str(part).replace("'", '"').encode()).decode().rstrip("=") for part in parts
                ]
                return ".".join([*encoded, ""])
        return jwt.encode(header, claims, key)

    @app.post("/control")
    def control(body: dict[str, Any]) -> dict[str, str]:
        state.fault, state.claims = body.get("fault", ""), body.get("claims", {})
        if body.get("rotate"):
            state.rotate()
        return {}

    return app


if __name__ == "__main__":
    port = int(sys.argv[1])
    uvicorn.run(provider(f"http://127.0.0.1:{port}"), host="127.0.0.1", port=port, log_level="warning")
