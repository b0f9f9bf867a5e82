"""A run that waits and goes on is one run in the tables."""

from uuid import UUID

import dagster as dg

from dagster_pgflow.cli.waits import waits
from dagster_pgflow.compat import InMemoryJob
from dagster_pgflow.dagster_log.event_pages import records_of
from dagster_pgflow.live.compat import execute_run_iterator
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.names import TAG_WAITING
from dagster_pgflow.projection.sync.projector import rebuild
from dagster_pgflow.store.run_status import RunStatusReader
from tests.execution.interrupted import execute, going_on
from tests.execution.projecting import World, assert_states_add_up, world
from tests.execution.projecting_waits import answer, claimed, created, go_on

__all__ = ["world"]

FLOW = (
    Flow("f")
    .step("a", "echo")
    .approval("ask", prompt="May it be ${$input.n}?", depends_on="a")
    .step("then", "echo", depends_on="ask")
    .step("beside", "echo", depends_on="a")
)
HANDLERS = {"echo": lambda given: given}


def waiting(world: World, *flows: Flow) -> dg.DagsterRun:
    """Returns the first Dagster run of a run that waits."""
    world.define(*(flows or [FLOW]))
    run = world.run((flows or [FLOW])[-1].slug, HANDLERS, {"n": 3})
    world.project()
    assert world.one("runs")["status"] == "waiting"
    found = world.instance.get_run_by_id(str(run))
    assert found is not None
    return found


def test_a_run_in_which_nothing_else_is_left_to_do_waits(world: World) -> None:
    first = waiting(world)
    run = world.one("runs")
    assert str(run["dagster_run_id"]) == first.run_id
    assert (run["completed_at"], run["output"]) == (None, None)
    assert world.by_path("status") == {
        "a": "completed",
        "ask": "waiting",
        "beside": "completed",
        "then": "created",
    }
    step = world.one("step_states", "step_path = 'ask'")
    assert step["waiting_for"] == "May it be 3?"
    assert step["waiting_since"] is not None
    assert world.attempts("ask") == []
    assert world.event_types().count("step.waiting") == 1
    assert world.event_types()[-1] == "run.waiting"
    assert world.sql.value("select pgflow.get_run_counter(run_id) from pgflow.runs") > 0
    assert_states_add_up(world)


def shown_to_wait(world: World, dagster_run_id: str) -> str | None:
    """Return what the list of runs says of a Dagster run in which a step waits."""
    run = world.instance.get_run_by_id(dagster_run_id)
    assert run is not None
    return run.tags.get(TAG_WAITING)


def test_it_goes_on_as_the_same_run(world: World) -> None:
    first = waiting(world)
    begun = world.one("runs")
    assert shown_to_wait(world, first.run_id) == "ask"
    before = world.sql.column("select event_id from pgflow.event_log order by sequence_num")
    answer(world, "ask", {"yes": True})
    run = go_on(world, "f", HANDLERS)
    assert run.parent_run_id == first.run_id
    world.project()
    assert shown_to_wait(world, first.run_id) == "no more"
    assert shown_to_wait(world, run.run_id) is None
    ended = world.one("runs")
    assert ended["status"] == "completed"
    for column in ("id", "run_id", "dagster_run_id", "started_at", "created_at", "retry_of"):
        assert ended[column] == begun[column]
    assert set(world.by_path("status").values()) == {"completed"}
    step = world.one("step_states", "step_path = 'ask'")
    assert (step["waiting_for"], step["waiting_since"]) == (None, None)
    assert step["output"]["answer"] == {"yes": True}
    assert ended["output"]["then"]["ask"]["answered_by"] == "ann"
    assert world.attempts("ask") == [(0, 1, "completed")]
    assert world.attempts("a") == [(0, 1, "completed")]
    after = world.sql.column("select event_id from pgflow.event_log order by sequence_num")
    assert after[: len(before)] == before
    assert world.event_types().count("run.resumed") == 1
    assert world.one("run_continuations")["ended_at"] is not None
    assert len(world.sql("select from pgflow.run_cursors")) == 1
    assert_states_add_up(world)


def test_a_rebuild_gives_the_same_rows(world: World) -> None:
    waiting(world)
    before = world.snapshot()
    rebuild(world.instance, world.store)
    assert world.snapshot() == before
    answer(world, "ask")
    go_on(world, "f", HANDLERS)
    world.settle()
    before = world.snapshot()
    rebuild(world.instance, world.store)
    assert world.snapshot() == before


def test_a_run_that_waits_is_not_read_again_until_it_goes_on(world: World) -> None:
    waiting(world)
    again = "update pgflow.run_cursors set due_at = now()"
    world.sql(again)
    assert world.project().written == 1
    world.sql(again)
    result = world.project()
    assert (result.written, result.idle) == (0, 1)
    assert world.sql.value("select due_at > now() + interval '50 minutes' from pgflow.run_cursors")
    answer(world, "ask")
    go_on(world, "f", HANDLERS)
    assert world.project().written == 1
    cursor = world.one("run_cursors")
    assert not cursor["is_final"], "the end of the Dagster run that goes on is looked at once more"
    world.settle()


