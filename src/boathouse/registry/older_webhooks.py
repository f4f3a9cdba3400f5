"""Webhooks in the older registry's form: of one model, kept by who has MANAGE on it, or of all, kept by admins; an address or a job.

Requests leave as those of MLflow's webhooks do: tried again, and only to where these may go.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

import structlog
from sqlalchemy.orm import Session

from boathouse.catalog.api import CatalogService, Privilege, SecurableType
from boathouse.db.database import Database
from boathouse.errors import BoathouseError, InvalidParameterValue, NotFound, PermissionDenied
from boathouse.iam.api import IamService, Principal
from boathouse.kit.clock import now_ms
from boathouse.kit.ids import new_id
from boathouse.registry.context import acting_as, acting_principal
from boathouse.registry.deployments import Deployments
from boathouse.registry.errors import EventElsewhere, HookElsewhere, HookNotSent, WebhookNotFound, WebhooksForAdmins, our_errors
from boathouse.registry.governance import canonical
from boathouse.registry.models import RegistryWebhookRow
from boathouse.registry.repository import WebhookRepository
from boathouse.registry.threads import Threads
from boathouse.storage.errors import SecretUnreadable
from boathouse.storage.keys import KeyRing
from boathouse.storage.layout import Layout

Sender: TypeAlias = Callable[[], tuple[int, str]]
"""Sends something, and gives the answer's status and body."""

log = structlog.stdlib.get_logger(__name__)

SIGNATURE = "X-Databricks-Signature"
MODEL_CREATED = "REGISTERED_MODEL_CREATED"
VERSION_CREATED, TAG_SET, COMMENT_CREATED = "MODEL_VERSION_CREATED", "MODEL_VERSION_TAG_SET", "COMMENT_CREATED"
MOVED, ASKED = "MODEL_VERSION_TRANSITIONED_STAGE", "TRANSITION_REQUEST_CREATED"
_MOST_ANSWERED = 10_000
_SECONDS = 20
_SECRET, _AUTHORIZATION = "secret", "authorization"


@dataclass(frozen=True)
class Target:
    """Where a webhook goes: an address, or a job.

    Attributes:
        url: The address, or "".
        secret: What requests are signed with; None leaves what there is, "" signs none.
        authorization: Their header of this name; None leaves what there is, "" sends none.
        verify: Whether the address's certificate is looked at; None leaves what there is.
        job_id: The job, or "".
    """

    url: str = ""
    secret: str | None = None
    authorization: str | None = None
    verify: bool | None = None
    job_id: str = ""


@dataclass(frozen=True, kw_only=True)
class Hook:
    """A webhook. Times are ms since the epoch; ``model`` is None for one that hears of all models."""

    id: str
    model: str | None
    events: tuple[str, ...]
    description: str
    status: str
    url: str
    verify: bool
    job_id: str
    created_at: int
    updated_at: int


def events_of(kind: str, stage: str) -> tuple[str, ...]:
    """The events of a move or a request: the general one, and that of the stage."""
    if stage == "None":
        return (kind,)
    return (
        kind,
        kind.replace("_STAGE", f"_TO_{stage.upper()}") if kind == MOVED else f"TRANSITION_REQUEST_TO_{stage.upper()}_CREATED",
    )


