"""Which step a run goes on with when an op failed, and what fails with it until then."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from dagster_pgflow.errors import InvalidInput, PgflowError
from dagster_pgflow.model.failures import goes_on_with
from dagster_pgflow.model.graph import by_slug
from dagster_pgflow.model.lowered import LoweredStep, whole_of
from dagster_pgflow.model.run_state import Json
from dagster_pgflow.model.steps import LoopStep, SubflowStep
from dagster_pgflow.model.steps.data_map import merges_input
from dagster_pgflow.runtime.data_map import merged_objects
from dagster_pgflow.runtime.frames import Frame
from dagster_pgflow.runtime.values import Failure, Skipped
from dagster_pgflow.step_errors import ConditionNotMet, HandlerTimedOut, MembersFailed
from dagster_pgflow.step_path import StepPath


@dataclass(frozen=True)
class Failing:
    """What failed in an op.

    Attributes:
        frame: The flow that the op belongs to.
        step: Its step.
        place: What it was at: its step, an item or an iteration.
        failed: What failed: this place, or a flow around it that may not run.
        error: What went wrong.
        reason: The same in words.
        received: What the step received, as far as it came to that.
    """

    frame: Frame
    step: LoweredStep
    place: StepPath
    failed: StepPath
    error: PgflowError
    reason: str
    received: Any


@dataclass(frozen=True)
class Caught:
    """A failure that the run goes on from.

    Attributes:
        marker: What the op sends on in place of an output.
        leads_to: The step that the run goes on with, in the flow of the step that fails last.
    """

    marker: Skipped
    leads_to: str


@dataclass(frozen=True)
class _Around:
    """A step that fails with what failed in it.

    Attributes:
        frame: The flow that it belongs to.
        step: The step.
        path: What fails of it: the step, an item or an iteration.
        scope: What must have failed, or something in it, for the step to fail.
        cell: What failed in its flow.
        timed_out: Whether that is because an attempt took too long.
    """

    frame: Frame
    step: LoweredStep
    path: StepPath
    scope: StepPath
    cell: str
    timed_out: bool


def caught(failing: Failing) -> Caught | None:
    """Return how a run goes on from a failure, unless it fails.

    Trouble with the store fails it, and so does an input that the run may not have: these say
    nothing about a step.
    """
    if not failing.error.is_routable:
        return None
    is_of_run = isinstance(failing.error, InvalidInput) and not failing.error.step_path
    for around in () if is_of_run else _outwards(failing):
        if not failing.failed.is_in(around.scope) or _may_not_run(failing, around):
            continue
        steps = whole_of(around.frame.flow).steps
        leads_to = goes_on_with(steps, around.step, timed_out=around.timed_out)
        if leads_to is not None:
            failure = Failure(
                around.cell,
                timed_out=around.timed_out,
                received=_asked_for(failing, around, leads_to),
                members=_members(failing),
            )
            marker = Skipped("handler_failed", around.path, error=failing.reason, failure=failure)
            return Caught(marker, leads_to)
    return None


def _outwards(failing: Failing) -> Iterator[_Around]:
    """Yield the step of an op and those around it, inner ones first."""
    frame, step, cell = failing.frame, failing.step, failing.step.slug
    timed_out = isinstance(failing.error, HandlerTimedOut)
    if not isinstance(step, LoopStep):
        # The loop that decides is the last step of an iteration; as a loop it stands around that.
        path = failing.place if isinstance(step, SubflowStep) else frame.path_of(step)
        yield _Around(frame, step, path, failing.place, cell, timed_out)
    while frame.around is not None:
        path = frame.path
        frame, step = frame.around
        if isinstance(step, SubflowStep):
            # Whatever happened in the flow, the subflow step has no attempts.
            cell, timed_out = step.slug, False
        yield _Around(frame, step, path, path, cell, timed_out)


def _may_not_run(failing: Failing, around: _Around) -> bool:
    """Return whether a subflow step says itself that it may not run: its flow has not failed."""
    is_own = failing.failed == around.path and isinstance(failing.error, ConditionNotMet)
    return is_own and isinstance(around.step, SubflowStep)


def _members(failing: Failing) -> Mapping[str, str]:
    return failing.error.members if isinstance(failing.error, MembersFailed) else {}


def _asked_for(failing: Failing, around: _Around, leads_to: str) -> Json | None:
    """Return what the step received that failed, where the one that goes on merges its input.

    What is no object cannot be merged. A subflow step knows what it received where it keeps that.
    """
    flow = whole_of(around.frame.flow)
    is_here = whole_of(failing.frame.flow).slug == flow.slug
    knows = not isinstance(around.step, SubflowStep) or around.step.keep_input
    if not is_here or not knows or not merges_input(by_slug(flow)[leads_to]):
        return None
    received = failing.received
    if isinstance(failing.error, MembersFailed):
        received = merged_objects(
            output for output in failing.error.others.values() if isinstance(output, dict)
        )
    return Json(received) if isinstance(received, dict) else None


def with_received(frame: Frame, step: SubflowStep, failed: Skipped, kept: Any) -> Skipped:
    """Return the failure of a subflow step with what it received, where that is asked for.

    Args:
        frame: The flow that the step belongs to.
        step: The step, which keeps its input.
        failed: The failure of it, or of what it lies in.
        kept: Its input, or `Skipped`.
    """
    steps = whole_of(frame.flow).steps
    leads_to = goes_on_with(steps, step, timed_out=False)
    if failed.failure is None or failed.step != frame.path_of(step) or leads_to is None:
        return failed
    if not isinstance(kept, dict) or not merges_input(by_slug(whole_of(frame.flow))[leads_to]):
        return failed
    return replace(failed, failure=replace(failed.failure, received=Json(kept)))
