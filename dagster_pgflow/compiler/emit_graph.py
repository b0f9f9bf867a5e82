"""From plans to Dagster graphs and jobs."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import dagster as dg

from dagster_pgflow.compat import DynamicCollectDependencyDefinition
from dagster_pgflow.compiler.compile import plan_of
from dagster_pgflow.compiler.emit_ops import OpEmitter, op_definition_name
from dagster_pgflow.compiler.json_type import make_input_type
from dagster_pgflow.compiler.plan import (
    FanIn,
    Feed,
    FromFlowInput,
    GraphNode,
    IterationNode,
    Node,
    OpNode,
    PassContext,
    Plan,
    Wire,
)
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.lowered import whole_of
from dagster_pgflow.names import (
    FLOW_INPUT,
    body_graph_name,
    dagster_name,
    graph_name,
    item_graph_name,
)
from dagster_pgflow.runtime.handlers import HandlerRegistry
from dagster_pgflow.runtime.input_parts import Flows


class GraphEmitter:
    """Makes graphs, each flow's once, whether it runs as a job or inside others.

    Args:
        flows: The flows of the code location by slug.
        handlers: Its handlers.
        ops: What makes the ops.
        json_type: The type of an input of which nothing is known.
    """

    def __init__(
        self, flows: Flows, handlers: HandlerRegistry, ops: OpEmitter, json_type: dg.DagsterType
    ) -> None:
        self._flows = flows
        self._handlers = handlers
        self._ops = ops
        self._graphs: dict[str, dg.GraphDefinition] = {}
        self._json_type = json_type
        self._input_types: dict[str, dg.DagsterType] = {}
        self._op_definitions: dict[str, dg.OpDefinition] = {}

    def job_graph(self, flow_slug: str) -> dg.GraphDefinition:
        """Return the graph that a flow's job runs."""
        flow = self._flows[flow_slug]
        return self._graph(flow, _graph_name(flow))

    def subflow_graph(self, flow: Flow, *, in_items: bool) -> dg.GraphDefinition:
        """Return the graph that stands for a flow inside another one.

        Args:
            flow: The flow.
            in_items: Whether that one runs it once for each item of a list.
        """
        if in_items:
            return self._graph(flow, item_graph_name(flow.slug), in_items=True)
        return self.job_graph(flow.slug)

    def iteration_graph(self, body: Flow, loop_slug: str) -> dg.GraphDefinition:
        """Return the graph of an iteration of a loop.

        Args:
            body: What the loop repeats.
            loop_slug: The loop.
        """
        name = body_graph_name(whole_of(body).slug, loop_slug)
        return self._graph(body, name)

    def _graph(self, flow: Flow, name: str, *, in_items: bool = False) -> dg.GraphDefinition:
        if name not in self._graphs:
            context = PassContext(self._flows, self._handlers, in_items)
            self._graphs[name] = self._emit(plan_of(flow, context), name, in_items=in_items)
        return self._graphs[name]

    def _input_type(self, flow: Flow) -> dg.DagsterType:
        if flow.input_schema is None:
            return self._json_type
        if flow.slug not in self._input_types:
            self._input_types[flow.slug] = make_input_type(flow, flow.input_schema)
        return self._input_types[flow.slug]

    def _emit(self, plan: Plan, name: str, *, in_items: bool) -> dg.GraphDefinition:
        definitions = {
            node.name: self._definition(plan.flow, node, in_items=in_items) for node in plan.nodes
        }
        dependencies: dict[dg.NodeInvocation, dict[str, Any]] = {
            dg.NodeInvocation(definitions[node.name].name, node.name): {
                input_name: _dependency(feed)
                for input_name, feed in _feeds(node).items()
                if not isinstance(feed, FromFlowInput)
            }
            for node in plan.nodes
        }
        return dg.GraphDefinition(
            name=name,
            description=plan.flow.description or None,
            node_defs=list({d.name: d for d in definitions.values()}.values()),
            dependencies=dependencies,
            input_mappings=[
                dg.InputMapping(
                    graph_input_name=FLOW_INPUT,
                    mapped_node_name=node.name,
                    mapped_node_input_name=input_name,
                    dagster_type=self._input_type(plan.flow),
                )
                for node in plan.nodes
                for input_name, feed in _feeds(node).items()
                if isinstance(feed, FromFlowInput)
            ],
            output_mappings=[
                dg.OutputMapping(
                    graph_output_name=output,
                    mapped_node_name=wire.node,
                    mapped_node_output_name=wire.output,
                )
                for output, wire in plan.outputs.items()
            ],
        )

    def _definition(
        self, flow: Flow, node: Node, *, in_items: bool
    ) -> dg.OpDefinition | dg.GraphDefinition:
        if isinstance(node, IterationNode):
            return self.iteration_graph(self._flows[node.step.flow], node.step.slug)
        if isinstance(node, GraphNode):
            each = in_items or node.step.over is not None
            return self.subflow_graph(self._flows[node.step.flow], in_items=each)
        # The same op may stand in two graphs of one flow; Dagster wants it to be one object.
        make = partial(self._ops.emit, flow, node, in_items=in_items)
        name = op_definition_name(whole_of(flow).slug, node.name, in_items=in_items)
        return self._op_definitions.get(name) or self._op_definitions.setdefault(name, make())


def _graph_name(flow: Flow) -> str:
    """Return a name that no node of the graph has.

    Dagster 1.13 takes the inputs of a node called like the job's graph for those of the job.
    """
    name = graph_name(flow.slug)
    nodes = {dagster_name(step.slug) for step in flow.steps}
    while name in nodes:
        # No job has a name that ends in __0, and no op.
        name = f"{name}__0"
    return name


def _feeds(node: Node) -> Mapping[str, Feed]:
    return node.inputs if isinstance(node, OpNode) else {FLOW_INPUT: node.input}


def _dependency(feed: Wire | FanIn) -> Any:
    match feed:
        case Wire(node, output, collect=True):
            return DynamicCollectDependencyDefinition(node, output)
        case Wire(node, output):
            return dg.DependencyDefinition(node, output)
        case FanIn(wires):
            return dg.MultiDependencyDefinition([_dependency(wire) for wire in wires])
