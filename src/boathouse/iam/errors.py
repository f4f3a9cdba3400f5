"""What can be wrong with who asks."""

from collections.abc import Sequence

from boathouse.errors import (
    AlreadyExists,
    BoathouseError,
    InvalidParameterValue,
    InvalidState,
    NotFound,
    PermissionDenied,
    TemporarilyUnavailable,
    Unauthenticated,
)


class TokenUnknown(Unauthenticated):
    """A token that nobody has, or that was revoked."""

    def __init__(self) -> None:
        super().__init__("The access token is not valid: it is unknown or was revoked. Create one with `boathouse token`.")


class TokenExpired(Unauthenticated):
    """A token whose lifetime is over."""

    def __init__(self) -> None:
        super().__init__("The access token has expired. Create a new one with `boathouse token`.")


class CredentialsMissing(Unauthenticated):
    """A request without credentials."""

    def __init__(self) -> None:
        super().__init__("Credentials are missing: send the header 'Authorization: Bearer <token>', or sign in on the page.")


class SignInCodeInvalid(Unauthenticated):
    """A sign-in link that was used, is too old or never was."""

    def __init__(self) -> None:
        super().__init__("The sign-in link was used already or is too old. Print a new one with `boathouse status --link`.")


class AdminRequired(PermissionDenied):
    """Something that only a workspace admin may do."""

    def __init__(self, action: str) -> None:
        super().__init__(f"Only a member of the group 'admins' may {action}.")


class PrincipalNotFound(NotFound):
    """No such user, service principal or group."""

    error_code = "PRINCIPAL_DOES_NOT_EXIST"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Principal '{name}' does not exist: no user, service principal or group has this name or id.", name=name
        )


class PrincipalExists(AlreadyExists):
    """The name is taken."""

    def __init__(self, name: str) -> None:
        super().__init__(f"A principal named '{name}' exists already.", name=name)


class TokenNotFound(NotFound):
    """No such token among the asker's, or for an admin among all."""

    def __init__(self, token_id: str, among: str = "your tokens") -> None:
        super().__init__(f"Token '{token_id}' does not exist among {among}.", token_id=token_id)


class ScopeUnknown(InvalidParameterValue):
    """A name that is no scope."""

    def __init__(self, name: str, field: str, valid: Sequence[str]) -> None:
        super().__init__(
            f"The field {field} names the scope '{name}', which does not exist. Valid: {', '.join(valid)}.", field=field
        )


class ScopeMissing(PermissionDenied):
    """The token may not be used for this."""

    def __init__(self, scope: str, held: Sequence[str]) -> None:
        enough = " or ".join(dict.fromkeys((f"'{scope}'", "'all-apis'")))
        message = f"The token lacks the scope '{scope}'; it has: {', '.join(held)}. Use a token with {enough}."
        super().__init__(message, required_scope=scope)


class ScopeExceeded(PermissionDenied):
    """A new token would be able to do more than the asker's."""

    def __init__(self, missing: Sequence[str]) -> None:
        super().__init__(f"Your own token lacks the scopes {', '.join(missing)}, so it cannot make a token that has them.")


class LifetimeTooLong(InvalidParameterValue):
    """A token would live longer than this server allows."""

    def __init__(self, field: str, days: float) -> None:
        super().__init__(f"The field {field} is above the maximum of this server: {int(days * 86400)} seconds.", field=field)


class TooManyRequests(BoathouseError):
    """Too many attempts in a short time."""

    error_code = "REQUEST_LIMIT_EXCEEDED"
    status = 429
    retriable = True

    def __init__(self, what: str, seconds: float) -> None:
        super().__init__(f"Too many {what}: try again in {max(1, round(seconds))} seconds.")
        self.seconds = max(1, round(seconds))


class LastAdmin(InvalidState):
    """Nobody could administer the lake any more."""

    def __init__(self) -> None:
        super().__init__(
            "The last active member of the group 'admins' cannot be removed or deactivated. Add another one first."
        )


class BuiltInGroup(InvalidState):
    """A group that every lake has."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The group '{name}' is built in: it cannot be made, renamed or deleted.", name=name)


class StillReferenced(InvalidState):
    """A principal that others depend on."""

    def __init__(self, name: str, references: Sequence[str]) -> None:
        shown = "; ".join(references[:5]) + ("; ..." if len(references) > 5 else "")
        super().__init__(
            f"'{name}' cannot be deleted while it has what needs an owner: {shown}. Give that to others, or delete it, first.",
            name=name,
        )


class ScimInvalid(InvalidParameterValue):
    """A SCIM request that is not valid.

    Attributes:
        scim_type: RFC 7644's name for what is wrong.
    """

    def __init__(self, scim_type: str, message: str, field: str = "") -> None:
        super().__init__(message, **({"field": field} if field else {}))
        self.scim_type = scim_type


class SecretNotFound(NotFound):
    """No such secret of a service principal."""

    def __init__(self, secret_id: str) -> None:
        super().__init__(f"Secret '{secret_id}' does not exist among this service principal's secrets.", secret_id=secret_id)


class SecretsExhausted(BoathouseError):
    """A service principal has as many secrets as it may have."""

    error_code = "RESOURCE_LIMIT_EXCEEDED"
    status = 400

    def __init__(self, limit: int) -> None:
        super().__init__(f"This service principal has {limit} secrets already, which is the most. Delete one of them first.")


class SsoNotConfigured(NotFound):
    """Single sign-on is off."""

    def __init__(self) -> None:
        super().__init__("Single sign-on is not configured: set BOATHOUSE_OIDC_ISSUER and BOATHOUSE_OIDC_CLIENT_ID.")


class SsoUnavailable(TemporarilyUnavailable):
    """The OpenID provider does not answer, or not as it should."""

    error_code = "SSO_UNAVAILABLE"

    def __init__(self, why: str) -> None:
        super().__init__(f"The sign-in provider cannot be used now: {why}.")


class SsoStateInvalid(Unauthenticated):
    """An answer of the provider to a question that this browser did not ask."""

    error_code = "SSO_STATE_INVALID"

    def __init__(self) -> None:
        super().__init__("This sign-in was not begun in this browser, was finished already or took too long. Sign in again.")


class SsoDenied(Unauthenticated):
    """The provider refused."""

    error_code = "SSO_DENIED"

    def __init__(self, error: str) -> None:
        super().__init__(f"The sign-in provider refused: {error}.")


class SsoTokenInvalid(Unauthenticated):
    """The provider's token does not hold."""

    error_code = "SSO_TOKEN_INVALID"

    def __init__(self, why: str) -> None:
        super().__init__(f"The sign-in provider's ID token is not valid: {why}.")


class SsoNotAllowed(PermissionDenied):
    """The provider knows the user, this server does not let it in."""

    error_code = "SSO_NOT_ALLOWED"


class SsoMisconfigured(InvalidParameterValue):
    """The settings of single sign-on do not fit together."""

    def __init__(self, why: str) -> None:
        super().__init__(f"The settings of single sign-on are not valid: {why}.")
