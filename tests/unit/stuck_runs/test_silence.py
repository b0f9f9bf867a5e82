"""What a silent run is: each status and each sign."""

import pytest

from dagster_pgflow.dagster_log.run_events import RunPhase
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.settings import StuckThresholds
from dagster_pgflow.stuck_runs.silence import (
    SignsOfLife,
    ended_sentence,
    longest_silence,
    verdict_by_phase,
    verdict_by_signs,
)

THRESHOLDS = StuckThresholds(stuck_after=300, lost_after=3600)


def signs(
    silence: float, worker: str, *, monitored: bool = False, longest: float = 60
) -> SignsOfLife:
    return SignsOfLife(silence, worker, monitored, longest)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("phase", "verdict"),
    [(None, "over"), ("over", "over"), ("waiting", "waits"), ("under_way", None)],
)
def test_the_status_says_it_where_it_can(phase: RunPhase | None, verdict: str | None) -> None:
    assert verdict_by_phase(phase) == verdict


@pytest.mark.parametrize("worker", ["alive", "dead", "unknown"])
def test_a_run_that_spoke_a_moment_ago_lives_whatever_is_said_of_its_process(worker: str) -> None:
    assert verdict_by_signs(signs(299, worker), THRESHOLDS) == "lives"


def test_a_run_whose_process_is_alive_may_be_silent_for_ever() -> None:
    assert verdict_by_signs(signs(10**9, "alive"), THRESHOLDS) == "lives"
    assert verdict_by_signs(signs(10**9, "alive", monitored=True), THRESHOLDS) == "lives"


def test_a_run_whose_process_is_gone_is_dead_unless_dagster_looks_after_it() -> None:
    assert verdict_by_signs(signs(300, "dead"), THRESHOLDS) == "dead"
    assert verdict_by_signs(signs(300, "dead", monitored=True), THRESHOLDS) == "waits"
    assert verdict_by_signs(signs(3600, "dead", monitored=True), THRESHOLDS) == "dead"


def test_a_run_that_nobody_knows_of_is_lost_when_nothing_alive_could_be_so_silent() -> None:
    assert verdict_by_signs(signs(3599, "unknown"), THRESHOLDS) == "waits"
    assert verdict_by_signs(signs(3600, "unknown"), THRESHOLDS) == "lost"
    assert verdict_by_signs(signs(7499, "unknown", longest=7200), THRESHOLDS) == "waits"
    assert verdict_by_signs(signs(7500, "unknown", longest=7200), THRESHOLDS) == "lost"


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
