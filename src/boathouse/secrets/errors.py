"""What can be wrong with secrets. No message has a value in it."""

from boathouse.errors import AlreadyExists, BoathouseError, InvalidParameterValue, InvalidState, NotFound, PermissionDenied


class ScopeNotFound(NotFound):
    """No such scope, or none that the asker may know of."""

    def __init__(self, scope: str) -> None:
        super().__init__(f"Scope {scope} does not exist. Make it with POST /api/2.0/secrets/scopes/create.", scope=scope)


class ScopeExists(AlreadyExists):
    """The name of a scope is taken."""

    def __init__(self, scope: str) -> None:
        super().__init__(f"Scope {scope} exists already. Names of scopes are compared without case.", scope=scope)


class SecretNotFound(NotFound):
    """No such key in a scope."""

    def __init__(self, scope: str, key: str) -> None:
        super().__init__(f"Secret {key} does not exist in the scope {scope}.", scope=scope, key=key)


class AclNotFound(NotFound):
    """A grantee without a permission on a scope."""

    def __init__(self, scope: str, principal: str) -> None:
        super().__init__(f"{principal} has no permission on the scope {scope}.", scope=scope, principal=principal)


class SecretPermissionMissing(PermissionDenied):
    """The asker's permission on a scope is too low."""

    def __init__(self, principal: str, scope: str, needed: str) -> None:
        super().__init__(f"{principal} does not have the permission {needed} on the scope {scope}.", scope=scope, needed=needed)


class SecretNameInvalid(InvalidParameterValue):
    """A name that no scope or key can have."""

    def __init__(self, field: str, valid: str) -> None:
        super().__init__(f"The field {field} is not valid: use 1 to 128 {valid}.", field=field)


class SecretLimit(BoathouseError):
    """There are as many as there can be."""

    error_code = "RESOURCE_LIMIT_EXCEEDED"
    status = 429

    def __init__(self, what: str, limit: int) -> None:
        super().__init__(f"There are {limit} {what} already, which is the most. Delete some first.")


class SecretMisplaced(InvalidState):
    """The value of one secret in the place of another: the database was changed by hand."""

    def __init__(self, key: str) -> None:
        super().__init__(f"The value kept for the secret {key} is not its own. Give the secret anew.", key=key)


class ReferenceInvalid(InvalidParameterValue):
    """Something that begins like a reference to a secret and is none."""

    def __init__(self, field: str) -> None:
        super().__init__(
            f"The field {field} has a reference to a secret that is not valid: it has to be the whole value, "
            "as {{secrets/scope/key}}.",
            field=field,
        )
