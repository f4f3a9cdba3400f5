"""HTTP bodies of connections, in the shapes of Unity Catalog's REST API 2.1."""

from pydantic import BaseModel, SecretStr

from boathouse.catalog.info import ConnectionInfo
from boathouse.catalog.schemas import Owned, Page


class _Options(BaseModel):
    """Options, some of which are secret; ``secrets`` is a field of its own that newer clients put those into."""

    options: dict[str, SecretStr] = {}
    secrets: dict[str, SecretStr] = {}

    def all_options(self) -> dict[str, str]:
        """Both together."""
        return {key: value.get_secret_value() for key, value in {**self.options, **self.secrets}.items()}


class CreateConnection(_Options):
    """Asks for a connection."""

    name: str
    connection_type: str
    comment: str | None = None
    properties: dict[str, str] = {}
    read_only: bool = True


class UpdateConnection(_Options):
    """Changes a connection; what is not given stays."""

    comment: str | None = None
    owner: str | None = None
    new_name: str | None = None


class ConnectionBody(Owned):
    """A connection, as it is answered: without its secret options."""

    connection_id: str
    name: str
    full_name: str
    connection_type: str
    credential_type: str
    options: dict[str, str]
    properties: dict[str, str]
    read_only: bool
    url: str
    securable_type: str = "CONNECTION"

    @classmethod
    def of(cls, info: ConnectionInfo) -> "ConnectionBody":
        """The wire form."""
        named = {name: getattr(info, name) for name in cls.model_fields if hasattr(info, name)}
        return cls.model_validate({**named, "connection_id": info.id, "options": dict(info.options)})


class ConnectionList(Page):
    """A page of connections."""

    connections: list[ConnectionBody]
