"""From the nodes of a plan to Dagster ops."""

from collections.abc import Callable, Mapping
from typing import Any

import dagster as dg

from dagster_pgflow.compiler.checked_translator import CheckedTranslator
from dagster_pgflow.compiler.described_ops import described_op
from dagster_pgflow.compiler.kinds import kind_tags, kinds_of
from dagster_pgflow.compiler.plan import Feed, FromFlowInput, OpNode
from dagster_pgflow.model.defaults import UNASKED
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.lowered import LoweredStep, whole_of
from dagster_pgflow.model.steps import (
    BranchStep,
    HandledStep,
    LoopStep,
    MapStep,
    SubflowStep,
)
from dagster_pgflow.names import (
    AGAIN_OUTPUT,
    DONE_OUTPUT,
    IO_MANAGER_KEY,
    KEPT_OUTPUT,
    PGFLOW_KEY,
    RESULT_OUTPUT,
    TAG_FLOW,
    TAG_HELPER,
    TAG_STEP,
    TAG_TERMINAL,
    fan_out_output,
    op_name,
    pool_name,
)
from dagster_pgflow.runtime.handlers import HandlerRegistry
from dagster_pgflow.runtime.input_parts import Flows, kept_output
from dagster_pgflow.runtime.op_bodies import body_of
from dagster_pgflow.runtime.op_run_inside import ChildJob
from dagster_pgflow.runtime.op_work import OpWork

WAYS_OUT = {
    AGAIN_OUTPUT: "Leads to the next iteration of the loop.",
    DONE_OUTPUT: "Leads out of the loop.",
}


class OpEmitter:
    """Makes ops; one for a code location.

    Args:
        flows: The flows of the code location by slug.
        handlers: The handlers of the code location.
        json_type: The type of inputs and outputs.
        resource_keys: The resources that handlers may use.
        translator: How steps show.
        child_job: Returns the job of a flow, or of an iteration of a loop, that is a run of its
            own.
    """

    def __init__(
        self,
        flows: Flows,
        handlers: HandlerRegistry,
        json_type: dg.DagsterType,
        resource_keys: frozenset[str],
        *,
        translator: CheckedTranslator,
        child_job: Callable[[str], ChildJob],
    ) -> None:
        self._translator = translator
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
        work = OpWork(
            flow,
            node.step,
            node.parts,
            node.feeds,
            self._flows,
            self._handlers,
            in_items,
            child_job=self._child_job,
            asset_key=self._translator.asset_key,
        )
        return dg.OpDefinition(
            name=op_definition_name(whole_of(flow).slug, node.name, in_items=in_items),
            compute_fn=body_of(node.role, work),
            ins={name: self._input(feed) for name, feed in node.inputs.items()},
            outs=self._outs(node, work),
            description=described_op(flow, node, self._handlers, self._translator),
            tags=self._tags(flow, node),
            pool=_pool(node),
            required_resource_keys=set(self._resource_keys),
        )

    def _outs(self, node: OpNode, work: OpWork) -> dict[str, dg.Out | dg.DynamicOut]:
        """Return what an op sends out, by the names of the outputs."""
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
            outs |= {name: self._route_out(name) for name in WAYS_OUT}
        if _keeps_mapped_input(node):
            outs[KEPT_OUTPUT] = dg.Out(
                self._json_type,
                io_manager_key=IO_MANAGER_KEY,
                description=f"What subflow `{node.step.slug}` received, before it was mapped.",
            )
        for target in _routes(node):
            outs[node.step.route_output(target)] = dg.Out(
                self._json_type,
                io_manager_key=IO_MANAGER_KEY,
                is_required=target not in work.cut_off,
                description=_route_description(node.step, target),
            )
        return outs

    def _input(self, feed: Feed) -> dg.In:
        if isinstance(feed, FromFlowInput):
            # A run without config has an input too.
            return dg.In(self._json_type, default_value=UNASKED)
        return dg.In(self._json_type)

    def _route_out(self, name: str) -> dg.Out:
        """Return an output of an iteration's last op: the one it sends decides what follows."""
        return dg.Out(
            self._json_type,
            io_manager_key=IO_MANAGER_KEY,
            is_required=False,
            description=WAYS_OUT[name],
        )

    def _tags(self, flow: Flow, node: OpNode) -> Mapping[str, Any]:
        tags = {
            **kind_tags(kinds_of(flow, node, self._translator)),
            TAG_FLOW: whole_of(flow).slug,
            TAG_STEP: node.step.slug,
        }
        if node.is_terminal:
            tags[TAG_TERMINAL] = "true"
        if node.role != "step":
            return tags | {TAG_HELPER: node.role}
        return {**self._translator.step_tags(flow, node.step), **tags}


def op_definition_name(flow_slug: str, node_name: str, *, in_items: bool) -> str:
    """Return the name of an op; the same step is another op where its flow runs for items."""
    name = op_name(flow_slug, node_name)
    # No other op has a name that ends in __0.
    return f"{name}__0" if in_items else name


def _what_is_sent(fed: MapStep | SubflowStep) -> str:
    if isinstance(fed, SubflowStep):
        return f"The items of subflow `{fed.slug}`, one by one."
    return f"The elements of map step `{fed.slug}`, batch by batch."


def _keeps_mapped_input(node: OpNode) -> bool:
    """Return whether an op hands on what a subflow received beside what its flow does."""
    step = node.step
    is_kept = node.role == "gather" and isinstance(step, SubflowStep) and step.keep_input
    return is_kept and isinstance(step, SubflowStep) and kept_output(step) == KEPT_OUTPUT


def _routes(node: OpNode) -> tuple[str, ...]:
    """Return the steps to which an op opens a route or not."""
    is_branch = node.role == "step" and isinstance(node.step, BranchStep)
    decides = node.role in ("end", "iterations") or is_branch
    return node.step.targets if decides else ()


def _route_description(step: LoweredStep, target: str) -> str:
    labels = step.labels_to(target) if isinstance(step, BranchStep) else ()
    return f"The route to step `{target}`{': ' if labels else ''}{', '.join(labels)}."


def _pool(node: OpNode) -> str | None:
    """Return the pool of an op; helpers have none, since they call no handler."""
    if node.role != "step" or not isinstance(node.step, HandledStep) or node.step.pool is None:
        return None
    return pool_name(node.step.pool)
