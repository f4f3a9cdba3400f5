"""HTTP APIs, read by dlt's rest_api source from a declaration. Only a process of its own may import this."""

import json
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import IO, Any
from urllib.parse import urlsplit

import requests
import yaml
from dlt.common import jsonpath
from dlt.common.exceptions import DltException
from dlt.sources.rest_api import rest_api_source

from boathouse.catalog.open_connection import OpenConnection
from boathouse.ingest.connectors.columns import Column, text_of
from boathouse.ingest.connectors.definition import TableObject
from boathouse.ingest.connectors.errors import (
    ColumnsAlike,
    DefinitionFieldInvalid,
    KeysMissing,
    RowsNoObjects,
    SourceTableMissing,
    SourceUnreachable,
)
from boathouse.ingest.connectors.extract import Extraction, Landed, Stopped, query_based
from boathouse.ingest.connectors.rest_fields import require_known
from boathouse.ingest.connectors.rest_session import session_of

FIELD = "ingestion_definition.source_configurations.api_source_connector_config.configs.rest_api"
_LARGEST = 2**63
_CHUNK = 10_000
"""Rows that are turned into a file at once, or as many as a page has."""


class RestReader:
    """Reads resources of an API one by one.

    Args:
        connection: To the API.
        declaration: What dlt's rest_api source takes, in YAML or JSON, without ``client.base_url`` and ``client.auth``.
        extraction: This one.

    Raises:
        DefinitionFieldInvalid: If the declaration is not valid.
    """

    confirms = False

    def __init__(self, connection: OpenConnection, declaration: str, extraction: Extraction) -> None:
        self._connection = connection
        self._extraction = extraction
        self._declared = _parsed(declaration)
        self._source({})

    def tables(self, schema: str | None) -> list[str]:  # noqa: ARG002 - an API has none
        """Names of the resources."""
        return list(self._source({}).selected_resources)

    def check(self, one: TableObject) -> tuple[str, ...]:
        """The keys of a resource.

        Raises:
            SourceTableMissing: If it is not declared.
            KeysMissing: If it has no keys and needs them.
        """
        resource = self._source({}).resources.get(one.source_table or "")
        if resource is None:
            raise SourceTableMissing(one.source, self.tables(None))
        hint: Any = resource.compute_table_schema().get("columns", {})
        keys = one.settings.primary_keys or tuple(name for name, column in hint.items() if column.get("primary_key"))
        if one.settings.merges and not keys:
            raise KeysMissing(one.source)
        return keys

    def read(self, one: TableObject) -> Landed:
        """Bring what is new of a resource, page by page: which types its columns have is known once all rows were seen."""
        keys, since = self.check(one), self._extraction.since(one)
        kinds = _Kinds(one)
        with tempfile.TemporaryFile("w+") as pages:
            try:
                for item in self._source({one.source_table or "": since}).resources[one.source_table or ""]:
                    rows = _rows(item, one.source)
                    kinds.take(rows)
                    pages.write(json.dumps(rows, default=text_of) + "\n")
                    if self._extraction.stopping.is_set():
                        raise Stopped
            except (DltException, requests.RequestException) as error:
                raise self._unreachable(error) from error
            found = query_based(self._extraction, one, columns=kinds.columns(), keys=keys, rows=lambda _: _chunks(pages))
        return found if kinds.rows else replace(found, notice=self._unselected(one.source_table or ""))

    def _unselected(self, name: str) -> str:
        """That the data_selector of a resource without rows found nothing in the last answer; empty where that is not so."""
        answer = self._answers.last
        if answer is None or not answer.ok or self._source({}).resources[name].is_transformer:
            return ""
        selector, content = self._selector(name), answer.json()
        if selector is None or jsonpath.find_values(selector, content):
            return ""
        has = f" It has: {', '.join(sorted(content)[:20])}." if isinstance(content, dict) and content else ""
        return f"The data_selector {selector} finds nothing in the answer of {urlsplit(answer.url).path}.{has}"

    def _selector(self, name: str) -> str | None:
        """What says where in the answers the rows of a resource are; None where nothing does."""
        own: Any = next((one for one in self._declared["resources"] if isinstance(one, dict) and one["name"] == name), {})
        ends = [one.get("endpoint") for one in (own, self._declared.get("resource_defaults") or {})]
        return next((one["data_selector"] for one in ends if isinstance(one, dict) and one.get("data_selector")), None)

    def begin(self, objects: Sequence[TableObject]) -> None:
        """Each is read by itself."""

    def confirm(self) -> None:
        """The source need not know."""

    def release(self) -> None:
        """The source keeps nothing."""

    def close(self) -> None:
        """Let the connections go."""
        self._extraction.landing.close()

    def _source(self, since: Mapping[str, Any]) -> Any:
        """The source; incremental parameters of some resources begin at a value."""
        config = yaml.safe_load(yaml.safe_dump(self._declared))
        options = self._connection.options
        base = _base(options)
        session, self._answers = session_of(base)
        client: Any = {**config.get("client", {}), "base_url": base, "session": session}
        if "bearer_token" in options:
            client["auth"] = {"type": "bearer", "token": options["bearer_token"]}
        elif "user" in options:
            client["auth"] = {"type": "http_basic", "username": options["user"], "password": options["password"]}
        for resource in config["resources"]:
            if isinstance(resource, dict) and since.get(str(resource.get("name"))) is not None:
                _begin_at(resource, since[str(resource["name"])])
        try:
            config["client"] = client
            return rest_api_source(config, name="api")
        except (DltException, ValueError, KeyError, TypeError) as error:
            raise DefinitionFieldInvalid(FIELD, f"is not valid: {' '.join(str(error).split())[:500]}") from error

    def _unreachable(self, error: Exception) -> SourceUnreachable:
        cause: BaseException = error
        while cause.__cause__ is not None and not isinstance(cause, requests.RequestException):
            cause = cause.__cause__
        if isinstance(cause, requests.exceptions.InvalidJSONError):
            return SourceUnreachable(self._connection.name, self._answers.told())
        # What a query has may be secret.
        text = re.sub(r"\?\S*", "", " ".join(str(cause).split()))[:500]
        for option in ("bearer_token", "password"):
            if option in self._connection.options:
                text = text.replace(self._connection.options[option], "***")
        return SourceUnreachable(self._connection.name, text)


