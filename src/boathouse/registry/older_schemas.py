"""HTTP in and out of what the older workspace registry has besides MLflow's own API, as ``databricks-sdk`` has it."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from boathouse.registry.artifacts import to_databricks
from boathouse.registry.info import ModelInfo, ModelVersionInfo
from boathouse.registry.reviews import Seen

MOST_CHARACTERS = 20_000


def _number(value: Any) -> Any:
    text = str(value)
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 10 and int(text) > 0):
        raise ValueError(f"is '{text[:100]}'. Valid: the number of a version, from 1")
    return text


def _said(value: str) -> str:
    if not value.strip():
        raise ValueError("is empty")
    return value


Name = Annotated[str, Field(min_length=1, max_length=255)]
Stage = Annotated[str, Field(max_length=100)]
Number = Annotated[str, BeforeValidator(_number), Field(description="Number of a version")]
Text = Annotated[str, Field(max_length=MOST_CHARACTERS)]
Comment = Annotated[str, Field(max_length=MOST_CHARACTERS), AfterValidator(_said)]


class _Body(BaseModel):
    model_config = ConfigDict(protected_namespaces=())


class VersionKey(_Body):
    """A version."""

    name: Name
    version: Number


class StageRequest(VersionKey):
    """A version, a stage, and why."""

    stage: Stage
    comment: Text | None = None


class StageChange(StageRequest):
    """The same, where the version goes there."""

    archive_existing_versions: bool = False


class NewComment(VersionKey):
    """A comment on a version."""

    comment: Comment


class ChangedComment(_Body):
    """What a comment says from now on."""

    id: str
    comment: Comment


class ActivityBody(_Body):
    """A comment, a request, or something that was decided or done."""

    id: str
    activity_type: str
    user_id: str
    creation_timestamp: int
    last_updated_timestamp: int
    comment: str | None = None
    system_comment: str | None = None
    from_stage: str | None = None
    to_stage: str | None = None
    available_actions: list[str] | None = None
    is_open: bool | None = None
    """Whether it is a request that nobody has decided yet; not told otherwise."""

    @classmethod
    def of(cls, seen: Seen) -> "ActivityBody":
        """From the activity."""
        one = seen.activity
        return cls(
            id=one.id,
            activity_type=one.kind,
            user_id=one.user,
            creation_timestamp=one.created_at,
            last_updated_timestamp=one.updated_at,
            comment=one.comment or None,
            system_comment=one.system_comment or None,
            from_stage=one.from_stage or None,
            to_stage=one.to_stage or None,
            available_actions=list(seen.actions) or None,
            is_open=one.is_open or None,
        )


class RequestAnswer(_Body):
    """A new request."""

    request: ActivityBody


class RequestsAnswer(_Body):
    """The open requests of a version."""

    requests: list[ActivityBody]


class ActivityAnswer(_Body):
    """What was decided."""

    activity: ActivityBody


class CommentAnswer(_Body):
    """A comment."""

    comment: ActivityBody


class Tag(_Body):
    """A tag."""

    key: str
    value: str


class OlderVersion(_Body):
    """A version, as the older registry tells of it."""

    name: str
    version: str
    creation_timestamp: int
    last_updated_timestamp: int
    user_id: str
    current_stage: str
    description: str
    source: str
    run_id: str
    status: str
    tags: list[Tag]
    permission_level: str | None = None
    open_requests: list[ActivityBody] | None = None

    @classmethod
    def of(cls, info: ModelVersionInfo, level: str | None = None, requests: list[Seen] | None = None) -> "OlderVersion":
        """From the version; with what the asker may do, and its open requests."""
        return cls(
            name=info.name,
            version=str(info.version),
            creation_timestamp=info.created_at,
            last_updated_timestamp=info.updated_at,
            user_id=info.user,
            current_stage=info.stage,
            description=info.description,
            source=to_databricks(info.source.encode()).decode(),
            run_id=info.run_id,
            status=info.status,
            tags=_tags(info.tags),
            permission_level=level,
            open_requests=None if requests is None else [ActivityBody.of(one) for one in requests],
        )


class VersionAnswer(_Body):
    """A version that was moved."""

    model_version_databricks: OlderVersion


class OlderModel(_Body):
    """A model, as the older registry tells of it."""

    id: str
    name: str
    user_id: str
    creation_timestamp: int
    last_updated_timestamp: int
    description: str
    latest_versions: list[OlderVersion]
    tags: list[Tag]
    permission_level: str | None = None

    @classmethod
    def of(cls, info: ModelInfo, securable: tuple[str, str], versions: list[ModelVersionInfo], level: str) -> "OlderModel":
        """From the model, the id and owner of its securable, the newest versions of each stage, and what the asker may do."""
        return cls(
            id=securable[0],
            name=info.name,
            user_id=securable[1],
            creation_timestamp=info.created_at,
            last_updated_timestamp=info.updated_at,
            description=info.description,
            latest_versions=[OlderVersion.of(version) for version in versions],
            tags=_tags(info.tags),
            permission_level=level,
        )


class ModelAnswer(_Body):
    """One model."""

    registered_model_databricks: OlderModel


class ListedModel(_Body):
    """A model in a list."""

    name: str
    creation_timestamp: int
    last_updated_timestamp: int
    description: str
    tags: list[Tag]


class ModelsAnswer(_Body):
    """A page of models."""

    registered_models: list[ListedModel]
    next_page_token: str | None = None

    @classmethod
    def of(cls, models: list[ModelInfo], token: str | None) -> "ModelsAnswer":
        """From the models."""
        listed = [
            ListedModel(
                name=one.name,
                creation_timestamp=one.created_at,
                last_updated_timestamp=one.updated_at,
                description=one.description,
                tags=_tags(one.tags),
            )
            for one in models
        ]
        return cls(registered_models=listed, next_page_token=token or None)


class FileInfo(_Body):
    """A file or folder of a version."""

    path: str
    is_dir: bool
    file_size: int | None = None


class FilesAnswer(_Body):
    """What lies in a folder of a version."""

    files: list[FileInfo]


class HttpHeader(_Body):
    """A header to send."""

    name: str
    value: str


class SignedUri(_Body):
    """Where a version's file is, and what is to be sent with a request for it."""

    signed_uri: str
    headers: list[HttpHeader]


class VersionActivities(_Body):
    """A version's stage, and all that was said of it, asked for and done, the oldest first."""

    current_stage: str
    may_move: bool
    """Whether the asker moves versions to stages; who may not can ask for it."""
    activities: list[ActivityBody]


def _tags(tags: dict[str, Any]) -> list[Tag]:
    return [Tag(key=key, value=str(value)) for key, value in tags.items()]
