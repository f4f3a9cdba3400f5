"""What other slices use of iam."""

from boathouse.iam.access import AccessBody, AccessChange, access_of, runner_of, told_access
from boathouse.iam.authenticator import Authenticator
from boathouse.iam.dependencies import CurrentAdmin, CurrentPrincipal
from boathouse.iam.errors import CredentialsMissing
from boathouse.iam.identity import Identity, reached_at
from boathouse.iam.levels import Access, Levels
from boathouse.iam.principal import ACCOUNT_USERS, ADMINS, JOB, PIPELINE, USERS, Principal
from boathouse.iam.references import NameReferences
from boathouse.iam.scim_views import SCIM, scim_form
from boathouse.iam.scopes import SQL, require_scope
from boathouse.iam.service import SESSION_SECONDS, SIGN_IN_SECONDS, IamService

__all__ = [
    "ACCOUNT_USERS",
    "ADMINS",
    "JOB",
    "PIPELINE",
    "SCIM",
    "SESSION_SECONDS",
    "SIGN_IN_SECONDS",
    "SQL",
    "USERS",
    "Access",
    "AccessBody",
    "AccessChange",
    "Authenticator",
    "CredentialsMissing",
    "CurrentAdmin",
    "CurrentPrincipal",
    "IamService",
    "Identity",
    "Levels",
    "NameReferences",
    "Principal",
    "access_of",
    "reached_at",
    "require_scope",
    "runner_of",
    "scim_form",
    "told_access",
]
