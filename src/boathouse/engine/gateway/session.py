"""Questions that the gateway itself asks an engine, in the session of the request it is looking at."""

import asyncio
import hashlib
import itertools
import re
import uuid
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import pyarrow as pa
from grpc.aio import AioRpcError

from boathouse.catalog.api import FunctionInfo
from boathouse.engine.capabilities import Capabilities
from boathouse.engine.endpoint_function import EndpointCall
from boathouse.engine.gateway.effects import Sources
from boathouse.engine.gateway.known_settings import forget_settings, settings_asked
from boathouse.engine.gateway.messages.plan_text import sections
from boathouse.engine.gateway.messages.protocol import proto, sql_node
from boathouse.engine.gateway.messages.spark_types import DataType, Struct, from_message
from boathouse.engine.gateway.messages.wire import encoded
from boathouse.engine.gateway.readings import Reading
from boathouse.engine.gateway.sql.tokens import quote
from boathouse.engine.link import Engine
from boathouse.engine.pool import SCRATCH_CATALOG
from boathouse.engine.python_functions import endpoint_registration, registration
from boathouse.history.api import AssetRef
from boathouse.iam.api import Principal

_FIRST_NAMESPACE = ("main", "default")
USER_METADATA = "spark.databricks.delta.commitInfo.userMetadata"
"""The setting with what a session's commits say of themselves."""
OWN_FUNCTIONS = "__bh"
"""What the names of functions that the gateway itself registers begin with."""
_CALLS = ("SELECT {}(1)", "SELECT {}(1) OVER (ORDER BY 1)", "SELECT * FROM {}(1)")
"""Calls of a function as a scalar or aggregate, over a window, and as a table: engines' lists of their functions are not complete."""
_UNKNOWN = re.compile(r"unknown (table |window )?function|UNRESOLVED_ROUTINE|UNRESOLVABLE_TABLE_VALUED_FUNCTION", re.IGNORECASE)
"""What engines say of a call of a function that they do not have."""


def as_principal(request: bytes, principal: Principal) -> bytes:
    """A request whose user is the principal, whatever the client says: ``current_user()`` and the engine's sessions go by it.

    Every request has its user context in field 2, and a message that comes a second time is merged over the first.
    """
    return request + _user_context(principal.name)


@lru_cache(1000)
def _user_context(name: str) -> bytes:
    return encoded(2, proto().UserContext(user_id=name, user_name=name).SerializeToString())


@dataclass
class SessionNames:
    """What the clients of one engine have named in it. Names are never taken out, so one that is here may be gone."""

    temporary: set[str] = field(default_factory=set[str])
    functions: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    """Session and name of each function that a client has registered."""
    views: dict[tuple[str, str], Sources] = field(default_factory=dict[tuple[str, str], Sources])
    """Session and name of each temporary view -> what it was made of."""
    streams: dict[tuple[str, str], Any] = field(default_factory=dict[tuple[str, str], Any])
    """Session and name of each temporary view over a stream -> its rows, as a relation of the client's."""
    python: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    """Session and version of a catalog's function in Python, or digest of how an endpoint is asked -> its name in the engine."""
    models: dict[tuple[str, str], tuple[AssetRef, ...]] = field(default_factory=dict[tuple[str, str], tuple[AssetRef, ...]])
    """Session and name in lower case of each function that its client has registered of a model version -> that."""
    namespaces: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    """Session -> its current catalog and schema."""
    modules: dict[str, dict[str, bytes]] = field(default_factory=dict[str, dict[str, bytes]], repr=False)
    """Session -> the files with modules that its client has sent for its functions, by their names."""
    temporary_functions: dict[str, dict[str, FunctionInfo]] = field(default_factory=dict[str, dict[str, FunctionInfo]])
    """Session -> its functions in SQL, by their names in lower case."""
    variables: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """Session -> its variables, as ``variables.Variable``, by their names in lower case."""
    cached: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    """Session and full name of each table or view that its client has asked to cache."""
    persisted: dict[tuple[str, int], bytes] = field(default_factory=dict[tuple[str, int], bytes])
    """Session and hash of each plan that its client has asked to keep -> the storage level, as a message."""
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    """Of references: no two of an engine have the same, since a temporary view keeps those that it was made with."""


