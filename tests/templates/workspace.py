"""What templates may ask about a server, where there is none."""

from typing import Never

from boathouse.cli.errors import NotServed


class Nobody:
    """No server: a template that asks is told so."""

    def host(self) -> Never:
        raise NotServed("lake")

    user_name = is_service_principal = default_catalog = smallest_node_type = host
