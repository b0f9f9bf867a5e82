"""First pass: one node a step, fed by the outputs that make up its input.

A subflow whose output is listed, mapped or checked has a helper op behind it, which does that.
"""

from collections.abc import Iterator, Mapping

from dagster_pgflow.compiler.plan import (
    FanIn,
    Feed,
    FromFlowInput,
    GraphNode,
    IterationNode,
    Node,
    OpNode,
    PassContext,
    Plan,
    Wire,
)
from dagster_pgflow.model.graph import by_slug, in_order
from dagster_pgflow.model.lowered import LoopNode, LoweredStep
from dagster_pgflow.model.steps import Step, SubflowStep
from dagster_pgflow.names import (
    AGAIN_OUTPUT,
    DONE_OUTPUT,
    FAN_OUT_SUFFIX,
    FLOW_INPUT,
    INPUT_SUFFIX,
    ITEMS_INPUT,
    ITERATIONS_INPUT,
    KEPT_INPUT,
    RESULT_OUTPUT,
    dagster_name,
    iteration_node,
)
from dagster_pgflow.runtime.input_parts import (
    InputPart,
    final_paths,
    input_names,
    input_parts_of,
    kept_output,
    output_node,
    output_paths,
    port_names,
    shapes_output,
)


def place_steps(plan: Plan, context: PassContext) -> Plan:
    """Give every step its node; a root step is fed by the flow input."""
    steps = by_slug(plan.flow)
    nodes: list[Node] = []
    for step in in_order(plan.flow):
        if isinstance(step, LoopNode):
            nodes += _loop(step, steps, context)
            continue
        nodes.append(_node(step, steps, context))
        if isinstance(step, SubflowStep) and shapes_output(step, context.flows):
            nodes.append(_output_node(step, context))
    return plan.with_nodes(nodes)


def _node(step: Step, steps: Mapping[str, Step], context: PassContext) -> Node:
    parts = input_parts_of(steps, step, context.flows, in_items=context.in_items)
    wires = {part: _wire(part, steps[part.dep], step, context) for part in parts}
    name = dagster_name(step.slug)
    if isinstance(step, SubflowStep) and not step.is_child_run:
        return GraphNode(name, step, parts, _one_feed(tuple(wires.values())))
    names = input_names(parts)
    inputs: dict[str, Feed] = {names[part]: wire for part, wire in wires.items()}
    return OpNode(name, "step", step, parts, inputs or {FLOW_INPUT: FromFlowInput()})


def _loop(step: LoopNode, steps: Mapping[str, Step], context: PassContext) -> Iterator[Node]:
    """Yield the nodes of a loop: what it begins with, each iteration, and the end of the last one.

    Where iterations are runs of their own, one op does all of that.
    """
    parts = input_parts_of(steps, step, context.flows, in_items=context.in_items)
    names = input_names(parts)
    wires: dict[str, Feed] = {
        names[part]: _wire(part, steps[part.dep], step, context) for part in parts
    }
    wires[FLOW_INPUT] = FromFlowInput()
    end = output_node(step, context.flows)
    if step.loop.runs_iterations(in_items=context.in_items):
        yield OpNode(end, "iterations", step, parts, wires)
        return
    fed = Wire(f"{step.slug}{INPUT_SUFFIX}", RESULT_OUTPUT)
    yield OpNode(fed.node, "begin", step, parts, wires)
    ends: list[Wire] = []
    for number in range(1, step.loop.max_iterations + 1):
        one = IterationNode(iteration_node(step.slug, number), step, fed)
        yield one
        fed = Wire(one.name, AGAIN_OUTPUT)
        ends.append(Wire(one.name, DONE_OUTPUT))
    inputs: dict[str, Feed] = {ITERATIONS_INPUT: FanIn(tuple(ends))}
    yield OpNode(end, "end", step, (), inputs)


def _output_node(step: SubflowStep, context: PassContext) -> OpNode:
    """Return the helper that puts the output of a subflow together."""
    paths: list[tuple[str, ...]] = [()]
    ports: dict[tuple[str, ...], str] = {(): RESULT_OUTPUT}
    if not step.is_child_run:
        paths = final_paths(step, context.flows)
        ports = port_names(paths)
    # Where one op runs all items, it hands on the list of what they returned.
    lists = step.over is not None and not (step.is_child_run and context.in_items)
    parts = tuple(InputPart(step.slug, path, lists) for path in paths)
    names = input_names(parts)
    graph = dagster_name(step.slug)
    wires: dict[str, Feed] = {names[s]: Wire(graph, ports[s.path], lists) for s in parts}
    if step.over is not None:
        # What it was that kept the items from being sent out.
        wires[ITEMS_INPUT] = Wire(f"{step.slug}{FAN_OUT_SUFFIX}", RESULT_OUTPUT)
    if step.keep_input:
        wires[KEPT_INPUT] = Wire(f"{step.slug}{INPUT_SUFFIX}", kept_output(step))
    return OpNode(output_node(step, context.flows), "output", step, parts, wires)


def _wire(part: InputPart, upstream: Step, step: LoweredStep, context: PassContext) -> Wire:
    name = output_node(upstream, context.flows)
    target = part.route or step.slug
    if target in upstream.targets:
        return Wire(name, upstream.route_output(target))
    paths = output_paths(upstream, context.flows)
    if paths == [()]:
        return Wire(name, RESULT_OUTPUT, part.collected)
    return Wire(name, port_names(paths)[part.path])


def _one_feed(wires: tuple[Wire, ...]) -> Feed:
    match wires:
        case ():
            return FromFlowInput()
        case (wire,):
            return wire
        case _:
            return FanIn(wires)
