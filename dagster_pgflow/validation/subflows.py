"""Subflows name flows that exist, and no flow contains itself."""

from collections import deque
from collections.abc import Iterator, Mapping

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import find_cycle
from dagster_pgflow.model.steps import SubflowStep
from dagster_pgflow.validation.meant import meant_among
from dagster_pgflow.validation.rule import KnownFlows


def subflows_exist_and_end(flow: Flow, known: KnownFlows) -> Iterator[Problem]:
    """Check the target of each subflow step, and that following them ends."""
    for step in flow.steps:
        if not isinstance(step, SubflowStep) or known is None or step.flow == flow.slug:
            continue
        if step.flow not in known:
            hint = meant_among(step.flow, known)
            yield Problem(
                "unknown-subflow",
                f"steps.{step.slug}.flow",
                f'Step "{step.slug}" runs flow "{step.flow}"{hint}, which does not exist;'
                " create that flow first.",
            )
    cycle = find_cycle(contained_flows(flow, known or {}))
    if flow.slug in cycle:
        shown = " -> ".join(cycle)
        yield Problem("recursive-subflow", "steps", f"The flow contains itself: {shown}.")


def contained_flows(flow: Flow, known: Mapping[str, Flow]) -> dict[str, list[str]]:
    """Return for each flow reachable from this one the flows that it runs."""
    edges: dict[str, list[str]] = {}
    waiting = [flow]
    while waiting:
        current = waiting.pop()
        inner = dict.fromkeys(s.flow for s in current.steps if isinstance(s, SubflowStep))
        edges[current.slug] = list(inner)
        waiting += [known[slug] for slug in inner if slug in known and slug not in edges]
    return edges


def flows_in_one_run(slug: str, known: Mapping[str, Flow]) -> Iterator[Flow]:
    """Yield a flow and all that run inside its run, without those that are runs of their own.

    Args:
        slug: The flow.
        known: The flows by slug; others are left out.
    """
    seen: set[str] = set()
    waiting = deque([slug])
    while waiting:
        slug = waiting.popleft()
        if slug in seen or slug not in known:
            continue
        seen.add(slug)
        flow = known[slug]
        yield flow
        inner = (step for step in flow.steps if isinstance(step, SubflowStep))
        waiting += [step.flow for step in inner if not step.is_child_run]
