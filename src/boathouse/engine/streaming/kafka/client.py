"""The client library, and its configuration from options as Spark's connector takes them.

The names of the options are those of Kafka's Java client. Only those are passed on that are known to be harmless: others of the
library load code, start programs or read files with the server's rights.
"""

import logging
import re
from collections.abc import Mapping
from fnmatch import fnmatch
from types import ModuleType
from typing import Any

from boathouse.engine.catalog_access import CatalogAccess
from boathouse.engine.gateway.paths.guard import PathGuard, Use
from boathouse.engine.streaming.errors import StreamRefused
from boathouse.errors import PermissionDenied
from boathouse.iam.api import Principal

PREFIX = "kafka."
BROKERS = "kafka.bootstrap.servers"
_SAME = frozenset(
    {
        *("bootstrap.servers", "client.id", "client.dns.lookup", "client.rack", "security.protocol", "connections.max.idle.ms"),
        *("metadata.max.age.ms", "reconnect.backoff.ms", "reconnect.backoff.max.ms", "retry.backoff.ms", "isolation.level"),
        *("fetch.min.bytes", "fetch.max.bytes", "max.partition.fetch.bytes", "check.crcs", "session.timeout.ms"),
        *("acks", "compression.type", "linger.ms", "batch.size", "delivery.timeout.ms", "retries", "enable.idempotence"),
        *(
            "max.in.flight.requests.per.connection",
            "request.timeout.ms",
            "group.id",
            "ssl.key.password",
            "sasl.kerberos.service.name",
        ),
    }
)
_RENAMED = {
    "fetch.max.wait.ms": "fetch.wait.max.ms",
    "receive.buffer.bytes": "socket.receive.buffer.bytes",
    "send.buffer.bytes": "socket.send.buffer.bytes",
    "max.request.size": "message.max.bytes",
    "sasl.mechanism": "sasl.mechanisms",
    "ssl.truststore.certificates": "ssl.ca.pem",
    "ssl.keystore.certificate.chain": "ssl.certificate.pem",
    "ssl.keystore.key": "ssl.key.pem",
    "ssl.endpoint.identification.algorithm": "ssl.endpoint.identification.algorithm",
}
_FILES = {"ssl.truststore.location": "ssl.ca.location", "ssl.keystore.location": "ssl.keystore.location"}
_STORES = {"ssl.truststore.location": "ssl.truststore.type", "ssl.keystore.location": "ssl.keystore.type"}
_READABLE = {"ssl.truststore.location": ("PEM",), "ssl.keystore.location": ("PKCS12",)}
_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_SPARKS_OWN = frozenset(
    {
        *("auto.offset.reset", "key.deserializer", "value.deserializer", "key.serializer", "value.serializer"),
        *("enable.auto.commit", "interceptor.classes"),
    }
)
_JAAS = re.compile(r"""(\w+)\s*=\s*(?:"([^"]*)"|'([^']*)'|(\S+?))(?=\s|;|$)""")
_LOG = logging.getLogger("boathouse.kafka")
_LOG.addHandler(logging.NullHandler())
_LOG.propagate = False


def library() -> ModuleType:
    """The client library.

    Raises:
        StreamRefused: If it is not installed.
    """
    try:
        import confluent_kafka  # noqa: PLC0415 - an extra
    except ImportError as error:
        message = "Kafka needs a library that is not installed with the server: pip install 'boathouse[kafka]'."
        raise StreamRefused(message) from error
    return confluent_kafka


def configuration(options: Mapping[str, str], guard: PathGuard) -> dict[str, Any]:
    """The library's configuration for the options ``kafka.*``; values are never told in errors.

    Raises:
        StreamRefused: If one of them is not known, or not to be had here.
    """
    given = {key.lower().removeprefix(PREFIX): value for key, value in options.items() if key.lower().startswith(PREFIX)}
    if not given.get("bootstrap.servers"):
        message = f"Option '{BROKERS}' must be specified for configuring Kafka: host:port, several with commas."
        raise StreamRefused(message)
    # What the library says of its connections would be told on the server's own output.
    made: dict[str, Any] = {"log_level": 0, "logger": _LOG}
    for key, value in given.items():
        if key in _SAME:
            made[key] = value
        elif key in _RENAMED:
            made[_RENAMED[key]] = value or "none"
        elif key in _FILES:
            made[_FILES[key]] = _file(key, value, given, guard)
        elif key == "ssl.keystore.password" and "ssl.keystore.location" in given:
            made[key] = value
        elif key == "sasl.jaas.config":
            made["sasl.username"], made["sasl.password"] = _credentials(value)
        elif key not in _STORES.values() and key != "ssl.truststore.password":
            raise _not_known(key)
    mechanism = str(made.get("sasl.mechanisms", "PLAIN"))
    if str(made.get("security.protocol", "")).upper().startswith("SASL") and mechanism.upper() not in _MECHANISMS:
        message = f"The option 'kafka.sasl.mechanism' is not valid here. Valid: {', '.join(_MECHANISMS)}."
        raise StreamRefused(message)
    return made


def _not_known(key: str) -> StreamRefused:
    if key in _SPARKS_OWN:
        return StreamRefused(f"Kafka option '{key}' is not supported: it is the connector's own to set.")
    valid = ", ".join(sorted({*_SAME, *_RENAMED, *_FILES, *_STORES.values(), "sasl.jaas.config", "ssl.keystore.password"}))
    return StreamRefused(
        f"The option 'kafka.{key}' is not passed on to Kafka's client. Those that are, after 'kafka.': {valid}."
    )


def _file(key: str, path: str, given: Mapping[str, str], guard: PathGuard) -> str:
    kind = given.get(_STORES[key], "JKS").upper()
    if kind not in _READABLE[key]:
        valid = " or ".join(_READABLE[key])
        message = (
            f"The option 'kafka.{_STORES[key]}' is {kind}; the client here reads {valid} only. Give the file in that form."
        )
        raise StreamRefused(message)
    return guard.resolve(path, Use.READ)


def _credentials(text: str) -> tuple[str, str]:
    """User name and password of a JAAS configuration."""
    found = {name.lower(): next((one for one in values if one), "") for name, *values in _JAAS.findall(text)}
    module = next(iter(text.split(maxsplit=1)), "")
    if not module.endswith(("PlainLoginModule", "ScramLoginModule")) or "username" not in found:
        message = (
            "The option 'kafka.sasl.jaas.config' is not valid here: it takes PlainLoginModule or ScramLoginModule required "
            'username="..." password="...";'
        )
        raise StreamRefused(message)
    return found["username"], found.get("password", "")


def require_brokers(options: Mapping[str, str], access: CatalogAccess, principal: Principal) -> None:
    """Go on only if the principal may let the server connect to the brokers that it names.

    Raises:
        PermissionDenied: If it is no admin, and one is not among those that everybody may use.
    """
    if principal.is_admin:
        return
    named = next((value for key, value in options.items() if key.lower() == BROKERS), "")
    for broker in (one.strip() for one in named.split(",")):
        if broker and not any(fnmatch(broker.lower(), allowed.lower()) for allowed in access.brokers):
            message = (
                f"User '{principal.name}' may not reach the Kafka broker {broker} through the server. An admin may, or makes it "
                "known to all with BOATHOUSE_KAFKA_BROKERS."
            )
            raise PermissionDenied(message)
