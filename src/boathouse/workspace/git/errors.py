"""What can be wrong with git folders. No message has a credential in it."""

from boathouse.errors import BoathouseError, InvalidParameterValue, InvalidState, NotFound, PermissionDenied


class RepoNotFound(NotFound):
    """No git folder of an identifier, or none that the asker may know of."""

    def __init__(self, repo_id: str) -> None:
        super().__init__(f"There is no git folder {repo_id}.", repo_id=repo_id)


class GitCredentialNotFound(NotFound):
    """No git credential of the asker's with an identifier."""

    def __init__(self, credential_id: str) -> None:
        super().__init__(f"You have no git credential {credential_id}.", credential_id=credential_id)


class UrlInvalid(InvalidParameterValue):
    """An address that is not cloned from."""

    def __init__(self, why: str) -> None:
        super().__init__(f"The url is not valid: {why}", field="url")


class GitMissing(InvalidState):
    """There is no git on the server's machine."""

    def __init__(self) -> None:
        super().__init__(
            "Git folders need git on the server's machine, and it is not there. Install it, e.g. with 'apt install git'."
        )


class GitRefused(PermissionDenied):
    """The remote does not let us in."""

    def __init__(self, url: str, provider: str) -> None:
        super().__init__(
            f"{url} refuses access. Give a git credential for {provider} that may read it (and write, to push) with POST /api/2.0/git-credentials.",
            url=url,
        )


class GitConflict(InvalidState):
    """What is at the remote and what is here do not go together."""

    error_code = "GIT_CONFLICT"

    def __init__(self, message: str, files: list[str] | None = None) -> None:
        super().__init__(f"{message} Files: {', '.join(files[:20])}." if files else message)


class GitFailed(BoathouseError):
    """Git said no for another reason."""

    error_code = "GIT_ERROR"
    status = 400

    def __init__(self, what: str, said: str) -> None:
        super().__init__(f"git {what} failed: {said}")


class GitReferenceInvalid(InvalidParameterValue):
    """A field of a job's repository is not valid."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field} {problem}", field=field)
