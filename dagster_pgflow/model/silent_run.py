"""A run in which nothing has happened for a while."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class SilentRun:
    """What the run tables know of it.

    Attributes:
        dagster_run_id: The run.
        flow_slug: Its flow.
        silence: Seconds since the last thing that they know of it.
        tasks: How many tasks its largest step has.
    """

    dagster_run_id: UUID
    flow_slug: str
    silence: float
    tasks: int
