"""Whatever Dagster may see of a run, in whatever order, the tables tell something sound."""

from dataclasses import replace
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.projection.fold import fold
from tests.unit.projection.telling import (
    Story,
    assert_attempts_add_up,
    batch,
    completed,
    delayed,
    is_consequence,
    retrying,
    skipped,
    task,
)
from tests.unit.projection.tokens_add_up import assert_tokens_add_up

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
FAN_OUTS: list[dict[str, Any]] = [
    {},
    {"fans_out": {"m": {"tasks": 3, "batches": 2}, "p": {"tasks": 3, "batches": 2}}},
    {"fans_out": {"m": {"tasks": 0, "batches": 1}}},
    {"fans_out": {"e": {"tasks": 2, "batches": 2}}},
    {"fans_out": {"e": {"tasks": 2, "batches": 2}}},
    {"fans_out": {"e": {"tasks": 0, "batches": 0}}},
]
OUTCOMES: list[Any] = [
    None,
    completed(1, [task()]),
    completed(1, []),
    batch(0, 1, 2),
    batch(2, 3),
    batch(0),
    skipped("condition_unmet", "o"),
    skipped("condition_unmet", "o.i"),
    skipped("dependency_skipped", "z"),
    skipped("handler_failed", "m", [task(0), task(1, "failed", error="no")]),
    {"status": "failed", "tasks": [task(0, "failed", error="no")]},
    {"status": "failed", "tasks": []},
    completed(1, [task(), task(1, reused=True)]),
    completed(1, [task(attempts=2)]),
    completed(1, [task(0, "failed", attempts=2, error="no")]),
    completed([1, 2], [task(), task(1)]),
    skipped("condition_unmet", "e"),
    skipped("condition_unmet", "c"),
    *(
        {
            "status": "failed",
            "error": "no",
            "failed_step": step,
            "failed_subflow": at,
            "tasks": told,
        }
        for step, at in [
            ("c.y", "c"),
            ("c.i", "c"),
            ("c", "c"),
            ("e", "e"),
            ("e[0].y", "e[0]"),
            ("e[1]", "e[1]"),
            ("nowhere", "nowhere"),
        ]
        for told in ([], [task(0, "failed", error="no")])
    ),
    {"status": "cancelled", "failed_subflow": "c", "tasks": []},
    {"status": "cancelled", "failed_subflow": "e", "tasks": []},
    {"status": "cancelled", "failed_subflow": "e[0]", "tasks": []},
]
REPORTS: list[Any] = [
    delayed(),
    retrying(task(0, "failed", error="no")),
    retrying(task(0, "failed", attempts=2, error="no")),
    retrying(task(), task(1, "failed", error="no")),
    retrying(task(0, "failed", error="no", final=True), task(1, "failed", error="no")),
]
sightings = st.tuples(
    st.sampled_from(
        ["started", "reported", "succeeded", "failed", "retrying", "skipped", "reused"]
    ),
    st.sampled_from([*SINGLE_KEYS, *MAP_KEYS]),
    st.sampled_from(OUTCOMES),
    st.sampled_from(FAN_OUTS),
)


@st.composite
def stories(draw: st.DrawFn) -> Story:
    story = Story(FLOWS)
    if draw(st.booleans()):
        story = story.then("run_started")
    for kind, key, outcome, fans_out in draw(st.lists(sightings, max_size=25)):
        told = None
        if kind == "reported":
            told = draw(st.sampled_from(REPORTS))
        elif outcome is not None and kind in ("succeeded", "failed", "reused"):
            told = {**outcome, **fans_out}
        story = story.then(kind, key, outcome=told, error="e" if kind == "failed" else None)  # type: ignore[arg-type]
    ending = draw(st.sampled_from([None, "run_completed", "run_failed", "run_cancelled"]))
    return story if ending is None else story.then(ending)  # type: ignore[arg-type]


@settings(deadline=None)
@given(stories())
def test_the_log_has_no_gaps_and_every_cause_stands_before(story: Story) -> None:
    events = story.events()
    assert [event.sequence_num for event in events] == list(range(1, len(events) + 1))
    known = set()
    for event in events:
        assert event.parent_event_id in known or event.event_type == "run.queued"
        known.add(event.event_id)
    assert len(known) == len(events)


@settings(deadline=None)
@given(stories())
def test_nothing_begins_or_ends_twice(story: Story) -> None:
    ends = [
        (
            event.event_type.partition(".")[0],
            event.correlation_id,
            event.event_data.get("task_index"),
        )
        for event in story.events()
        if event.event_type.partition(".")[2] in TERMINAL and not is_consequence(event.event_type)
    ]
    assert len(ends) == len(set(ends))
    begins = [
        (event.event_type, event.correlation_id)
        for event in story.events()
        if event.event_type in ("step.started", "subrun.started")
    ]
    assert len(begins) == len(set(begins))


@settings(deadline=None)
@given(stories())
def test_every_beginning_of_the_log_folds_to_sound_rows(story: Story) -> None:
    events = story.events()
    for length in range(1, len(events) + 1):
        state = fold(story.layout, events[:length], {})
        assert all(row.remaining_deps >= 0 for row in state.steps)
        assert (state.run.remaining_steps or 0) >= 0
        assert all((row.remaining_tasks or 0) >= 0 for row in state.steps)
        assert_attempts_add_up(state)


@settings(deadline=None)
@given(stories())
def test_tokens_are_left_as_long_as_the_run_is_not_over(story: Story) -> None:
    events = story.events()
    assert_tokens_add_up(events, fold(story.layout, events, {}))
    for length in range(len(story.sightings)):
        begun = replace(story, sightings=story.sightings[:length])
        assert_tokens_add_up(begun.events(), begun.state())


@settings(deadline=None)
@given(stories(), st.randoms(use_true_random=False))
def test_events_that_arrive_twice_and_in_any_order_fold_to_the_same_rows(
    story: Story, random: Random
) -> None:
    events = story.events()
    shuffled = [*events, *events]
    random.shuffle(shuffled)
    assert fold(story.layout, shuffled, {}) == fold(story.layout, events, {})


@settings(deadline=None)
@given(stories())
def test_when_the_run_is_over_so_is_everything_in_it(story: Story) -> None:
    state = story.state()
    if state.run.status in ("completed", "failed", "cancelled"):
        assert {row.status for row in state.subruns} <= TERMINAL
        assert {row.status for row in state.steps} <= TERMINAL
        assert {row.status for row in state.tasks} <= TERMINAL
        assert {row.status for row in state.attempts} <= TERMINAL


@settings(deadline=None)
@given(stories())
def test_a_subrun_and_its_step_agree(story: Story) -> None:
    state = story.state()
    steps = {row.step_path: row.status for row in state.steps}
    scopes = story.layout.subruns
    for row in state.subruns:
        if row.map_index is None:
            assert row.status == steps[scopes[row.subrun_path].step]


@settings(deadline=None)
@given(stories())
def test_items_are_there_as_soon_as_their_list_is_known_and_keep_their_numbers(
    story: Story,
) -> None:
    events = story.events()
    numbers: dict[str, tuple[int, int | None, str]] = {}
    for length in range(1, len(events) + 1):
        state = fold(story.layout, events[:length], {})
        for row in state.subruns:
            told = (row.run_index, row.map_index, row.parent_step_slug)
            assert numbers.setdefault(row.subrun_path, told) == told
        assert [row.run_index for row in state.subruns] == list(range(1, len(state.subruns) + 1))
