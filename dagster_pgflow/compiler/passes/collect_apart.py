"""A step that joins a map with what stands behind another fan-out gets the map from a helper op.

Dagster 1.13 plans an op that collects a dynamic output as soon as it has fanned out, and with it
the ops behind. Where that op also waits for something behind another fan-out, which a failure
keeps from ever taking place, the ops behind it wait for ever, and the run never ends. An op that
does nothing but collect waits for nothing else.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from dagster_pgflow.compiler.plan import (
    FanIn,
    Feed,
    GraphNode,
    IterationNode,
    Node,
    OpNode,
    PassContext,
    Plan,
    Wire,
)
from dagster_pgflow.model.graph import contains_maps
from dagster_pgflow.model.steps import MapStep
from dagster_pgflow.names import (
    BATCH_INPUT,
    COLLECT_SUFFIX,
    COLLECTED_INPUT,
    FLOW_INPUT,
    RESULT_OUTPUT,
    dagster_name,
)
from dagster_pgflow.runtime.input_parts import Flows

FanOuts = frozenset[str]
"""The names of the nodes that fan out."""


def collect_apart(plan: Plan, context: PassContext) -> Plan:
    """Put a collecting helper behind each map step that is joined with such a step.

    So has one that counts its failures: only where all outputs are, too many can be told from few.
    """
    if context.in_items:
        return plan
    counting = {node.name for node in plan.nodes if _counts_failures(node)}
    # What receives a list from a helper waits for one more thing behind a fan-out.
    plan = _with_collectors(plan, counting, {node.name for node in plan.nodes})
    senders = _senders(plan)
    behind = _behind_fan_outs(plan, senders, context.flows)
    joining = {node.name for node in plan.nodes if _waits_for_another(node, behind, senders)}
    joined = {wire.node for node in plan.nodes if node.name in joining for wire in _collects(node)}
    return _with_collectors(plan, joined, joining)


def _with_collectors(plan: Plan, maps: set[str], fed: set[str]) -> Plan:
    """Put a collecting helper behind some map steps, and let some nodes receive their lists."""
    collectors = {
        node.name: collector(node.step)
        for node in plan.nodes
        if node.name in maps and isinstance(node.step, MapStep)
    }
    nodes: list[Node] = []
    for node in plan.nodes:
        receives = node.name in fed and any(wire.node in collectors for wire in _collects(node))
        if isinstance(node, OpNode) and receives:
            nodes.append(_fed_by_collectors(node, collectors))
        else:
            nodes.append(node)
        nodes += [collectors[node.name]] if node.name in collectors else []
    return plan.with_nodes(nodes)


def _counts_failures(node: Node) -> bool:
    step = node.step
    is_map = isinstance(node, OpNode) and node.role == "step" and isinstance(step, MapStep)
    return is_map and isinstance(step, MapStep) and step.bounds_failures


def collector(step: MapStep) -> OpNode:
    """Return the helper that collects the outputs of a map step."""
    outputs = Wire(dagster_name(step.slug), RESULT_OUTPUT, collect=True)
    return OpNode(
        name=f"{step.slug}{COLLECT_SUFFIX}",
        role="collect",
        step=step,
        inputs={COLLECTED_INPUT: outputs},
    )


def _waits_for_another(
    node: Node, behind: Mapping[str, FanOuts], senders: Mapping[str, str]
) -> bool:
    """Return whether a node collects a map and waits for a fan-out that the map does not need."""
    own = {senders[wire.node] for wire in _collects(node)}
    needed = own.union(*(behind[sender] for sender in own))
    return bool(own) and any(not behind[wire.node] <= needed for wire in _wires(node))


def _behind_fan_outs(plan: Plan, senders: Mapping[str, str], flows: Flows) -> dict[str, FanOuts]:
    """Return for each node the fan-outs that must take place before it can run."""
    behind: dict[str, FanOuts] = {}
    for node in plan.nodes:
        found = frozenset[str]().union(*(behind[wire.node] for wire in _wires(node)))
        if node.name in senders:
            found |= {senders[node.name]}
        if not isinstance(node, OpNode) and _fans_out_inside(node, flows):
            found |= {f"{node.name}: inside"}
        behind[node.name] = found
    return behind


def _fans_out_inside(node: GraphNode | IterationNode, flows: Flows) -> bool:
    # What runs for each item of a list has no fan-outs of its own.
    is_mapped = isinstance(node, GraphNode) and node.step.over is not None
    return not is_mapped and contains_maps(flows[node.step.flow], flows)


def _senders(plan: Plan) -> dict[str, str]:
    """Return for each node that runs over a list the one that sends out what it runs on."""
    senders: dict[str, str] = {}
    for node in plan.nodes:
        if isinstance(node, OpNode):
            sent = node.inputs.get(BATCH_INPUT)
        else:
            is_mapped = isinstance(node, GraphNode) and node.step.over is not None
            sent = node.input if is_mapped else None
        if isinstance(sent, Wire):
            senders[node.name] = senders.get(sent.node, sent.node)
    return senders


def _collects(node: Node) -> Iterator[Wire]:
    return (wire for wire in _wires(node) if wire.collect)


def _wires(node: Node) -> Iterator[Wire]:
    feeds: Mapping[str, Feed] = (
        node.inputs if isinstance(node, OpNode) else {FLOW_INPUT: node.input}
    )
    for feed in feeds.values():
        match feed:
            case Wire():
                yield feed
            case FanIn(wires):
                yield from wires


def _fed_by_collectors(node: OpNode, collectors: Mapping[str, OpNode]) -> OpNode:
    """Let a node receive the lists of its maps, where it received their batches."""

    def apart(feed: Feed) -> Feed:
        if isinstance(feed, Wire) and feed.collect and feed.node in collectors:
            return Wire(collectors[feed.node].name, RESULT_OUTPUT)
        return feed

    collected = {collector.step.slug for collector in collectors.values()}
    parts = tuple(
        replace(part, collected=False) if part.dep in collected else part for part in node.parts
    )
    return replace(node, parts=parts, inputs={k: apart(v) for k, v in node.inputs.items()})
