"""Whatever Dagster may see of a run, in whatever order, the tables tell something sound."""

from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.projection.fold.fold import fold
from dagster_pgflow.reports.report import FanOut, OpReport, StepDelayed, StepEnd, StepRetrying
from tests.unit.projection.seen_runs import (
    SeenRun,
    assert_attempts_add_up,
    batch,
    cancelled,
    completed,
    delayed,
    failed,
    is_consequence,
    retrying,
    skipped,
    task,
)
from tests.unit.projection.translate.tokens_add_up import assert_tokens_add_up

INNER = Flow("inner").step("x").map("m", depends_on="x")
OUTER = Flow("outer").subflow("i", "inner").step("y", depends_on="i")
TOP = (
    Flow("top")
    .step("a")
    .map("m", depends_on="a", batch_size=2, collect_errors=True)
    .map("p", depends_on="m", pipelined=True)
    .subflow("o", "outer", depends_on="a")
    .subflow("i", "inner", depends_on="m")
    .subflow("c", "outer", depends_on="a", output={"y": "$nodes.y"}, on_failure="w")
    .subflow("e", "outer", depends_on="a", over="a", on_failure="w")
    .step("w", depends_on=["c", "e"])
    .step("z", depends_on=["o", "i"])
)
FLOWS = [TOP, OUTER, INNER]
SINGLE_KEYS = ["a", "o.i.x", "o.y", "i.x", "z", "unknown", "i__input", "w"]
SINGLE_KEYS += ["c.i.x", "c.y", "c__output", "c__input"]
SINGLE_KEYS += ["e__fan_out", "e.i.x[0]", "e.y[0]", "e.i.x[1]", "e.y[1]", "e__output"]
MAP_KEYS = ["m[0]", "m[1]", "p[0]", "p[1]", "o.i.m[0]", "i.m[0]", "i.m[1]", "m__fan_out"]
MAP_KEYS += ["c.i.m[0]", "e.i.m[0]", "e.i.m[1]"]
TERMINAL = {"completed", "failed", "skipped", "cancelled"}
FAN_OUTS: list[dict[str, FanOut]] = [
    {},
    {"m": FanOut(3, 2, 2), "p": FanOut(3, 2, 2)},
    {"m": FanOut(0, 1, 1)},
    {"e": FanOut(2, 2, 1)},
    {"e": FanOut(2, 2, 1)},
    {"e": FanOut(0, 0, 1)},
]
ENDS: list[StepEnd | None] = [
    None,
    completed(1, [task()]),
    completed(1, []),
    batch(0, 1, 2),
    batch(2, 3),
    batch(0),
    skipped("condition_unmet", "o"),
    skipped("condition_unmet", "o.i"),
    skipped("dependency_skipped", "z"),
    skipped("handler_failed", "m", task(0), task(1, "failed")),
    failed(task(0, "failed")),
    failed(),
    completed(1, [task(), replace(task(1), is_reused=True)]),
    completed(1, [task(attempts=2)]),
    completed(1, [task(0, "failed", attempts=2)]),
    completed([1, 2], [task(), task(1)]),
    skipped("condition_unmet", "e"),
    skipped("condition_unmet", "c"),
    *(
        failed(*tasks, at=step, caught_by=at)
        for step, at in [
            ("c.y", "c"),
            ("c.i", "c"),
            ("c", "c"),
            ("e", "e"),
            ("e[0].y", "e[0]"),
            ("e[1]", "e[1]"),
            ("nowhere", "nowhere"),
        ]
        for tasks in ((), (task(0, "failed"),))
    ),
    cancelled("c"),
    cancelled("e"),
    cancelled("e[0]"),
]
REPORTS: list[StepRetrying | StepDelayed] = [
    delayed(),
    retrying(task(0, "failed")),
    retrying(task(0, "failed", attempts=2)),
    retrying(task(), task(1, "failed")),
    retrying(replace(task(0, "failed"), is_final=True), task(1, "failed")),
]
run_events = st.tuples(
    st.sampled_from(
        ["started", "reported", "succeeded", "failed", "retrying", "skipped", "reused"]
    ),
    st.sampled_from([*SINGLE_KEYS, *MAP_KEYS]),
    st.sampled_from(ENDS),
    st.sampled_from(FAN_OUTS),
)


