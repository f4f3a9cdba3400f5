"""What Prometheus is told of the engines and the gateway."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)


class EngineMetrics:
    """Counters of one server.

    Args:
        registry: Where they are registered.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.processes = Gauge("boathouse_engine_processes", "Engine processes that run.", registry=registry)
        self.starts = Counter("boathouse_engine_starts", "Engine processes started.", registry=registry)
        self.crashes = Counter(
            "boathouse_engine_crashes", "Engine processes that ended without being asked to.", registry=registry
        )
        self.requests = Counter("boathouse_gateway_requests", "Spark Connect calls.", ("method", "status"), registry=registry)
        self.seconds = Histogram(
            "boathouse_gateway_request_seconds",
            "Seconds that Spark Connect calls took.",
            ("method",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.open = Gauge("boathouse_gateway_open_requests", "Spark Connect calls in progress.", registry=registry)
