"""What happened in a run: its events, and the rows of the run tables that they add up to.

The projection makes them, the store writes and reads them, the command line shows them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from dagster_pgflow.model.event_types import EventType
from dagster_pgflow.model.execution import ExecutionRows

RunStatus = Literal["queued", "started", "waiting", "completed", "failed", "cancelled"]
StepStatus = Literal["created", "started", "waiting", "completed", "failed", "skipped", "cancelled"]
TaskStatus = Literal["queued", "started", "completed", "failed", "skipped", "cancelled"]
AttemptStatus = Literal["started", "completed", "failed", "cancelled"]
SkipReason = Literal["condition_unmet", "not_taken", "handler_failed", "dependency_skipped"]

STORED_AT_KEY: Final = "dagster-pgflow/stored_at"
"""`{STORED_AT_KEY: url}` stands for an output outside the database; null: nobody said where."""


@dataclass(frozen=True, slots=True)
class Json:
    """A JSON value in a column that may also hold none: `Json(None)` is the JSON `null`."""

    value: Any


@dataclass(frozen=True, slots=True)
class LogEvent:
    """A row of `pgflow.event_log`.

    Attributes:
        event_id: Derived from everything else that the event says.
        run_id: The run.
        sequence_num: 1, 2, 3, ... within the run.
        event_type: Such as `step.completed`.
        timestamp: When it happened, by the clock of the process that saw it.
        event_data: What the type needs.
        parent_event_id: For an end, the beginning of the same thing; for a beginning, its cause.
        correlation_id: The path of the step or the subrun; none for the run itself.
    """

    event_id: UUID
    run_id: UUID
    sequence_num: int
    event_type: EventType
    timestamp: datetime
    event_data: Mapping[str, Any]
    parent_event_id: UUID | None
    correlation_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """A row of `pgflow.runs`, without its number; `failed_at` is also when it was cancelled."""

    run_id: UUID
    dagster_run_id: UUID | None
    flow_slug: str
    flow_version: int | None
    version_id: int | None
    status: RunStatus
    input: Any
    output: Json | None
    error_message: str | None
    remaining_steps: int | None
    retry_of: UUID | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    failed_at: datetime | None
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SubrunRow:
    """A row of `pgflow.subruns`; `subrun_path` stands for its number, and its parent's.

    `dagster_run_id` is set where the subflow is a Dagster run of its own.
    """

    subrun_path: str
    parent_path: str | None
    parent_step_slug: str
    subflow_slug: str
    run_index: int
    subrun_index: int
    map_index: int | None
    status: StepStatus
    input: Json | None
    output: Json | None
    error_message: str | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    updated_at: datetime
    dagster_run_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRow:
    """A row of `pgflow.step_states`; `failed_at` is also when it was cancelled.

    `waiting_for` and `waiting_since` are there as long as the step waits. `why` says in words why
    it was skipped, or how the run goes on behind it.
    """

    step_path: str
    step_slug: str
    flow_slug: str
    subrun_path: str | None
    step_type: str
    status: StepStatus
    skip_reason: SkipReason | None
    initial_tasks: int | None
    remaining_tasks: int | None
    remaining_deps: int
    output: Json | None
    error_message: str | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    failed_at: datetime | None
    skipped_at: datetime | None
    waiting_for: str | None
    waiting_since: datetime | None
    why: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRow:
    """A row of `pgflow.step_tasks`; `failed_at` is also when it was cancelled."""

    step_path: str
    task_index: int
    step_slug: str
    flow_slug: str
    subrun_path: str | None
    status: TaskStatus
    attempts_count: int
    error_message: str | None
    output: Json | None
    queued_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    failed_at: datetime | None
    last_worker_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRow:
    """A row of `pgflow.node_executions`; `completed_at` is when it ended, however that was."""

    step_path: str
    task_index: int
    attempt: int
    step_slug: str
    flow_slug: str
    subrun_path: str | None
    status: AttemptStatus
    started_at: datetime
    completed_at: datetime | None
    duration_ms: int | None
    worker_id: str | None
    error: str | None
    iteration: int | None = None


@dataclass(frozen=True, slots=True)
class RunState:
    """All rows of one run, in a fixed order."""

    run: RunRow
    subruns: tuple[SubrunRow, ...]
    steps: tuple[StepRow, ...]
    tasks: tuple[TaskRow, ...]
    attempts: tuple[AttemptRow, ...]
    execution: ExecutionRows = field(default_factory=ExecutionRows)
