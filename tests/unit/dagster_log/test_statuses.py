"""How a run stands: each status of Dagster."""

import dagster as dg
import pytest

from dagster_pgflow.dagster_log.run_events import RunEnding, RunPhase
from dagster_pgflow.dagster_log.statuses import UNFINISHED, ending_of, phase_of


@pytest.mark.parametrize(
    ("status", "phase", "ending"),
    [
        (dg.DagsterRunStatus.SUCCESS, "over", "completed"),
        (dg.DagsterRunStatus.FAILURE, "over", "failed"),
        (dg.DagsterRunStatus.CANCELED, "over", "cancelled"),
        (dg.DagsterRunStatus.QUEUED, "waiting", None),
        (dg.DagsterRunStatus.MANAGED, "waiting", None),
        (dg.DagsterRunStatus.NOT_STARTED, "under_way", None),
        (dg.DagsterRunStatus.STARTING, "under_way", None),
        (dg.DagsterRunStatus.STARTED, "under_way", None),
        (dg.DagsterRunStatus.CANCELING, "under_way", None),
    ],
)
def test_each_status_has_its_phase(
    status: dg.DagsterRunStatus, phase: RunPhase, ending: RunEnding | None
) -> None:
    assert (phase_of(status), ending_of(status)) == (phase, ending)


def test_a_run_is_over_exactly_when_it_has_ended() -> None:
    for status in dg.DagsterRunStatus:
        assert (phase_of(status) == "over") == (ending_of(status) is not None)
        assert (status in UNFINISHED) == (ending_of(status) is None)
