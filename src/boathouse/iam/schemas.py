"""HTTP bodies of identity: SCIM 2.0's camel case, and the token API's snake case."""

from typing import Literal

from pydantic import BaseModel, Field

from boathouse.iam.models import PrincipalRow
from boathouse.iam.principal import Principal
from boathouse.iam.service import TokenInfo

USER_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:User"
SERVICE_PRINCIPAL_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:ServicePrincipal"
LIST_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:ListResponse"


class ScimValue(BaseModel):
    """One of a SCIM list of values."""

    value: str | None = None
    display: str | None = None
    type: str | None = None
    primary: bool | None = None


class ScimPrincipal(BaseModel):
    """A user (``userName``) or service principal (``applicationId``)."""

    schemas: list[str] = []
    id: str = ""
    userName: str | None = None
    applicationId: str | None = None
    displayName: str | None = None
    active: bool = True
    emails: list[ScimValue] = []
    groups: list[ScimValue] = []

    @classmethod
    def of(cls, row: PrincipalRow | Principal, groups: frozenset[str] = frozenset()) -> "ScimPrincipal":
        """The wire form of a principal."""
        display_name = row.display_name if isinstance(row, PrincipalRow) else row.name
        memberships = [ScimValue(display=group, value=group, type="direct") for group in sorted(groups)]
        if row.kind == "service_principal":
            return cls(
                schemas=[SERVICE_PRINCIPAL_SCHEMA],
                id=row.id,
                applicationId=row.name,
                displayName=display_name,
                groups=memberships,
            )
        return cls(
            schemas=[USER_SCHEMA],
            id=row.id,
            userName=row.name,
            displayName=display_name,
            emails=[ScimValue(value=row.name, type="work", primary=True)] if "@" in row.name else [],
            groups=memberships,
        )


class ScimList(BaseModel):
    """A page of principals."""

    schemas: list[str] = [LIST_SCHEMA]
    totalResults: int
    startIndex: int
    itemsPerPage: int
    Resources: list[ScimPrincipal]


class CreateToken(BaseModel):
    """Asks for a personal access token; without a lifetime it does not expire."""

    comment: str = ""
    lifetime_seconds: int | None = Field(default=None, gt=0)


class CreateOnBehalfToken(CreateToken):
    """Asks for a token of a service principal."""

    application_id: str


class RevokeToken(BaseModel):
    """Names a token to revoke."""

    token_id: str


class PublicToken(BaseModel):
    """A token without its value; ``expiry_time`` is -1 where it does not expire."""

    token_id: str
    comment: str
    creation_time: int
    expiry_time: int

    @classmethod
    def of(cls, token: TokenInfo) -> "PublicToken":
        """The wire form."""
        return cls(
            token_id=token.token_id,
            comment=token.comment,
            creation_time=token.created_at,
            expiry_time=-1 if token.expires_at is None else token.expires_at,
        )


class CreatedToken(BaseModel):
    """A new token; its value is shown this once."""

    token_value: str
    token_info: PublicToken


class TokenList(BaseModel):
    """The asker's tokens."""

    token_infos: list[PublicToken]


class SignIn(BaseModel):
    """Signs in on the page: by the code of a one-time link, or by a token."""

    code: str | None = None
    token: str | None = None


class SignedIn(BaseModel):
    """Who is signed in now."""

    kind: Literal["user", "service_principal"]
    name: str
    is_admin: bool


class SignInLink(BaseModel):
    """A link that signs its asker in on the page, once; ``expires_at`` in ms since the epoch."""

    url: str
    expires_at: int