def test_a_run_that_was_read_while_what_goes_on_with_it_had_not_begun_is_read_again(
    world: World,
) -> None:
    waiting(world)
    answer(world, "ask")
    continuation = claimed(world)
    assert continuation is not None
    job = world.job("f", HANDLERS)
    run = created(world, continuation, job)
    for _ in range(3):
        world.sql("update pgflow.run_cursors set due_at = now(), found_at = now()")
        world.project()
        assert world.one("runs")["status"] == "waiting"
    list(execute_run_iterator(InMemoryJob(job), run, world.instance))
    world.settle()
    assert world.one("runs")["status"] == "completed"
    assert world.one("run_continuations")["ended_at"] is not None


def test_several_steps_that_wait_go_on_one_by_one(world: World) -> None:
    both = Flow("f").approval("one", prompt="1?").approval("two", prompt="2?")
    waiting(world, both.step("z", "echo", depends_on=["one", "two"]))
    answer(world, "two")
    go_on(world, "f", HANDLERS)
    world.project()
    assert world.by_path("status") == {"one": "waiting", "two": "completed", "z": "created"}
    assert world.one("runs")["status"] == "waiting"
    answer(world, "one")
    go_on(world, "f", HANDLERS)
    world.project()
    assert world.one("runs")["status"] == "completed"
    types = [kind for kind in world.event_types() if kind.startswith("run.")]
    assert types == [
        "run.queued",
        "run.started",
        *["run.waiting", "run.resumed"] * 2,
        "run.completed",
    ]
    assert world.event_types().count("step.waiting") == 2
    assert_states_add_up(world)


def test_a_run_that_fails_after_it_has_waited_has_failed(world: World) -> None:
    waiting(world, Flow("f").approval("one", prompt="1?").step("z", "boom", depends_on="one"))

    def boom(given: object) -> None:
        raise ValueError("boom")

    answer(world, "one")
    go_on(
        world,
        "f",
        {**HANDLERS, "boom": boom},
    )
    world.project()
    run = world.one("runs")
    assert run["status"] == "failed"
    assert "ValueError: boom (" in run["error_message"]
    assert world.one("run_continuations")["ended_at"] is not None
    assert_states_add_up(world)


def test_the_waits_of_a_run_that_is_cancelled_are_cancelled(world: World) -> None:
    waiting(world)
    [run_id] = world.sql.column("select run_id from pgflow.runs")
    assert world.sql.value("select pgflow.cancel_waiting_run(%s)", run_id)
    go_on(world, "f", HANDLERS)
    world.project()
    assert world.one("runs")["status"] == "cancelled"
    assert world.by_path("status") == {
        "a": "completed",
        "ask": "cancelled",
        "beside": "completed",
        "then": "cancelled",
    }
    assert world.sql.column("select status from pgflow.waits") == ["cancelled"]
    assert claimed(world) is None
    assert_states_add_up(world)


def test_a_run_that_is_deleted_in_dagster_while_it_waits_is_lost(world: World) -> None:
    first = waiting(world)
    world.instance.delete_run(first.run_id)
    world.sql("update pgflow.run_cursors set due_at = now()")
    world.project()
    run = world.one("runs")
    assert run["status"] == "cancelled"
    assert "deleted in Dagster" in run["error_message"]
    assert world.sql.column("select status from pgflow.waits") == ["cancelled"]


def test_a_run_whose_further_dagster_run_is_deleted_is_not_taken_back_to_where_it_waited(
    world: World,
) -> None:
    waiting(world)
    answer(world, "ask")
    further = go_on(world, "f", HANDLERS)
    world.settle()
    before = world.snapshot()
    world.instance.delete_run(further.run_id)
    rebuild(world.instance, world.store)
    assert world.snapshot() == before


def test_steps_of_subflows_wait_too(world: World) -> None:
    inner = Flow("inner").approval("ask", prompt="?").step("x", "echo", depends_on="ask")
    outer = Flow("f").subflow("s", "inner").step("z", "echo", depends_on="s")
    waiting(world, inner, outer)
    assert world.by_path("status") == {
        "s": "started",
        "s.ask": "waiting",
        "s.x": "created",
        "z": "created",
    }
    assert world.subruns("status") == [("started",)]
    answer(world, "s.ask")
    go_on(world, "f", HANDLERS)
    world.project()
    assert world.one("runs")["status"] == "completed"
    assert world.subruns("status") == [("completed",)]
    assert_states_add_up(world)


