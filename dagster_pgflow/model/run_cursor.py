"""Up to where the runs of Dagster are in our tables."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class FoundRun:
    """A run of ours that Dagster has.

    Attributes:
        dagster_run_id: Its id in Dagster.
        requested_as: The `run_id` that it was requested under, if it was.
        changed_at: When Dagster last changed it, by Dagster's clock.
        continues: The `run_id` of the run that it goes on with, if it does: it is a part of that.
        log: Which Dagster has it, as `pgflow.dagster_logs` names it; `None` where it has no name.
    """

    dagster_run_id: UUID
    requested_as: UUID | None
    changed_at: datetime
    continues: UUID | None = None
    log: str | None = None


@dataclass(frozen=True, slots=True)
class RunCursor:
    """A row of `pgflow.run_cursors`.

    Attributes:
        dagster_run_id: The run.
        position: Where in Dagster's event log the last look ended; `None` before the first.
        looks: How often rows were written.
        end_seen: Whether the run was over at the last look, or waited.
        failures: How many looks failed since the last that did not.
        log: Which Dagster has the run; `None` where nobody has said it.
    """

    dagster_run_id: UUID
    position: str | None
    looks: int
    end_seen: bool
    failures: int
    log: str | None = None


@dataclass(frozen=True, slots=True)
class NextLook:
    """What a look at a run leaves for the next one.

    Attributes:
        position: Where in Dagster's event log it ended.
        is_over: Whether the run was over, or waited.
        is_final: Whether no other look is needed.
        pause: Seconds before the next look.
        rests: Whether the run waits, and nothing more of it is to come before it goes on.
    """

    position: str | None
    is_over: bool
    is_final: bool
    pause: float
    rests: bool = False
