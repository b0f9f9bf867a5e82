"""What the tables say of tasks that are tried more than once, later, or not at all."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.run_state import AttemptRow, Json, RunState, StepRow
from dagster_pgflow.projection.fold.fold import fold
from dagster_pgflow.projection.translate.event_data import finished_in
from dagster_pgflow.projection.translate.translation import cut_short
from dagster_pgflow.reports.report import FanOut
from dagster_pgflow.runtime.values import error_element
from tests.unit.projection.seen_runs import (
    NOON,
    WORKER,
    SeenRun,
    assert_attempts_add_up,
    batch,
    completed,
    delayed,
    failed,
    retrying,
    task,
)

ONE = Flow("one").step("a")
MAPS = Flow("maps").step("a").map("m", depends_on="a", batch_size=3)
FANS_OUT = {"m": FanOut(3, 1, 3)}
FINISHED = {finished_in("m[0]"): {"dagster-pgflow/batch": {"start": 0, "values": [10, None, 30]}}}
NEVER = replace(task(2, "failed"), error="never")
FLAKY = [task(0), replace(task(1, "failed"), error="not yet"), replace(NEVER, is_final=True)]


def fanned_out(flow: Flow = MAPS, counts: Any = None) -> SeenRun:
    fans_out = counts or FANS_OUT
    return SeenRun([flow], outputs=FINISHED).then("run_started").does("a", fans_out=fans_out)


def statuses(state: RunState, path: str = "m") -> list[str]:
    return [row.status for row in state.tasks if row.step_path == path]


def attempts(state: RunState, path: str = "m") -> list[tuple[int, int, str]]:
    return [
        (row.task_index, row.attempt, row.status) for row in state.attempts if row.step_path == path
    ]


def step(state: RunState, path: str) -> StepRow:
    return next(row for row in state.steps if row.step_path == path)


def checked(seen: SeenRun) -> RunState:
    state = seen.state()
    assert_attempts_add_up(state)
    return state


def test_each_attempt_is_a_row_with_its_own_times_worker_and_error() -> None:
    began = NOON.timestamp()
    failed = replace(task(0, "failed"), started_at=began, completed_at=began + 0.25)
    seen = SeenRun([ONE]).fails("a", failed).then("started", "a")
    last = replace(task(attempts=2), started_at=began + 9, completed_at=began + 10)
    state = checked(seen.then("succeeded", "a", report=completed(1, [last])))
    first, second = state.attempts
    assert first == AttemptRow(
        step_path="a",
        task_index=0,
        attempt=1,
        step_slug="a",
        flow_slug="one",
        subrun_path=None,
        status="failed",
        started_at=NOON,
        completed_at=NOON + timedelta(seconds=0.25),
        duration_ms=250,
        worker_id=WORKER,
        error="no",
    )
    assert (second.attempt, second.status, second.error) == (2, "completed", None)
    assert (second.started_at, second.duration_ms) == (NOON + timedelta(seconds=9), 1000)
    assert [row.attempts_count for row in state.tasks] == [2]


def test_a_retry_is_told_once_and_says_all_that_matters() -> None:
    seen = SeenRun([ONE]).fails("a", task(0, "failed"), delay=10.0)
    assert seen.types()[1:] == ["step.started a", "task.started a[0]", "task.retrying a[0]"]
    assert seen.events()[-1].event_data == {
        "task_index": 0,
        "attempt": 1,
        "max_attempts": 3,
        "delay_seconds": 10.0,
        "error": "no",
        "worker": WORKER,
        "started_at": NOON.timestamp(),
        "completed_at": NOON.timestamp() + 1,
    }
    [row] = checked(seen).tasks
    assert (row.status, row.error_message, row.last_worker_id) == ("queued", "no", WORKER)
    [again] = checked(seen.then("started", "a")).tasks
    assert (again.status, again.attempts_count, again.last_worker_id) == ("started", 2, None)


def test_elements_of_a_batch_are_told_attempt_by_attempt() -> None:
    seen = fanned_out().fails("m[0]", *FLAKY)
    state = checked(seen)
    assert statuses(state) == ["completed", "queued", "failed"]
    assert [row.output for row in state.tasks[1:]] == [Json(10), None, None]
    assert step(state, "m").remaining_tasks == 2
    seen = seen.then("started", "m[0]")
    assert statuses(checked(seen)) == ["completed", "started", "failed"]
    last = failed(task(0), task(1, attempts=2), NEVER, error="never")
    ended = seen.then("failed", "m[0]", error="never", report=last)
    state = checked(ended.then("run_failed"))
    assert statuses(state) == ["completed", "completed", "failed"]
    assert attempts(state) == [
        (0, 1, "completed"),
        (1, 1, "failed"),
        (1, 2, "completed"),
        (2, 1, "failed"),
    ]


def test_a_batch_never_mentions_that_it_was_tried_as_a_whole() -> None:
    assert fanned_out().fails("m[0]", *FLAKY).types()[8:] == [
        "task.started m[0]",
        "task.started m[1]",
        "task.started m[2]",
        "task.completed m[0]",
        "task.retrying m[1]",
        "task.failed m[2]",
    ]


def test_which_elements_were_tried_again_is_known_in_the_end_even_if_no_report_said_so() -> None:
    silent = [replace(one, is_final=False) for one in FLAKY]
    seen = fanned_out().fails("m[0]", *silent).then("started", "m[0]")
    last = failed(task(0), task(1, attempts=2), NEVER, error="never")
    seen = seen.then("failed", "m[0]", error="never", report=last)
    state = checked(seen)
    assert attempts(state)[-1] == (2, 1, "failed")
    assert [row.attempts_count for row in state.tasks[1:]] == [1, 2, 1]


def test_a_run_that_is_cancelled_between_two_attempts_tells_the_truth_of_each_task() -> None:
    state = checked(fanned_out().fails("m[0]", *FLAKY).then("run_cancelled"))
    assert statuses(state) == ["completed", "cancelled", "failed"]
    assert attempts(state) == [(0, 1, "completed"), (1, 1, "failed"), (2, 1, "failed")]


def test_a_run_that_is_cancelled_amid_an_attempt_cancels_that_attempt() -> None:
    seen = fanned_out().fails("m[0]", *FLAKY).then("started", "m[0]").then("run_cancelled")
    state = checked(seen)
    assert statuses(state) == ["completed", "cancelled", "failed"]
    assert (1, 2, "cancelled") in attempts(state)
    ended = next(row for row in state.attempts if row.status == "cancelled")
    assert ended.completed_at == state.run.failed_at


def test_a_run_that_is_lost_between_two_attempts_tells_the_truth_of_each_task() -> None:
    seen = fanned_out().fails("m[0]", *FLAKY)
    events = cut_short(seen.layout, seen.events(), NOON + timedelta(hours=1), "gone")
    state = fold(seen.layout, events, FINISHED)
    assert_attempts_add_up(state)
    assert statuses(state) == ["completed", "cancelled", "failed"]


def test_a_report_without_the_retry_behind_it_is_the_truth_already() -> None:
    told = retrying(task(0, "failed"))
    seen = SeenRun([ONE]).then("started", "a").then("reported", "a", report=told)
    assert statuses(checked(seen), "a") == ["queued"]
    assert statuses(checked(seen.then("run_failed")), "a") == ["cancelled"]


def test_a_step_that_waits_for_its_first_attempt_has_not_started() -> None:
    seen = SeenRun([ONE]).then("run_started").then("started", "a").waits("a", delayed(60.0))
    assert seen.types()[2:] == ["step.delayed a"]
    assert seen.events()[-1].event_data == {"delay_seconds": 60.0}
    state = checked(seen)
    assert (step(state, "a").status, state.tasks) == ("created", ())
    seen = seen.then("started", "a")
    [row] = checked(seen).attempts
    assert (row.attempt, row.started_at) == (1, seen.run_events[-1].at)
    seen = seen.waits("a", retrying(task(0, "failed"))).then("started", "a")
    state = checked(seen.then("succeeded", "a", report=completed(1, [task(attempts=2)])))
    assert attempts(state, "a") == [(0, 1, "failed"), (0, 2, "completed")]


def test_a_step_with_a_start_delay_does_not_start_before_it_is_over() -> None:
    flow = Flow("late").step("a", start_delay=60)
    seen = SeenRun([flow]).then("run_started").then("started", "a")
    assert seen.types()[2:] == []
    seen = seen.waits("a", delayed(60.0)).then("started", "a")
    assert seen.types()[2:] == ["step.delayed a", "step.started a", "task.started a[0]"]
    assert statuses(checked(seen), "a") == ["started"]


def test_a_map_tells_its_delay_once() -> None:
    flow = Flow("maps").step("a").map("m", depends_on="a", batch_size=1)
    seen = fanned_out(flow, {"m": FanOut(2, 2, 1)})
    for key in ("m[0]", "m[1]"):
        seen = seen.then("started", key).waits(key, delayed())
    assert seen.types().count("step.delayed m") == 1
    assert statuses(checked(seen)) == ["queued", "queued"]
    assert step(seen.state(), "m").status == "created"


def test_a_run_that_is_cancelled_before_a_delayed_step_has_no_attempt() -> None:
    seen = SeenRun([ONE]).then("started", "a").waits("a", delayed()).then("run_cancelled")
    state = checked(seen)
    assert (step(state, "a").status, state.attempts) == ("cancelled", ())


def test_a_map_that_collects_errors_completes_with_them_in_their_places() -> None:
    flow = Flow("maps").step("a").map("m", depends_on="a", batch_size=3, collect_errors=True)
    ill = error_element("never", 2)
    value = {"dagster-pgflow/batch": {"start": 0, "values": [10, ill, 30]}}
    never = replace(task(1, "failed", attempts=2), error="never")
    reports = [task(0), never, task(2)]
    seen = fanned_out(flow).fails("m[0]", task(0), task(1, "failed"), task(2))
    state = checked(
        seen.then("started", "m[0]").then("succeeded", "m[0]", report=completed(value, reports))
    )
    assert statuses(state) == ["completed", "failed", "completed"]
    assert state.tasks[2].error_message == "never"
    assert step(state, "m").status == "completed"
    assert step(state, "m").remaining_tasks == 0
    assert step(state, "m").output == Json([10, ill, 30])


def test_a_task_of_a_map_that_collects_errors_is_done_when_it_failed() -> None:
    flow = Flow("maps").step("a").map("m", depends_on="a", batch_size=1, collect_errors=True)
    seen = fanned_out(flow, {"m": FanOut(2, 2, 1)}).then("started", "m[0]")
    value = {"dagster-pgflow/batch": {"start": 0, "values": [error_element("no", 1)]}}
    told = completed(value, [task(0, "failed")])
    state = checked(seen.then("succeeded", "m[0]", report=told))
    assert (step(state, "m").status, step(state, "m").remaining_tasks) == ("started", 1)


def test_a_pipelined_map_starts_while_the_one_before_still_runs() -> None:
    flow = (
        Flow("maps")
        .step("a")
        .map("m", depends_on="a", batch_size=2)
        .map("n", depends_on="m", pipelined=True)
    )
    counts = FanOut(3, 2, 2)
    seen = fanned_out(flow, {"m": counts, "n": counts})
    assert [row.status for row in checked(seen).tasks[1:]] == ["queued"] * 6
    seen = seen.then("started", "m[0]").then("succeeded", "m[0]", report=batch(0, 1, 2))
    state = checked(seen.then("started", "n[0]"))
    assert (step(state, "m").status, step(state, "n").status) == ("started", "started")
    assert statuses(state, "n") == ["started", "started", "queued"]
    seen = seen.then("started", "m[1]").then("succeeded", "m[1]", report=batch(2, 3))
    seen = seen.then("started", "n[1]")
    assert statuses(checked(seen), "n") == ["queued", "queued", "started"]
    seen = seen.then("succeeded", "n[1]", report=batch(2, 30))
    assert step(checked(seen), "n").status == "started"
    seen = seen.then("started", "n[0]").then("succeeded", "n[0]", report=batch(0, 10, 20))
    assert step(checked(seen), "n").output == Json([10, 20, 30])


def test_elements_taken_over_by_a_batch_have_no_attempt_in_this_run() -> None:
    seen = fanned_out().then("started", "m[0]")
    again = [replace(task(index, attempts=2), is_reused=True) for index in (0, 2)]
    reports = [again[0], task(1), again[1]]
    value = {"dagster-pgflow/batch": {"start": 0, "values": [10, 20, 30]}}
    seen = seen.then("succeeded", "m[0]", report=completed(value, reports))
    state = checked(seen)
    assert attempts(state) == [(1, 1, "completed")]
    assert [row.attempts_count for row in state.tasks[1:]] == [0, 1, 0]
    assert step(state, "m").output == Json([10, 20, 30])
    taken_over = {
        event.event_data["task_index"]: event.event_data.get("reused")
        for event in seen.events()
        if event.event_type == "task.completed" and event.correlation_id == "m"
    }
    assert taken_over == {0: True, 1: None, 2: True}
    assert seen.types().count("task.started m[0]") == 0


def test_elements_taken_over_are_known_before_the_batch_ends() -> None:
    reports = [replace(task(0), is_reused=True), task(1, "failed"), task(2)]
    state = checked(fanned_out().fails("m[0]", *reports))
    assert statuses(state) == ["completed", "queued", "completed"]
    assert attempts(state) == [(1, 1, "failed"), (2, 1, "completed")]


def test_a_step_taken_over_has_no_attempt_in_this_run() -> None:
    parent = SeenRun([ONE]).does("a", 1)
    taken_over = replace(parent.run_events[-1], position=0, kind="reused")
    state = checked(replace(SeenRun([ONE]), run_events=(taken_over,)))
    assert (state.tasks[0].status, state.tasks[0].attempts_count) == ("completed", 0)
    assert state.attempts == ()


def test_a_retry_that_the_op_knows_nothing_of_is_an_attempt_all_the_same() -> None:
    # Dagster tries a step again whose process is gone, when it is told to.
    seen = SeenRun([ONE]).then("started", "a").then("retrying", "a", error="gone", delay=1.0)
    state = checked(seen.then("started", "a"))
    assert attempts(state, "a") == [(0, 1, "failed"), (0, 2, "started")]


def test_a_step_whose_process_crashed_failed_in_its_last_attempt() -> None:
    seen = SeenRun([ONE]).then("started", "a").then("failed", "a", error="crashed")
    [row] = checked(seen).attempts
    assert (row.status, row.error, row.worker_id) == ("failed", "crashed", None)


def test_clocks_that_disagree_give_no_negative_duration() -> None:
    late = NOON.timestamp() + 9
    told = completed(1, [replace(task(), started_at=late, completed_at=late - 1)])
    [row] = checked(SeenRun([ONE]).then("succeeded", "a", report=told)).attempts
    assert row.duration_ms == 0
