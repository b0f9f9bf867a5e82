"""The types of events in the event log: every one that there is, by what it is about."""

from typing import Literal

RunEventType = Literal[
    "run.started",
    "run.waiting",
    "run.interrupted",
    "run.resumed",
    "run.completed",
    "run.failed",
    "run.cancelled",
]
SubrunEventType = Literal[
    "subrun.started", "subrun.completed", "subrun.failed", "subrun.skipped", "subrun.cancelled"
]
StepEventType = Literal[
    "step.queued",
    "step.started",
    "step.waiting",
    "step.completed",
    "step.failed",
    "step.skipped",
    "step.cancelled",
]
TaskEventType = Literal[
    "task.started", "task.retrying", "task.completed", "task.failed", "task.cancelled"
]
# Before version 0.1 an iteration was a pass; logs from then are read, and none is written.
LoopEventType = Literal[
    "loop.started",
    "loop.iteration_started",
    "loop.pass_started",
    "loop.iterated",
    "loop.completed",
]
TokenEventType = Literal["token.emitted", "token.consumed"]
NodeEventType = Literal["node.executed", "node.failed"]
NoteEventType = Literal[
    "run.queued", "subrun.resumed", "step.delayed", "step.warned", "branch.taken"
]
"""What changes no row by itself."""

SilentEventType = (
    Literal["loop.started", "loop.iteration_started", "loop.pass_started", "loop.completed"]
    | TokenEventType
    | NodeEventType
    | NoteEventType
)
"""What changes no run, subrun, step or task."""

EventType = (
    RunEventType
    | SubrunEventType
    | StepEventType
    | TaskEventType
    | LoopEventType
    | TokenEventType
    | NodeEventType
    | NoteEventType
)

RunEnd = Literal["completed", "failed", "cancelled"]
TaskEnd = Literal["completed", "failed", "cancelled"]
StepEnding = Literal["completed", "failed", "skipped", "cancelled"]
"""How a step ends, and a subrun."""