@st.composite
def runs(draw: st.DrawFn) -> SeenRun:
    seen = SeenRun(FLOWS)
    if draw(st.booleans()):
        seen = seen.then("run_started")
    for kind, key, end, fans_out in draw(st.lists(run_events, max_size=25)):
        report: OpReport | None = None
        if kind == "reported":
            report = draw(st.sampled_from(REPORTS))
        elif end is not None and kind in ("succeeded", "failed", "reused"):
            report = replace(end, fans_out=fans_out)
        seen = seen.then(kind, key, report=report, error="e" if kind == "failed" else None)  # type: ignore[arg-type]
    ending = draw(st.sampled_from([None, "run_completed", "run_failed", "run_cancelled"]))
    return seen if ending is None else seen.then(ending)  # type: ignore[arg-type]


@given(runs())
def test_the_log_has_no_gaps_and_every_cause_stands_before(seen: SeenRun) -> None:
    events = seen.events()
    assert [event.sequence_num for event in events] == list(range(1, len(events) + 1))
    known = set()
    for event in events:
        assert event.parent_event_id in known or event.event_type == "run.queued"
        known.add(event.event_id)
    assert len(known) == len(events)


@given(runs())
def test_nothing_begins_or_ends_twice(seen: SeenRun) -> None:
    ends = [
        (
            event.event_type.partition(".")[0],
            event.correlation_id,
            event.event_data.get("task_index"),
        )
        for event in seen.events()
        if event.event_type.partition(".")[2] in TERMINAL and not is_consequence(event.event_type)
    ]
    assert len(ends) == len(set(ends))
    begins = [
        (event.event_type, event.correlation_id)
        for event in seen.events()
        if event.event_type in ("step.started", "subrun.started")
    ]
    assert len(begins) == len(set(begins))


@given(runs())
def test_every_beginning_of_the_log_folds_to_sound_rows(seen: SeenRun) -> None:
    events = seen.events()
    for length in range(1, len(events) + 1):
        state = fold(seen.layout, events[:length], {})
        assert all(row.remaining_deps >= 0 for row in state.steps)
        assert (state.run.remaining_steps or 0) >= 0
        assert all((row.remaining_tasks or 0) >= 0 for row in state.steps)
        assert_attempts_add_up(state)


@given(runs())
def test_tokens_are_left_as_long_as_the_run_is_not_over(seen: SeenRun) -> None:
    events = seen.events()
    assert_tokens_add_up(events, fold(seen.layout, events, {}))
    for length in range(len(seen.run_events)):
        begun = replace(seen, run_events=seen.run_events[:length])
        assert_tokens_add_up(begun.events(), begun.state())


@given(runs(), st.randoms(use_true_random=False))
def test_events_that_arrive_twice_and_in_any_order_fold_to_the_same_rows(
    seen: SeenRun, random: Random
) -> None:
    events = seen.events()
    shuffled = [*events, *events]
    random.shuffle(shuffled)
    assert fold(seen.layout, shuffled, {}) == fold(seen.layout, events, {})


@given(runs())
def test_when_the_run_is_over_so_is_everything_in_it(seen: SeenRun) -> None:
    state = seen.state()
    if state.run.status in ("completed", "failed", "cancelled"):
        assert {row.status for row in state.subruns} <= TERMINAL
        assert {row.status for row in state.steps} <= TERMINAL
        assert {row.status for row in state.tasks} <= TERMINAL
        assert {row.status for row in state.attempts} <= TERMINAL


@given(runs())
def test_a_subrun_and_its_step_agree(seen: SeenRun) -> None:
    state = seen.state()
    steps = {row.step_path: row.status for row in state.steps}
    scopes = seen.layout.subruns
    for row in state.subruns:
        if row.map_index is None:
            assert row.status == steps[scopes[row.subrun_path].step]


@given(runs())
def test_items_are_there_as_soon_as_their_list_is_known_and_keep_their_numbers(
    seen: SeenRun,
) -> None:
    events = seen.events()
    numbers: dict[str, tuple[int, int | None, str]] = {}
    for length in range(1, len(events) + 1):
        state = fold(seen.layout, events[:length], {})
        for row in state.subruns:
            told = (row.run_index, row.map_index, row.parent_step_slug)
            assert numbers.setdefault(row.subrun_path, told) == told
        assert [row.run_index for row in state.subruns] == list(range(1, len(state.subruns) + 1))
