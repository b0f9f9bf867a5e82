"""Which processes worked for a run."""

from datetime import timedelta

from dagster_pgflow.model.flow import Flow
from tests.unit.projection.telling import NOON, Story, completed, task

FLOW = Flow("f").step("a").step("b", depends_on="a").step("c", depends_on="a")


def starts(story: Story, step_key: str, pid: int) -> Story:
    """Returns the story with a step that starts in a process."""
    return story.then("started", step_key, pid=pid)


def ends(story: Story, step_key: str, worker: str) -> Story:
    """Returns the story with a step that completes in a process."""
    told = {**completed(1, [task()]), "worker": worker}
    return story.then("succeeded", step_key, outcome=told)


def loads(story: Story) -> dict[str, int]:
    """Returns how many tasks each process has under way."""
    return {row.worker_id: row.load for row in story.state().execution.workers}


def test_a_process_is_known_once_it_has_finished_something() -> None:
    story = starts(Story([FLOW]).then("run_started"), "a", 7)
    assert loads(story) == {}
    story = ends(story, "a", "host:7")
    [row] = story.state().execution.workers
    assert (row.host, row.pid, row.load) == ("host", 7, 0)
    assert row.first_seen == NOON + timedelta(seconds=2)
    assert row.last_heartbeat == NOON + timedelta(seconds=3)


def test_a_task_under_way_is_the_load_of_its_process() -> None:
    story = ends(starts(Story([FLOW]), "a", 7), "a", "host:7")
    story = starts(starts(story, "b", 7), "c", 7)
    assert loads(story) == {"host:7": 2}
    assert loads(ends(story, "b", "host:7")) == {"host:7": 1}
    assert loads(story.then("run_cancelled")) == {"host:7": 0}


def test_another_process_runs_where_the_others_do() -> None:
    story = ends(starts(Story([FLOW]), "a", 7), "a", "host:7")
    assert loads(starts(story, "b", 8)) == {"host:7": 0, "host:8": 1}


def test_a_process_that_may_be_on_one_of_several_hosts_is_not_guessed() -> None:
    story = ends(starts(Story([FLOW]), "a", 1), "a", "pod-a:1")
    story = ends(starts(story, "b", 1), "b", "pod-b:1")
    assert loads(starts(story, "c", 1)) == {"pod-a:1": 0, "pod-b:1": 0}


def test_what_another_run_did_is_no_work_of_this_one() -> None:
    story = Story([FLOW]).then("reused", "a", outcome=completed(1, [task()]))
    assert loads(story) == {}
