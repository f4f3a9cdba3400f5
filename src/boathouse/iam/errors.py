"""What can be wrong with who asks."""

from boathouse.errors import AlreadyExists, NotFound, PermissionDenied, Unauthenticated


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
    """No such token among the asker's."""

    def __init__(self, token_id: str) -> None:
        super().__init__(f"Token '{token_id}' does not exist among your tokens.", token_id=token_id)
