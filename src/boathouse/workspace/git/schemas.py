"""HTTP in and out of git folders, as databricks-sdk's ``w.repos`` and ``w.git_credentials`` send and read it."""

from pydantic import BaseModel, Field, SecretStr

from boathouse.workspace.git.credentials import CredentialInfo
from boathouse.workspace.git.service import RepoInfo
from boathouse.workspace.git.status import Status


class Sparse(BaseModel):
    """The folders that a checkout has."""

    patterns: list[str] = Field(default_factory=list[str])


class CreateRepo(BaseModel):
    """What is to be cloned."""

    url: str
    provider: str
    path: str | None = None
    git_credential_id: int | None = None
    sparse_checkout: Sparse | None = None


class UpdateRepo(BaseModel):
    """What a folder is to be brought to."""

    branch: str | None = None
    tag: str | None = None
    git_credential_id: int | None = None
    sparse_checkout: Sparse | None = None
    dangerously_force_discard_all: bool = False


class RepoBody(BaseModel):
    """A git folder."""

    id: int
    path: str
    url: str
    provider: str
    branch: str | None = None
    head_commit_id: str | None = None
    sparse_checkout: Sparse | None = None

    @classmethod
    def of(cls, info: RepoInfo) -> "RepoBody":
        """The form of a git folder."""
        return cls(
            id=info.id,
            path=info.path,
            url=info.url,
            provider=info.provider,
            branch=info.branch,
            head_commit_id=info.commit,
            sparse_checkout=None if info.sparse is None else Sparse(patterns=list(info.sparse)),
        )


class RepoList(BaseModel):
    """A page of git folders."""

    repos: list[RepoBody]
    next_page_token: str | None = None


class CredentialRequest(BaseModel):
    """A credential as it is given."""

    git_provider: str
    personal_access_token: SecretStr | None = None
    git_username: str | None = None
    git_email: str | None = None
    name: str | None = None
    is_default_for_provider: bool | None = None


class CredentialBody(BaseModel):
    """A credential without its token."""

    credential_id: int
    git_provider: str
    git_username: str | None = None
    git_email: str | None = None
    name: str | None = None
    is_default_for_provider: bool

    @classmethod
    def of(cls, info: CredentialInfo) -> "CredentialBody":
        """The form of a credential."""
        return cls(
            credential_id=info.id,
            git_provider=info.provider,
            git_username=info.username,
            git_email=info.email,
            name=info.name,
            is_default_for_provider=info.is_default,
        )


class CredentialList(BaseModel):
    """The asker's credentials."""

    credentials: list[CredentialBody]


class ChangeBody(BaseModel):
    """A file that is not as in the last commit."""

    path: str
    kind: str


class StatusBody(BaseModel):
    """What of a folder is not committed, and how far it is from the remote as of the last fetch."""

    branch: str | None
    head_commit_id: str | None
    ahead: int
    behind: int
    changes: list[ChangeBody]

    @classmethod
    def of(cls, found: Status) -> "StatusBody":
        """The form of a status."""
        changes = [ChangeBody(path=one.path, kind=one.kind) for one in found.changes]
        return cls(branch=found.branch, head_commit_id=found.commit, ahead=found.ahead, behind=found.behind, changes=changes)


class BranchList(BaseModel):
    """Names of branches."""

    branches: list[str]


class DiffBody(BaseModel):
    """How a file differs from the last commit, as git tells it."""

    diff: str


class NewBranch(BaseModel):
    """A branch to be begun."""

    name: str


class CommitBody(BaseModel):
    """What is to be committed: some files, or all that differ."""

    message: str
    paths: list[str] | None = None
    push: bool = False


class PathsBody(BaseModel):
    """Some files."""

    paths: list[str]
