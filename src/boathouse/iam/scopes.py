"""What a token may be used for."""

from collections.abc import Iterable

from boathouse.iam.errors import ScopeExceeded, ScopeMissing, ScopeUnknown
from boathouse.iam.principal import Principal

ALL_APIS = "all-apis"
AUTHENTICATION = "authentication"
FEATURE_STORE = "feature-store"
FILES = "files"
INVOCATIONS = "serving.invocations"
MLFLOW = "mlflow"
SCIM = "scim"
SECRETS = "secrets"
SERVING = "serving"
SQL = "sql"
UNITY_CATALOG = "unity-catalog"

SCOPES = (ALL_APIS, AUTHENTICATION, FEATURE_STORE, FILES, MLFLOW, SCIM, SECRETS, SERVING, SQL, UNITY_CATALOG)
"""All scopes; the door says which path needs which."""

_PART_OF = {INVOCATIONS: SERVING}
"""Of a scope, that which includes it; only tokens of child processes have such a part alone."""

_OTHER_NAMES = {"model-serving": SERVING}


def parse_scopes(names: Iterable[str] | None, field: str = "scopes") -> frozenset[str] | None:
    """Scopes by their names; None for everything (``all-apis``, or none named).

    Raises:
        ScopeUnknown: If a name is no scope.
    """
    found = frozenset(_OTHER_NAMES.get(name, name) for name in names or ())
    for name in sorted(found):
        if name not in SCOPES:
            raise ScopeUnknown(name, field, SCOPES)
    return None if not found or ALL_APIS in found else found


def narrowed(asked: frozenset[str] | None, held: frozenset[str] | None) -> frozenset[str] | None:
    """The scopes of a new token: those asked for, or the asker's own where none are named.

    Raises:
        ScopeExceeded: If the asker's own token has not all of them.
    """
    if held is None:
        return asked
    if asked is None:
        return held
    if not asked <= held:
        raise ScopeExceeded(sorted(asked - held))
    return asked


def require_scope(principal: Principal, scope: str) -> None:
    """Go on only if the principal's token has a scope.

    Raises:
        ScopeMissing: If it does not.
    """
    whole = _PART_OF.get(scope, scope)
    if principal.scopes is not None and not principal.scopes & {scope, whole}:
        raise ScopeMissing(whole, sorted(principal.scopes))
