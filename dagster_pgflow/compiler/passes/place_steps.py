"""First pass: one node a step, fed by the outputs that make up its input.

A subflow whose output is listed, mapped or checked has a helper op behind it, which does that.
"""

from collections.abc import Iterator, Mapping

from dagster_pgflow.compiler.plan import (
    FanIn,
    Feed,
    FromFlowInput,
    GraphNode,
    Node,
    OpNode,
    PassNode,
    Plan,
    Surroundings,
    Wire,
)
from dagster_pgflow.model.graph import by_slug, in_order
from dagster_pgflow.model.loops import RepeatedStep, StepToRun
from dagster_pgflow.model.step import Step, SubflowStep
from dagster_pgflow.names import (
    AGAIN_OUTPUT,
    DONE_OUTPUT,
    FAN_OUT_SUFFIX,
    FLOW_INPUT,
    INPUT_SUFFIX,
    ITEMS_INPUT,
    PASSES_INPUT,
    RESULT_OUTPUT,
    dagster_name,
    pass_node,
    way_output,
)
from dagster_pgflow.runtime.sources import (
    Source,
    final_paths,
    input_names,
    output_node,
    output_paths,
    port_names,
    shapes_output,
    sources_of,
)


def place_steps(plan: Plan, around: Surroundings) -> Plan:
    """Give every step its node; a root step is fed by the flow input."""
    steps = by_slug(plan.flow)
    nodes: list[Node] = []
    for step in in_order(plan.flow):
        if isinstance(step, RepeatedStep):
            nodes += _loop(step, steps, around)
            continue
        nodes.append(_node(step, steps, around))
        if isinstance(step, SubflowStep) and shapes_output(step, around.flows):
            nodes.append(_output_node(step, around))
    return plan.with_nodes(nodes)


def _node(step: Step, steps: Mapping[str, Step], around: Surroundings) -> Node:
    sources = sources_of(steps, step, around.flows, in_items=around.in_items)
    wires = {source: _wire(source, steps[source.dep], step, around) for source in sources}
    name = dagster_name(step.slug)
    if isinstance(step, SubflowStep) and not step.is_child_run:
        return GraphNode(name, step, sources, _one_feed(tuple(wires.values())))
    names = input_names(sources)
    inputs: dict[str, Feed] = {names[source]: wire for source, wire in wires.items()}
    return OpNode(name, "step", step, sources, inputs or {FLOW_INPUT: FromFlowInput()})


def _loop(step: RepeatedStep, steps: Mapping[str, Step], around: Surroundings) -> Iterator[Node]:
    """Yield the nodes of a loop: what it begins with, each pass, and the end of the last one.

    Where passes are runs of their own, one op does all of that.
    """
    sources = sources_of(steps, step, around.flows, in_items=around.in_items)
    names = input_names(sources)
    wires: dict[str, Feed] = {
        names[source]: _wire(source, steps[source.dep], step, around) for source in sources
    }
    wires[FLOW_INPUT] = FromFlowInput()
    end = output_node(step, around.flows)
    if step.loop.runs_passes(in_items=around.in_items):
        yield OpNode(end, "passes", step, sources, wires)
        return
    fed = Wire(f"{step.slug}{INPUT_SUFFIX}", RESULT_OUTPUT)
    yield OpNode(fed.node, "begin", step, sources, wires)
    ends: list[Wire] = []
    for number in range(1, step.loop.max_iterations + 1):
        one = PassNode(pass_node(step.slug, number), step, fed)
        yield one
        fed = Wire(one.name, AGAIN_OUTPUT)
        ends.append(Wire(one.name, DONE_OUTPUT))
    inputs: dict[str, Feed] = {PASSES_INPUT: FanIn(tuple(ends))}
    yield OpNode(end, "end", step, (), inputs)


def _output_node(step: SubflowStep, around: Surroundings) -> OpNode:
    """Return the helper that puts the output of a subflow together."""
    paths: list[tuple[str, ...]] = [()]
    ports: dict[tuple[str, ...], str] = {(): RESULT_OUTPUT}
    if not step.is_child_run:
        paths = final_paths(step, around.flows)
        ports = port_names(paths)
    # Where one op runs all items, it hands on the list of what they returned.
    lists = step.over is not None and not (step.is_child_run and around.in_items)
    sources = tuple(Source(step.slug, path, lists) for path in paths)
    names = input_names(sources)
    graph = dagster_name(step.slug)
    wires: dict[str, Feed] = {names[s]: Wire(graph, ports[s.path], lists) for s in sources}
    if step.over is not None:
        # What it was that kept the items from being sent out.
        wires[ITEMS_INPUT] = Wire(f"{step.slug}{FAN_OUT_SUFFIX}", RESULT_OUTPUT)
    return OpNode(output_node(step, around.flows), "output", step, sources, wires)


def _wire(source: Source, upstream: Step, step: StepToRun, around: Surroundings) -> Wire:
    name = output_node(upstream, around.flows)
    target = source.way or step.slug
    if target in upstream.targets:
        return Wire(name, way_output(target))
    paths = output_paths(upstream, around.flows)
    if paths == [()]:
        return Wire(name, RESULT_OUTPUT, source.collected)
    return Wire(name, port_names(paths)[source.path])


def _one_feed(wires: tuple[Wire, ...]) -> Feed:
    match wires:
        case ():
            return FromFlowInput()
        case (wire,):
            return wire
        case _:
            return FanIn(wires)
