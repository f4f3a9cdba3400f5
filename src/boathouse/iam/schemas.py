"""HTTP bodies of identity: SCIM 2.0's camel case, and the page's sign-in."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

USER_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:Group"
SERVICE_PRINCIPAL_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:ServicePrincipal"
LIST_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
ERROR_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:Error"


class ScimValue(BaseModel):
    """One of a SCIM list of values."""

    model_config = ConfigDict(populate_by_name=True)

    value: str | None = Field(default=None, max_length=1024)
    display: str | None = Field(default=None, max_length=1024)
    type: str | None = Field(default=None, max_length=100)
    primary: bool | None = None
    ref: str | None = Field(default=None, alias="$ref", max_length=1024)


class ScimName(BaseModel):
    """A person's name."""

    givenName: str | None = Field(default=None, max_length=255)
    familyName: str | None = Field(default=None, max_length=255)
    formatted: str | None = Field(default=None, max_length=512)


class ScimMeta(BaseModel):
    """What kind of resource it is."""

    resourceType: str | None = None
    location: str | None = None


class _Resource(BaseModel):
    schemas: list[str] = []
    id: str = ""
    externalId: str | None = Field(default=None, max_length=255)
    displayName: str | None = Field(default=None, max_length=255)
    groups: list[ScimValue] = []
    roles: list[ScimValue] = Field(default=[], max_length=1000)
    entitlements: list[ScimValue] = Field(default=[], max_length=1000)
    meta: ScimMeta | None = None


class ScimPrincipal(_Resource):
    """A user (``userName``) or service principal (``applicationId``)."""

    userName: str | None = Field(default=None, max_length=255)
    applicationId: str | None = Field(default=None, max_length=255)
    active: bool | None = None
    name: ScimName | None = None
    emails: list[ScimValue] = Field(default=[], max_length=100)


class ScimGroup(_Resource):
    """A group with its members: users, service principals and groups."""

    members: list[ScimValue] = []


class ScimList(BaseModel):
    """A page of resources."""

    schemas: list[str] = [LIST_SCHEMA]
    totalResults: int
    startIndex: int
    itemsPerPage: int
    Resources: list[dict[str, Any]]


class ScimOperation(BaseModel):
    """One of a PATCH."""

    op: str
    path: str | None = None
    value: Any = None


class ScimPatch(BaseModel):
    """Changes to a resource."""

    schemas: list[str] = []
    Operations: list[ScimOperation] = Field(max_length=1000)


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


class SingleSignOn(BaseModel):
    """Where to begin a single sign-on, and what to call its provider."""

    name: str
    url: str


class SignInOptions(BaseModel):
    """The ways to sign in besides links and tokens."""

    sso: SingleSignOn | None


class SignedOut(BaseModel):
    """Where to end the session at the provider too."""

    end_session_url: str
