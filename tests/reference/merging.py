"""One data map: objects laid over each other, in the plainest way."""

from collections.abc import Iterable, Mapping
from typing import Any

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import MapStep, Step, SubflowStep


class NotAnObject(Exception):
    """What is to be laid over an object is none."""


def merged_input(flow: Flow, step: Step, given: Any, loops: Mapping[str, Any]) -> Any:
    """Return the input of a step.

    Args:
        flow: The flow.
        step: One of its steps.
        given: What its completed dependencies returned, by slug; the flow input at the root.
        loops: What loops returned that go back to it.

    Raises:
        NotAnObject: It merges its input, and something of that is no object.
    """
    if not getattr(step, "merge_input", False):
        if not loops:
            return given
        return {**given, **loops} if step.depends_on else dict(loops)
    if not step.depends_on:
        return laid_over([given, *loops.values()]) if loops else given
    known = {one.slug: one for one in flow.steps}
    parts = [_or_nothing(known[slug], given[slug]) for slug in step.depends_on if slug in given]
    return laid_over([*parts, *loops.values()])


def kept(step: Step, step_input: Any, output: Any) -> Any:
    """Return the output of a step: what it returned, over its input where it keeps that."""
    if not getattr(step, "keep_input", False):
        return output
    return laid_over([step_input, _or_nothing(step, output)])


def mergeable(flow: Flow, step: Step, output: Any) -> Any:
    """Return the output of a step; where its flow is about one object, it must be one."""
    behind = [one for one in flow.steps if step.slug in one.depends_on]
    merging = any(getattr(one, "merge_input", False) for one in behind)
    if flow.merge_output and (not behind or (merging and not isinstance(step, MapStep))):
        laid_over([_or_nothing(step, output)])
    return output


def laid_over(parts: Iterable[Any]) -> dict[str, Any]:
    """Return objects laid over each other; the later key counts."""
    merged: dict[str, Any] = {}
    for part in parts:
        if not isinstance(part, dict):
            raise NotAnObject(part)
        merged = {**merged, **part}
    return merged


def as_object(value: Any) -> dict[str, Any] | None:
    """Return a value if it is an object."""
    return value if isinstance(value, dict) else None


def _or_nothing(step: Step, output: Any) -> Any:
    """Return an output; null of a flow that returned nothing is nothing."""
    is_flow = isinstance(step, SubflowStep) and step.over is None
    return {} if is_flow and output is None else output
