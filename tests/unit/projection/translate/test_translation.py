from dataclasses import replace
from datetime import timedelta

import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.projection.translate.translation import cut_short
from dagster_pgflow.reports.report import FanOut
from dagster_pgflow.runtime import mapping
from tests.unit.projection.seen_runs import (
    NOON,
    RUN_ID,
    SeenRun,
    batch,
    completed,
    failed,
    is_consequence,
    large,
    shown,
    skipped,
    task,
)

INNER = Flow("inner").step("x").step("y", depends_on="x")
TOP = Flow("top").step("a").subflow("s", "inner", depends_on="a").step("z", depends_on="s")
MAPS = Flow("maps").step("a").map("m", depends_on="a", batch_size=2)
FANS_OUT = {"m": FanOut(3, 2, 2)}


def test_a_run_unfolds_in_order() -> None:
    seen = (
        SeenRun([TOP, INNER])
        .then("run_started")
        .does("a")
        .does("s.x")
        .does("s.y")
        .does("z")
        .then("run_completed")
    )
    assert seen.types() == [
        "run.queued",
        "run.started",
        "step.started a",
        "task.started a[0]",
        "task.completed a[0]",
        "step.completed a",
        "step.started s",
        "subrun.started 1",
        "step.started s.x",
        "task.started s.x[0]",
        "task.completed s.x[0]",
        "step.completed s.x",
        "step.started s.y",
        "task.started s.y[0]",
        "task.completed s.y[0]",
        "step.completed s.y",
        "subrun.completed 1",
        "step.completed s",
        "step.started z",
        "task.started z[0]",
        "task.completed z[0]",
        "step.completed z",
        "run.completed",
    ]


def test_an_end_points_to_its_beginning_and_a_beginning_to_its_cause() -> None:
    events = SeenRun([TOP, INNER]).then("run_started").does("a").does("s.x").own_events()
    by_id = {event.event_id: event for event in events}
    parents = {
        shown(event): shown(by_id[event.parent_event_id])
        for event in events
        if event.parent_event_id
    }
    assert parents == {
        "run.started": "run.queued",
        "step.started a": "run.started",
        "task.started a[0]": "step.started a",
        "task.completed a[0]": "task.started a[0]",
        "step.completed a": "step.started a",
        "step.started s": "run.started",
        "subrun.started 1": "step.started s",
        "step.started s.x": "subrun.started 1",
        "task.started s.x[0]": "step.started s.x",
        "task.completed s.x[0]": "task.started s.x[0]",
        "step.completed s.x": "step.started s.x",
    }


def test_events_carry_the_times_of_dagster() -> None:
    seen = SeenRun([MAPS]).then("run_started").does("a")
    assert [event.timestamp - NOON for event in seen.own_events()] == [
        timedelta(seconds=second) for second in (0, 1, 2, 2, 3, 3)
    ]


def test_the_same_run_events_give_the_same_ids_and_more_only_add() -> None:
    seen = SeenRun([TOP, INNER]).then("run_started").does("a")
    longer = seen.does("s.x")
    assert seen.events() == seen.events()
    assert longer.events()[: len(seen.events())] == seen.events()


def test_an_event_that_says_something_else_has_another_id() -> None:
    told = SeenRun([MAPS]).does("a", 1).own_events()
    other = SeenRun([MAPS]).does("a", 2).own_events()
    assert [event.event_id for event in told[:3]] == [event.event_id for event in other[:3]]
    assert told[3].event_id != other[3].event_id


def test_a_map_completes_with_its_last_batch() -> None:
    seen = (
        SeenRun([MAPS])
        .does("a", [1, 2, 3], fans_out=FANS_OUT)
        .then("started", "m[1]")
        .then("succeeded", "m[1]", report=batch(2, 30))
        .then("started", "m[0]")
        .then("succeeded", "m[0]", report=batch(0, 10, 20))
    )
    assert seen.types()[5:] == [
        "step.queued m",
        "step.started m",
        "task.started m[2]",
        "task.completed m[2]",
        "task.started m[0]",
        "task.started m[1]",
        "task.completed m[0]",
        "task.completed m[1]",
        "step.completed m",
    ]


