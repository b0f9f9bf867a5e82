"""A subflow that depends on a map step and on something else gets a helper op before it.

A graph has one input, and Dagster has no fan-in of a collected dynamic output with others
(1.13, issue 7060). Every other subflow is fed without a helper.
"""

from dataclasses import replace

from dagster_pgflow.compiler.plan import FanIn, GraphNode, Node, OpNode, Plan, Surroundings, Wire
from dagster_pgflow.names import INPUT_SUFFIX, RESULT_OUTPUT
from dagster_pgflow.runtime.sources import input_names, needs_gathering


def gather_subflow_inputs(plan: Plan, _around: Surroundings) -> Plan:
    """Put the helper before each subflow that needs one."""
    nodes: list[Node] = []
    for node in plan.nodes:
        if (
            isinstance(node, GraphNode)
            and isinstance(node.input, FanIn)
            and needs_gathering(node.sources)
        ):
            names = input_names(node.sources)
            helper = OpNode(
                name=f"{node.step.slug}{INPUT_SUFFIX}",
                role="gather",
                step=node.step,
                sources=node.sources,
                inputs=dict(zip(names.values(), node.input.wires, strict=True)),
            )
            nodes += [helper, replace(node, input=Wire(helper.name, RESULT_OUTPUT))]
        else:
            nodes.append(node)
    return plan.with_nodes(nodes)
