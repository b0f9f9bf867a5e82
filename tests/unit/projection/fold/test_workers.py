"""Which processes worked for a run."""

from dataclasses import replace
from datetime import timedelta

from dagster_pgflow.model.flow import Flow
from tests.unit.projection.seen_runs import NOON, SeenRun, completed, task

FLOW = Flow("f").step("a").step("b", depends_on="a").step("c", depends_on="a")


def starts(seen: SeenRun, step_key: str, pid: int) -> SeenRun:
    """Returns the seen with a step that starts in a process."""
    return seen.then("started", step_key, pid=pid)


def ends(seen: SeenRun, step_key: str, worker: str) -> SeenRun:
    """Returns the seen with a step that completes in a process."""
    report = replace(completed(1, [task()]), worker=worker)
    return seen.then("succeeded", step_key, report=report)


def loads(seen: SeenRun) -> dict[str, int]:
    """Returns how many tasks each process has under way."""
    return {row.worker_id: row.load for row in seen.state().execution.workers}


def test_a_process_is_known_once_it_has_finished_something() -> None:
    seen = starts(SeenRun([FLOW]).then("run_started"), "a", 7)
    assert loads(seen) == {}
    seen = ends(seen, "a", "host:7")
    [row] = seen.state().execution.workers
    assert (row.host, row.pid, row.load) == ("host", 7, 0)
    assert row.first_seen == NOON + timedelta(seconds=2)
    assert row.last_heartbeat == NOON + timedelta(seconds=3)


def test_a_task_under_way_is_the_load_of_its_process() -> None:
    seen = ends(starts(SeenRun([FLOW]), "a", 7), "a", "host:7")
    seen = starts(starts(seen, "b", 7), "c", 7)
    assert loads(seen) == {"host:7": 2}
    assert loads(ends(seen, "b", "host:7")) == {"host:7": 1}
    assert loads(seen.then("run_cancelled")) == {"host:7": 0}


def test_another_process_runs_where_the_others_do() -> None:
    seen = ends(starts(SeenRun([FLOW]), "a", 7), "a", "host:7")
    assert loads(starts(seen, "b", 8)) == {"host:7": 0, "host:8": 1}


def test_a_process_that_may_be_on_one_of_several_hosts_is_not_guessed() -> None:
    seen = ends(starts(SeenRun([FLOW]), "a", 1), "a", "pod-a:1")
    seen = ends(starts(seen, "b", 1), "b", "pod-b:1")
    assert loads(starts(seen, "c", 1)) == {"pod-a:1": 0, "pod-b:1": 0}


def test_what_another_run_did_is_no_work_of_this_one() -> None:
    seen = SeenRun([FLOW]).then("reused", "a", report=completed(1, [task()]))
    assert loads(seen) == {}
