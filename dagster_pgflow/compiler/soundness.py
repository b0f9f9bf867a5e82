"""Whether a stored flow can be compiled, with all that it contains."""

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.step import SubflowStep
from dagster_pgflow.runtime.sources import Flows
from dagster_pgflow.validation.validate import validate


def problems_of(flow: Flow, flows: Flows) -> tuple[Problem, ...]:
    """Return what keeps a flow from running, its subflows included.

    Args:
        flow: The flow.
        flows: The flows of the code location by slug.
    """
    found: list[Problem] = []
    seen: set[str] = set()
    waiting = [flow]
    while waiting:
        current = waiting.pop()
        if current.slug in seen:
            continue
        seen.add(current.slug)
        found += _own_problems(current, flows, prefix="" if current is flow else current.slug)
        inner = {step.flow for step in current.steps if isinstance(step, SubflowStep)}
        waiting += [flows[slug] for slug in sorted(inner - seen) if slug in flows]
    return tuple(found)


def _own_problems(flow: Flow, flows: Flows, prefix: str) -> list[Problem]:
    problems = list(validate(flow, flows))
    if not flow.steps:
        message = f'Flow "{flow.slug}" has no steps yet; add one with pgflow.add_step.'
        problems.append(Problem("no-steps", "steps", message))
    if not prefix:
        return problems
    return [Problem(p.code, f"{prefix}.{p.path}", p.message) for p in problems]
