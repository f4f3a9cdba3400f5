"""What other slices use of pipelines."""

from boathouse.pipelines.connect import PipelineCommands
from boathouse.pipelines.event_log import EventLog
from boathouse.pipelines.runtime import Pipelines, Places
from boathouse.pipelines.task import PipelineTaskKind

__all__ = ["EventLog", "PipelineCommands", "PipelineTaskKind", "Pipelines", "Places"]
