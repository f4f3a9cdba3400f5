"""Command execution over REST: ``/api/1.2``, as ``w.command_execution`` of databricks-sdk calls it."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from boathouse.engine.api import EngineService
from boathouse.iam.api import CurrentPrincipal, Principal
from boathouse.workspace.commands.service import Command, Commands, Context, Language

router = APIRouter(prefix="/api/1.2", tags=["commands"])


async def _commands(request: Request) -> Commands:
    return request.app.state.commands


TheCommands = Annotated[Commands, Depends(_commands)]
ClusterId = Annotated[str, Query(alias="clusterId")]
ContextId = Annotated[str, Query(alias="contextId")]


class ContextBody(BaseModel):
    """Which context is meant."""

    cluster_id: str = Field(alias="clusterId")
    context_id: str = Field(alias="contextId")


class CreateContext(BaseModel):
    """A context that is to be made; ``language`` is that of commands that name none."""

    cluster_id: str = Field(alias="clusterId")
    language: Language = "python"


class ExecuteCommand(ContextBody):
    """A command that is to be run; in the context's language if it names none."""

    command: str
    language: Language | None = None


class CancelCommand(ContextBody):
    """Which command is to be cancelled."""

    command_id: str = Field(alias="commandId")


@router.post("/contexts/create")
async def create_context(
    request: Request, commands: TheCommands, principal: CurrentPrincipal, body: CreateContext
) -> dict[str, str]:
    """Make a context on the asker's own cluster."""
    await _require_own(request, principal, body.cluster_id)
    return {"id": (await commands.create(principal, body.cluster_id, body.language)).id}


@router.get("/contexts/status")
async def context_status(
    commands: TheCommands, principal: CurrentPrincipal, cluster_id: ClusterId, context_id: ContextId
) -> dict[str, str]:
    """How far a context is: ``Pending``, ``Running`` or ``Error``."""
    context = commands.of(principal, cluster_id, context_id)
    return {"id": context.id, "status": context.status}


@router.post("/contexts/destroy")
async def destroy_context(commands: TheCommands, principal: CurrentPrincipal, body: ContextBody) -> dict[str, str]:
    """End a context with all that runs in it."""
    context = commands.of(principal, body.cluster_id, body.context_id)
    await commands.destroy(context)
    return {"id": context.id}


@router.post("/commands/execute")
async def execute_command(commands: TheCommands, principal: CurrentPrincipal, body: ExecuteCommand) -> dict[str, str]:
    """Run a command after those that the context has."""
    context = commands.of(principal, body.cluster_id, body.context_id)
    return {"id": commands.execute(context, body.language, body.command).id}


@router.get("/commands/status")
async def command_status(
    commands: TheCommands,
    principal: CurrentPrincipal,
    cluster_id: ClusterId,
    context_id: ContextId,
    command_id: Annotated[str, Query(alias="commandId")],
) -> dict[str, Any]:
    """How far a command is, and what it has shown once it has ended."""
    command, _ = _command(commands, principal, cluster_id, context_id, command_id)
    return {"id": command.id, "status": command.status, "results": command.results}


@router.post("/commands/cancel")
async def cancel_command(commands: TheCommands, principal: CurrentPrincipal, body: CancelCommand) -> dict[str, str]:
    """Interrupt a command; what it has begun is its own to clean up."""
    command, context = _command(commands, principal, body.cluster_id, body.context_id, body.command_id)
    commands.cancel(context, command)
    return {"id": command.id}


def _command(
    commands: Commands, principal: Principal, cluster_id: str, context_id: str, command_id: str
) -> tuple[Command, Context]:
    context = commands.of(principal, cluster_id, context_id)
    return commands.command(context, command_id), context


async def _require_own(request: Request, principal: Principal, cluster_id: str) -> None:
    engines: EngineService = request.app.state.engines
    engines.compute.require_own(principal, await engines.compute.cluster(principal, cluster_id))