def test_steps_of_runs_inside_a_run_wait_too(world: World) -> None:
    inner = Flow("inner").step("first", "echo").approval("ask", prompt="?", depends_on="first")
    inner = inner.step("x", "echo", depends_on="ask")
    outer = Flow("f").subflow("s", "inner", mode="run").step("z", "echo", depends_on="s")
    waiting(world, inner, outer)
    assert world.by_path("status") == {
        "s": "started",
        "s.ask": "waiting",
        "s.first": "completed",
        "s.x": "created",
        "z": "created",
    }
    inside = world.subruns("dagster_run_id")
    answer(world, "s.ask")
    go_on(world, "f", HANDLERS)
    world.project()
    assert world.one("runs")["status"] == "completed"
    assert world.subruns("status") == [("completed",)]
    assert world.subruns("dagster_run_id") == inside
    assert world.attempts("s.first") == [(0, 1, "completed")]
    assert_states_add_up(world)


def test_status_says_what_a_run_waits_for_who_may_answer_and_how(world: World) -> None:
    flow = (
        Flow("f")
        .approval("ask", prompt="Is ${$input.n} enough?", answerers=["ann", "finance"])
        .wait("paid", signal="order paid", key="'no. ' + string(input.n)")
        .sleep("later", seconds=3600)
    )
    first = waiting(world, flow)
    report = RunStatusReader(world.database).report(UUID(first.run_id))
    assert report.run.waiting_for is not None
    assert "Is 3 enough?" in report.run.waiting_for
    number = first.run_id[:8]
    [asked, answers, paid, sends, later, by_itself] = waits(report)
    assert "ask waits for Is 3 enough? since" in asked
    assert f"`dagster-pgflow answer {number} ask ANSWER`" in answers
    assert "(ann or finance may)" in answers
    assert "order paid" in paid
    assert "`dagster-pgflow signal 'order paid' --key 'no. 3'`" in sends
    assert "at the latest" in later
    assert "goes on by itself" in by_itself


def test_a_run_is_found_by_the_dagster_run_that_goes_on_with_it(world: World) -> None:
    waiting(world)
    answer(world, "ask")
    further = go_on(world, "f", HANDLERS)
    reader = RunStatusReader(world.database)
    [run_id] = world.sql.column("select run_id from pgflow.runs")
    assert str(reader.find(further.run_id[:8])) == str(run_id)
    assert str(reader.summary(UUID(further.run_id)).run_id) == str(run_id)
    assert str(world.tables.run_id_of(UUID(further.run_id))) == str(run_id)


def test_the_log_of_its_dagster_run_says_once_that_the_run_is_not_over(world: World) -> None:
    first = waiting(world)
    world.sql("update pgflow.run_cursors set due_at = now()")
    world.project()
    records, _ = records_of(world.instance, first.run_id, [dg.DagsterEventType.ENGINE_EVENT])
    said = [record.event_log_entry.dagster_event for record in records]
    told = [event.message for event in said if event and "not over" in (event.message or "")]
    assert told == [
        "The run is not over: ask waits. It goes on in a further run when that has come."
    ]


def known(world: World, run: dg.DagsterRun) -> dg.DagsterRun:
    found = world.instance.get_run_by_id(run.run_id)
    assert found is not None
    return found


def test_a_retry_takes_over_from_the_whole_run_that_waited(world: World) -> None:
    flow = Flow("f", max_attempts=1).step("a", "echo").approval("ask", prompt="?", depends_on="a")
    waiting(world, flow.step("z", "boom", depends_on="ask"))

    def boom(given: object) -> None:
        raise ValueError("boom")

    answer(world, "ask")
    failed = go_on(world, "f", {**HANDLERS, "boom": boom})
    world.project()
    job = world.job("f", {**HANDLERS, "boom": lambda given: given})
    execute(world.instance, job, going_on(world.instance, job, known(world, failed)))
    world.project()
    [first, retry] = world.sql.records("select * from pgflow.runs order by id")
    assert retry["retry_of"] == first["run_id"]
    assert (first["status"], retry["status"]) == ("failed", "completed")
    attempts = world.sql(
        "select step_path, status from pgflow.node_executions where run_id = %s", retry["run_id"]
    )
    assert attempts == [("z", "completed")]


def test_a_run_launched_with_the_tags_of_one_that_was_answered_asks_for_itself(
    world: World,
) -> None:
    world.define(Flow("f").approval("ask", prompt="?").step("then", "echo", depends_on="ask"))
    first = world.requests.start("f")
    handlers = {"echo": lambda given: given}
    world.run("f", handlers, run_id=first)
    world.project()
    answer(world, "ask")
    go_on(world, "f", handlers)
    world.project()
    assert world.one("runs")["status"] == "completed"

    copy = world.run("f", handlers, run_id=first)
    world.project()
    row = world.one("runs", f"dagster_run_id = '{copy}'")
    assert row["status"] == "waiting"
    open_waits = "select run_id::text, step_path from pgflow.waits where status = 'open'"
    assert world.sql(open_waits) == [(str(copy), "ask")]
