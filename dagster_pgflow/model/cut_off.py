"""What stands behind one route of a branch alone, so that Dagster itself may skip it.

Such steps have nothing to decide when the run takes another route, and nobody who goes on without
them needs to hear of it. The op of the branch leaves their output out, and none of their ops start.
"""

from collections.abc import Iterator, Mapping
from typing import assert_never

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import in_order
from dagster_pgflow.model.steps import (
    BranchStep,
    JoinStep,
    LoopStep,
    MapStep,
    SingleStep,
    SleepStep,
    Step,
    SubflowStep,
    WaitingStep,
)

Followers = Mapping[str, tuple[Step, ...]]
"""For each step those that depend on it directly."""

CutOff = Mapping[str, tuple[str, ...]]
"""For some of the steps that a branch leads to: the step, and all that stands behind it, in order.

All of these are skipped with `not_taken` when the branch does not lead there."""


def cut_off_by(branch: BranchStep, followers: Followers, flows: Mapping[str, Flow]) -> CutOff:
    """Return the steps behind a branch that Dagster skips when the branch leaves out their output.

    Args:
        branch: A branch of a sound flow.
        followers: For each step of that flow those that depend on it, as `dependents` returns them.
        flows: Every flow that it contains, by slug.
    """
    found: dict[str, tuple[str, ...]] = {}
    for target in followers[branch.slug]:
        if target.slug in branch.targets and set(target.depends_on) == {branch.slug}:
            behind = _alone_behind(target, followers)
            if behind and all(_needs_no_op(step, flows) for step in behind):
                found[target.slug] = tuple(step.slug for step in behind)
    return {slug: found[slug] for slug in branch.targets if slug in found}


def _alone_behind(target: Step, followers: Followers) -> list[Step]:
    """Return a step and all that stands behind it; nothing where some of that has other sources.

    What else depends on something outside is not gone beyond, so that this takes no longer for a
    step at the beginning of a long flow.
    """
    behind = [target]
    awaited: dict[str, int] = {}
    for step in behind:  # which grows
        for follower in followers[step.slug]:
            left = awaited.get(follower.slug, len(set(follower.depends_on))) - 1
            awaited[follower.slug] = left
            if left == 0:
                behind.append(follower)
    return [] if any(awaited.values()) else behind


def steps_inside(step: SubflowStep, flows: Mapping[str, Flow]) -> Iterator[tuple[str, ...]]:
    """Yield the steps of a subflow that are none themselves, by the slugs that lead to them.

    Args:
        step: The subflow.
        flows: Every flow that it contains, by slug.
    """
    for inner in in_order(flows[step.flow]):
        if isinstance(inner, SubflowStep):
            yield from ((inner.slug, *rest) for rest in steps_inside(inner, flows))
        else:
            yield (inner.slug,)


def _needs_no_op(step: Step, flows: Mapping[str, Flow]) -> bool:
    """Return whether no op has to say of a step, of which nothing runs, what became of it.

    Of a list, a loop and a run of its own an op says how many parts there are, even when there are
    none.
    """
    match step:
        case SubflowStep():
            is_graph = step.over is None and not step.is_child_run
            return is_graph and all(_needs_no_op(inner, flows) for inner in flows[step.flow].steps)
        case SingleStep() | BranchStep() | JoinStep() | WaitingStep() | SleepStep():
            return True
        case MapStep() | LoopStep():
            return False
        case _:
            assert_never(step)
