"""An endpoint as it runs: which of its model servers answers, and waiting for one that is about to."""

import asyncio
import random
from dataclasses import dataclass, field
from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, Histogram

from boathouse.serving.capture import Spool
from boathouse.serving.config import ServedEntity
from boathouse.serving.errors import EndpointNotReady
from boathouse.serving.served_model import ServedModel
from boathouse.serving.service import Endpoint

START_WAIT_SECONDS = 60.0
"""How long a request waits for a model server that is starting."""

MAX_WAITING = 256
"""Requests that wait for one endpoint."""


@dataclass(frozen=True)
class Answer:
    """What an endpoint answered; ``entity`` is None where none was reached."""

    status: int
    body: bytes
    entity: ServedEntity | None


class EndpointMetrics:
    """Prometheus metrics of one endpoint."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ["endpoint_name", "served_entity_name"]
        requests = Counter("request_count", "Requests", [*labels, "status"], registry=self.registry)
        seconds = Histogram("request_latency_seconds", "Seconds to the answer", labels, registry=self.registry)
        self.requests, self.seconds = lru_cache(1000)(requests.labels), lru_cache(1000)(seconds.labels)


@dataclass
class Running:
    """An endpoint as it runs."""

    record: Endpoint
    models: dict[str, ServedModel] = field(default_factory=dict[str, ServedModel])
    pending: dict[str, ServedModel] = field(default_factory=dict[str, ServedModel])
    spool: Spool | None = None
    metrics: EndpointMetrics = field(default_factory=EndpointMetrics)
    update: "asyncio.Task[None] | None" = None
    is_gone: bool = False
    waiting: "set[asyncio.Future[None]]" = field(default_factory=set["asyncio.Future[None]"])

    @property
    def ready(self) -> bool:
        """Whether it can answer all of its traffic."""
        config = self.record.config
        return config is not None and all(
            name in self.models and self.models[name].ready for name, share in config.routes.items() if share
        )

    @property
    def is_coming(self) -> bool:
        """Whether it cannot answer yet, and a model server of its traffic is starting that has not failed."""
        config = self.record.config
        if self.is_gone:
            return False
        if config is None:
            return self.record.config_update == "IN_PROGRESS"
        routed = [self.models[name] for name, share in config.routes.items() if share and name in self.models]
        return not any(model.ready for model in routed) and any(model.is_coming for model in routed)

    @property
    def reasons(self) -> str:
        """What each of its model servers says of itself."""
        return "; ".join(f"{model.entity.name}: {model.message}" for model in self.models.values())

    def tell(self) -> None:
        """Have those look again who wait for it."""
        for one in self.waiting:
            if not one.done():
                one.set_result(None)

    async def wait(self) -> None:
        """Wait until it can answer or it is known that it cannot, for a minute at most.

        Raises:
            EndpointNotReady: If too many wait already.
        """
        if len(self.waiting) >= MAX_WAITING:
            raise EndpointNotReady(self.record.name, f"{MAX_WAITING} requests wait already. Ask again later.")
        loop = asyncio.get_running_loop()
        end = loop.time() + START_WAIT_SECONDS
        while self.is_coming and (left := end - loop.time()) > 0:
            changed: asyncio.Future[None] = loop.create_future()
            self.waiting.add(changed)
            try:
                await asyncio.wait([changed], timeout=left)
            finally:
                self.waiting.discard(changed)

    def choose(self) -> ServedModel:
        """The served entity of a request: by its share of the traffic, among those that can answer."""
        config = self.record.config
        if config is None:
            raise EndpointNotReady(self.record.name, self.record.update_message or "its first model server is starting.")
        ready = [(self.models[name], share) for name, share in config.routes.items() if share and self.models[name].ready]
        if not ready:
            raise EndpointNotReady(self.record.name, self.reasons or "no model server runs.")
        if len(ready) == 1:
            return ready[0][0]
        return random.choices([model for model, _ in ready], [share for _, share in ready])[0]  # noqa: S311 - no secret
