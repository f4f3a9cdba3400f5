"""Runs over HTTP."""

import asyncio
import os
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import FileResponse

from boathouse.errors import NotFound, NotImplementedHere
from boathouse.iam.api import CurrentPrincipal
from boathouse.jobs import views
from boathouse.jobs.endpoints import jobs_of, place_of, route
from boathouse.jobs.kinds import ARCHIVE_SUFFIX
from boathouse.jobs.models import JobTaskRow
from boathouse.jobs.runs import Wanted
from boathouse.jobs.runtime import Jobs
from boathouse.jobs.schemas import CancelAllBody, Identifier, RepairBody, RunBody, RunNowBody, SubmitBody
from boathouse.kit.clock import now_ms

router = APIRouter(tags=["jobs"])
MOST_LOG_BYTES = 5 * 1024 * 1024
RunId = Annotated[Identifier, Query()]
_Time = Annotated[int, Query(ge=0, le=2**53)]


@route(router, "POST", "run-now")
async def run_now(request: Request, principal: CurrentPrincipal, body: RunNowBody) -> dict[str, Any]:
    """Start a run of a job (CAN_MANAGE_RUN)."""
    run = await jobs_of(request).manage_runs(principal, lambda service: service.run_now(body))
    return {"run_id": run.id, "number_in_job": run.number}


@route(router, "POST", "runs/submit")
async def submit_run(request: Request, principal: CurrentPrincipal, body: SubmitBody) -> dict[str, Any]:
    """Start a run that is of no job; it is the asker's."""
    run = await jobs_of(request).manage_runs(principal, lambda service: service.submit(body))
    return {"run_id": run.id}


@route(router, "GET", "runs/get")
async def get_run(
    request: Request,
    principal: CurrentPrincipal,
    run_id: RunId,
    include_history: bool = False,
    include_resolved_values: bool = False,
) -> dict[str, Any]:
    """One run, or one attempt at a task of one (CAN_VIEW)."""
    jobs = jobs_of(request)
    found = await jobs.manage_runs(principal, lambda service: service.get(run_id), write=False)
    return views.run(found, jobs.url, now_ms(), history=include_history, resolved=include_resolved_values)


@route(router, "GET", "runs/list")
async def list_runs(
    request: Request,
    principal: CurrentPrincipal,
    job_id: Annotated[Identifier | None, Query()] = None,
    active_only: bool = False,
    completed_only: bool = False,
    limit: Annotated[int, Query(ge=0, le=100)] = 20,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    page_token: str | None = None,
    run_type: Literal["JOB_RUN", "SUBMIT_RUN", "WORKFLOW_RUN"] | None = None,
    expand_tasks: bool = False,
    start_time_from: _Time | None = None,
    start_time_to: _Time | None = None,
) -> dict[str, Any]:
    """The runs that the asker may know of (CAN_VIEW), the newest first."""
    jobs, before, limit = jobs_of(request), place_of(page_token), limit or 100
    wanted = Wanted(job_id, active_only, completed_only, run_type, start_time_from, start_time_to)
    found = await jobs.manage_runs(
        principal, lambda service: service.listed(wanted, limit + 1, before, offset, with_tasks=expand_tasks), write=False
    )
    page, now = found[:limit], now_ms()
    runs = [views.run(one, jobs.url, now, expand=expand_tasks) for one in page]
    answer: dict[str, Any] = {"runs": runs, "has_more": len(found) > limit}
    if len(found) > limit:
        answer["next_page_token"] = f"{page[-1].run.started_at}-{page[-1].run.id}"
    return answer


@route(router, "POST", "runs/cancel")
async def cancel_run(request: Request, principal: CurrentPrincipal, body: RunBody) -> dict[str, Any]:
    """Have a run, or one task of it, end (CAN_MANAGE_RUN)."""
    await jobs_of(request).manage_runs(principal, lambda service: service.cancel(body.run_id))
    return {}


