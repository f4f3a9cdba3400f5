"""What other slices use of jobs."""

from boathouse.jobs.errors import JobNotFound, SettingsInvalid, TaskValueNotFound
from boathouse.jobs.events import EVENT, MODEL, Event, Reached, emit, model_event
from boathouse.jobs.kept import KeptJob, keep, let_go, prune, start
from boathouse.jobs.kinds import ARCHIVE_SUFFIX, Kinds, Output, Task, TaskKind
from boathouse.jobs.notifications import Message, check_subscribers, tell
from boathouse.jobs.outline import RunOutline, TaskOutline, job_parameters, run_outlines
from boathouse.jobs.references import JobReferences
from boathouse.jobs.retention import forget_runs, sweep_logs
from boathouse.jobs.runs import RunService
from boathouse.jobs.runtime import Jobs
from boathouse.jobs.schedules import check_schedule, next_time
from boathouse.jobs.schemas import QueueBody, RepairBody, RunNowBody, SubmitBody
from boathouse.jobs.sending import Senders
from boathouse.jobs.service import JobService

__all__ = [
    "ARCHIVE_SUFFIX",
    "EVENT",
    "MODEL",
    "Event",
    "JobNotFound",
    "JobReferences",
    "JobService",
    "Jobs",
    "KeptJob",
    "Kinds",
    "Message",
    "Output",
    "QueueBody",
    "Reached",
    "RepairBody",
    "RunNowBody",
    "RunOutline",
    "RunService",
    "Senders",
    "SettingsInvalid",
    "SubmitBody",
    "Task",
    "TaskKind",
    "TaskOutline",
    "TaskValueNotFound",
    "check_schedule",
    "check_subscribers",
    "emit",
    "forget_runs",
    "job_parameters",
    "keep",
    "let_go",
    "model_event",
    "next_time",
    "prune",
    "run_outlines",
    "start",
    "sweep_logs",
    "tell",
]
