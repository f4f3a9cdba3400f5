"""What can stop a command before it begins."""

from collections.abc import Sequence

from boathouse.errors import BoathouseError, Conflict, InvalidParameterValue


class SettingsInvalid(InvalidParameterValue):
    """Options or ``BOATHOUSE_*`` variables that are not valid. The values are not told: some are secrets."""

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        told = "; ".join(f"{name} (BOATHOUSE_{name.upper()}): {problem}" for name, problem in problems)
        super().__init__(
            f"The settings are not valid. {told}. See docs/reference.md.", field=problems[0][0] if problems else ""
        )


class PortInUse(Conflict):
    """Something else listens on the port."""

    error_code = "PORT_IN_USE"

    def __init__(self, host: str, port: int, option: str) -> None:
        super().__init__(
            f"Port {port} on {host} is in use by another program. Choose another with {option} N ({option} 0 takes a free one)."
        )


class AddressNotAvailable(InvalidParameterValue):
    """The host is none of this machine's."""

    def __init__(self, host: str, cause: str) -> None:
        super().__init__(f"Cannot listen on {host}: {cause}. Give an address of this machine with --host.")


class RemoteRefused(InvalidParameterValue):
    """An address that others can reach, without saying so."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"{host} can be reached by other machines, and tokens would cross the network unencrypted. "
            "Put a TLS proxy before the server and say --allow-remote, or listen on 127.0.0.1."
        )


class AlreadyServed(Conflict):
    """Another server has this lake."""

    error_code = "ALREADY_SERVED"

    def __init__(self, root: str, pid: int | None, url: str | None) -> None:
        who = f" (process {pid}, {url})" if pid and url else ""
        super().__init__(
            f"The lake {root} is served already{who}. Use that server, stop it with Ctrl-C, or give another --root."
        )


class NotServed(BoathouseError):
    """No server has this lake."""

    error_code = "NOT_SERVED"

    def __init__(self, root: str) -> None:
        super().__init__(f"No server runs on the lake {root}. Start one: boathouse up --root {root}")
