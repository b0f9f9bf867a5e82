"""A run that waits is one run, in however many Dagster runs it goes on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.run_state import RunState, StepRow
from tests.unit.projection.seen_runs import (
    SeenRun,
    assert_attempts_add_up,
    held,
    waiting,
)
from tests.unit.projection.translate.tokens_add_up import (
    assert_no_step_begins_without_tokens,
    assert_statistics_equal_a_recount,
    assert_tokens_add_up,
)


@dataclass(frozen=True)
class Drawn:
    """A flow whose steps run in an order, and those of them that wait.

    Attributes:
        flows: The flow, and one that it contains.
        before: The ops that stand before each, in an order in which they can run.
        waits: In which Dagster run each step goes on that waits.
    """

    flows: Sequence[Flow]
    before: Mapping[str, frozenset[str]]
    waits: Mapping[str, int]


@st.composite
def drawn(draw: st.DrawFn) -> Drawn:
    inner = Flow("inner").step("x").step("y", depends_on="x").step("z")
    top = Flow("top")
    before: dict[str, frozenset[str]] = {}
    ends: dict[str, frozenset[str]] = {}
    for number in range(draw(st.integers(1, 4))):
        slug = f"s{number}"
        deps = draw(st.lists(st.sampled_from(sorted(ends)), unique=True) if ends else st.just([]))
        behind = frozenset(op for dep in deps for op in ends[dep])
        if draw(st.integers(0, 3)) == 0:
            top = top.subflow(slug, "inner", depends_on=deps)
            before |= {f"{slug}.x": behind, f"{slug}.y": frozenset([f"{slug}.x"])}
            before[f"{slug}.z"] = behind
            ends[slug] = frozenset([f"{slug}.y", f"{slug}.z"])
        else:
            top = top.step(slug, depends_on=deps)
            before[slug] = behind
            ends[slug] = frozenset([slug])
    waits = draw(st.dictionaries(st.sampled_from(sorted(before)), st.integers(1, 4), max_size=4))
    return Drawn([top, inner], before, waits)


def uninterrupted(run: Drawn) -> SeenRun:
    """Returns the run as it would be if nothing waited."""
    seen = SeenRun(run.flows, 1).then("run_started")
    for op in run.before:
        seen = seen.does(op, op)
    return seen.then("run_completed")


def interrupted(run: Drawn) -> SeenRun:
    """Returns the run in as many Dagster runs as it takes."""
    seen, done, number = SeenRun(run.flows, 1).then("run_started"), set[str](), 0
    while True:
        behind: dict[str, str] = {}
        for op in [op for op in run.before if op not in done]:
            held_by = [behind[one] for one in run.before[op] if one in behind]
            if held_by:
                behind[op] = held_by[0]
                seen = seen.then("started", op).then("succeeded", op, report=held(op, held_by[0]))
            elif run.waits.get(op, 0) > number:
                behind[op] = op
                seen = seen.then("started", op).then("succeeded", op, report=waiting(op))
            else:
                done.add(op)
                seen = seen.does(op, op)
        seen = seen.then("run_completed")
        if not behind:
            return seen
        number += 1
        seen = seen.goes_on()


def timeless(row: StepRow) -> StepRow:
    return replace(row, started_at=None, completed_at=None)


def what_agrees(state: RunState) -> object:
    """Returns what of the rows says nothing about when, or in how many Dagster runs."""
    run, statistics = state.run, state.execution.statistics
    assert statistics is not None
    return (
        (run.status, run.output, run.remaining_steps, run.error_message),
        [(row.subrun_path, row.status, row.input, row.output) for row in state.subruns],
        [timeless(row) for row in state.steps],
        [(row.step_path, row.status, row.attempts_count, row.output) for row in state.tasks],
        [(row.step_path, row.attempt, row.status) for row in state.attempts],
        sorted((row.op_key, row.delta) for row in state.execution.applied),
        replace(statistics, total_time_ms=None, steps_done_at=None),
    )


@given(drawn())
def test_the_rows_of_a_run_that_waited_are_those_of_one_that_did_not(run: Drawn) -> None:
    assert what_agrees(interrupted(run).state()) == what_agrees(uninterrupted(run).state())


@settings(max_examples=30)
@given(drawn())
def test_what_was_written_never_changes_when_the_run_goes_on(run: Drawn) -> None:
    seen = interrupted(run)
    whole = seen.events()
    for length in range(1, len(seen.run_events) + 1):
        if seen.run_events[length - 1].kind == "run_completed":
            begun = replace(seen, run_events=seen.run_events[:length]).events()
            assert whole[: len(begun)] == begun


@given(drawn())
def test_each_wait_is_said_once(run: Drawn) -> None:
    waits = [event for event in interrupted(run).events() if event.event_type == "step.waiting"]
    paths = [event.correlation_id for event in waits]
    assert len(paths) == len(set(paths))
    assert set(paths) <= set(run.waits)


@settings(max_examples=20)
@given(drawn())
def test_tokens_attempts_and_statistics_add_up_at_every_moment(run: Drawn) -> None:
    seen = interrupted(run)
    for length in range(1, len(seen.run_events) + 1):
        begun = replace(seen, run_events=seen.run_events[:length])
        events, state = begun.events(), begun.state()
        assert_tokens_add_up(events, state)
        assert_attempts_add_up(state)
        assert_statistics_equal_a_recount(events, state)
        assert_no_step_begins_without_tokens(events, state)


@settings(max_examples=20)
@given(drawn())
def test_nothing_begins_behind_a_step_that_waits(run: Drawn) -> None:
    seen = interrupted(run)
    for length in range(1, len(seen.run_events) + 1):
        state = replace(seen, run_events=seen.run_events[:length]).state()
        ended = {row.step_path for row in state.steps if row.status == "completed"}
        for row in state.steps:
            if row.status in ("started", "waiting") and row.step_type == "single":
                assert run.before[row.step_path] <= ended


@settings(max_examples=20)
@given(drawn())
def test_a_step_says_what_it_waits_for_as_long_as_it_does(run: Drawn) -> None:
    seen = interrupted(run)
    for length in range(1, len(seen.run_events) + 1):
        state = replace(seen, run_events=seen.run_events[:length]).state()
        for row in state.steps:
            assert (row.status == "waiting") == (row.waiting_for is not None)
            assert (row.status == "waiting") == (row.waiting_since is not None)
        if state.run.status == "waiting":
            assert any(row.status == "waiting" for row in state.steps)
