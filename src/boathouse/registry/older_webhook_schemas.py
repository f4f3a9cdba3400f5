"""HTTP in and out of webhooks in the older registry's form, as ``databricks-sdk`` has them."""

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from boathouse.registry.older_webhooks import Hook

Event: TypeAlias = Literal[
    "MODEL_VERSION_CREATED",
    "MODEL_VERSION_TRANSITIONED_STAGE",
    "TRANSITION_REQUEST_CREATED",
    "COMMENT_CREATED",
    "REGISTERED_MODEL_CREATED",
    "MODEL_VERSION_TAG_SET",
    "MODEL_VERSION_TRANSITIONED_TO_STAGING",
    "MODEL_VERSION_TRANSITIONED_TO_PRODUCTION",
    "MODEL_VERSION_TRANSITIONED_TO_ARCHIVED",
    "TRANSITION_REQUEST_TO_STAGING_CREATED",
    "TRANSITION_REQUEST_TO_PRODUCTION_CREATED",
    "TRANSITION_REQUEST_TO_ARCHIVED_CREATED",
]
Status: TypeAlias = Literal["ACTIVE", "DISABLED", "TEST_MODE"]
Events = Annotated[list[Event], Field(min_length=1, max_length=20)]
Text = Annotated[str, Field(max_length=4000)]
HeaderText = Annotated[str, Field(max_length=4000, pattern=r"^[\x20-\x7e]*$")]
JobId = Annotated[str, BeforeValidator(lambda value: str(value) if type(value) is int else value)]


class _Body(BaseModel):
    model_config = ConfigDict(protected_namespaces=())


class HttpUrlSpec(_Body):
    """An address, and what is sent along."""

    url: Annotated[str, Field(max_length=4000)]
    authorization: HeaderText | None = None
    enable_ssl_verification: bool | None = None
    secret: Text | None = None


class JobSpec(_Body):
    """A job. The token is not kept: the job starts with the rights of who makes the webhook."""

    job_id: JobId
    access_token: Annotated[str, Field(max_length=4000)] = ""
    workspace_url: Annotated[str, Field(max_length=4000)] | None = None


class CreateWebhook(_Body):
    """A new webhook."""

    events: Events
    model_name: Annotated[str, Field(max_length=255)] | None = None
    description: Text | None = None
    status: Status = "ACTIVE"
    http_url_spec: HttpUrlSpec | None = None
    job_spec: JobSpec | None = None


class UpdateWebhook(_Body):
    """What changes of a webhook."""

    id: str
    events: Events | None = None
    description: Text | None = None
    status: Status | None = None
    http_url_spec: HttpUrlSpec | None = None
    job_spec: JobSpec | None = None


class TestWebhook(_Body):
    """A webhook, and the event that is tried; without one its first."""

    id: str
    event: Event | None = None


class TestAnswer(_Body):
    """What was answered."""

    status_code: int
    body: str


class Address(_Body):
    """An address, without what is secret."""

    url: str
    enable_ssl_verification: bool


class Job(_Body):
    """A job."""

    job_id: str


class Webhook(_Body):
    """A webhook."""

    id: str
    model_name: str | None = None
    events: list[str]
    description: str
    status: str
    http_url_spec: Address | None = None
    job_spec: Job | None = None
    creation_timestamp: int
    last_updated_timestamp: int

    @classmethod
    def of(cls, hook: Hook) -> "Webhook":
        """From the value."""
        return cls(
            id=hook.id,
            model_name=hook.model,
            events=list(hook.events),
            description=hook.description,
            status=hook.status,
            http_url_spec=Address(url=hook.url, enable_ssl_verification=hook.verify) if hook.url else None,
            job_spec=Job(job_id=hook.job_id) if hook.job_id else None,
            creation_timestamp=hook.created_at,
            last_updated_timestamp=hook.updated_at,
        )


class WebhookAnswer(_Body):
    """One webhook."""

    webhook: Webhook


class WebhooksAnswer(_Body):
    """A page of webhooks."""

    webhooks: list[Webhook]
    next_page_token: str | None = None
