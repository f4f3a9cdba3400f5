"""What other slices use of iam."""

from boathouse.iam.dependencies import CurrentAdmin, CurrentPrincipal
from boathouse.iam.errors import CredentialsMissing
from boathouse.iam.principal import ACCOUNT_USERS, ADMINS, Principal
from boathouse.iam.service import SESSION_SECONDS, SIGN_IN_SECONDS, Authenticator, IamService

__all__ = [
    "ACCOUNT_USERS",
    "ADMINS",
    "SESSION_SECONDS",
    "SIGN_IN_SECONDS",
    "Authenticator",
    "CredentialsMissing",
    "CurrentAdmin",
    "CurrentPrincipal",
    "IamService",
    "Principal",
]
