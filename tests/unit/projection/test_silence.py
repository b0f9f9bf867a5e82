"""What a silent run is: each status and each sign."""

import dagster as dg
import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.projection.silence import (
    UNDER_WAY,
    Signs,
    ended_sentence,
    longest_silence,
    verdict_by_signs,
    verdict_by_status,
)
from dagster_pgflow.settings import Patience

PATIENCE = Patience(stuck_after=300, lost_after=3600)


def signs(silence: float, worker: str, *, monitored: bool = False, longest: float = 60) -> Signs:
    return Signs(silence, worker, monitored, longest)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (None, "over"),
        (dg.DagsterRunStatus.SUCCESS, "over"),
        (dg.DagsterRunStatus.FAILURE, "over"),
        (dg.DagsterRunStatus.CANCELED, "over"),
        (dg.DagsterRunStatus.QUEUED, "waits"),
        (dg.DagsterRunStatus.MANAGED, "waits"),
        (dg.DagsterRunStatus.NOT_STARTED, None),
        (dg.DagsterRunStatus.STARTING, None),
        (dg.DagsterRunStatus.STARTED, None),
        (dg.DagsterRunStatus.CANCELING, None),
    ],
)
def test_the_status_says_it_where_it_can(
    status: dg.DagsterRunStatus | None, verdict: str | None
) -> None:
    assert verdict_by_status(status) == verdict


def test_each_status_of_dagster_has_a_verdict_or_needs_a_closer_look() -> None:
    for status in dg.DagsterRunStatus:
        assert (verdict_by_status(status) is None) == (status in UNDER_WAY)


@pytest.mark.parametrize("worker", ["alive", "dead", "unknown"])
def test_a_run_that_spoke_a_moment_ago_lives_whatever_is_said_of_its_process(worker: str) -> None:
    assert verdict_by_signs(signs(299, worker), PATIENCE) == "lives"


def test_a_run_whose_process_is_alive_may_be_silent_for_ever() -> None:
    assert verdict_by_signs(signs(10**9, "alive"), PATIENCE) == "lives"
    assert verdict_by_signs(signs(10**9, "alive", monitored=True), PATIENCE) == "lives"


def test_a_run_whose_process_is_gone_is_dead_unless_dagster_looks_after_it() -> None:
    assert verdict_by_signs(signs(300, "dead"), PATIENCE) == "dead"
    assert verdict_by_signs(signs(300, "dead", monitored=True), PATIENCE) == "waits"
    assert verdict_by_signs(signs(3600, "dead", monitored=True), PATIENCE) == "dead"


def test_a_run_that_nobody_knows_of_is_lost_when_nothing_alive_could_be_so_silent() -> None:
    assert verdict_by_signs(signs(3599, "unknown"), PATIENCE) == "waits"
    assert verdict_by_signs(signs(3600, "unknown"), PATIENCE) == "lost"
    assert verdict_by_signs(signs(7499, "unknown", longest=7200), PATIENCE) == "waits"
    assert verdict_by_signs(signs(7500, "unknown", longest=7200), PATIENCE) == "lost"


def test_the_longest_silence_is_that_of_the_largest_step_with_the_longest_timeout() -> None:
    inner = Flow("inner", timeout=20).step("x").step("y", timeout=100)
    outer = Flow("outer").step("a", timeout=7).subflow("s", "inner")
    assert longest_silence([outer], 1) == 7
    assert longest_silence([outer, inner], 1) == 100
    assert longest_silence([outer, inner], 30) == 3000
    assert longest_silence([outer, inner], 0) == 100
    assert longest_silence([], 5) == 0


def test_the_reason_says_since_when_and_what_is_known() -> None:
    assert ended_sentence("noon", "no process 7", is_dead=True) == (
        "Timed out: nothing has happened in the run since noon, and its process is gone"
        " (no process 7)."
    )
    assert ended_sentence("noon", None, is_dead=False) == (
        "Timed out: nothing has happened in the run since noon, and nobody can say whether its"
        " process lives."
    )
