"""What other slices use of jobs."""

from boathouse.jobs.errors import SettingsInvalid, TaskValueNotFound
from boathouse.jobs.events import EVENT, MODEL, Event, Reached, emit, model_event
from boathouse.jobs.kept import KeptJob, keep, let_go, prune, start
from boathouse.jobs.kinds import ARCHIVE_SUFFIX, Kinds, Output, Task, TaskKind
from boathouse.jobs.notifications import Message, check_subscribers, tell
from boathouse.jobs.references import JobReferences
from boathouse.jobs.retention import forget_runs, sweep_logs
from boathouse.jobs.runtime import Jobs
from boathouse.jobs.schedules import check_schedule, next_time
from boathouse.jobs.sending import Senders

__all__ = [
    "ARCHIVE_SUFFIX",
    "EVENT",
    "MODEL",
    "Event",
    "JobReferences",
    "Jobs",
    "KeptJob",
    "Kinds",
    "Message",
    "Output",
    "Reached",
    "Senders",
    "SettingsInvalid",
    "Task",
    "TaskKind",
    "TaskValueNotFound",
    "check_schedule",
    "check_subscribers",
    "emit",
    "forget_runs",
    "keep",
    "let_go",
    "model_event",
    "next_time",
    "prune",
    "start",
    "sweep_logs",
    "tell",
]
