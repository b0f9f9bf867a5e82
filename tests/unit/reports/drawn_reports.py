"""Reports drawn at random, of every kind and with every field."""

from typing import get_args

from hypothesis import strategies as st

from dagster_pgflow.model.execution import LoopEnd
from dagster_pgflow.model.run_state import Json, SkipReason
from dagster_pgflow.reports.decision import Decision
from dagster_pgflow.reports.report import (
    ChildRunStarted,
    FailedItem,
    FanOut,
    OpReport,
    RanFlow,
    StepCancelled,
    StepCompleted,
    StepDelayed,
    StepFailed,
    StepRetrying,
    StepSkipped,
)
from dagster_pgflow.reports.task_report import TaskReport
from dagster_pgflow.step_path import RUN, StepPath

SLUGS = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,9}", fullmatch=True)
COUNTS = st.integers(0, 10_000)
SECONDS = st.floats(0, 2e9)
TEXTS = st.text(max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)


@st.composite
def paths(draw: st.DrawFn) -> StepPath:
    path = RUN
    for slug in draw(st.lists(SLUGS, min_size=1, max_size=4)):
        path = path.to(slug).at(draw(st.none() | st.integers(0, 200)))
    return path


JSON = st.builds(Json, VALUES)
TASKS = st.lists(
    st.builds(
        TaskReport,
        index=COUNTS,
        status=st.sampled_from(["completed", "failed"]),
        attempts=COUNTS,
        started_at=SECONDS,
        completed_at=SECONDS,
        error=st.none() | TEXTS,
        is_final=st.booleans(),
        is_reused=st.booleans(),
    ),
    max_size=3,
).map(tuple)
DECISIONS = st.builds(
    Decision,
    taken=st.lists(SLUGS, max_size=2).map(tuple),
    rule=st.none() | COUNTS | st.just("default"),
    again=st.none() | st.booleans(),
    ended_by=st.none() | st.sampled_from(get_args(LoopEnd)),
    iteration=st.none() | COUNTS,
    warnings=st.lists(TEXTS, max_size=2).map(tuple),
    why=TEXTS,
)
WORK = {"worker": TEXTS, "tasks": TASKS}
END = WORK | {
    "step": paths(),
    "fans_out": st.dictionaries(
        SLUGS, st.builds(FanOut, COUNTS, COUNTS, st.none() | COUNTS), max_size=2
    ),
    "ran": st.none() | st.builds(RanFlow, SLUGS, paths()),
    "unanswered": st.lists(TEXTS, max_size=2).map(tuple),
}


def reports() -> st.SearchStrategy[OpReport]:
    """Returns what draws reports."""
    failed_items = st.dictionaries(paths(), st.builds(FailedItem, TEXTS, paths()), max_size=2)
    return st.one_of(
        st.builds(
            StepCompleted,
            **END,
            output_bytes=COUNTS,
            output=st.none() | JSON,
            decision=st.none() | DECISIONS,
            failed_items=failed_items,
        ),
        st.builds(
            StepSkipped,
            **END,
            skip_reason=st.sampled_from(get_args(SkipReason)),
            skipped_step=paths(),
            ends_route=st.booleans(),
            why=TEXTS,
        ),
        st.builds(StepCancelled, **END, failed_subflow=paths()),
        st.builds(
            StepFailed,
            **END,
            error=TEXTS,
            failed_step=paths(),
            place=paths(),
            failed_subflow=st.none() | paths(),
            cause=st.none() | st.just("store"),
        ),
        st.builds(StepRetrying, **WORK, attempt=COUNTS, delay_seconds=SECONDS),
        st.builds(StepDelayed, worker=TEXTS, tasks=st.just(()), delay_seconds=SECONDS),
        st.builds(
            ChildRunStarted,
            worker=TEXTS,
            tasks=st.just(()),
            child_run=TEXTS,
            path=paths(),
            input=st.none() | JSON,
            is_reused=st.booleans(),
        ),
    )
