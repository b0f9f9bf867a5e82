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
    IterationNode,
    Node,
    OpNode,
    PassContext,
    Plan,
    Wire,
)
from dagster_pgflow.model.steps import SubflowStep
from dagster_pgflow.names import (
    BATCH_INPUT,
    FAN_OUT_SUFFIX,
    FLOW_INPUT,
    INPUT_SUFFIX,
    RESULT_OUTPUT,
    fan_out_output,
)
from dagster_pgflow.runtime.input_parts import input_names, needs_gathering


def gather_subflow_inputs(plan: Plan, context: PassContext) -> Plan:
    """Put the helper before each subflow that needs one."""
    nodes: list[Node] = []
    for node in plan.nodes:
        if isinstance(node, OpNode):
            nodes += _fed_by_items(node, context) if _runs_over_list(node) else [node]
        elif isinstance(node, IterationNode):
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
            plan.flow, node.step, node.parts, context.flows, in_items=context.in_items
        ):
            helper = _helper(node)
            nodes += [helper, replace(node, input=Wire(helper.name, RESULT_OUTPUT))]
        else:
            nodes.append(node)
    return plan.with_nodes(nodes)


def _runs_over_list(node: OpNode) -> bool:
    return node.role == "step" and isinstance(node.step, SubflowStep) and node.step.over is not None


def _fed_by_items(node: OpNode, context: PassContext) -> list[Node]:
    """Let an op that runs a flow as a run of its own receive one item, or all of them at once."""
    step = node.step
    assert isinstance(step, SubflowStep)  # noqa: S101
    name = f"{step.slug}{FAN_OUT_SUFFIX}"
    feeds = () if context.in_items else (step,)
    helper = replace(node, name=name, role="items", feeds=feeds)
    sent = RESULT_OUTPUT if context.in_items else fan_out_output(step.slug)
    return [helper, replace(node, parts=(), inputs={BATCH_INPUT: Wire(name, sent)})]


def _helper(node: GraphNode) -> OpNode:
    feeds = node.input.wires if isinstance(node.input, FanIn) else (node.input,)
    names = input_names(node.parts).values() if node.parts else [FLOW_INPUT]
    return OpNode(
        name=f"{node.step.slug}{INPUT_SUFFIX}",
        role="gather",
        step=node.step,
        parts=node.parts,
        inputs=dict(zip(names, feeds, strict=True)),
    )
