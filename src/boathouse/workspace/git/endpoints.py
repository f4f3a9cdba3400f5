"""Git folders and git credentials over HTTP; what Databricks' API has no word for is under ``/api/boathouse/v1/repos``."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from boathouse.db.dependencies import ReadSession, WriteSession
from boathouse.errors import InvalidParameterValue
from boathouse.iam.api import CurrentPrincipal
from boathouse.workspace.git.credentials import GitCredentials
from boathouse.workspace.git.schemas import (
    BranchList,
    CommitBody,
    CreateRepo,
    CredentialBody,
    CredentialList,
    CredentialRequest,
    DiffBody,
    NewBranch,
    PathsBody,
    RepoBody,
    RepoList,
    Sparse,
    StatusBody,
    UpdateRepo,
)
from boathouse.workspace.git.service import GitFolders

router = APIRouter(tags=["git"])
REPOS = "/api/2.0/repos"
CREDENTIALS = "/api/2.0/git-credentials"
OURS = "/api/boathouse/v1/repos/{repo_id}"
_PAGE = 100


async def _folders(request: Request) -> GitFolders:
    folders: GitFolders = request.app.state.git_folders
    return folders


Folders = Annotated[GitFolders, Depends(_folders)]


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)


def _patterns(sparse: Sparse | None) -> list[str] | None:
    return None if sparse is None else sparse.patterns


@router.post(REPOS, response_model_exclude_none=True)
def create_repo(folders: Folders, principal: CurrentPrincipal, body: CreateRepo) -> RepoBody:
    """Clone a repository into a new git folder."""
    patterns = _patterns(body.sparse_checkout)
    made = folders.create(principal, body.url, body.provider, body.path, _text(body.git_credential_id), patterns)
    return RepoBody.of(made)


@router.get(REPOS, response_model_exclude_none=True)
def list_repos(
    folders: Folders, principal: CurrentPrincipal, path_prefix: str | None = None, next_page_token: str = ""
) -> RepoList:
    """The git folders that the asker may know of."""
    if next_page_token and not next_page_token.isdigit():
        message = "next_page_token is not one of this server's: use that of the answer before."
        raise InvalidParameterValue(message, field="next_page_token")
    found = folders.all(principal, path_prefix)
    first = int(next_page_token or 0)
    more = str(first + _PAGE) if len(found) > first + _PAGE else None
    return RepoList(repos=[RepoBody.of(one) for one in found[first : first + _PAGE]], next_page_token=more)


@router.get(f"{REPOS}/{{repo_id}}", response_model_exclude_none=True)
def get_repo(folders: Folders, principal: CurrentPrincipal, repo_id: str) -> RepoBody:
    """A git folder."""
    return RepoBody.of(folders.get(principal, repo_id))


@router.patch(f"{REPOS}/{{repo_id}}")
def update_repo(folders: Folders, principal: CurrentPrincipal, repo_id: str, body: UpdateRepo) -> dict[str, Any]:
    """Bring a git folder to the newest commit of a branch, or to a tag."""
    folders.update(
        principal,
        repo_id,
        branch=body.branch,
        tag=body.tag,
        credential=_text(body.git_credential_id),
        sparse=_patterns(body.sparse_checkout),
        discard=body.dangerously_force_discard_all,
    )
    return {}


@router.delete(f"{REPOS}/{{repo_id}}")
def delete_repo(folders: Folders, principal: CurrentPrincipal, repo_id: str) -> dict[str, Any]:
    """Delete a git folder with all that it holds."""
    folders.delete(principal, repo_id)
    return {}


# -------------------------------------------------------------------------------------------------------------- changes


@router.get(f"{OURS}/status")
def show_status(folders: Folders, principal: CurrentPrincipal, repo_id: str) -> StatusBody:
    """What of a git folder is not committed."""
    return StatusBody.of(folders.status(principal, repo_id))


@router.get(f"{OURS}/branches")
def list_branches(folders: Folders, principal: CurrentPrincipal, repo_id: str) -> BranchList:
    """The branches of a git folder."""
    return BranchList(branches=folders.branches(principal, repo_id))


@router.get(f"{OURS}/diff")
def show_diff(folders: Folders, principal: CurrentPrincipal, repo_id: str, path: str) -> DiffBody:
    """How a file differs from the last commit."""
    return DiffBody(diff=folders.diff(principal, repo_id, path).encode("utf-8", "replace").decode())


@router.post(f"{OURS}/branches", response_model_exclude_none=True)
def create_branch(folders: Folders, principal: CurrentPrincipal, repo_id: str, body: NewBranch) -> RepoBody:
    """Begin a branch."""
    return RepoBody.of(folders.new_branch(principal, repo_id, body.name))


@router.post(f"{OURS}/commit", response_model_exclude_none=True)
def commit_changes(folders: Folders, principal: CurrentPrincipal, repo_id: str, body: CommitBody) -> RepoBody:
    """Commit, and push if asked."""
    return RepoBody.of(folders.commit(principal, repo_id, body.message, body.paths, push=body.push))


@router.post(f"{OURS}/push", response_model_exclude_none=True)
def push_commits(folders: Folders, principal: CurrentPrincipal, repo_id: str) -> RepoBody:
    """Push the commits of the branch."""
    return RepoBody.of(folders.push(principal, repo_id))


@router.post(f"{OURS}/discard", response_model_exclude_none=True)
def discard_changes(folders: Folders, principal: CurrentPrincipal, repo_id: str, body: PathsBody) -> RepoBody:
    """Bring files back to the last commit."""
    return RepoBody.of(folders.discard(principal, repo_id, body.paths))


# ---------------------------------------------------------------------------------------------------------- credentials


async def _reading(request: Request, session: ReadSession, principal: CurrentPrincipal) -> GitCredentials:
    return GitCredentials(session, principal, request.app.state.layout)


async def _writing(request: Request, session: WriteSession, principal: CurrentPrincipal) -> GitCredentials:
    return GitCredentials(session, principal, request.app.state.layout)


Credentials = Annotated[GitCredentials, Depends(_reading)]
WritableCredentials = Annotated[GitCredentials, Depends(_writing)]


@router.post(CREDENTIALS, response_model_exclude_none=True)
def create_git_credential(credentials: WritableCredentials, body: CredentialRequest) -> CredentialBody:
    """Keep a token of the asker's."""
    return CredentialBody.of(_saved(credentials, None, body))


