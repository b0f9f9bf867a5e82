from dataclasses import replace

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.run_state import STORED_AT_KEY, Json, RunState, StepRow
from dagster_pgflow.reports.report import FanOut
from tests.unit.projection.seen_runs import NOON, WORKER, SeenRun, batch, completed, large, task

INNER = Flow("inner").step("x").step("y", depends_on="x")
TOP = Flow("top").step("a").subflow("s", "inner", depends_on="a").step("z", depends_on="s")
MAPS = Flow("maps").step("a").map("m", depends_on="a", batch_size=2)
FANS_OUT = {"m": FanOut(3, 2, 2)}


def step(state: RunState, path: str) -> StepRow:
    return next(row for row in state.steps if row.step_path == path)


def test_everything_is_there_before_anything_starts() -> None:
    state = SeenRun([TOP, INNER], input={"n": 1}).state()
    assert (state.run.status, state.run.input, state.run.remaining_steps) == ("queued", {"n": 1}, 3)
    assert {row.status for row in state.steps} == {"created"}
    assert {row.status for row in state.subruns} == {"created"}
    assert [row.remaining_deps for row in state.steps] == [0, 1, 0, 1, 1]
    assert state.tasks == ()


def test_a_map_has_tasks_as_soon_as_its_list_is_known() -> None:
    seen = SeenRun([MAPS])
    before = step(seen.state(), "m")
    assert (before.initial_tasks, before.remaining_tasks) == (None, None)
    seen = seen.does("a", [1, 2, 3], fans_out=FANS_OUT)
    assert step(seen.state(), "m").initial_tasks == 3
    assert [row.status for row in seen.state().tasks] == ["completed", *["queued"] * 3]
    seen = seen.then("started", "m[0]")
    assert [row.status for row in seen.state().tasks[1:]] == ["started", "started", "queued"]
    seen = seen.then("succeeded", "m[0]", report=batch(0, 10, 20))
    assert step(seen.state(), "m").remaining_tasks == 1
    assert step(seen.state(), "m").status == "started"


def test_dependencies_count_down_as_they_complete_or_skip() -> None:
    seen = SeenRun([TOP, INNER]).does("a")
    assert step(seen.state(), "s").remaining_deps == 0
    assert seen.state().run.remaining_steps == 2


def test_a_subrun_gets_what_its_step_receives() -> None:
    state = SeenRun([TOP, INNER]).does("a", 5).does("s.x", 6).state()
    assert state.subruns[0].input == Json({"a": 5})
    assert state.subruns[0].status == "started"


def test_a_root_subrun_gets_the_input_of_the_flow_around_it() -> None:
    top = Flow("top").subflow("o", "outer")
    outer = Flow("outer").subflow("s", "inner")
    state = SeenRun([top, outer, INNER], input=[7]).does("o.s.x").state()
    assert [row.input for row in state.subruns] == [Json([7]), Json([7])]


def test_a_task_tells_who_worked_on_it_and_when() -> None:
    [row] = SeenRun([MAPS]).does("a").state().tasks
    assert (row.started_at, row.last_worker_id) == (NOON, WORKER)
    assert row.completed_at is not None
    assert (row.completed_at - NOON).total_seconds() == 1


def test_large_outputs_are_read_from_the_stored_ones() -> None:
    report = large([task()])
    seen = SeenRun([MAPS], outputs={"a": "stored"}).then("succeeded", "a", report=report)
    assert step(seen.state(), "a").output == Json("stored")
    elsewhere = SeenRun([MAPS]).then("succeeded", "a", report=report)
    assert step(elsewhere.state(), "a").output == Json({STORED_AT_KEY: None})


def test_when_the_run_ends_nothing_is_under_way() -> None:
    seen = SeenRun([MAPS]).then("run_started").does("a", [1, 2, 3], fans_out=FANS_OUT)
    state = seen.then("started", "m[0]").then("run_cancelled").state()
    assert (state.run.status, state.run.error_message) == ("cancelled", None)
    assert step(state, "m").status == "cancelled"
    assert [row.status for row in state.tasks[1:]] == ["cancelled"] * 3
    assert state.run.failed_at == step(state, "m").failed_at == state.tasks[3].failed_at


def test_an_end_that_came_late_is_still_the_truth() -> None:
    # The worker finished its step although the run was cancelled meanwhile.
    state = SeenRun([MAPS]).then("run_started").does("a", 1).then("run_cancelled").state()
    assert step(state, "a").status == "completed"
    assert step(state, "m").status == "cancelled"


def test_a_cancelled_run_cancels_its_subruns_and_their_items() -> None:
    item = Flow("item").step("x")
    top = Flow("top").step("a").subflow("s", "inner", depends_on="a")
    top = top.subflow("each", "item", depends_on="a", over="a")
    sent = replace(completed(None), fans_out={"each": FanOut(2, 2, 1)})
    seen = SeenRun([top, INNER, item]).then("run_started").does("a", [1, 2])
    seen = seen.then("succeeded", "each__fan_out", report=sent).does("each.x[0]", 5)
    state = seen.then("started", "each.x[1]").then("run_cancelled").state()
    assert [row.status for row in state.subruns] == ["cancelled", "completed", "cancelled"]
    told = {row.step_path: row.status for row in state.steps}
    assert told.pop("a") == told.pop("each[0].x") == "completed"
    assert set(told.values()) == {"cancelled"}
    assert step(state, "each").remaining_tasks == 1
    assert {row.status for row in state.tasks} == {"completed", "cancelled"}


def test_an_input_that_cannot_be_found_out_is_left_out() -> None:
    top = Flow("top").step("a").subflow("s", "inner", depends_on="a", input={"n": "$nodes.a.n"})
    assert SeenRun([top, INNER]).does("a", {"n": 5}).does("s.x").state().subruns[0].input == Json(
        {"n": 5}
    )
    elsewhere = large([task()])
    seen = SeenRun([top, INNER]).then("succeeded", "a", report=elsewhere).does("s.x")
    assert seen.state().subruns[0].input is None