@dataclass
class EngineSession:
    """One request's session. Its methods block, so they are called on a worker thread, never on the event loop.

    Attributes:
        engine: The engine of the principal.
        loop: The event loop that the engine's channel lives on.
        request: An ExecutePlanRequest or AnalyzePlanRequest.
        principal: Who asks.
        names: What was named in the engine.
        reading: Which versions of tables it reads.
        fixes_versions: Whether it reads a table in the version that it has now, whatever is committed meanwhile.
    """

    engine: Engine
    loop: asyncio.AbstractEventLoop
    request: Any
    principal: Principal
    names: SessionNames
    reading: Reading
    fixes_versions: bool = False

    @property
    def capabilities(self) -> Capabilities:
        """What its engine can do."""
        return self.engine.capabilities

    @property
    def namespace(self) -> tuple[str, str]:
        """The current catalog and schema."""
        return self.names.namespaces.get(self.request.session_id, _FIRST_NAMESPACE)

    @property
    def temporary_functions(self) -> dict[str, FunctionInfo]:
        """The functions in SQL that only the session has, by their names in lower case."""
        return self.names.temporary_functions.setdefault(self.request.session_id, {})

    @property
    def variables(self) -> dict[str, Any]:
        """The variables of the session, by their names in lower case."""
        return self.names.variables.setdefault(self.request.session_id, {})

    def use(self, catalog: str, schema: str) -> None:
        """Make a catalog and schema current, in the engine too if it knows them; else nothing that it has is current there."""
        if self.capabilities.knows_catalogs:
            try:
                self._use_in_engine(catalog, schema)
            except AioRpcError:
                self._use_in_engine(SCRATCH_CATALOG, "default")
        self.names.namespaces[self.request.session_id] = (catalog, schema)

    def _use_in_engine(self, catalog: str, schema: str) -> None:
        relation = proto().Relation()
        relation.catalog.set_current_catalog.catalog_name = catalog
        self.rows(relation)
        relation.catalog.set_current_database.db_name = quote([schema])
        self.rows(relation)

    def qualify(self, name: tuple[str, ...] | list[str]) -> tuple[str, str, str] | None:
        """A table's name with catalog and schema; None for one with more parts than that."""
        match name:
            case (catalog, schema, table):
                return catalog, schema, table
            case (schema, table):
                return self.namespace[0], schema, table
            case (table,):
                return *self.namespace, table
            case _:
                return None

    def schema(self, relation: Any) -> Any:
        """The schema of a relation, as the engine's DataType message.

        Raises:
            AioRpcError: If the engine cannot analyse it.
        """
        request = proto().AnalyzePlanRequest()
        request.schema.plan.root.CopyFrom(relation)
        return self._wait(self._analyse(self._own(request))).schema.schema

    def struct(self, relation: Any) -> Struct | None:
        """The columns of a relation; None where the engine cannot analyse it."""
        try:
            found = from_message(self.schema(relation))
        except AioRpcError:
            return None
        return found if isinstance(found, Struct) else None

    def type_of(self, expression: Any, below: Any) -> DataType | None:
        """The type of an expression over the columns of a relation; None where the engine cannot analyse it."""
        asked = proto().Relation()
        asked.project.input.CopyFrom(below)
        asked.project.expressions.add().CopyFrom(expression)
        found = self.struct(asked)
        return found.fields[0].type if found is not None and found.fields else None

    def data_type(self, text: str) -> Any:
        """A type's DDL text as the engine's DataType message."""
        request = proto().AnalyzePlanRequest()
        request.ddl_parse.ddl_string = text
        return self._wait(self._analyse(self._own(request))).ddl_parse.parsed

    def query(self, sql: str) -> pa.Table:
        """The rows of the gateway's own query; nothing in it is governed."""
        relation = proto().Relation()
        relation.sql.query = sql
        return self.rows(relation)

    def rows(self, relation: Any) -> pa.Table:
        """The rows of a relation as it stands."""
        return self._wait(self.table(relation))

    async def table(self, relation: Any) -> pa.Table:
        """The same, on the event loop."""
        request = proto().ExecutePlanRequest()
        request.plan.root.CopyFrom(relation)
        return await self._execute(self._own(request))

    def run(self, command: Any) -> pa.Table:
        """Execute a command as it stands, and answer the rows that it gives."""
        request = proto().ExecutePlanRequest()
        request.plan.command.CopyFrom(command)
        return self._wait(self._execute(self._own(request)))

    def answers(self, command: Any) -> list[Any]:
        """Execute a command as it stands, and give all messages of the engine's answer."""
        return self._wait(self.responses(command))

    async def responses(self, command: Any) -> list[Any]:
        """The same, on the event loop."""
        return [message async for message in self.messages(command)]

    async def messages(self, command: Any) -> AsyncGenerator[Any]:
        """The same, one by one as they come."""
        request = proto().ExecutePlanRequest()
        request.plan.command.CopyFrom(command)
        stream = self.engine.stream("ExecutePlan")(self._own(request))
        try:
            async for message in stream:
                yield proto().ExecutePlanResponse.FromString(message)
        finally:
            stream.cancel()

    def value(self, expression: str, relation: Any | None = None) -> Any:
        """The value of an expression without columns; with a SQL relation, its parameters can stand in it."""
        asked = proto().Relation()
        if relation is not None:
            asked.sql.CopyFrom(relation)
        asked.sql.query = f"SELECT {expression} AS value"
        return self.rows(asked).column(0)[0].as_py()

    def explain(self, relation: Any) -> str:
        """The engine's plans of a relation, from the one as written to the one as executed."""
        request = proto().AnalyzePlanRequest()
        request.explain.plan.root.CopyFrom(relation)
        request.explain.explain_mode = proto().AnalyzePlanRequest.Explain.EXPLAIN_MODE_EXTENDED
        return self.explained(request)

    def optimised(self, relation: Any) -> str | None:
        """The engine's optimised plan of a relation; None where it refuses the relation."""
        try:
            return sections(self.explain(relation)).get("Optimized Logical Plan", "")
        except AioRpcError:
            return None

    def explained(self, request: Any) -> str:
        """The engine's answer to a request that asks for a plan's explanation."""
        return str(self._wait(self._analyse(self._own(request))).explain.explain_string)

    def is_temporary(self, name: str) -> bool:
        """Whether a temporary view has this name."""
        if name.lower() not in self.names.temporary:
            return False
        views = self.query("SHOW VIEWS")
        column = "viewName" if "viewName" in views.column_names else "tableName"
        pairs = zip(views.column(column).to_pylist(), views.column("isTemporary").to_pylist(), strict=True)
        return any(temporary and name.lower() == str(view).lower() for view, temporary in pairs)

    def is_registered(self, name: str) -> bool:
        """Whether a client has registered a function of this name."""
        return (self.request.session_id, name.lower()) in self.names.functions

    def is_engines(self, name: str) -> bool:
        """Whether a name is one of the engine's own functions or operators, and not that of a function of the client's."""
        if self.is_registered(name):
            return False
        if not any(character.isalnum() or character == "_" for character in name):
            return True
        return any(self._is_known(form.format(quote([name]))) for form in _CALLS)

    def _is_known(self, call: str) -> bool:
        relation = proto().Relation()
        relation.sql.query = call
        try:
            self.schema(relation)
        except AioRpcError as error:
            return _UNKNOWN.search(error.details() or "") is None
        return True

    def models_of(self, name: str) -> tuple[AssetRef, ...]:
        """The model versions that a function that a client has registered scores rows with."""
        return self.names.models.get((self.request.session_id, name.lower()), ())

    def python_function(self, function: FunctionInfo) -> str:
        """The name under which a catalog's function in Python can be called in this session."""
        key = (self.request.session_id, f"{function.id}-{function.updated_at}")
        if key not in self.names.python:
            name = f"{OWN_FUNCTIONS}f_{len(self.names.python)}"
            self.run(registration(function, name, self.data_type(function.return_type)))
            self.names.python[key] = name
        return self.names.python[key]

    def endpoint_function(self, call: EndpointCall, returns: str, *, repeatable: bool = False) -> str:
        """The name under which a serving endpoint can be asked in this session.

        Args:
            call: How it is asked.
            returns: The type of its answers, as SQL writes it.
            repeatable: Whether the engine may ask as often as it likes.
        """
        access = self.engine.server_access()
        # Spark updates rows with nothing else; elsewhere it would ask more often, and for rows that are not wanted.
        repeatable = repeatable or (access is not None and self._text.lstrip()[:6].upper() == "UPDATE")
        known = call.packed() + (access.token.encode() if access is not None else b"") + bytes([repeatable])
        key = (self.request.session_id, hashlib.sha256(known).hexdigest())
        if key not in self.names.python:
            name = f"{OWN_FUNCTIONS}q_{len(self.names.python)}"
            self.run(endpoint_registration(call, name, self.data_type(returns), access, is_deterministic=repeatable))
            self.names.python[key] = name
        return self.names.python[key]

    @property
    def _text(self) -> str:
        """The statement of the request; empty where it is none."""
        executed = self.request.DESCRIPTOR.name == "ExecutePlanRequest"
        node = sql_node(self.request.plan.command.sql_command.input) if executed else None
        return "" if node is None else node.query

    def setting(self, key: str) -> str | None:
        """The value of a setting of the session, or None where it has none."""
        request = proto().ConfigRequest()
        request.operation.get_option.keys.append(key)
        return next((pair.value for pair in self._asked(request).pairs if pair.HasField("value")), None)

    def functions(self) -> list[dict[str, Any]]:
        """The engine's own functions, and those that the client has registered, as ``spark.catalog.listFunctions`` tells them.

        Raises:
            AioRpcError: If the engine does not list them.
        """
        relation = proto().Relation()
        if self.capabilities.knows_catalogs:
            # Where the session stands the principal may lack rights; the engine has the same functions everywhere.
            relation.catalog.list_functions.db_name = f"{SCRATCH_CATALOG}.default"
        else:
            relation.catalog.list_functions.SetInParent()
        return self.rows(relation).to_pylist()

    @cached_property
    def delta_settings(self) -> dict[str, str]:
        """The settings of the session that are Delta's."""
        return self.settings("spark.databricks.delta.")

    @property
    def user_metadata(self) -> str | None:
        """What the session's commits are to say of themselves, where a writer says nothing else."""
        return self.delta_settings.get(USER_METADATA)

    def settings(self, prefix: str | None = None) -> dict[str, str]:
        """All settings of the session, or those whose keys begin with a text; keys as a whole."""
        request = proto().ConfigRequest()
        request.operation.get_all.SetInParent()
        if prefix is not None:
            request.operation.get_all.prefix = prefix
        pairs = self._asked(request).pairs
        begin = prefix or ""
        return {pair.key if pair.key.startswith(begin) else f"{begin}{pair.key}": pair.value for pair in pairs}

    def first_setting(self, key: str) -> str | None:
        """The value of a setting that a new session has."""
        return self._wait(self._first_settings()).get(key)

    def set(self, key: str, value: str) -> None:
        """Give a setting of the session a value."""
        request = proto().ConfigRequest()
        request.operation.set.pairs.add(key=key, value=value)
        self._change_settings(request)

    def reset(self, *keys: str) -> None:
        """Give settings of the session, or without a key all of them, the values that a new session has."""
        first = self._wait(self._first_settings())
        chosen = set(keys or (*self.settings(), *first))
        request = proto().ConfigRequest()
        request.operation.unset.keys.extend(sorted(chosen - first.keys()))
        self._change_settings(request)
        for key in sorted(chosen & first.keys()):
            self.set(key, first[key])

    def _change_settings(self, request: Any) -> None:
        try:
            self._wait(self._config(self._own(request)))
        finally:
            forget_settings(self.engine, self.principal.id, self.request.session_id)

    def _asked(self, request: Any) -> Any:
        """The answer to a ConfigRequest that asks for settings; the engine is asked once as long as none is set."""
        own = self._own(request)
        asked = settings_asked(own, self.engine, self.principal.id)
        if asked is None:
            raise TypeError
        answer = asked.answer
        if answer is None:
            answer = self._wait(self._call("Config", own))
            asked.learn(answer)
        return proto().ConfigResponse.FromString(answer)

    def _own(self, request: Any) -> bytes:
        request.session_id = self.request.session_id
        return as_principal(request.SerializeToString(), self.principal)

    def _wait(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    async def _execute(self, request: bytes) -> pa.Table:
        batches: list[pa.RecordBatch] = []
        async for message in self.engine.stream("ExecutePlan")(request):
            response = proto().ExecutePlanResponse.FromString(message)
            if response.HasField("arrow_batch"):
                batches += pa.ipc.open_stream(response.arrow_batch.data)
        return pa.Table.from_batches(batches) if batches else pa.table({})

    async def _analyse(self, request: bytes) -> Any:
        return proto().AnalyzePlanResponse.FromString(await self.engine.unary("AnalyzePlan")(request))

    async def _first_settings(self) -> dict[str, str]:
        """What a session of the engine begins with, such as the time zone of its machine."""
        request, release = proto().ConfigRequest(session_id=str(uuid.uuid4())), proto().ReleaseSessionRequest()
        request.operation.get_all.SetInParent()
        release.session_id = request.session_id
        try:
            answer = await self._config(as_principal(request.SerializeToString(), self.principal))
        finally:
            await self.engine.unary("ReleaseSession")(as_principal(release.SerializeToString(), self.principal))
        return {pair.key: pair.value for pair in answer.pairs}

    async def _config(self, request: bytes) -> Any:
        return proto().ConfigResponse.FromString(await self._call("Config", request))

    async def _call(self, method: str, request: bytes) -> bytes:
        answer: bytes = await self.engine.unary(method)(request)
        return answer
