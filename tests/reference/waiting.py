"""What steps do that wait, and what they hold up."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import (
    ApprovalStep,
    JoinStep,
    SleepStep,
    Step,
    WaitingStep,
    WaitStep,
)
from tests.reference.endings import SOME_TIME, StepEnd, Task
from tests.reference.merging import NotAnObject, kept, mergeable
from tests.reference.routing import members_of, too_few
from tests.reference.working import exhausted


@dataclass(frozen=True)
class Answer:
    """What somebody answered, or what a signal carried; for a sleep, that it is over.

    Attributes:
        answer: What.
        by: Who.
    """

    answer: Any = None
    by: str | None = None


LATE: Final = "late"
"""Says that a deadline has passed."""

How = Answer | Literal["late"]
"""How the waiting of a step ended."""

Answers = Mapping[str, How]
"""How the waiting of steps ended, by path; a step that is not there still waits."""

WAITING = StepEnd("waiting")
HELD = StepEnd("created")
UNDER_WAY = StepEnd("started")
"""What a step is that contains one that waits."""


def without_handler(
    flow: Flow,
    step: JoinStep | ApprovalStep | WaitStep | SleepStep,
    step_input: Any,
    how: How | None,
) -> StepEnd:
    """Return how a step ends that has no handler, or that it waits.

    Args:
        flow: Its flow.
        step: The step.
        step_input: What it received.
        how: How its waiting ended.
    """
    if isinstance(step, JoinStep):
        return StepEnd("completed", step_input, tasks=(Task("completed", (), step_input),))
    if how is None:
        return WAITING
    own: dict[str, Any] = {"slept_until": SOME_TIME}
    if isinstance(step, WaitingStep):
        if how == LATE and step.on_deadline == "fail":
            return exhausted(step, (Task("failed", timed_out=True, is_final=True),))
        if how == LATE and step.on_deadline == "skip":
            return StepEnd("skipped", skip_reason="handler_failed")
        own = _returned(step, how)
    try:
        output = mergeable(flow, step, kept(step, step_input, own))
    except NotAnObject:
        return exhausted(step, (Task("failed", is_final=True),))
    return StepEnd("completed", output, tasks=(Task("completed", (), output),))


def _returned(step: WaitingStep, how: How) -> dict[str, Any]:
    if isinstance(how, Answer):
        return {"answer": how.answer, "answered_by": how.by, "answered_at": SOME_TIME}
    default = {} if step.default_answer is None else {"answer": step.default_answer}
    return {"timed_out": True, **default}


def not_held(flow: Flow, step: Step, deps: Mapping[str, StepEnd]) -> Mapping[str, StepEnd] | None:
    """Return the dependencies that a step begins with, or `None` where it is held up.

    Args:
        flow: The flow.
        step: One of its steps.
        deps: Its dependencies; none of them failed the run.
    """
    over = {slug: dep for slug, dep in deps.items() if not dep.is_open}
    if len(over) == len(deps):
        return deps
    some = isinstance(step, JoinStep) and step.wait != "all" and not members_of(step)
    enough = some and isinstance(step, JoinStep) and too_few(flow, step, over) is None
    return over if enough else None
