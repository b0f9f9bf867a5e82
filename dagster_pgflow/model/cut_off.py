"""What stands behind one route of a branch alone, so that Dagster itself may skip it.

Such steps have nothing to decide when the run takes another route, and nobody who goes on without
them needs to hear of it. The op of the branch leaves their output out, and none of their ops start.
"""

from collections.abc import Iterator, Mapping

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import by_slug, in_order, reach
from dagster_pgflow.model.steps import (
    BranchStep,
    JoinStep,
    SingleStep,
    SleepStep,
    Step,
    SubflowStep,
    WaitingStep,
)

CutOff = Mapping[str, tuple[str, ...]]
"""For some of the steps that a branch leads to: the step, and all that stands behind it, in order.

All of these are skipped with `not_taken` when the branch does not lead there."""


def cut_off_by(flow: Flow, branch: BranchStep, flows: Mapping[str, Flow]) -> CutOff:
    """Return the steps behind a branch that Dagster skips when the branch leaves out their output.

    Args:
        flow: A sound flow, as it is written.
        branch: A branch of it.
        flows: Every flow that it contains, by slug.
    """
    steps = by_slug(flow)
    order = {step.slug: index for index, step in enumerate(in_order(flow))}
    found: dict[str, tuple[str, ...]] = {}
    for target in branch.targets:
        behind = reach(steps, [target])
        if set(steps[target].depends_on) == {branch.slug} and all(
            _needs_no_op(steps[slug], flows)
            and (slug == target or behind.issuperset(steps[slug].depends_on))
            for slug in behind
        ):
            found[target] = tuple(sorted(behind, key=order.__getitem__))
    return found


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
        case _:
            return False
