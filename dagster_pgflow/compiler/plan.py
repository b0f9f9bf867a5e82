"""The plan of a flow: nodes and wires, as data, before there is any Dagster object."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.lowered import LoopNode, LoweredStep
from dagster_pgflow.model.steps import MapStep, SubflowStep
from dagster_pgflow.runtime.handlers import HandlerRegistry
from dagster_pgflow.runtime.input_parts import Flows, InputPart
from dagster_pgflow.runtime.roles import Role


@dataclass(frozen=True)
class Wire:
    """An output of another node.

    Attributes:
        node: The node's name.
        output: The output's name.
        collect: Whether the outputs of all executions of the node arrive as one list.
    """

    node: str
    output: str
    collect: bool = False


@dataclass(frozen=True)
class FromFlowInput:
    """The input of the graph."""


@dataclass(frozen=True)
class FanIn:
    """Several outputs of other nodes, as one list."""

    wires: tuple[Wire, ...]


Feed = Wire | FanIn | FromFlowInput


@dataclass(frozen=True)
class OpNode:
    """An op.

    Attributes:
        name: The node's name in its graph.
        role: What it does.
        step: The step that it is, or helps.
        parts: What the step receives, where the op puts that together.
        inputs: What feeds each input.
        feeds: The map steps whose batches this op sends out, or the subflow whose items.
        is_terminal: Whether it is a step that nothing depends on.
    """

    name: str
    role: Role
    step: LoweredStep
    parts: tuple[InputPart, ...] = ()
    inputs: Mapping[str, Feed] = field(default_factory=dict)
    feeds: tuple[MapStep | SubflowStep, ...] = ()
    is_terminal: bool = False


@dataclass(frozen=True)
class GraphNode:
    """A subflow: the graph of another flow.

    Attributes:
        name: The node's name in its graph.
        step: The step.
        parts: What the step receives.
        input: What feeds the graph's input.
    """

    name: str
    step: SubflowStep
    parts: tuple[InputPart, ...]
    input: Feed


@dataclass(frozen=True)
class IterationNode:
    """One iteration of a loop: the graph of its body.

    Attributes:
        name: The node's name in its graph.
        step: The loop.
        input: What feeds the graph's input: the begin of the loop, or the iteration before.
    """

    name: str
    step: LoopNode
    input: Wire


Node = OpNode | GraphNode | IterationNode


@dataclass(frozen=True)
class Plan:
    """A flow on its way to a graph.

    Attributes:
        flow: The flow.
        nodes: The nodes, each behind those that feed it.
        outputs: What the graph hands to the graph around it, by output name.
    """

    flow: Flow
    nodes: tuple[Node, ...] = ()
    outputs: Mapping[str, Wire] = field(default_factory=dict)

    def with_nodes(self, nodes: list[Node]) -> "Plan":
        """Return the plan with other nodes."""
        return replace(self, nodes=tuple(nodes))


@dataclass(frozen=True)
class PassContext:
    """What the passes may look at besides the flow.

    Attributes:
        flows: Every flow that this one contains.
        handlers: The handlers of the code location.
        in_items: Whether the graph stands in another one, which runs it once for each item of a
            list.
    """

    flows: Flows
    handlers: HandlerRegistry
    in_items: bool = False
