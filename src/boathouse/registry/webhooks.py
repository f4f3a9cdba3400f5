"""Webhooks of models, in MLflow's form: kept by admins, told by the store of what has become of models, signed and sent by MLflow.

MLflow's handlers tell of what they were asked. Here clients of three kinds come to one store, so the store tells, once it is done.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

from mlflow.entities.webhook import WebhookAction, WebhookEntity, WebhookEvent
from mlflow.store.model_registry.dbmodels.models import SqlWebhook
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore
from mlflow.webhooks.delivery import deliver_webhook

from boathouse.errors import InvalidParameterValue, PermissionDenied
from boathouse.registry.context import acting_principal
from boathouse.registry.errors import mlflow_errors
from boathouse.registry.threads import Threads
from boathouse.storage.keys import KeyRing
from boathouse.storage.layout import Layout

_SECRET = "secret"  # noqa: S105 - a name

CREATED, SET, DELETED = WebhookAction.CREATED, WebhookAction.SET, WebhookAction.DELETED
MODEL, VERSION = WebhookEntity.REGISTERED_MODEL, WebhookEntity.MODEL_VERSION
TAG, ALIAS = WebhookEntity.MODEL_VERSION_TAG, WebhookEntity.MODEL_VERSION_ALIAS
_TOLD = {(MODEL, CREATED), (VERSION, CREATED), (TAG, SET), (TAG, DELETED), (ALIAS, CREATED), (ALIAS, DELETED)}


def settings(*, private: bool) -> dict[str, str]:
    """The environment that MLflow reads how it sends them from.

    Args:
        private: Whether they may go to private addresses, and without TLS.
    """
    return {
        # What is kept of who wants to hear would be a minute old.
        "MLFLOW_WEBHOOK_CACHE_TTL": "0",
        "MLFLOW_WEBHOOK_REQUEST_TIMEOUT": "20",
        "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": str(private).lower(),
        "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "https,http" if private else "https",
    }


def prepare(layout: Layout, replace: Callable[..., None], handlers: ModuleType) -> None:
    """Have MLflow encrypt secrets with the lake's key, leave the telling to the store, and send without holding up the server's end.

    Args:
        layout: The lake, whose key it is.
        replace: Sets variables of a module that has them.
        handlers: MLflow's.
    """
    from mlflow.webhooks import delivery  # noqa: PLC0415

    SqlWebhook.__table__.c.secret.type.cipher = _Cipher(layout)
    replace(handlers, deliver_webhook=_told_by_the_store)
    replace(delivery, _webhook_delivery_executor=Threads("webhook"))


def _told_by_the_store(**_: Any) -> None:
    """In the place of what MLflow's handlers call."""


class _Cipher:
    """The lake's keys in the form of the cipher of a column."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def encrypt(self, value: bytes) -> bytes:
        return KeyRing.of(self._layout).encrypt({_SECRET: value.decode()}).encode()

    def decrypt(self, text: bytes) -> bytes:
        return KeyRing.of(self._layout).decrypt(text.decode())[_SECRET].encode()


class WebhookStore(SqlAlchemyStore):
    """MLflow's registry with webhooks that are an admin's to keep, since they hear of all models."""

    def told(self, entity: WebhookEntity, action: WebhookAction, **payload: Any) -> None:
        """Tell all who want to hear of it."""
        # The payloads are typed, a form for each event; that they are what MLflow's clients expect is tested.
        deliver: Any = deliver_webhook
        deliver(event=WebhookEvent(entity, action), payload=payload, store=self)

    def create_webhook(
        self, name: Any, url: Any, events: Any, description: Any = None, secret: Any = None, status: Any = None
    ) -> Any:
        """Make one."""
        _require_admin()
        _require_told(events)
        return super().create_webhook(name, url, events, description, secret, status)

    def get_webhook(self, webhook_id: Any) -> Any:
        """One of them."""
        _require_admin()
        return super().get_webhook(webhook_id)

    def list_webhooks(self, max_results: Any = None, page_token: Any = None) -> Any:
        """All of them."""
        _require_admin()
        return super().list_webhooks(max_results, page_token)

    def update_webhook(
        self,
        webhook_id: Any,
        name: Any = None,
        description: Any = None,
        url: Any = None,
        events: Any = None,
        secret: Any = None,
        status: Any = None,
    ) -> Any:
        """Change one; what is None stays."""
        _require_admin()
        _require_told(events or ())
        return super().update_webhook(webhook_id, name, description, url, events, secret, status)

    def delete_webhook(self, webhook_id: Any) -> None:
        """Delete one."""
        _require_admin()
        super().delete_webhook(webhook_id)


def _require_admin() -> None:
    with mlflow_errors():
        if not acting_principal().is_admin:
            message = "Webhooks hear of all models, so they are an admin's. A job with the trigger 'model' hears of those that you may read."
            raise PermissionDenied(message)


def _require_told(events: Any) -> None:
    with mlflow_errors():
        for event in events:
            if (event.entity, event.action) not in _TOLD:
                valid = ", ".join(sorted(f"{entity}.{action}" for entity, action in _TOLD))
                message = f"'{event.entity}.{event.action}' does not happen here. Valid: {valid}."
                raise InvalidParameterValue(message, field="events")
