"""Webhooks in the older registry's form over HTTP: ``/api/2.0/mlflow/registry-webhooks``, as ``w.model_registry`` calls it."""

from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Query, Request

from boathouse.errors import InvalidParameterValue
from boathouse.iam.api import CurrentPrincipal
from boathouse.registry import older_webhook_schemas as io
from boathouse.registry.backend import MlflowBackend
from boathouse.registry.older_webhooks import OlderWebhooks, Target

router = APIRouter(prefix="/api/2.0/mlflow/registry-webhooks", tags=["model_registry"])


def _hooks(request: Request) -> OlderWebhooks:
    backend: MlflowBackend = request.app.state.mlflow
    backend.wait()  # its settings say where requests may go
    return backend.hooks


def _target(request: Request, address: io.HttpUrlSpec | None, job: io.JobSpec | None) -> Target:
    if (address is None) is (job is None):
        message = "Give http_url_spec or job_spec, one of them."
        raise InvalidParameterValue(message, field="http_url_spec")
    if address is not None:
        return Target(address.url, address.secret, address.authorization, address.enable_ssl_verification)
    if job is None:
        return Target()
    if job.workspace_url and urlsplit(job.workspace_url).netloc != request.url.netloc:
        message = f"job_spec.workspace_url is another server. Valid: {str(request.base_url).rstrip('/')}, or none."
        raise InvalidParameterValue(message, field="job_spec.workspace_url")
    return Target(job_id=job.job_id)


@router.post("/create", response_model_exclude_none=True)
def create_registry_webhook(request: Request, principal: CurrentPrincipal, body: io.CreateWebhook) -> io.WebhookAnswer:
    """Make a webhook of a model, which needs MANAGE on it, or of all, which is for admins."""
    target = _target(request, body.http_url_spec, body.job_spec)
    made = _hooks(request).create(
        principal, body.model_name, list(dict.fromkeys(body.events)), target, body.description or "", body.status
    )
    return io.WebhookAnswer(webhook=io.Webhook.of(made))


@router.get("/list", response_model_exclude_none=True)
def list_registry_webhooks(
    request: Request,
    principal: CurrentPrincipal,
    model_name: str | None = None,
    events: Annotated[list[io.Event] | None, Query()] = None,
    max_results: Annotated[int, Query(ge=0, le=1000)] = 0,
    page_token: Annotated[str, Query(pattern=r"^\d{0,9}$")] = "",
) -> io.WebhooksAnswer:
    """The webhooks that the asker may keep: of a model, that hear one of some events, or all."""
    found = _hooks(request).all(principal, model_name, list(events or ()))
    start, size = int(page_token or 0), max_results or 100
    token = str(start + size) if len(found) > start + size else None
    return io.WebhooksAnswer(webhooks=[io.Webhook.of(one) for one in found[start : start + size]], next_page_token=token)


@router.patch("/update", response_model_exclude_none=True)
def update_registry_webhook(request: Request, principal: CurrentPrincipal, body: io.UpdateWebhook) -> io.WebhookAnswer:
    """Change a webhook; what is left out stays."""
    aimed = body.http_url_spec is not None or body.job_spec is not None
    changed = _hooks(request).update(
        principal,
        body.id,
        events=None if body.events is None else list(dict.fromkeys(body.events)),
        target=_target(request, body.http_url_spec, body.job_spec) if aimed else None,
        description=body.description,
        status=body.status,
    )
    return io.WebhookAnswer(webhook=io.Webhook.of(changed))


@router.delete("/delete")
def delete_registry_webhook(request: Request, principal: CurrentPrincipal, id: str) -> dict[str, Any]:  # noqa: A002 - its name in the API
    """Delete a webhook."""
    _hooks(request).delete(principal, id)
    return {}


@router.post("/test")
def test_registry_webhook(request: Request, principal: CurrentPrincipal, body: io.TestWebhook) -> io.TestAnswer:
    """Send an example of an event, and tell what was answered."""
    status, text = _hooks(request).test(principal, body.id, body.event)
    return io.TestAnswer(status_code=status, body=text)
