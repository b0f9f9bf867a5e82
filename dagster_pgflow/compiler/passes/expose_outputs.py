"""A graph hands on the outputs of its final steps, for use inside another one.

The output of a map step is dynamic and would make everything behind the subflow dynamic too, so
a helper op collects it first. A job has that op as well: nothing else would see that all elements
of a final map step are there.
"""

from dataclasses import replace

from dagster_pgflow.compiler.passes.collect_apart import collector
from dagster_pgflow.compiler.plan import Node, PassContext, Plan, Wire
from dagster_pgflow.model.graph import leaves
from dagster_pgflow.model.lowered import LoopBody
from dagster_pgflow.model.steps import MapStep
from dagster_pgflow.names import AGAIN_OUTPUT, DONE_OUTPUT, RESULT_OUTPUT, dagster_name
from dagster_pgflow.runtime.input_parts import output_node, output_paths, port_names


def expose_outputs(plan: Plan, context: PassContext) -> Plan:
    """Name the graph's outputs."""
    if isinstance(plan.flow, LoopBody):
        return _with_routes_out_of_an_iteration(plan, plan.flow)
    collectors: list[Node] = []
    outputs: dict[tuple[str, ...], Wire] = {}
    for leaf in leaves(plan.flow):
        if isinstance(leaf, MapStep) and not context.in_items:
            collects = collector(leaf)
            if all(node.name != collects.name for node in plan.nodes):
                collectors.append(collects)
            outputs[leaf.slug,] = Wire(collects.name, RESULT_OUTPUT)
            continue
        paths = output_paths(leaf, context.flows)
        ports = {(): RESULT_OUTPUT} if paths == [()] else port_names(paths)
        node = output_node(leaf, context.flows)
        outputs |= {(leaf.slug, *path): Wire(node, port) for path, port in ports.items()}
    names = port_names(list(outputs))
    return replace(
        plan,
        nodes=(*plan.nodes, *collectors),
        outputs={names[path]: wire for path, wire in outputs.items()},
    )


def _with_routes_out_of_an_iteration(plan: Plan, body: LoopBody) -> Plan:
    """Let an iteration lead to the next one, or out of its loop; Dagster skips what it does not."""
    node = dagster_name(body.deciding.slug)
    return replace(plan, outputs={name: Wire(node, name) for name in (AGAIN_OUTPUT, DONE_OUTPUT)})