def test_a_helper_announces_batches_and_is_no_step() -> None:
    flow = Flow("f").map("m")
    report = replace(large(), fans_out={"m": FanOut(1, 1, 1)})
    seen = (
        SeenRun([flow])
        .then("started", "m__fan_out")
        .then("succeeded", "m__fan_out", report=report)
        .then("started", "m[0]")
        .then("succeeded", "m[0]", report=batch(0, 5))
    )
    assert seen.types() == [
        "run.queued",
        "step.queued m",
        "step.started m",
        "task.started m[0]",
        "task.completed m[0]",
        "step.completed m",
    ]


def test_a_helper_that_fails_fails_the_step_it_helps() -> None:
    inner = Flow("inner").step("x")
    flow = Flow("f").map("m").step("b").subflow("s", "inner", depends_on=["m", "b"])
    seen = SeenRun([flow, inner]).then("failed", "s__input", error="no").then("run_failed")
    assert {"subrun.failed 1", "step.failed s", "step.cancelled s.x"} <= set(seen.types())
    assert seen.state().run.error_message == 'Step "s" failed: no'


def test_batches_that_nobody_announced_are_complete_when_the_run_is() -> None:
    seen = SeenRun([MAPS]).then("started", "m[0]").then("succeeded", "m[0]", report=batch(0, 1, 2))
    assert "step.completed m" not in seen.types()
    assert "step.completed m" in seen.then("run_completed").types()


def test_a_retry_is_told_with_its_reason_and_delay() -> None:
    seen = (
        SeenRun([MAPS])
        .then("started", "a")
        .then("retrying", "a", error="flaky", delay=5.0)
        .then("started", "a")
        .then("succeeded", "a", report=completed(1, [task(attempts=2)]))
    )
    assert seen.types()[1:] == [
        "step.started a",
        "task.started a[0]",
        "task.retrying a[0]",
        "task.started a[0]",
        "task.completed a[0]",
        "step.completed a",
    ]
    retrying = seen.own_events()[3]
    assert (retrying.event_data["error"], retrying.event_data["delay_seconds"]) == ("flaky", 5.0)


def test_a_step_that_had_nothing_to_do_never_started() -> None:
    seen = (
        SeenRun([TOP, INNER])
        .then("started", "a")
        .then("succeeded", "a", report=skipped("condition_unmet", "a"))
        .then("started", "s.x")
        .then("succeeded", "s.x", report=skipped("dependency_skipped", "s"))
        .then("started", "s.y")
        .then("succeeded", "s.y", report=skipped("dependency_skipped", "s"))
    )
    assert seen.types() == [
        "run.queued",
        "step.skipped a",
        "step.skipped s.x",
        "step.skipped s.y",
        "subrun.skipped 1",
        "step.skipped s",
    ]


def test_a_skip_from_far_outside_skips_every_scope_inside() -> None:
    top = Flow("top").subflow("o", "outer")
    outer = Flow("outer").subflow("s", "inner")
    told = skipped("condition_unmet", "o")
    seen = SeenRun([top, outer, INNER])
    for key in ("o.s.x", "o.s.y"):
        seen = seen.then("started", key).then("succeeded", key, report=told)
    skips = {
        event.correlation_id: event.event_data["skip_reason"]
        for event in seen.events()
        if event.event_type in ("step.skipped", "subrun.skipped")
    }
    assert skips == {
        "o.s.x": "dependency_skipped",
        "o.s.y": "dependency_skipped",
        "1.1": "dependency_skipped",
        "o.s": "dependency_skipped",
        "1": "condition_unmet",
        "o": "condition_unmet",
    }


