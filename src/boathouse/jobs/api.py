"""What other slices use of jobs."""

from boathouse.jobs.errors import SettingsInvalid, TaskValueNotFound
from boathouse.jobs.events import EVENT, MODEL, Event, Reached, model_event
from boathouse.jobs.kinds import ARCHIVE_SUFFIX, Kinds, Output, Task, TaskKind
from boathouse.jobs.references import JobReferences
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
    "Kinds",
    "Output",
    "Reached",
    "Senders",
    "SettingsInvalid",
    "Task",
    "TaskKind",
    "TaskValueNotFound",
    "check_schedule",
    "model_event",
    "next_time",
]
