"""The parts of a step's input: what each is, and how they travel.

A dependency on a single or map step is one value. A dependency on a subflow is one value for
each of its final steps: no extra op gathers them, the receiving step does. So a step's input
arrives as an ordered list of parts, the same for the compiler (which wires them) and for the
running op (which reads them).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count
from typing import Any

from dagster_pgflow.expressions.references import INPUT, references_in
from dagster_pgflow.model.failures import waits_for_failure
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import contains_maps, leaves
from dagster_pgflow.model.lowered import LoopBody, LoopNode
from dagster_pgflow.model.steps import MapStep, Step, SubflowStep
from dagster_pgflow.model.steps.fields import StepBase
from dagster_pgflow.names import (
    COLLECT_SUFFIX,
    KEPT_OUTPUT,
    OUTPUT_SUFFIX,
    RESULT_OUTPUT,
    dagster_name,
)

Flows = Mapping[str, Flow]


@dataclass(frozen=True)
class InputPart:
    """One of the values that the input of a step is put together of.

    Attributes:
        dep: The slug of the dependency.
        path: Where in the dependency, when that is a subflow: the slugs down to a final step.
        collected: Whether the value arrives as the batches of a map step.
        route: The step of a loop's body that it is meant for, where the run need not go there.
    """

    dep: str
    path: tuple[str, ...] = ()
    collected: bool = False
    route: str = ""

    @property
    def key(self) -> str:
        """Tells the value from others of the same dependency."""
        return key_of(self.dep, self.route)


def key_of(dep: str, route: str = "") -> str:
    """Return what a dependency is called among what a loop hands to its iterations.

    Args:
        dep: The dependency.
        route: The step that it is meant for, where the run need not go there.
    """
    return f"{dep}>{route}" if route else dep


def input_parts_of(
    steps: Mapping[str, Step], step: StepBase, flows: Flows, *, in_items: bool = False
) -> tuple[InputPart, ...]:
    """Return what a step receives, dependency by dependency.

    Args:
        steps: The steps of its flow by slug.
        step: The step.
        flows: Every flow that its flow contains.
        in_items: Whether the flow, or one around it, runs once for each item of a list. There a
            map step is one op, whose output is the whole list.
    """
    found: list[InputPart] = []
    for dep in dict.fromkeys(step.depends_on):
        if dep not in steps:
            continue  # It lies outside of the loop around the step.
        upstream = steps[dep]
        collected = isinstance(upstream, MapStep) and not in_items
        found += [InputPart(dep, path, collected) for path in output_paths(upstream, flows)]
        if isinstance(step, LoopNode):
            found += [InputPart(dep, route=route) for route in step.routes_from(upstream)]
    return tuple(found)


def output_paths(step: Step, flows: Flows) -> list[tuple[str, ...]]:
    """Return the paths of the values that make up a step's output.

    A single or map step has the one empty path, and so has a subflow with an op that puts its
    output together, as any does that is a run of its own; any other subflow has one path for each
    final step.
    """
    if not isinstance(step, SubflowStep) or step.is_child_run or shapes_output(step, flows):
        return [()]
    return final_paths(step, flows)


def final_paths(step: SubflowStep, flows: Flows) -> list[tuple[str, ...]]:
    """Return the paths of the values that the final steps of a subflow hand on."""
    return [
        (leaf.slug, *path)
        for leaf in leaves(flows[step.flow])
        for path in output_paths(leaf, flows)
    ]


@dataclass(frozen=True)
class FinalOp:
    """An op of a job that hands on a part of what its flow returns.

    Attributes:
        path: The slugs down to the final step.
        node: The path of the op's node.
    """

    path: tuple[str, ...]
    node: str


def final_ops(flow: Flow, flows: Flows) -> Iterator[FinalOp]:
    """Yield the ops that hand on what a flow returns, where it is a job.

    Args:
        flow: The flow.
        flows: Every flow that it contains.
    """
    for leaf in leaves(flow):
        node = output_node(leaf, flows)
        if isinstance(leaf, MapStep):
            yield FinalOp((leaf.slug,), f"{leaf.slug}{COLLECT_SUFFIX}")
        elif output_paths(leaf, flows) == [()] or not isinstance(leaf, SubflowStep):
            yield FinalOp((leaf.slug,), node)
        else:
            for inner in final_ops(flows[leaf.flow], flows):
                yield FinalOp((leaf.slug, *inner.path), f"{node}.{inner.node}")


def shapes_output(step: SubflowStep, flows: Flows) -> bool:
    """Return whether a helper op assembles the output of a subflow.

    It lists, maps or merges it, lays it over an input, or checks it.
    """
    if step.over is not None:
        return True
    child = flows[step.flow]
    mapped = step.output is not None or child.output_schema is not None
    return (mapped or child.merge_output or step.keep_input) and not step.is_child_run


def kept_output(step: SubflowStep) -> str:
    """Return which output of the helper before a subflow that keeps its input hands on that input.

    Without a mapping it is what the flow receives.
    """
    return RESULT_OUTPUT if step.input is None else KEPT_OUTPUT


def output_node(step: StepBase, flows: Flows) -> str:
    """Return the name of the node whose outputs are those of a step."""
    if isinstance(step, LoopNode):
        return f"{step.slug}{OUTPUT_SUFFIX}"
    if isinstance(step, SubflowStep) and shapes_output(step, flows):
        return f"{step.slug}{OUTPUT_SUFFIX}"
    return dagster_name(step.slug)


def port_names(ports: Sequence[tuple[str, ...]]) -> dict[tuple[str, ...], str]:
    """Return a distinct Dagster name for each path, readable where slugs allow."""
    names: dict[tuple[str, ...], str] = {}
    taken: set[str] = set()
    for port in ports:
        plain = dagster_name("__".join(port))
        numbered = (f"{plain}__{number}" for number in count(2))
        names[port] = next(name for name in chain([plain], numbered) if name not in taken)
        taken.add(names[port])
    return names


def input_names(parts: Sequence[InputPart]) -> dict[InputPart, str]:
    """Return the name of the op input for each part."""
    ports = {part: (part.dep, *part.path, *filter(None, [part.route])) for part in parts}
    names = port_names(list(ports.values()))
    return {part: names[port] for part, port in ports.items()}


def needs_gathering(
    flow: Flow,
    step: SubflowStep,
    parts: Sequence[InputPart],
    flows: Flows,
    *,
    in_items: bool = False,
) -> bool:
    """Return whether the parts cannot reach the flow that a subflow step runs by themselves.

    Dagster 1.13 has no fan-in of a dynamic output together with others (issue 7060), no op that
    collects one dynamic output while it is mapped over another, as a map step may be that asks
    for the flow input, and runs for ever when an op collects one and waits for what a failure
    keeps behind another (see `compiler.passes.collect_apart`). A condition in CEL is answered
    once, where all that it may ask for is at hand, and not by every op that the flow begins with.
    The same holds for an input that needs the flow input too, what is told of a failure,
    or what a loop hands to its iterations, and for one that the output is laid over. And where a
    flow runs once for each item of a list, nothing in it can be fanned in.

    Args:
        flow: The flow that the step belongs to.
        step: The subflow step.
        parts: What it receives.
        flows: Every flow that its flow contains.
        in_items: Whether the flow, or one around it, runs once for each item of a list.
    """
    if in_items and len(parts) > 1:
        return True
    if step.keep_input or asks_for_iteration(flow, step):
        return True
    if step.expressions or (parts and mentions_flow_input(step)):
        return True
    if any(waits_for_failure(step, other) for other in flow.steps):
        return True
    collects = any(part.collected for part in parts)
    return collects and (len(parts) > 1 or contains_maps(flows[step.flow], flows))


def asks_for_iteration(flow: Flow, step: StepBase) -> bool:
    """Return whether a step receives something from outside of its loop, or from the loop.

    Args:
        flow: The flow that the step belongs to, or the body of a loop.
        step: The step.
    """
    return isinstance(flow, LoopBody) and step.slug in flow.handed


def mentions_flow_input(step: SubflowStep) -> bool:
    """Return whether what a subflow receives is taken from the flow input around it."""
    return any(found.root == INPUT for _, found in references_in([step.input, step.over]))


def unpack(raw: Any, parts: Sequence[InputPart]) -> dict[InputPart, Any]:
    """Return the values that arrived through the one input of a subflow."""
    return dict(zip(parts, raw if len(parts) > 1 else [raw], strict=True))
