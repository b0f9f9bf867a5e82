"""Ops that may ask for the flow input get it too, wherever they stand.

They ask for it when their handler takes the step context, when they answer a condition in CEL
that names it, or when they put together an input that does. A map step's condition is answered by
the op that fans out, a subflow's by its helper.
"""

from collections.abc import Iterable
from dataclasses import replace

from dagster_pgflow.compiler.plan import FromFlowInput, Node, OpNode, Plan, Surroundings
from dagster_pgflow.expressions.cel import expression
from dagster_pgflow.model.loops import StepToRun, whole_of
from dagster_pgflow.model.step import HandledStep, MapStep, SubflowStep
from dagster_pgflow.names import BATCH_INPUT, FLOW_INPUT
from dagster_pgflow.runtime.sources import asks_for_pass, mentions_flow_input


def hand_on_flow_input(plan: Plan, around: Surroundings) -> Plan:
    """Wire the flow input to the ops that may ask for it."""
    return plan.with_nodes([_with_flow_input(plan, node, around) for node in plan.nodes])


def _with_flow_input(plan: Plan, node: Node, around: Surroundings) -> Node:
    if not isinstance(node, OpNode):
        return node
    asks = (
        _handler_asks(plan, node, around)
        or any(map(_condition_asks, _answers_for(node, around)))
        or _mapping_asks(node)
        or _loop_asks(plan, node, around)
    )
    if not asks:
        return node
    return replace(node, inputs={**node.inputs, FLOW_INPUT: FromFlowInput()})


def _handler_asks(plan: Plan, node: OpNode, around: Surroundings) -> bool:
    step = node.step
    if node.role != "step" or not isinstance(step, HandledStep) or not step.needs_handler:
        return False
    handler = around.handlers.find(whole_of(plan.flow).slug, step.slug, step.handler)
    return handler is not None and handler.wants_context


def _answers_for(node: OpNode, around: Surroundings) -> Iterable[StepToRun]:
    """Return the steps whose conditions an op looks at."""
    is_fed = (isinstance(node.step, MapStep) and not around.in_items) or _is_fed_by_items(node)
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


def _loop_asks(plan: Plan, node: OpNode, around: Surroundings) -> bool:
    """Say whether an op receives something that its loop hands to each pass."""
    return node.step in _answers_for(node, around) and asks_for_pass(plan.flow, node.step)


def _condition_asks(step: StepToRun) -> bool:
    asked = [*step.expressions.values(), *step.decisions.values()]
    return any(expression(text).asks_for("flow_input") for text in asked)
