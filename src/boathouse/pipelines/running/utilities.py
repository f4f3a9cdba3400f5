"""``dbutils`` as the Python sources of a pipeline see it: secrets; the rest is said not to be there."""

import json
import sys
from collections.abc import Mapping
from functools import cached_property
from typing import Any, TextIO

from boathouse.pipelines.events import Event
from boathouse.workspace.runtime.dbutils.secrets import SecretUtils
from boathouse.workspace.runtime.dbutils.unserved import Unserved
from boathouse.workspace.runtime.redaction import Filter, Secrets
from boathouse.workspace.runtime.server import Server

_ELSEWHERE: Mapping[str, str] = {
    "credentials": "access to clouds is given by storage credentials and external locations of the catalog.",
    "data": "a pipeline shows nothing; look at its tables.",
    "fs": "the source of a pipeline reads files with spark.read and spark.readStream, which know volumes and locations.",
    "jobs": "give a pipeline its values by configuration or parameters.",
    "library": "a pipeline has the server's packages.",
    "notebook": "give a pipeline its values by configuration or parameters.",
    "widgets": "give a pipeline its values by configuration or parameters, and read them with spark.conf.get.",
}


class PipelineUtilities:
    """``dbutils``.

    Args:
        base_url: Of the REST API.
        token: Of whom the pipeline runs as.
    """

    def __init__(self, base_url: str, token: str) -> None:
        self._place = base_url, token
        self._read = Secrets()
        for name, why in _ELSEWHERE.items():
            self.__dict__[name] = Unserved(f"dbutils.{name}", why)

    @cached_property
    def secrets(self) -> SecretUtils:
        """The secrets that whom the pipeline runs as may read."""
        return SecretUtils(Server(*self._place), self._read)

    def redacted(self, event: Event) -> Mapping[str, Any]:
        """An event as JSON without the values of the secrets that were read."""
        told = event.to_json()
        if not self._read.values:
            return told
        text = json.dumps(told, default=str)
        for value in self._read.values:
            text = text.replace(json.dumps(value)[1:-1], "[REDACTED]")
        return json.loads(text)

    def redact_output(self) -> None:
        """Have what is printed from now on go to the log without them."""
        sys.stdout, sys.stderr = _Redacted(sys.stdout, self._read), _Redacted(sys.stderr, self._read)


class _Redacted:
    """A stream of text without the values of secrets.

    Args:
        stream: Where it goes.
        secrets: The values.
    """

    def __init__(self, stream: TextIO, secrets: Secrets) -> None:
        self._stream = stream
        self._filter = Filter(secrets)

    def write(self, text: str) -> int:
        """Write what can be shown now."""
        self._stream.write(self._filter.feed(text))
        return len(text)

    def flush(self) -> None:
        """Write what was held back, too."""
        self._stream.write(self._filter.end())
        self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
