"""A map step gets its elements as dynamic outputs of the op before it.

Where that is no op that may have dynamic outputs (the flow input, another map, a subflow), a
helper op in between sends them out. A pipelined map step takes over the batches of the map before.
In a graph that is mapped itself, Dagster 1.13 allows no dynamic outputs: there one op runs all of
the list.
"""

from collections import defaultdict
from dataclasses import replace

from dagster_pgflow.compiler.plan import Node, OpNode, PassContext, Plan, Wire
from dagster_pgflow.model.steps import MapStep, SingleStep
from dagster_pgflow.names import (
    BATCH_INPUT,
    FAN_OUT_SUFFIX,
    RESULT_OUTPUT,
    dagster_name,
    fan_out_output,
)


def fan_out_maps(plan: Plan, context: PassContext) -> Plan:
    """Feed each map step by batches."""
    if context.in_items:
        return plan
    single = {node.step.slug: node.name for node in plan.nodes if _can_fan_out(node)}
    feeds: dict[str, list[MapStep]] = defaultdict(list)
    nodes: list[Node] = []
    for node in plan.nodes:
        if not isinstance(node, OpNode) or not isinstance(node.step, MapStep):
            nodes.append(node)
            continue
        dep = next(iter(node.step.depends_on), None)
        if node.step.pipelined and dep is not None:
            nodes.append(
                replace(node, inputs={BATCH_INPUT: Wire(dagster_name(dep), RESULT_OUTPUT)})
            )
            continue
        if dep in single:
            sender = single[dep]
        else:
            sender = f"{node.step.slug}{FAN_OUT_SUFFIX}"
            nodes.append(replace(node, name=sender, role="fan_out"))
        feeds[sender].append(node.step)
        batch = Wire(sender, fan_out_output(node.step.slug))
        nodes.append(replace(node, inputs={BATCH_INPUT: batch}))
    return plan.with_nodes(
        [
            replace(node, feeds=tuple(feeds[node.name])) if isinstance(node, OpNode) else node
            for node in nodes
        ]
    )


def _can_fan_out(node: Node) -> bool:
    return isinstance(node, OpNode) and isinstance(node.step, SingleStep)
