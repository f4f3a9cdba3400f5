"""Training over HTTP: ``/api/boathouse/v1/training``."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from boathouse.iam.api import CurrentPrincipal
from boathouse.jobs.api import Jobs, SubmitBody
from boathouse.training.automl_runs import AutomlBody, AutomlStarted, prepare, task_of
from boathouse.training.schemas import CodeBody, SourceBody

router = APIRouter(prefix="/api/boathouse/v1/training", tags=["training"])

Source = Annotated[str, Path(pattern=r"^[\w.-]{1,100}$", description="The process, as its connections and runs name it")]


@router.put("/sources/{source}", status_code=204)
def tell_source(request: Request, principal: CurrentPrincipal, source: Source, body: SourceBody) -> Response:
    """Tell what a process of the asker's runs; its runs keep that as artifacts."""
    request.app.state.training.tell(principal, source, body.model_dump())
    return Response(status_code=204)


@router.get("/runs/{run_id}/code")
def get_code(request: Request, principal: CurrentPrincipal, run_id: str) -> CodeBody:
    """What the process of a run ran, and how; for who may change the run."""
    return CodeBody.model_validate(request.app.state.training.code_of(principal, run_id))


@router.post("/automl", status_code=201)
async def start_automl(request: Request, principal: CurrentPrincipal, body: AutomlBody) -> AutomlStarted:
    """Start AutoML on a table that the asker may read, as a run of a notebook with the asker's rights."""
    state = request.app.state
    prepared = await asyncio.to_thread(prepare, state.database, state.layout, principal, body)
    jobs: Jobs = state.jobs
    run = await jobs.manage_runs(principal, lambda service: service.submit(SubmitBody.model_validate(task_of(prepared))))
    return AutomlStarted(run_id=run.id, experiment_name=prepared.folder, notebook_path=prepared.notebook)
