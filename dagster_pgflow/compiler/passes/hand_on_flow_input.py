"""Ops that may ask for the flow input get it too, wherever they stand.

They ask for it when their handler takes the step context, when they answer a condition in CEL
that names it, or when they put together an input, the key of an asset, or what a person is asked,
that does. A map step's condition is answered by the op that fans out, a subflow's by its helper.
"""

from collections.abc import Iterable
from dataclasses import replace

from dagster_pgflow.compiler.plan import FromFlowInput, Node, OpNode, PassContext, Plan
from dagster_pgflow.expressions.cel import expression, value_expression
from dagster_pgflow.expressions.references import INPUT, well_formed_references_in
from dagster_pgflow.model.lowered import LoweredStep, whole_of
from dagster_pgflow.model.steps import ApprovalStep, AssetStep, HandledStep, MapStep, SubflowStep
from dagster_pgflow.names import BATCH_INPUT, FLOW_INPUT
from dagster_pgflow.runtime.hooks import hooks_of
from dagster_pgflow.runtime.input_parts import asks_for_iteration, mentions_flow_input


def hand_on_flow_input(plan: Plan, context: PassContext) -> Plan:
    """Wire the flow input to the ops that may ask for it."""
    return plan.with_nodes([_with_flow_input(plan, node, context) for node in plan.nodes])


def _with_flow_input(plan: Plan, node: Node, context: PassContext) -> Node:
    if not isinstance(node, OpNode):
        return node
    asks = (
        _handler_asks(plan, node, context)
        or _assets_ask(node)
        or any(map(_condition_asks, _answers_for(node, context)))
        or _mapping_asks(node)
        or _loop_asks(plan, node, context)
    )
    if not asks:
        return node
    return replace(node, inputs={**node.inputs, FLOW_INPUT: FromFlowInput()})


def _handler_asks(plan: Plan, node: OpNode, context: PassContext) -> bool:
    step = node.step
    if node.role != "step" or not isinstance(step, HandledStep) or not step.needs_handler:
        return False
    handler = context.handlers.find(whole_of(plan.flow).slug, step.slug, step.handler)
    return (handler is not None and handler.wants_context) or hooks_of(
        step, context.handlers
    ).wants_context


def _assets_ask(node: OpNode) -> bool:
    """Return whether a key of an asset is made of the flow input."""
    step = node.step
    if node.role != "step" or not isinstance(step, AssetStep):
        return False
    return any(found.root == INPUT for _, found in well_formed_references_in(step.asset_templates))


def _answers_for(node: OpNode, context: PassContext) -> Iterable[LoweredStep]:
    """Return the steps whose conditions an op looks at."""
    is_fed = (isinstance(node.step, MapStep) and not context.in_items) or _is_fed_by_items(node)
    gathers = node.role in ("gather", "items", "fan_out", "begin")
    is_own = gathers or (node.role == "step" and not is_fed)
    return (node.step, *node.feeds) if is_own else node.feeds


def _mapping_asks(node: OpNode) -> bool:
    step = node.step
    if not isinstance(step, SubflowStep) or _is_fed_by_items(node):
        return False
    return node.role in ("gather", "items", "step") and mentions_flow_input(step)


def _is_fed_by_items(node: OpNode) -> bool:
    return node.role == "step" and BATCH_INPUT in node.inputs


def _loop_asks(plan: Plan, node: OpNode, context: PassContext) -> bool:
    """Return whether an op receives something that its loop hands to each iteration."""
    return node.step in _answers_for(node, context) and asks_for_iteration(plan.flow, node.step)


def _condition_asks(step: LoweredStep) -> bool:
    asked = [*step.expressions.values(), *step.decisions.values()]
    return (
        any(expression(text).asks_for("flow_input") for text in asked)
        or any(value_expression(text).asks_for("flow_input") for text in step.computed.values())
        or (isinstance(step, ApprovalStep) and _prompt_asks(step))
    )


def _prompt_asks(step: ApprovalStep) -> bool:
    return any(found.root == INPUT for _, found in well_formed_references_in(step.prompt))
