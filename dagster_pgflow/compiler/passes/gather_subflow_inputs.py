"""A subflow behind a map step gets a helper op before it, where Dagster leaves no other way.

A graph has one input, and the collected outputs of a map can neither come together with others
nor reach a map step inside (see `needs_gathering`). A subflow with a condition in CEL gets one
too, which answers it, and one that runs over a list has one that sends out the items. Every other
subflow is fed without a helper.
"""

from dataclasses import replace

from dagster_pgflow.compiler.plan import (
    FanIn,
    GraphNode,
    Node,
    OpNode,
    PassNode,
    Plan,
    Surroundings,
    Wire,
)
from dagster_pgflow.model.step import SubflowStep
from dagster_pgflow.names import (
    BATCH_INPUT,
    FAN_OUT_SUFFIX,
    FLOW_INPUT,
    INPUT_SUFFIX,
    RESULT_OUTPUT,
    fan_out_output,
)
from dagster_pgflow.runtime.sources import input_names, needs_gathering


def gather_subflow_inputs(plan: Plan, around: Surroundings) -> Plan:
    """Put the helper before each subflow that needs one."""
    nodes: list[Node] = []
    for node in plan.nodes:
        if isinstance(node, OpNode):
            nodes += _fed_by_items(node, around) if _runs_over_list(node) else [node]
        elif isinstance(node, PassNode):
            nodes.append(node)
        elif node.step.over is not None:
            helper = replace(
                _helper(node),
                name=f"{node.step.slug}{FAN_OUT_SUFFIX}",
                role="items",
                feeds=(node.step,),
            )
            items = Wire(helper.name, fan_out_output(node.step.slug))
            nodes += [helper, replace(node, input=items)]
        elif needs_gathering(
            plan.flow, node.step, node.sources, around.flows, in_items=around.in_items
        ):
            helper = _helper(node)
            nodes += [helper, replace(node, input=Wire(helper.name, RESULT_OUTPUT))]
        else:
            nodes.append(node)
    return plan.with_nodes(nodes)


def _runs_over_list(node: OpNode) -> bool:
    return node.role == "step" and isinstance(node.step, SubflowStep) and node.step.over is not None


def _fed_by_items(node: OpNode, around: Surroundings) -> list[Node]:
    """Let an op that runs a flow as a run of its own receive one item, or all of them at once."""
    step = node.step
    assert isinstance(step, SubflowStep)  # noqa: S101
    name = f"{step.slug}{FAN_OUT_SUFFIX}"
    feeds = () if around.in_items else (step,)
    helper = replace(node, name=name, role="items", feeds=feeds)
    sent = RESULT_OUTPUT if around.in_items else fan_out_output(step.slug)
    return [helper, replace(node, sources=(), inputs={BATCH_INPUT: Wire(name, sent)})]


def _helper(node: GraphNode) -> OpNode:
    feeds = node.input.wires if isinstance(node.input, FanIn) else (node.input,)
    names = input_names(node.sources).values() if node.sources else [FLOW_INPUT]
    return OpNode(
        name=f"{node.step.slug}{INPUT_SUFFIX}",
        role="gather",
        step=node.step,
        sources=node.sources,
        inputs=dict(zip(names, feeds, strict=True)),
    )