class OlderWebhooks:
    """Keeps webhooks of the older form, and tells them what has become of models.

    Args:
        database: The metadata database.
        layout: The lake's folders.
        deployments: Starts jobs.
    """

    def __init__(self, database: Database, layout: Layout, deployments: Deployments) -> None:
        self._database = database
        self._layout = layout
        self._deployments = deployments
        self._threads = Threads("registry-webhook")

    # -------------------------------------------------------------------------------------------------------- keeping

    def create(
        self, principal: Principal, model: str | None, events: list[str], target: Target, description: str, status: str
    ) -> Hook:
        """Make a webhook of a model, or of all.

        Raises:
            WebhooksForAdmins: If it is of all, and the principal is no admin.
            PermissionDenied: Without MANAGE on the model, or CAN_MANAGE_RUN on the job.
            InvalidParameterValue: If the address is none that requests may go to, or the job takes no event.
        """
        name = None if model is None else canonical(model)
        if name is None and not principal.is_admin:
            raise WebhooksForAdmins
        if name is not None:
            with self._database.session() as session:
                CatalogService(session, principal, self._layout).require_model(name, Privilege.MANAGE)
        _check_events(name, events)
        self._check(principal, target)
        with self._database.session(write=True) as session:
            catalog = CatalogService(session, principal, self._layout)
            now = now_ms()
            row = RegistryWebhookRow(
                id=new_id().replace("-", ""),
                model_id=None if name is None else catalog.require_model(name, Privilege.MANAGE).id,
                events=events,
                description=description,
                status=status,
                url=None,
                verify=True,
                secrets=KeyRing.of(self._layout).encrypt({}),
                job_id=None,
                principal_id=principal.id,
                created_at=now,
                updated_at=now,
            )
            self._aim(row, principal, target)
            return _value(WebhookRepository(session).add(row), name)

    def all(self, principal: Principal, model: str | None, events: list[str]) -> list[Hook]:
        """Those that the principal may keep, the oldest first: of a model, of events, or all."""
        wanted = None if model is None else canonical(model)
        with self._database.session() as session:
            catalog = CatalogService(session, principal, self._layout)
            if wanted is not None:
                catalog.require_model(wanted, Privilege.MANAGE)
            found: list[Hook] = []
            for row in WebhookRepository(session).all():
                name = _name(catalog, row)
                fits = (wanted is None or name == wanted) and (not events or set(events) & set(row.events))
                if fits and _keeps(catalog, principal, row, name):
                    found.append(_value(row, name))
            return found

    def update(
        self,
        principal: Principal,
        webhook_id: str,
        *,
        events: list[str] | None,
        target: Target | None,
        description: str | None,
        status: str | None,
    ) -> Hook:
        """Change a webhook; what is None stays.

        Raises:
            WebhookNotFound: If there is none that the principal may keep.
            HookElsewhere: If an address would become a job, or the other way round.
        """
        if target is not None:
            with self._database.session() as session:
                self._kept(session, principal, webhook_id)
            self._check(principal, target)
        with self._database.session(write=True) as session:
            row, name = self._kept(session, principal, webhook_id)
            if events is not None:
                _check_events(name, events)
                row.events = events
            if target is not None:
                if bool(target.url) is not bool(row.url):
                    raise HookElsewhere
                self._aim(row, principal, target)
            row.description = row.description if description is None else description
            row.status = row.status if status is None else status
            row.updated_at = now_ms()
            return _value(row, name)

    def delete(self, principal: Principal, webhook_id: str) -> None:
        """Delete a webhook.

        Raises:
            WebhookNotFound: If there is none that the principal may keep.
        """
        with self._database.session(write=True) as session:
            row, _ = self._kept(session, principal, webhook_id)
            WebhookRepository(session).delete(row)

    def test(self, principal: Principal, webhook_id: str, event: str | None) -> tuple[int, str]:
        """Send an example of an event, whatever the webhook's status; the answer's status and the beginning of its body.

        Raises:
            WebhookNotFound: If there is none that the principal may keep.
            HookNotSent: If there was no answer.
        """
        with self._database.session() as session:
            row, name = self._kept(session, principal, webhook_id)
            if event is not None and event not in row.events:
                raise EventElsewhere(event, row.events)
            chosen = event or row.events[0]
            told = {"model_name": name or "main.default.example", "version": "1", "text": f"A test of the event {chosen}."}
            send = self._sender(row, chosen, told)
        return send()

    def _kept(self, session: Session, principal: Principal, webhook_id: str) -> tuple[RegistryWebhookRow, str | None]:
        row = WebhookRepository(session).get(webhook_id)
        if row is not None:
            catalog = CatalogService(session, principal, self._layout)
            name = _name(catalog, row)
            if _keeps(catalog, principal, row, name):
                return row, name
        raise WebhookNotFound(webhook_id)

    def _check(self, principal: Principal, target: Target) -> None:
        if target.job_id:
            with acting_as(principal):
                self._deployments.check_event_job(target.job_id)
            return
        from mlflow.utils.validation import _validate_webhook_url  # noqa: PLC0415 - loaded late  # pyright: ignore[reportPrivateUsage]

        try:
            with our_errors():
                _validate_webhook_url(target.url)
        except BoathouseError as error:
            raise InvalidParameterValue(f"http_url_spec.url: {error.message}", field="http_url_spec.url") from error

    def _aim(self, row: RegistryWebhookRow, principal: Principal, target: Target) -> None:
        if target.job_id:
            row.job_id, row.principal_id = int(target.job_id), principal.id
            return
        keys = KeyRing.of(self._layout)
        kept = keys.decrypt(row.secrets)
        for key, value in ((_SECRET, target.secret), (_AUTHORIZATION, target.authorization)):
            if value is not None:
                kept[key] = value
        row.url, row.secrets = target.url, keys.encrypt({key: value for key, value in kept.items() if value})
        row.verify = row.verify if target.verify is None else target.verify

    # -------------------------------------------------------------------------------------------------------- telling

    def tell(self, events: tuple[str, ...], model: str, text: str, **facts: str | None) -> None:
        """Tell all that want to hear of it, and whose makers may still keep them; who has done it does not wait.

        Args:
            events: What it is, in the words of the API.
            model: Full name of the model.
            text: The same for people.
            facts: More of it: the version, stages, a comment.
        """
        told = {"model_name": model, **{key: value for key, value in facts.items() if value is not None}, "text": text}
        try:
            with self._database.session() as session:
                for event, row in self._that_hear(session, events, model):
                    self._threads.submit(_quietly, self._sender(row, event, told), row.id, event)
        except (BoathouseError, ValueError) as error:
            # What was done to the model is done.
            log.warning("registry_webhooks_not_told", model=model, error=str(error))

    def _that_hear(self, session: Session, events: tuple[str, ...], model: str) -> list[tuple[str, RegistryWebhookRow]]:
        iam, found = IamService(session), list[tuple[str, RegistryWebhookRow]]()
        securable = CatalogService(session, acting_principal(), self._layout).rows.find(SecurableType.MODEL, model)
        for row in WebhookRepository(session).that_hear(None if securable is None else securable.id):
            wanted = [event for event in events if event in row.events]
            if not wanted:
                continue
            with suppress(NotFound):
                maker = iam.get_principal(row.principal_id)
                if _keeps(CatalogService(session, maker, self._layout), maker, row, model):
                    found.extend((event, row) for event in wanted)
        return found

    def _sender(self, row: RegistryWebhookRow, event: str, told: Mapping[str, str]) -> Sender:
        body = {"event": event, "webhook_id": row.id, "event_timestamp": now_ms(), **told}
        text = json.dumps(body)
        if row.job_id is not None:
            job, maker = row.job_id, row.principal_id
            return lambda: (200, json.dumps({"run_id": self._deployments.run_event_job(job, maker, text)}))
        secrets = KeyRing.of(self._layout).decrypt(row.secrets)
        url, verify = row.url or "", row.verify
        return lambda: _post(url, text.encode(), secrets, verify=verify)


