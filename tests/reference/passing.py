"""What flows and steps are given and give, around the interpreter."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import MapStep, Step, SubflowStep
from tests.reference.endings import CANCELLED, Began, StepEnd
from tests.reference.mappings import LeadsNowhere, given_to, items_of
from tests.reference.merging import laid_over
from tests.reference.working import Scope


def hands_on(step: Step) -> bool:
    """Return whether a step tells its failure step what it received."""
    return step.keep_input if isinstance(step, SubflowStep) else not isinstance(step, MapStep)


def cancelled_by(deps: Mapping[str, StepEnd]) -> StepEnd:
    """Return how a step ends of which a dependency failed, or did not run because of that."""
    failure = next(dep.failure for dep in deps.values() if dep.ends_all_behind)
    return replace(CANCELLED, failure=failure)


def output_of(flow: Flow, ends: Mapping[str, StepEnd]) -> dict[str, Any] | None:
    """Return `{leaf: output}` over the final steps that completed, or null when none did.

    Where the flow merges that, it is the objects laid over each other.
    """
    needed = {dep for step in flow.steps for dep in step.depends_on}
    final = [step.slug for step in flow.steps if step.slug not in needed]
    output = {slug: ends[slug].output for slug in final if ends[slug].status == "completed"}
    if output and flow.merge_output:
        return laid_over(part for part in output.values() if part is not None)
    return output or None


def flow_inputs(scope: Scope, step: SubflowStep, step_input: Any) -> dict[str, Any]:
    """Return what the flow of a subflow step receives, by the path of each of its runs."""
    path = scope.path_of(step)
    roots = {"nodes": scope.deps, "input": scope.input}
    if step.over is None:
        return {path: step_input if step.input is None else given_to(step, roots)}
    return {f"{path}[{index}]": item for index, item in enumerate(items_of(step, roots))}


def shown_input(scope: Scope, step: SubflowStep, step_input: Any) -> Began | None:
    """Return what a flow would have received that may not run, if it is anything."""
    try:
        return Began(flow_inputs(scope, step, step_input)[scope.path_of(step)])
    except LeadsNowhere:
        return None
