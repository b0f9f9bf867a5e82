"""How a run stands, by Dagster's word: its statuses in ours."""

from collections.abc import Mapping
from typing import Final

import dagster as dg

from dagster_pgflow.dagster_log.run_events import RunEnding, RunPhase

_ENDINGS: Final[Mapping[dg.DagsterRunStatus, RunEnding]] = {
    dg.DagsterRunStatus.SUCCESS: "completed",
    dg.DagsterRunStatus.FAILURE: "failed",
    dg.DagsterRunStatus.CANCELED: "cancelled",
}
UNFINISHED: Final = tuple(status for status in dg.DagsterRunStatus if status not in _ENDINGS)
UNDER_WAY: Final = (
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)


def ending_of(status: dg.DagsterRunStatus) -> RunEnding | None:
    """Return how a run ended, if it has."""
    return _ENDINGS.get(status)


def phase_of(status: dg.DagsterRunStatus) -> RunPhase:
    """Return whether a run waits, is under way, or is over.

    A queued run waits for its turn, however long. What is managed elsewhere or suspended waits on
    purpose.
    """
    if status in _ENDINGS:
        return "over"
    return "under_way" if status in UNDER_WAY else "waiting"
