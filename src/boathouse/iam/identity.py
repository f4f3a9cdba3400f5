"""What identity needs besides the database: made once when the server is built, kept as ``app.state.identity``."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from boathouse.config import Settings
from boathouse.iam.limits import AttemptLimit
from boathouse.iam.provider import Provider, ProviderConfig
from boathouse.iam.references import NameReferences


@dataclass
class Identity:
    """Settings, limits and the sign-in provider.

    Attributes:
        public_url: Where browsers and clients reach this server, without a slash at its end.
        token_default_days: Lifetime of a token that names none.
        token_max_days: Longest lifetime; None for no limit.
        provider: The OpenID provider; None without single sign-on.
        references: What other slices keep by principals' names.
    """

    public_url: str
    token_default_days: float
    token_max_days: float | None
    provider: Provider | None = None
    references: Sequence[NameReferences] = ()
    sign_in_failures: AttemptLimit = field(default_factory=lambda: AttemptLimit("failed sign-ins", 20, 60))
    client_failures: AttemptLimit = field(default_factory=lambda: AttemptLimit("failed token requests", 10, 60))
    client_requests: AttemptLimit = field(default_factory=lambda: AttemptLimit("token requests", 600, 60))
    sso_starts: AttemptLimit = field(default_factory=lambda: AttemptLimit("sign-ins", 60, 60))

    @classmethod
    def of(cls, settings: Settings, base_url: str, references: Sequence[NameReferences] = ()) -> "Identity":
        """What the settings say.

        Args:
            settings: The server's.
            base_url: Where it listens; BOATHOUSE_PUBLIC_URL comes first.
            references: One for each slice that keeps principals' names.

        Raises:
            SsoMisconfigured: If the settings of single sign-on do not fit together.
        """
        public_url = (settings.public_url or base_url).rstrip("/")
        config = ProviderConfig.of(settings)
        return cls(
            public_url=public_url,
            token_default_days=settings.token_default_days,
            token_max_days=settings.token_max_days,
            provider=None if config is None else Provider(config, f"{public_url}/api/boathouse/v1/sso/callback"),
            references=references,
        )


async def current_identity(request: Request) -> Identity:
    """The server's."""
    identity: Identity = request.app.state.identity
    return identity


CurrentIdentity = Annotated[Identity, Depends(current_identity)]


def reached_at(request: Request) -> str:
    """This server's address as the client knows it, without a slash at its end."""
    settings: Settings = request.app.state.settings
    return (settings.public_url or str(request.base_url)).rstrip("/")