@route(router, "POST", "runs/cancel-all")
async def cancel_all_runs(request: Request, principal: CurrentPrincipal, body: CancelAllBody) -> dict[str, Any]:
    """Have all runs of a job end, or all that wait (CAN_MANAGE_RUN)."""
    await jobs_of(request).manage_runs(
        principal, lambda service: service.cancel_all(body.job_id, queued_only=body.all_queued_runs)
    )
    return {}


@route(router, "POST", "runs/delete")
async def delete_run(request: Request, principal: CurrentPrincipal, body: RunBody) -> dict[str, Any]:
    """Forget a run that has ended, with its logs (CAN_MANAGE)."""
    jobs = jobs_of(request)
    run_id = await jobs.manage_runs(principal, lambda service: service.delete(body.run_id))
    await asyncio.to_thread(jobs.forget_logs, run_id)
    return {}


@route(router, "POST", "runs/repair")
async def repair_run(request: Request, principal: CurrentPrincipal, body: RepairBody) -> dict[str, Any]:
    """Do some tasks of a run again (CAN_MANAGE_RUN)."""
    return {"repair_id": await jobs_of(request).manage_runs(principal, lambda service: service.repair(body))}


@route(router, "GET", "runs/get-output")
async def get_run_output(request: Request, principal: CurrentPrincipal, run_id: RunId) -> dict[str, Any]:
    """What an attempt at a task has given, and the end of its log (CAN_VIEW)."""
    jobs = jobs_of(request)
    found, task = await jobs.manage_runs(principal, lambda service: service.output(run_id), write=False)
    logs = await asyncio.to_thread(_end_of_log, jobs, task)
    return views.output(found, task, jobs.url, now_ms(), logs)


@route(router, "GET", "runs/export")
async def export_run(
    request: Request,
    principal: CurrentPrincipal,
    run_id: RunId,
    views_to_export: Literal["CODE", "DASHBOARDS", "ALL"] = "CODE",
) -> dict[str, Any]:
    """The result of a notebook task as HTML (CAN_VIEW)."""
    _, task = await jobs_of(request).manage_runs(principal, lambda service: service.output(run_id), write=False)
    html = await asyncio.to_thread(_result_page, jobs_of(request), task)
    if html is None or views_to_export == "DASHBOARDS":
        message = f"Run {run_id} has no {'dashboards' if views_to_export == 'DASHBOARDS' else 'notebook'} to export."
        raise NotImplementedHere(message, field="run_id")
    path = str((task.spec.get("notebook_task") or {}).get("notebook_path", task.key))
    return {"views": [{"content": html, "name": path.rpartition("/")[2], "type": "NOTEBOOK"}]}


@router.get(views.ARTIFACTS, response_class=FileResponse)
async def get_artifacts(
    request: Request, principal: CurrentPrincipal, run_id: Annotated[int, Path(ge=0, le=2**63 - 1)]
) -> FileResponse:
    """What an attempt at a dbt task has made, as an archive (CAN_VIEW)."""
    jobs = jobs_of(request)
    _, task = await jobs.manage_runs(principal, lambda service: service.output(run_id), write=False)
    archive = jobs.log_of(task).with_suffix(ARCHIVE_SUFFIX)
    if not await asyncio.to_thread(archive.is_file):
        raise NotFound(f"Run {run_id} has left no artifacts.", run_id=str(run_id))
    return FileResponse(archive, media_type="application/gzip", filename=f"{task.key}{ARCHIVE_SUFFIX}")


def _end_of_log(jobs: Jobs, task: JobTaskRow) -> tuple[str, bool] | None:
    """The end of an attempt's log, and whether more is before that; None if there is no log."""
    try:
        with jobs.log_of(task).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - MOST_LOG_BYTES))
            return file.read().decode(errors="replace"), size > MOST_LOG_BYTES
    except FileNotFoundError:
        return None


def _result_page(jobs: Jobs, task: JobTaskRow) -> str | None:
    """What the kind has left beside the log as a page; None if it has not."""
    try:
        return jobs.log_of(task).with_suffix(".html").read_text()
    except FileNotFoundError:
        return None
