"""What became of one task of a step."""

from dataclasses import dataclass
from typing import Literal

TaskEnding = Literal["completed", "failed"]


@dataclass(frozen=True, slots=True)
class TaskReport:
    """What became of one task.

    Attributes:
        index: The index of the element, 0 for a step that is no map.
        status: How the attempt ended.
        attempts: How often the task was tried so far.
        started_at: When its last attempt began, in seconds since the epoch.
        completed_at: When that ended, in seconds since the epoch.
        error: Why it failed, when it did.
        is_final: Whether it is not tried again although attempts are left.
        is_reused: Whether it was taken over from the run that this one re-executes.
    """

    index: int
    status: TaskEnding
    attempts: int
    started_at: float
    completed_at: float
    error: str | None = None
    is_final: bool = False
    is_reused: bool = False