def test_a_failure_ends_the_subruns_around_it_and_the_run_end_the_rest() -> None:
    seen = (
        SeenRun([TOP, INNER])
        .then("run_started")
        .does("a")
        .then("started", "s.x")
        .then("failed", "s.x", error="boom", report=failed())
        .then("run_failed", error="Dagster says so")
    )
    assert seen.types()[6:] == [
        "step.started s",
        "subrun.started 1",
        "step.started s.x",
        "step.failed s.x",
        "subrun.failed 1",
        "step.failed s",
        "step.cancelled s.y",
        "step.cancelled z",
        "run.failed",
    ]
    assert seen.events()[-1].event_data == {"error": 'Step "s.x" failed: boom'}


def test_a_worker_that_takes_a_run_over_does_not_start_it_again() -> None:
    seen = SeenRun([MAPS]).then("run_started").then("started", "a").then("run_started")
    seen = seen.does("a")
    assert seen.types()[1:] == [
        "run.started",
        "step.started a",
        "task.started a[0]",
        "task.started a[0]",
        "task.completed a[0]",
        "step.completed a",
    ]
    assert [event.event_data["attempt"] for event in seen.own_events()[3:5]] == [1, 1]


def test_a_run_that_failed_without_a_step_says_what_dagster_says() -> None:
    seen = SeenRun([TOP, INNER]).then("run_failed", error="no worker")
    assert seen.events()[-1].event_data == {"error": "no worker"}


def test_elements_taken_over_count_among_those_that_run() -> None:
    flow = Flow("f").step("a").map("m", depends_on="a")
    parent = (
        SeenRun([flow])
        .does("a", [1, 2], fans_out={"m": FanOut(2, 2, 1)})
        .then("started", "m[0]")
        .then("succeeded", "m[0]", report=batch(0, 10))
    )
    taken_over = tuple(
        replace(run_event, position=0, kind="reused")
        for run_event in parent.run_events
        if run_event.kind == "succeeded"
    )
    seen = replace(SeenRun([flow]), run_events=taken_over).then("run_started")
    seen = seen.then("started", "m[1]").then("succeeded", "m[1]", report=batch(1, 20))
    state = seen.then("run_completed").state()
    assert state.run.status == "completed"
    assert [row.status for row in state.steps] == ["completed", "completed"]
    assert [row.output.value for row in state.tasks if row.output] == [[1, 2], 10, 20]
    assert "task.started a[0]" not in seen.types()


def test_a_run_that_is_gone_gets_a_truthful_end() -> None:
    seen = SeenRun([TOP, INNER]).then("run_started").does("a").then("started", "s.x")
    before = seen.events()
    late = NOON + timedelta(hours=1)
    after = cut_short(seen.layout, before, late, "gone")
    assert after[: len(before)] == before
    added = [event for event in after[len(before) :] if not is_consequence(event.event_type)]
    assert [shown(event) for event in added] == [
        "task.cancelled s.x[0]",
        "step.cancelled s.x",
        "step.cancelled s.y",
        "subrun.cancelled 1",
        "step.cancelled s",
        "step.cancelled z",
        "run.cancelled",
    ]
    assert {event.timestamp for event in after[len(before) :]} == {late}
    assert {event.run_id for event in after} == {RUN_ID}
    assert cut_short(seen.layout, after, late, "gone") == after


@pytest.mark.parametrize("said", [6, None])
def test_a_batch_has_the_size_that_it_had_when_the_run_ran(
    said: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = Flow("f").step("a").map("m", depends_on="a")
    sent = {"m": FanOut(101, 17, said)}
    seen = SeenRun([flow]).does("a", [], fans_out=sent).then("started", "m[03]")
    before = seen.state()
    assert [row.task_index for row in before.tasks if row.status == "started"] == [*range(18, 24)]
    monkeypatch.setattr(mapping, "OPS_OF_A_LARGE_MAP", 3)
    monkeypatch.setattr(mapping, "OPS_SHOWN_ONE_BY_ONE", 1000)
    assert seen.state() == before
