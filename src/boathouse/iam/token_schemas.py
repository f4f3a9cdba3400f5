"""HTTP bodies of tokens and OAuth clients: the API's snake case."""

from datetime import UTC, datetime

from pydantic import BaseModel, Field

from boathouse.iam.service import TokenInfo
from boathouse.iam.service.clients import SecretInfo

DAY_MS = 24 * 3600 * 1000
MAX_LIFETIME_SECONDS = 100 * 366 * 24 * 3600


class CreateToken(BaseModel):
    """Asks for a personal access token; without a lifetime it gets the server's default, without scopes all."""

    comment: str = Field(default="", max_length=1024)
    lifetime_seconds: int | None = Field(default=None, gt=0, le=MAX_LIFETIME_SECONDS)
    scopes: list[str] | None = None


class CreateOnBehalfToken(CreateToken):
    """Asks for a token of a service principal."""

    application_id: str


class RevokeToken(BaseModel):
    """Names a token to revoke."""

    token_id: str


class TokenChange(BaseModel):
    """What can be changed on a token."""

    comment: str | None = Field(default=None, max_length=1024)
    scopes: list[str] | None = None


class UpdateToken(BaseModel):
    """Changes a token; ``update_mask`` names what: ``comment,scopes``."""

    token: TokenChange
    update_mask: str


class PublicToken(BaseModel):
    """A token without its value.

    ``expiry_time`` is -1 where it does not expire; ``scopes`` is missing where it may do everything; ``last_used_day`` is the
    start of a day, missing where it was never used.
    """

    token_id: str
    comment: str
    creation_time: int
    expiry_time: int
    scopes: list[str] | None = None
    last_used_day: int | None = None

    @classmethod
    def of(cls, token: TokenInfo) -> "PublicToken":
        """The wire form."""
        return cls(
            token_id=token.token_id,
            comment=token.comment,
            creation_time=token.created_at,
            expiry_time=-1 if token.expires_at is None else token.expires_at,
            scopes=None if token.scopes is None else sorted(token.scopes),
            last_used_day=None if token.last_used_at is None else token.last_used_at // DAY_MS * DAY_MS,
        )


class ManagedToken(PublicToken):
    """A token as an admin sees it. The API's ids of owners are integers, which those here are not: names stand for them."""

    owner_username: str
    created_by_username: str

    @classmethod
    def of(cls, token: TokenInfo) -> "ManagedToken":
        """The wire form."""
        return cls(
            **PublicToken.of(token).model_dump(),
            owner_username=token.owner_name,
            created_by_username=token.created_by,
        )


class CreatedToken(BaseModel):
    """A new token; its value is shown this once."""

    token_value: str
    token_info: PublicToken


class TokenList(BaseModel):
    """The asker's tokens."""

    token_infos: list[PublicToken]


class ManagedTokenList(BaseModel):
    """Everybody's tokens."""

    token_infos: list[ManagedToken]


class ManagedTokenAnswer(BaseModel):
    """One of them."""

    token_info: ManagedToken


class CreateSecret(BaseModel):
    """Asks for a secret of a service principal; ``lifetime`` in seconds, as in ``3600s``."""

    lifetime: str | None = Field(default=None, pattern=r"^[1-9]\d{0,8}s$")
    scopes: list[str] | None = None


class SecretBody(BaseModel):
    """A secret without its value."""

    id: str
    status: str
    create_time: str
    update_time: str
    expire_time: str
    scopes: list[str] | None = None

    @classmethod
    def of(cls, secret: SecretInfo) -> "SecretBody":
        """The wire form."""
        made = _text(secret.created_at)
        return cls(
            id=secret.secret_id,
            status="ACTIVE" if secret.is_active else "EXPIRED",
            create_time=made,
            update_time=made,
            expire_time=_text(secret.expires_at),
            scopes=None if secret.scopes is None else sorted(secret.scopes),
        )


class CreatedSecret(SecretBody):
    """A new secret; its value is shown this once."""

    secret: str


class SecretList(BaseModel):
    """A service principal's secrets."""

    secrets: list[SecretBody]


def _text(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
