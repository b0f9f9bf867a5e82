"""One data map: objects laid over each other, in place of outputs by the names of steps.

What a step was given stays by name as long as somebody may ask for one of its dependencies:
conditions, references, mappings. Its input is what comes of that.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import by_slug, dependents
from dagster_pgflow.model.lowered import whole_of
from dagster_pgflow.model.steps import MapStep, Step, SubflowStep
from dagster_pgflow.model.steps.data_map import keeps_input, merges_input
from dagster_pgflow.model.steps.fields import StepBase
from dagster_pgflow.runtime.values import kind_of
from dagster_pgflow.step_errors import HandlerFailed, InvalidOutput, NonRetryable, NotMerged
from dagster_pgflow.step_path import StepPath


@dataclass(frozen=True)
class Received:
    """What a step received, as its conditions may ask for it.

    Attributes:
        input: What its handler gets.
        deps: The outputs of its completed dependencies by slug; empty at the root of a flow.
    """

    input: Any
    deps: Mapping[str, Any]


def received(flow: Flow, step: StepBase, given: Any, path: StepPath) -> Received:
    """Return what a step received.

    Args:
        flow: The flow that it belongs to.
        step: The step.
        given: `{dep: output}`; the flow input at the root of a flow.
        path: The place of the step in the run.

    Raises:
        NotMerged: It merges its input, and a dependency returned something other than an object.
    """
    if not step.depends_on:
        return Received(given, {})
    if not merges_input(step):
        return Received(given, given)
    empty = _without_output(by_slug(whole_of(flow)), given)
    parts = {dep: {} if dep in empty else output for dep, output in given.items()}
    return Received(laid_over(parts, path), given)


def laid_over(parts: Mapping[str, Any], path: StepPath) -> dict[str, Any]:
    """Return the objects that some steps returned, laid over each other in their order.

    Args:
        parts: What they returned, by slug.
        path: The step that merges them.

    Raises:
        NotMerged: One of them is no object.
    """
    merged: dict[str, Any] = {}
    for slug, output in parts.items():
        if not isinstance(output, dict):
            raise NotMerged(
                f'Step "{path}" merges what its dependencies returned, but "{slug}" returned'
                f' {kind_of(output)}; let "{slug}" return an object, or leave merge_input out of'
                f' "{path}".',
                path,
            )
        merged.update(output)
    return merged


def again_laid_over(given: Any, before: Mapping[str, Any], path: StepPath) -> dict[str, Any]:
    """Return what the first step of a loop receives again: what loops returned, over the input.

    Args:
        given: The flow input, which it began with.
        before: What loops returned in the iteration before, by slug.
        path: The step.

    Raises:
        NotMerged: One of them is no object.
    """
    if not isinstance(given, dict):
        raise NotMerged(
            f'Step "{path}" merges what a loop returned into the flow input, but that is'
            f" {kind_of(given)}; start the flow with an object, or leave merge_input out of"
            f' "{path}".',
            path,
        )
    return {**given, **laid_over(before, path)}


def refuse_unkept(step: StepBase, given: Any, path: StepPath) -> None:
    """Check before a step does its work that its output can be laid over its input.

    Raises:
        NonRetryable: It keeps its input, and that is no object.
    """
    if keeps_input(step) and not isinstance(given, dict):
        raise NonRetryable(
            f'Step "{path}" keeps its input, but that is {kind_of(given)}; let it receive an'
            " object, or leave keep_input out."
        )


def kept(step: StepBase, given: Any, output: Any, path: StepPath) -> Any:
    """Return the output of a step: what it returned, laid over its input where it keeps that.

    Args:
        step: The step; `refuse_unkept` had nothing against its input.
        given: Its input.
        output: What its handler returned, or what it hands on.
        path: The step.

    Raises:
        HandlerFailed: What it returned is no object.
        NonRetryable: The same, where it only hands something on.
    """
    if not keeps_input(step):
        return output
    if isinstance(output, dict):
        return {**given, **output}
    if not step.needs_handler:
        raise NonRetryable(
            f'Step "{path}" keeps its input, but what it hands on is {kind_of(output)}; let that be'
            " an object, or leave keep_input out."
        )
    raise HandlerFailed(
        f'Step "{path}" keeps its input, but its handler returned {kind_of(output)}; let it return'
        " an object, or leave keep_input out."
    )


def kept_by_subflow(step: SubflowStep, given: Any, output: Any, path: StepPath) -> Any:
    """Return the output of a subflow step in the same way; a flow without an output adds nothing.

    Args:
        step: The step.
        given: Its input.
        output: What its flow returned, or what its mapping picked.
        path: The step.

    Raises:
        InvalidOutput: One of them is no object.
    """
    if not keeps_input(step):
        return output
    added = {} if output is None else output
    for what, value in (("it received", given), (f'flow "{step.flow}" returned', added)):
        if not isinstance(value, dict):
            raise InvalidOutput(
                f'Step "{path}" keeps its input, but what {what} is {kind_of(value)}; let it be'
                " an object, or leave keep_input out.",
                path,
            )
    return {**given, **added}


def refuse_unmerged(flow: Flow, step: StepBase, output: Any, path: StepPath) -> None:
    """Check what a step returned whose flow merges its output, where it will be merged.

    Such a flow works on one object: what is none is the failure of the step that returned it.

    Raises:
        NotMerged: It is a final step, and what it returned is no object.
        HandlerFailed: Another step merges it, and it is no object; a map step returns lists.
    """
    whole = whole_of(flow)
    if not whole.merge_output or isinstance(output, dict) or _has_no_output(step, output):
        return
    behind = dependents(whole)[step.slug]
    if not behind:
        raise NotMerged(
            f'Flow "{whole.slug}" returns what its final steps returned as one object, but step'
            f' "{path}" returned {kind_of(output)}; let it return an object, or leave merge_output'
            " out of the flow.",
            path,
        )
    merging = next((other.slug for other in behind if merges_input(other)), None)
    if merging is not None and not isinstance(step, MapStep):
        raise HandlerFailed(
            f'Step "{path}" returned {kind_of(output)}, but "{merging}" merges what its'
            f' dependencies returned; let "{path}" return an object, or leave merge_input out of'
            f' "{merging}".'
        )


def merged_output(flow: Flow, returned: Mapping[str, Any] | None) -> Any:
    """Return what a flow returns: `{final step: output}`, or the objects in it as one.

    Args:
        flow: The flow.
        returned: What its completed final steps returned, by slug; `None` when none completed.
    """
    if not flow.merge_output or returned is None:
        return returned
    return merged_objects(returned.values())


def merged_objects(outputs: Iterable[Any]) -> dict[str, Any]:
    """Return objects laid over each other; the null of a flow without output adds nothing."""
    merged: dict[str, Any] = {}
    for output in outputs:
        merged.update(output if isinstance(output, dict) else {})
    return merged


def _without_output(steps: Mapping[str, Step], given: Mapping[str, Any]) -> Collection[str]:
    """Return the subflows among some dependencies whose flow returned nothing."""
    return {dep for dep, output in given.items() if _has_no_output(steps.get(dep), output)}


def _has_no_output(step: StepBase | None, output: Any) -> bool:
    return output is None and isinstance(step, SubflowStep)
