"""The steps that nothing depends on are found once, here, and shown as such.

Only one of them can be the last step of a run that takes all of its routes, so the projection asks
whether a run is through when one of them has ended, and not behind each step (see
`projection.tokens`).
"""

from dataclasses import replace

from dagster_pgflow.compiler.plan import OpNode, PassContext, Plan
from dagster_pgflow.model.graph import leaves


def mark_terminal(plan: Plan, _context: PassContext) -> Plan:
    """Mark the ops of the final steps; those of a subflow that is one are marked in its flow."""
    terminal = {step.slug for step in leaves(plan.flow)}
    return plan.with_nodes(
        [
            replace(node, is_terminal=True)
            if isinstance(node, OpNode) and node.role == "step" and node.step.slug in terminal
            else node
            for node in plan.nodes
        ]
    )
