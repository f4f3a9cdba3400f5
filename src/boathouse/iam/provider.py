"""The OpenID provider: discovery, the authorization code flow with PKCE, and the checks of its ID tokens.

Authlib speaks the protocol and checks the claims, joserfc the signature; httpx carries it. No claim is believed before all of
``_validated`` has passed.
"""

import secrets
import threading
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import structlog
from authlib.common.errors import AuthlibBaseError
from authlib.oauth2.client import OAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import BadSignatureError, InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from boathouse.config import Settings
from boathouse.iam.errors import SsoDenied, SsoMisconfigured, SsoTokenInvalid, SsoUnavailable

METADATA_SECONDS = 3600
CLOCK_SKEW_SECONDS = 60
TIMEOUT_SECONDS = 10
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures by a key pair only: a shared secret or none would let others make tokens."""

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True)
class ProviderConfig:
    """How to reach and trust the provider.

    Attributes:
        groups_claim: Claim with the names of the user's groups; None leaves groups alone.
        admin_group: Name in that claim whose members are admins here; None makes nobody an admin.
        allowed_domains: Domains of e-mail addresses that are let in; empty for all.
        auto_provision: Whether a user who does not exist here yet is made.
        trust_email: Whether an address counts without the claim ``email_verified``.
    """

    issuer: str
    client_id: str
    client_secret: str | None
    scopes: str
    groups_claim: str | None
    admin_group: str | None
    allowed_domains: frozenset[str]
    auto_provision: bool
    trust_email: bool

    @classmethod
    def of(cls, settings: Settings) -> "ProviderConfig | None":
        """What the settings say; None without single sign-on.

        Raises:
            SsoMisconfigured: If a part is missing, or the issuer is neither https nor on this machine.
        """
        if settings.oidc_issuer is None:
            return None
        if not settings.oidc_client_id:
            raise SsoMisconfigured("BOATHOUSE_OIDC_CLIENT_ID is missing")
        if not _is_safe(settings.oidc_issuer):
            raise SsoMisconfigured("BOATHOUSE_OIDC_ISSUER has to begin with https://")
        if settings.oidc_admin_group and not settings.oidc_groups_claim:
            raise SsoMisconfigured("BOATHOUSE_OIDC_ADMIN_GROUP needs BOATHOUSE_OIDC_GROUPS_CLAIM")
        secret = settings.oidc_client_secret
        domains = {domain.strip().lower().removeprefix("@") for domain in settings.oidc_allowed_domains.split(",")}
        return cls(
            issuer=settings.oidc_issuer,
            client_id=settings.oidc_client_id,
            client_secret=None if secret is None else secret.get_secret_value(),
            scopes=" ".join(dict.fromkeys(["openid", *settings.oidc_scopes.split()])),
            groups_claim=settings.oidc_groups_claim,
            admin_group=settings.oidc_admin_group,
            allowed_domains=frozenset(domains - {""}),
            auto_provision=settings.oidc_auto_provision,
            trust_email=settings.oidc_trust_email,
        )


@dataclass(frozen=True)
class Challenge:
    """A sign-in that begins: where the browser goes, and what has to come back."""

    url: str
    state: str
    nonce: str
    code_verifier: str


class Provider:
    """One OpenID provider. Safe for threads; reaches the network on first use only.

    Args:
        config: How to reach and trust it.
        redirect_uri: Where it sends browsers back to.
    """

    def __init__(self, config: ProviderConfig, redirect_uri: str) -> None:
        self.config = config
        self.redirect_uri = redirect_uri
        self._lock = threading.Lock()
        self._metadata: tuple[float, dict[str, Any]] | None = None
        self._keys: KeySet | None = None

    @property
    def name(self) -> str:
        """What people call it: its host name."""
        return urlsplit(self.config.issuer).hostname or self.config.issuer

    def begin(self) -> Challenge:
        """Begin a sign-in.

        Raises:
            SsoUnavailable: If the provider does not answer.
        """
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        with httpx.Client(timeout=TIMEOUT_SECONDS) as http:
            endpoint = self._endpoint(self._discover(http), "authorization_endpoint")
            url, _ = self._client(http).create_authorization_url(endpoint, state=state, code_verifier=verifier, nonce=nonce)
        return Challenge(str(url), state, nonce, verifier)

    def finish(self, code: str, code_verifier: str, nonce: str) -> dict[str, Any]:
        """Exchange the code that the browser brought.

        Returns:
            The claims of the ID token, all checked.

        Raises:
            SsoUnavailable: If the provider does not answer.
            SsoDenied: If it refuses the code.
            SsoTokenInvalid: If its ID token does not hold.
        """
        with httpx.Client(timeout=TIMEOUT_SECONDS) as http:
            metadata = self._discover(http)
            token = self._exchange(http, metadata, code, code_verifier)
            if not isinstance(token.get("id_token"), str):
                raise SsoTokenInvalid("there is none in its answer")
            try:
                claims = self._verified(http, metadata, token["id_token"])
                return self._validated(claims, metadata, token, nonce)
            except (JoseError, ValueError, KeyError, TypeError) as error:
                raise SsoTokenInvalid(_reason(error)) from error

    def end_session_url(self, back_to: str) -> str | None:
        """Where a browser ends its session at the provider; None where that is not known."""
        with self._lock:
            known = self._metadata
        endpoint = known[1].get("end_session_endpoint") if known else None
        if not isinstance(endpoint, str) or not _is_safe(endpoint):
            return None
        query = urlencode({"client_id": self.config.client_id, "post_logout_redirect_uri": back_to})
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{query}"

    def _client(self, http: httpx.Client) -> OAuth2Client:
        return OAuth2Client(
            session=http,
            client_id=self.config.client_id,
            client_secret=self.config.client_secret,
            scope=self.config.scopes,
            redirect_uri=self.redirect_uri,
            code_challenge_method="S256",
        )

    def _discover(self, http: httpx.Client) -> dict[str, Any]:
        with self._lock:
            known = self._metadata
        if known is not None and known[0] > time.monotonic():
            return known[1]
        metadata = _fetch(http, f"{self.config.issuer.rstrip('/')}/.well-known/openid-configuration")
        if str(metadata.get("issuer", "")).rstrip("/") != self.config.issuer.rstrip("/"):
            raise SsoUnavailable(f"its discovery document is of the issuer {metadata.get('issuer')!r}")
        with self._lock:
            self._metadata = (time.monotonic() + METADATA_SECONDS, metadata)
        return metadata

    def _endpoint(self, metadata: dict[str, Any], name: str) -> str:
        url = metadata.get(name)
        if not isinstance(url, str) or not _is_safe(url):
            raise SsoUnavailable(f"its discovery document has no {name} with https")
        return url

    def _exchange(self, http: httpx.Client, metadata: dict[str, Any], code: str, code_verifier: str) -> dict[str, Any]:
        config = self.config
        methods = metadata.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        extra: dict[str, str] = {}
        auth: httpx.Auth = httpx.Auth()
        if config.client_secret is None:
            extra = {"client_id": config.client_id}
        elif "client_secret_basic" in methods:
            auth = httpx.BasicAuth(config.client_id, config.client_secret)
        else:
            extra = {"client_id": config.client_id, "client_secret": config.client_secret}
        try:
            token = self._client(http).fetch_token(
                self._endpoint(metadata, "token_endpoint"),
                grant_type="authorization_code",
                code=code,
                code_verifier=code_verifier,
                auth=auth,
                **extra,
            )
        except AuthlibBaseError as error:
            raise SsoDenied(error.error or "unknown_error") from error
        except (httpx.HTTPError, ValueError) as error:
            raise SsoUnavailable(f"its token endpoint failed ({type(error).__name__})") from error
        return dict(token)

    def _verified(self, http: httpx.Client, metadata: dict[str, Any], id_token: str) -> jwt.Token:
        offered = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
        registry = JWSRegistry(algorithms=[name for name in offered if name in ALGORITHMS], strict_check_header=False)
        with self._lock:
            keys = self._keys
        if keys is not None:
            try:
                return jwt.decode(id_token, key=keys, registry=registry)
            except (InvalidKeyIdError, BadSignatureError):
                log.info("sso.keys_changed", issuer=self.config.issuer)
        keys = KeySet.import_key_set(_fetch(http, self._endpoint(metadata, "jwks_uri")))  # pyright: ignore[reportArgumentType] - the provider's JSON, checked by the import
        with self._lock:
            self._keys = keys
        return jwt.decode(id_token, key=keys, registry=registry)

    def _validated(self, found: jwt.Token, metadata: dict[str, Any], token: dict[str, Any], nonce: str) -> dict[str, Any]:
        claims = CodeIDToken(
            found.claims,
            found.header,
            {
                "iss": {"essential": True, "value": metadata["issuer"]},
                "aud": {"essential": True, "value": self.config.client_id},
                "sub": {"essential": True},
                "nonce": {"essential": True, "value": nonce},
            },
            {"nonce": nonce, "client_id": self.config.client_id, "access_token": token.get("access_token")},
        )
        claims.validate(leeway=CLOCK_SKEW_SECONDS)
        if not isinstance(claims["sub"], str) or not claims["sub"]:
            raise SsoTokenInvalid("sub is not a text")
        return dict(claims)


def _fetch(http: httpx.Client, url: str) -> dict[str, Any]:
    try:
        answer = http.get(url)
        answer.raise_for_status()
        found = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise SsoUnavailable(f"{urlsplit(url).path} failed ({type(error).__name__})") from error
    if not isinstance(found, dict):
        raise SsoUnavailable(f"{urlsplit(url).path} is not a JSON object")
    return found


def _is_safe(url: str) -> bool:
    parts = urlsplit(url)
    loopback = parts.hostname in {"127.0.0.1", "localhost", "::1"}
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and loopback))


def _reason(error: Exception) -> str:
    if isinstance(error, JoseError):
        claim = getattr(error, "claim", None)
        return f"{error.error}{f' ({claim})' if claim else ''}"
    return type(error).__name__
