"""What a run's events add up to beside its steps: its tokens, its loops, and what it took.

The projection makes these rows, the store writes them.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

LoopStatus = Literal["started", "completed", "failed", "cancelled"]
LoopEnd = Literal["break", "timeout", "error"]
"""What ends a loop: its condition, the number of iterations, or a condition without an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedKeyRow:
    """A row of `pgflow.applied_keys`: one change of the token counter."""

    op_key: str
    delta: int
    applied_at: datetime
    sequence_num: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotRow:
    """A row of `pgflow.run_counter_snapshots`: the token counter as of an event."""

    sequence_num: int
    counter: int
    taken_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingTokenRow:
    """A row of `pgflow.pending_tokens`: a token at a step that waits for others."""

    node: str
    from_node: str
    arrived_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopRow:
    """A row of `pgflow.loop_state`; `completed_at` is when it ended, however that was."""

    loop_path: str
    current_iteration: int
    max_iterations: int | None
    status: LoopStatus
    ended_by: LoopEnd | None
    started_at: datetime
    completed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticsRow:
    """The row of a run in `pgflow.run_statistics`."""

    tokens_emitted: int
    tokens_consumed: int
    nodes_executed: int
    nodes_failed: int
    nodes_skipped: int
    retries: int
    total_time_ms: int | None
    terminal_nodes: int
    completion_checks: int
    completion_checks_saved: int
    steps_done_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRow:
    """A row of `pgflow.worker_registry`: a process that worked for the run."""

    worker_id: str
    host: str
    pid: int | None
    first_seen: datetime
    last_heartbeat: datetime
    load: int


@dataclass(frozen=True, slots=True)
class ExecutionRows:
    """The rows of one run in the tables of execution, in a fixed order."""

    applied: tuple[AppliedKeyRow, ...] = ()
    snapshots: tuple[SnapshotRow, ...] = ()
    pending: tuple[PendingTokenRow, ...] = ()
    loops: tuple[LoopRow, ...] = ()
    workers: tuple[WorkerRow, ...] = ()
    statistics: StatisticsRow | None = None
