"""The rules: principals and their credentials, the directory, tokens, OAuth clients, single sign-on."""

from boathouse.iam.service.identity import (
    SESSION_SECONDS,
    SIGN_IN_SECONDS,
    CredentialKind,
    IamService,
    TokenInfo,
    digest,
)

__all__ = ["SESSION_SECONDS", "SIGN_IN_SECONDS", "CredentialKind", "IamService", "TokenInfo", "digest"]
