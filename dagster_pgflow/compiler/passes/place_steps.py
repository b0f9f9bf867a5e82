"""First pass: one node a step, fed by the outputs that make up its input."""

from collections.abc import Mapping

from dagster_pgflow.compiler.plan import (
    FanIn,
    Feed,
    FromFlowInput,
    GraphNode,
    Node,
    OpNode,
    Plan,
    Surroundings,
    Wire,
)
from dagster_pgflow.model.graph import by_slug, in_order
from dagster_pgflow.model.step import Step, SubflowStep
from dagster_pgflow.names import FLOW_INPUT, RESULT_OUTPUT, dagster_name
from dagster_pgflow.runtime.sources import (
    Source,
    input_names,
    output_paths,
    port_names,
    sources_of,
)


def place_steps(plan: Plan, around: Surroundings) -> Plan:
    """Give every step its node; a root step is fed by the flow input."""
    steps = by_slug(plan.flow)
    return plan.with_nodes([_node(step, steps, around) for step in in_order(plan.flow)])


def _node(step: Step, steps: Mapping[str, Step], around: Surroundings) -> Node:
    sources = sources_of(steps, step, around.flows)
    wires = {source: _wire(source, steps[source.dep], around) for source in sources}
    name = dagster_name(step.slug)
    if isinstance(step, SubflowStep):
        return GraphNode(name, step, sources, _one_feed(tuple(wires.values())))
    names = input_names(sources)
    inputs: dict[str, Feed] = {names[source]: wire for source, wire in wires.items()}
    return OpNode(name, "step", step, sources, inputs or {FLOW_INPUT: FromFlowInput()})


def _wire(source: Source, upstream: Step, around: Surroundings) -> Wire:
    name = dagster_name(source.dep)
    if not isinstance(upstream, SubflowStep):
        return Wire(name, RESULT_OUTPUT, source.collected)
    ports = port_names(output_paths(upstream, around.flows))
    return Wire(name, ports[source.path])


def _one_feed(wires: tuple[Wire, ...]) -> Feed:
    match wires:
        case ():
            return FromFlowInput()
        case (wire,):
            return wire
        case _:
            return FanIn(wires)
