"""The events that end something, by how it ended."""

from collections.abc import Mapping
from typing import Final

from dagster_pgflow.model.event_types import (
    RunEnd,
    RunEventType,
    StepEnding,
    StepEventType,
    SubrunEventType,
    TaskEnd,
    TaskEventType,
)

RUN_ENDS: Final[Mapping[RunEnd, RunEventType]] = {
    "completed": "run.completed",
    "failed": "run.failed",
    "cancelled": "run.cancelled",
}
SUBRUN_ENDS: Final[Mapping[StepEnding, SubrunEventType]] = {
    "completed": "subrun.completed",
    "failed": "subrun.failed",
    "skipped": "subrun.skipped",
    "cancelled": "subrun.cancelled",
}
STEP_ENDS: Final[Mapping[StepEnding, StepEventType]] = {
    "completed": "step.completed",
    "failed": "step.failed",
    "skipped": "step.skipped",
    "cancelled": "step.cancelled",
}
TASK_ENDS: Final[Mapping[TaskEnd, TaskEventType]] = {
    "completed": "task.completed",
    "failed": "task.failed",
    "cancelled": "task.cancelled",
}
