"""From the nodes of a plan to Dagster ops."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dagster as dg

from dagster_pgflow.compiler.plan import Feed, FromFlowInput, OpNode
from dagster_pgflow.model.defaults import UNASKED
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.loops import StepToRun, whole_of
from dagster_pgflow.model.options import effort_of
from dagster_pgflow.model.step import (
    BranchStep,
    HandledStep,
    JoinStep,
    LoopStep,
    MapStep,
    SubflowStep,
)
from dagster_pgflow.names import (
    AGAIN_OUTPUT,
    DONE_OUTPUT,
    IO_MANAGER_KEY,
    PGFLOW_KEY,
    RESULT_OUTPUT,
    TAG_FLOW,
    TAG_HELPER,
    TAG_STEP,
    TAG_TERMINAL,
    fan_out_output,
    op_name,
    pool_name,
    way_output,
)
from dagster_pgflow.runtime.handlers import HandlerRegistry
from dagster_pgflow.runtime.op_bodies import body_of
from dagster_pgflow.runtime.op_run_inside import ChildJob
from dagster_pgflow.runtime.op_work import OpWork
from dagster_pgflow.runtime.sources import Flows

HELP = {
    "fan_out": "Sends the elements of the list to map step `{slug}`.",
    "collect": "Collects the outputs of map step `{slug}`.",
    "items": "Sends the items of the list to subflow `{slug}`.",
    "gather": "Puts together what subflow `{slug}` receives.",
    "output": "Puts together what subflow `{slug}` returns.",
    "begin": "Puts together what the passes of loop `{slug}` receive from outside.",
    "end": "Hands on what the last pass of loop `{slug}` returned.",
    "passes": "Runs the passes of loop `{slug}`, each as a run of its own.",
}
WAYS_OUT = {
    AGAIN_OUTPUT: "Leads to the next pass of the loop.",
    DONE_OUTPUT: "Leads out of the loop.",
}


class OpEmitter:
    """Makes ops; one for a code location.

    Args:
        flows: The flows of the code location by slug.
        handlers: The handlers of the code location.
        json_type: The type of inputs and outputs.
        resource_keys: The resources that handlers may use.
        child_job: Returns the job of a flow, or of a pass of a loop, that is a run of its own.
    """

    def __init__(
        self,
        flows: Flows,
        handlers: HandlerRegistry,
        json_type: dg.DagsterType,
        resource_keys: frozenset[str],
        child_job: Callable[[str], ChildJob],
    ) -> None:
        self._flows = flows
        self._handlers = handlers
        self._json_type = json_type
        self._child_job = child_job
        self._resource_keys = resource_keys | {PGFLOW_KEY}

    def emit(self, flow: Flow, node: OpNode, *, in_items: bool = False) -> dg.OpDefinition:
        """Return the op of a node.

        Args:
            flow: The flow that the node belongs to.
            node: The node.
            in_items: Whether the flow, or one around it, runs once for each item of a list.
        """
        outs: dict[str, dg.Out | dg.DynamicOut] = {
            RESULT_OUTPUT: dg.Out(self._json_type, io_manager_key=IO_MANAGER_KEY)
        }
        for fed in node.feeds:
            outs[fan_out_output(fed.slug)] = dg.DynamicOut(
                self._json_type,
                io_manager_key=IO_MANAGER_KEY,
                description=_what_is_sent(fed),
            )
        if isinstance(node.step, LoopStep):
            outs |= {name: self._way_out(name) for name in WAYS_OUT}
        for target in _ways(node):
            outs[way_output(target)] = dg.Out(
                self._json_type,
                io_manager_key=IO_MANAGER_KEY,
                description=f"The way to step `{target}`.",
            )
        work = OpWork(
            flow,
            node.step,
            node.sources,
            node.feeds,
            self._flows,
            self._handlers,
            in_items,
            child_job=self._child_job,
        )
        return dg.OpDefinition(
            name=op_definition_name(whole_of(flow).slug, node.name, in_items=in_items),
            compute_fn=body_of(node.role, work),
            ins={name: self._input(feed) for name, feed in node.inputs.items()},
            outs=outs,
            description=self._description(flow, node),
            tags=_tags(flow, node),
            pool=_pool(node),
            required_resource_keys=set(self._resource_keys),
        )

    def _input(self, feed: Feed) -> dg.In:
        if isinstance(feed, FromFlowInput):
            # A run without config has an input too.
            return dg.In(self._json_type, default_value=UNASKED)
        return dg.In(self._json_type)

    def _way_out(self, name: str) -> dg.Out:
        """Return an output of the last op of a pass: which of them it has, decides what follows."""
        return dg.Out(
            self._json_type,
            io_manager_key=IO_MANAGER_KEY,
            is_required=False,
            description=WAYS_OUT[name],
        )

    def _description(self, flow: Flow, node: OpNode) -> str:
        if node.role != "step":
            return HELP[node.role].format(slug=node.step.slug)
        parts = [node.step.description, self._handler_line(flow, node.step)]
        if isinstance(node.step, SubflowStep):
            parts.append(f"Flow `{node.step.flow}` runs here as a run of its own.")
            return "\n\n".join(part for part in [*parts, *_condition_lines(node.step)] if part)
        effort = effort_of(flow.options, node.step.options)
        parts.append(
            f"Up to {effort.max_attempts} attempts, {effort.base_delay} s base delay,"
            f" {effort.timeout} s timeout."
        )
        parts += [*_condition_lines(node.step), *_decision_lines(node.step)]
        return "\n\n".join(part for part in parts if part)

    def _handler_line(self, flow: Flow, step: StepToRun) -> str:
        if not isinstance(step, HandledStep) or not step.needs_handler:
            return ""
        slug = whole_of(flow).slug
        found = self._handlers.find(slug, step.slug, step.handler)
        if found is not None:
            return f"Handler {found.name}. {_first_line(found.function.__doc__)}".strip()
        wanted = step.handler or f"{slug}.{step.slug}` or `{step.slug}"
        return (
            f"**No handler.** This code location registers no handler `{wanted}`;"
            " the step will fail until it does."
        )


def op_definition_name(flow_slug: str, node_name: str, *, in_items: bool) -> str:
    """Return the name of an op; the same step is another op where its flow runs for items."""
    name = op_name(flow_slug, node_name)
    # No other op has a name that ends in __0.
    return f"{name}__0" if in_items else name


def _what_is_sent(fed: MapStep | SubflowStep) -> str:
    if isinstance(fed, SubflowStep):
        return f"The items of subflow `{fed.slug}`, one by one."
    return f"The elements of map step `{fed.slug}`, batch by batch."


def _first_line(docstring: str | None) -> str:
    return (docstring or "").strip().partition("\n")[0]


def _condition_lines(step: StepToRun) -> list[str]:
    lines = []
    if step.if_ is not None:
        lines.append(
            f"Runs if its input contains `{json.dumps(step.if_)}`; otherwise: {step.when_unmet}."
        )
    if step.if_not is not None:
        lines.append(
            f"Runs unless its input contains `{json.dumps(step.if_not)}`, then: {step.when_unmet}."
        )
    if step.run_if is not None:
        lines.append(f"Runs if `{step.run_if}`; otherwise: {step.when_unmet}.")
    if step.run_unless is not None:
        lines.append(f"Runs unless `{step.run_unless}`, then: {step.when_unmet}.")
    if step.when_exhausted != "fail":
        lines.append(f"When the last attempt fails: {step.when_exhausted}.")
    return lines


def _ways(node: OpNode) -> tuple[str, ...]:
    """Return the steps to which an op opens a way or not."""
    is_branch = node.role == "step" and isinstance(node.step, BranchStep)
    decides = node.role in ("end", "passes") or is_branch
    return node.step.targets if decides else ()


def _decision_lines(step: StepToRun) -> list[str]:
    match step:
        case BranchStep():
            lines = [f"If `{rule.when}`: {_listed(rule.then)}." for rule in step.rules]
            return [*lines, f"Otherwise: {_listed(step.default_path)}."]
        case LoopStep():
            again = f"back to `{step.back_to}`, {step.max_iterations} times at most"
            return [f"While `{step.condition}`: {again}."]
        case JoinStep() if step.least is not None:
            return [f"Runs when {step.least} of its dependencies have completed."]
        case _:
            return []


def _listed(slugs: Sequence[str]) -> str:
    return ", ".join(f"`{slug}`" for slug in slugs) or "nothing"


def _pool(node: OpNode) -> str | None:
    """Return the pool of an op; helpers have none, since they call no handler."""
    if node.role != "step" or not isinstance(node.step, HandledStep) or node.step.pool is None:
        return None
    return pool_name(node.step.pool)


def _tags(flow: Flow, node: OpNode) -> Mapping[str, Any]:
    kind = node.step.type if node.role == "step" else "helper"
    tags = {
        TAG_FLOW: whole_of(flow).slug,
        TAG_STEP: node.step.slug,
        f"dagster/kind/{kind}": "",
    }
    if node.is_terminal:
        tags[TAG_TERMINAL] = "true"
    return tags if node.role == "step" else tags | {TAG_HELPER: node.role}