def _parsed(declaration: str) -> dict[str, Any]:
    try:
        found = yaml.safe_load(declaration)
    except yaml.YAMLError as error:
        raise DefinitionFieldInvalid(FIELD, f"is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict) or not isinstance(found.get("resources"), list) or not found["resources"]:
        raise DefinitionFieldInvalid(FIELD, "needs a list of resources.")
    client = found.get("client") or {}
    for name in ("base_url", "auth", "session"):
        if name in client:
            raise DefinitionFieldInvalid(f"{FIELD}.client.{name}", "comes from the connection; leave it out.")
    for number, resource in enumerate(found["resources"]):
        endpoint = resource.get("endpoint") if isinstance(resource, dict) else resource
        path = endpoint.get("path") if isinstance(endpoint, dict) else endpoint
        if isinstance(path, str) and (urlsplit(path).scheme or path.startswith("//")):
            where = f"{FIELD}.resources[{number}].endpoint.path"
            raise DefinitionFieldInvalid(where, "has to be relative to the connection's host and base_path.")
    require_known({**found, "client": client}, FIELD)
    return {**found, "client": client}


def _base(options: Mapping[str, str]) -> str:
    port = f":{options['port']}" if "port" in options else ""
    return f"{options['host'].rstrip('/')}{port}/{options.get('base_path', '').strip('/')}".rstrip("/") + "/"


def _begin_at(resource: dict[str, Any], value: Any) -> None:
    """Let the incremental parameters of a resource begin at a value."""
    endpoint = resource.get("endpoint")
    if not isinstance(endpoint, dict):
        return
    params = endpoint.get("params") or {}
    for one in (endpoint.get("incremental"), *params.values()):
        if isinstance(one, dict) and "cursor_path" in one:
            one["initial_value"] = value


def _rows(item: Any, resource: str) -> list[Mapping[str, Any]]:
    """The rows of what a resource gives.

    Raises:
        RowsNoObjects: If one is no JSON object.
    """
    rows: list[Any] = item if isinstance(item, list) else [item]
    for row in rows:
        if not isinstance(row, dict):
            raise RowsNoObjects(resource, _JSON.get(type(row), type(row).__name__))
    return rows


_JSON: dict[type[Any], str] = {
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a text",
    list: "an array",
    type(None): "null",
}


def _chunks(pages: IO[str]) -> Iterator[list[Mapping[str, Any]]]:
    """The rows of pages that were written down, some thousand at once."""
    pages.seek(0)
    chunk: list[Mapping[str, Any]] = []
    for line in pages:
        chunk += json.loads(line)
        if len(chunk) >= _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


class _Kinds:
    """The columns of JSON objects that come one after the other: what is nested, or of several types, becomes text."""

    def __init__(self, one: TableObject) -> None:
        settings = one.settings
        self.rows = 0
        self._source = one.source
        self._include, self._exclude = set(settings.include), set(settings.exclude)
        self._needed = {*settings.primary_keys, settings.cursor, settings.sequence_by}
        self._kinds: dict[str, set[str]] = {}

    def take(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Look at some rows."""
        for row in rows:
            self.rows += 1
            for name, value in row.items():
                if value is not None and (name in self._needed or self._is_wanted(name)):
                    self._kinds.setdefault(name, set()).add(_kind(value))

    def _is_wanted(self, name: str) -> bool:
        return (not self._include or name in self._include) and name not in self._exclude

    def columns(self) -> list[Column]:
        """The columns that all of them have together.

        Raises:
            ColumnsAlike: If two differ in case only.
        """
        alike: dict[str, str] = {}
        for name in self._kinds:
            first = alike.setdefault(name.lower(), name)
            if first != name:
                raise ColumnsAlike(self._source, first, name)
        return [_column(name, found) for name, found in self._kinds.items()]


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "BOOLEAN"
    if isinstance(value, int):
        return "BIGINT" if -_LARGEST <= value < _LARGEST else "STRING"
    return "DOUBLE" if isinstance(value, float) else "STRING"


def _column(name: str, kinds: set[str]) -> Column:
    if kinds == {"BIGINT", "DOUBLE"}:
        return Column(name, "DOUBLE", float)
    (kind, *more) = kinds
    return Column(name, "STRING", text_of) if more or kind == "STRING" else Column(name, kind)
