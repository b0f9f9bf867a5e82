"""Which way a run takes behind a subflow whose failure its flow goes on from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.step import Step, SubflowStep

Reason = Literal["condition_unmet", "dependency_skipped"]


class Ended(Protocol):
    """What is asked of a dependency that has ended."""

    @property
    def routed(self) -> bool:
        """Whether it is a subflow that failed, and the flow goes on."""

    @property
    def untaken(self) -> frozenset[str]:
        """The subflow steps behind which the run takes another way than to it."""


@dataclass(frozen=True)
class OtherWay:
    """Why a step is skipped that the run does not come by.

    Attributes:
        behind: The subflow steps behind which the run takes another way.
        reason: What the step says.
    """

    behind: frozenset[str]
    reason: Reason


def other_way(flow: Flow, step: Step, deps: Mapping[str, Ended]) -> OtherWay | None:
    """Say whether the run takes another way than to a step.

    The failure step waits for the failure of its subflow, other direct dependents for anything
    else. A step that both ways lead to is on either.

    Args:
        flow: The flow.
        step: One of its steps.
        deps: How the dependencies ended.
    """
    missed = list(_missed(flow, step, deps))
    if not missed:
        return None
    # Of several reasons it says the one of its first dependency.
    return OtherWay(frozenset(slug for way in missed for slug in way.behind), missed[0].reason)


def _missed(flow: Flow, step: Step, deps: Mapping[str, Ended]) -> Iterator[OtherWay]:
    for slug, dep in deps.items():
        failure_step = failure_step_of(flow, slug)
        reason: Reason
        if failure_step == step.slug:
            if not dep.routed:
                reason = "dependency_skipped" if dep.untaken else "condition_unmet"
                yield OtherWay(dep.untaken or frozenset({slug}), reason)
            continue
        behind = frozenset({slug}) if dep.routed else dep.untaken
        if behind and not any(both_ways_lead_to(flow, step, branching) for branching in behind):
            reason = "condition_unmet" if dep.routed else "dependency_skipped"
            yield OtherWay(behind, reason)


def both_ways_lead_to(flow: Flow, step: Step, branching: str) -> bool:
    """Say whether a step depends on one that only success leads to, and on one of failure only."""
    failure_step = failure_step_of(flow, branching)
    if failure_step is None or step.slug == failure_step:
        return False
    direct = {other.slug for other in flow.steps if branching in other.depends_on}
    of_success = {branching} | _behind(flow, direct - {failure_step})
    of_failure = _behind(flow, {failure_step})
    deps = set(step.depends_on)
    return bool(deps & (of_success - of_failure)) and bool(deps & (of_failure - of_success))


def failure_step_of(flow: Flow, slug: str) -> str | None:
    """Return the failure step of a step, if it has one."""
    step = next(step for step in flow.steps if step.slug == slug)
    return step.on_failure if isinstance(step, SubflowStep) else None


def _behind(flow: Flow, begin: set[str]) -> set[str]:
    """Return some steps and all that stand behind them."""
    reached = set(begin)
    while True:
        more = {step.slug for step in flow.steps if reached & set(step.depends_on)} - reached
        if not more:
            return reached
        reached |= more
