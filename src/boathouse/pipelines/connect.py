"""``PipelineCommand`` of Spark Connect: a client defines a graph command by command, and runs it as an update of a pipeline."""

import asyncio
import base64
import uuid
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from typing import Any

from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.sql.tokens import parts_of
from boathouse.errors import InvalidParameterValue, NotImplementedHere
from boathouse.iam.api import Principal
from boathouse.pipelines.errors import FlowFailed
from boathouse.pipelines.events import Event, Level
from boathouse.pipelines.runtime import Pipelines

_MOST_GRAPHS = 1000
_TOLD = frozenset({"flow_progress", "update_progress"})


@dataclass
class _Graph:
    """A graph that is being defined."""

    catalog: str
    schema: str
    settings: dict[str, str]
    commands: list[str] = field(default_factory=list[str])


class PipelineCommands:
    """The graphs of all clients.

    Args:
        pipelines: Runs them.
    """

    def __init__(self, pipelines: Pipelines) -> None:
        self._pipelines = pipelines
        self._graphs: OrderedDict[tuple[str, str], _Graph] = OrderedDict()

    def execute(self, request: Any, principal: Principal) -> Callable[[], AsyncGenerator[bytes]]:
        """What answers an ExecutePlanRequest with a PipelineCommand."""
        return lambda: self._answer(request, principal)

    async def _answer(self, request: Any, principal: Principal) -> AsyncGenerator[bytes]:
        command = request.plan.command.pipeline_command
        result = proto().PipelineCommandResult()
        match command.WhichOneof("command_type"):
            case "create_dataflow_graph":
                result.create_dataflow_graph_result.dataflow_graph_id = self._create(principal, command.create_dataflow_graph)
            case "define_output":
                graph = self._define(principal, command.define_output.dataflow_graph_id, command)
                _resolve(result.define_output_result.resolved_identifier, graph, command.define_output.output_name)
            case "define_flow":
                graph = self._define(principal, command.define_flow.dataflow_graph_id, command)
                name = command.define_flow.flow_name or command.define_flow.target_dataset_name
                _resolve(result.define_flow_result.resolved_identifier, graph, name)
            case "define_sql_graph_elements":
                self._define(principal, command.define_sql_graph_elements.dataflow_graph_id, command)
            case "drop_dataflow_graph":
                self._graphs.pop((principal.id, command.drop_dataflow_graph.dataflow_graph_id), None)
            case "start_run":
                graph = self._graph(principal, command.start_run.dataflow_graph_id)
                async for event in self._run(principal, graph, command.start_run):
                    yield _event(request, event)
            case other:
                message = f"The pipeline command {other} is not supported. Define all flows, then start the run."
                raise NotImplementedHere(message)
        yield _response(request, result)
        yield _end(request)

    def _create(self, principal: Principal, command: Any) -> str:
        graph_id = str(uuid.uuid4())
        catalog, schema = command.default_catalog or "main", command.default_database or "default"
        self._graphs[principal.id, graph_id] = _Graph(catalog, schema, dict(command.sql_conf))
        while len(self._graphs) > _MOST_GRAPHS:
            self._graphs.popitem(last=False)
        return graph_id

    def _graph(self, principal: Principal, graph_id: str) -> _Graph:
        graph = self._graphs.get((principal.id, graph_id))
        if graph is None:
            message = f"The dataflow graph {graph_id} does not exist. Make one with CreateDataflowGraph."
            raise InvalidParameterValue(message, field="dataflow_graph_id")
        return graph

    def _define(self, principal: Principal, graph_id: str, command: Any) -> _Graph:
        graph = self._graph(principal, graph_id)
        graph.commands.append(base64.b64encode(command.SerializeToString()).decode())
        return graph

    async def _run(self, principal: Principal, graph: _Graph, start: Any) -> AsyncGenerator[Event]:
        """Run a graph and tell its events; an error at the end if it failed."""
        events: asyncio.Queue[Event | None] = asyncio.Queue()
        spec: dict[str, Any] = {
            "catalog": graph.catalog,
            "schema": graph.schema,
            "storage": start.storage.removeprefix("file://") or None,
            "configuration": graph.settings,
            "development": True,
        }
        options: dict[str, Any] = {
            "full_refresh": start.full_refresh_all,
            "full_refresh_selection": list(start.full_refresh_selection),
            "refresh_selection": list(start.refresh_selection),
            "validate_only": start.dry,
        }
        running = await self._pipelines.start_graph(principal, spec, options, tuple(graph.commands), events.put_nowait)
        failures: list[str] = []
        try:
            while (event := await events.get()) is not None:
                if event.error is not None and event.kind == "update_progress":
                    failures += [str(one["message"]) for one in event.error["exceptions"]]
                if event.kind in _TOLD or event.level is not Level.INFO:
                    yield event
        finally:
            await self._pipelines.leave(running)
        if failures:
            raise FlowFailed("\n".join(failures))


def _resolve(identifier: Any, graph: _Graph, name: str) -> None:
    parts = parts_of(name)
    full = ((graph.catalog, graph.schema) if len(parts) == 1 else (graph.catalog,) if len(parts) == 2 else ()) + parts
    identifier.catalog_name = full[0]
    identifier.namespace.extend(full[1:-1])
    identifier.table_name = full[-1]


def _response(request: Any, result: Any) -> bytes:
    response = _empty(request)
    response.pipeline_command_result.CopyFrom(result)
    return response.SerializeToString()


def _event(request: Any, event: Event) -> bytes:
    response = _empty(request)
    told = response.pipeline_event_result.event
    told.timestamp.FromMilliseconds(event.time_ms)
    told.message = event.message
    return response.SerializeToString()


def _end(request: Any) -> bytes:
    response = _empty(request)
    response.result_complete.SetInParent()
    return response.SerializeToString()


def _empty(request: Any) -> Any:
    return proto().ExecutePlanResponse(
        session_id=request.session_id,
        server_side_session_id=request.session_id,
        operation_id=request.operation_id,
        response_id=str(uuid.uuid4()),
    )