def _saved(credentials: GitCredentials, credential_id: str | None, body: CredentialRequest) -> Any:
    token = body.personal_access_token
    return credentials.save(
        credential_id,
        body.git_provider,
        token=None if token is None else token.get_secret_value(),
        username=body.git_username,
        email=body.git_email,
        name=body.name,
        is_default=body.is_default_for_provider,
    )


@router.get(CREDENTIALS, response_model_exclude_none=True)
def list_git_credentials(credentials: Credentials) -> CredentialList:
    """The asker's credentials, without their tokens."""
    return CredentialList(credentials=[CredentialBody.of(one) for one in credentials.all()])


@router.get(f"{CREDENTIALS}/{{credential_id}}", response_model_exclude_none=True)
def get_git_credential(credentials: Credentials, credential_id: str) -> CredentialBody:
    """One of the asker's credentials, without its token."""
    return CredentialBody.of(credentials.get(credential_id))


@router.patch(f"{CREDENTIALS}/{{credential_id}}")
def update_git_credential(credentials: WritableCredentials, credential_id: str, body: CredentialRequest) -> dict[str, Any]:
    """Change one of the asker's credentials."""
    _saved(credentials, credential_id, body)
    return {}


@router.delete(f"{CREDENTIALS}/{{credential_id}}")
def delete_git_credential(credentials: WritableCredentials, credential_id: str) -> dict[str, Any]:
    """Forget one of the asker's credentials."""
    credentials.delete(credential_id)
    return {}
