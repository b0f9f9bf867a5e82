"""Ops whose handler takes the step context get the flow input too, wherever they stand."""

from dataclasses import replace

from dagster_pgflow.compiler.plan import FromFlowInput, Node, OpNode, Plan, Surroundings
from dagster_pgflow.model.step import HandledStep
from dagster_pgflow.names import FLOW_INPUT


def hand_on_flow_input(plan: Plan, around: Surroundings) -> Plan:
    """Wire the flow input to the ops that may ask for it."""
    return plan.with_nodes([_with_flow_input(plan, node, around) for node in plan.nodes])


def _with_flow_input(plan: Plan, node: Node, around: Surroundings) -> Node:
    if not isinstance(node, OpNode) or not isinstance(node.step, HandledStep):
        return node
    handler = around.handlers.find(plan.flow.slug, node.step.slug, node.step.handler)
    if node.role != "step" or handler is None or not handler.wants_context:
        return node
    return replace(node, inputs={**node.inputs, FLOW_INPUT: FromFlowInput()})
