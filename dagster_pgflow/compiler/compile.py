"""From a flow to its plan: the list of passes."""

from collections.abc import Callable

from dagster_pgflow.compiler.passes.collect_apart import collect_apart
from dagster_pgflow.compiler.passes.expose_outputs import expose_outputs
from dagster_pgflow.compiler.passes.fan_out_maps import fan_out_maps
from dagster_pgflow.compiler.passes.gather_subflow_inputs import gather_subflow_inputs
from dagster_pgflow.compiler.passes.hand_on_flow_input import hand_on_flow_input
from dagster_pgflow.compiler.passes.mark_terminal import mark_terminal
from dagster_pgflow.compiler.passes.place_steps import place_steps
from dagster_pgflow.compiler.plan import PassContext, Plan
from dagster_pgflow.model.flow import Flow

Pass = Callable[[Plan, PassContext], Plan]

PASSES: tuple[Pass, ...] = (
    place_steps,
    fan_out_maps,
    gather_subflow_inputs,
    collect_apart,
    # Behind fan_out_maps, which sets the inputs of map steps anew.
    hand_on_flow_input,
    expose_outputs,
    mark_terminal,
)


def plan_of(flow: Flow, context: PassContext) -> Plan:
    """Return the plan of a sound flow.

    Args:
        flow: The flow; `validation.validate` found no problem in it.
        context: The flows that it contains, and the handlers.
    """
    plan = Plan(flow)
    for rewrite in PASSES:
        plan = rewrite(plan, context)
    return plan
