"""Plans as a few lines of text, one a node.

a: flow_input=$                  a step that is fed by the graph's input
m: batch=a.for_m                 a map step, fed by a dynamic output
b: m=m.result[]                  a step that collects a map step
s(payment): flow_input=a.result  a subflow
s__input gather: ...             a helper op, with its role
a: flow_input=$ -> m, n          what a node sends batches to
=> x: m__collect.result          what the graph hands to the graph around it
"""

from collections.abc import Iterable

from dagster_pgflow.compiler.compile import PASSES, Pass
from dagster_pgflow.compiler.plan import (
    FanIn,
    Feed,
    FromFlowInput,
    Node,
    OpNode,
    PassContext,
    Plan,
    Wire,
)
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.names import FLOW_INPUT
from dagster_pgflow.runtime.handlers import HandlerRegistry

HANDLERS = HandlerRegistry.collect(
    [{"plain": lambda value: value, "asks": lambda value, ctx: (value, ctx)}]
)


def pass_context(*others: Flow) -> PassContext:
    return PassContext({flow.slug: flow for flow in others}, HANDLERS)


def plan_before(target: Pass, flow: Flow, around: PassContext) -> Plan:
    """Return the plan as the passes before one leave it."""
    plan = Plan(flow)
    for rewrite in PASSES[: PASSES.index(target)]:
        plan = rewrite(plan, around)
    return plan


def before_and_after(target: Pass, flow: Flow, *others: Flow) -> tuple[list[str], list[str]]:
    """Return the plan before and after one pass."""
    around = pass_context(*others, flow)
    plan = plan_before(target, flow, around)
    return drawn(plan), drawn(target(plan, around))


def drawn(plan: Plan) -> list[str]:
    """Return a plan as lines of text."""
    return [*map(_node, plan.nodes), *(f"=> {k}: {_feed(v)}" for k, v in plan.outputs.items())]


def names(nodes: Iterable[Node]) -> list[str]:
    return [node.name for node in nodes]


def _node(node: Node) -> str:
    if not isinstance(node, OpNode):
        return f"{node.name}({node.step.flow}): {FLOW_INPUT}={_feed(node.input)}"
    role = "" if node.role == "step" else f" {node.role}"
    inputs = ", ".join(f"{name}={_feed(feed)}" for name, feed in node.inputs.items())
    sends = f" -> {', '.join(step.slug for step in node.feeds)}" if node.feeds else ""
    return f"{node.name}{role}: {inputs}{sends}"


def _feed(feed: Feed) -> str:
    match feed:
        case FromFlowInput():
            return "$"
        case FanIn(wires):
            return f"({' + '.join(map(_feed, wires))})"
        case Wire(node, output, collect):
            return f"{node}.{output}{'[]' if collect else ''}"