def renew(session: Session, layout: Layout) -> None:
    """Encrypt with the first key what is not yet: at the start, for whoever rotated keys. What no key opens stays as it is."""
    keys = KeyRing.of(layout)
    for row in WebhookRepository(session).all():
        if not keys.is_current(row.secrets):
            with suppress(SecretUnreadable):
                row.secrets = keys.encrypt(keys.decrypt(row.secrets))


def _post(url: str, body: bytes, secrets: Mapping[str, str], *, verify: bool) -> tuple[int, str]:
    from mlflow.utils.validation import _validate_webhook_url  # noqa: PLC0415 - loaded late  # pyright: ignore[reportPrivateUsage]
    from mlflow.webhooks.delivery import (  # noqa: PLC0415
        _get_or_create_webhook_session,  # pyright: ignore[reportPrivateUsage]
    )

    headers = {"Content-Type": "application/json"}
    if secrets.get(_SECRET):
        headers[SIGNATURE] = hmac.new(secrets[_SECRET].encode(), body, hashlib.sha256).hexdigest()
    if secrets.get(_AUTHORIZATION):
        headers["Authorization"] = secrets[_AUTHORIZATION]
    try:
        _validate_webhook_url(url)
        answer = _get_or_create_webhook_session().post(
            url, data=body, headers=headers, timeout=_SECONDS, verify=verify, allow_redirects=False
        )
    except Exception as error:
        raise HookNotSent(type(error).__name__) from error
    return answer.status_code, answer.text[:_MOST_ANSWERED]


def _quietly(send: Sender, webhook_id: str, event: str) -> None:
    try:
        status, _ = send()
    except Exception as error:  # noqa: BLE001 - whatever it is, nobody waits for it
        log.warning("registry_webhook_not_sent", webhook=webhook_id, event_name=event, error=str(error))
        return
    if status >= 400:
        log.warning("registry_webhook_refused", webhook=webhook_id, event_name=event, status=status)


def _check_events(model: str | None, events: list[str]) -> None:
    if model is not None and MODEL_CREATED in events:
        message = f"events: {MODEL_CREATED} is for webhooks of all models: leave model_name out."
        raise InvalidParameterValue(message, field="events")


def _name(catalog: CatalogService, row: RegistryWebhookRow) -> str | None:
    securable = None if row.model_id is None else catalog.rows.by_id(row.model_id)
    return None if securable is None else securable.full_name


def _keeps(catalog: CatalogService, principal: Principal, row: RegistryWebhookRow, name: str | None) -> bool:
    if row.model_id is None or name is None:
        return principal.is_admin
    try:
        catalog.require_model(name, Privilege.MANAGE)
    except (NotFound, PermissionDenied):
        return False
    return True


def _value(row: RegistryWebhookRow, name: str | None) -> Hook:
    return Hook(
        id=row.id,
        model=name,
        events=tuple(row.events),
        description=row.description,
        status=row.status,
        url=row.url or "",
        verify=row.verify,
        job_id="" if row.job_id is None else str(row.job_id),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
