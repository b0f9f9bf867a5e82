"""Where a running step stands: the subflow steps around it, and the flow input they give it.

A flow is one graph, whether it runs as a job or inside another flow. Its root steps receive
`flow_input` just as it arrived at the graph; which steps of which flow it came from, and on what
conditions, only the place in the running job tells. That place is the path of the op.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dagster_pgflow.errors import ConditionNotMet, InvalidInput
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import by_slug
from dagster_pgflow.model.step import Step, SubflowStep
from dagster_pgflow.names import dagster_name
from dagster_pgflow.runtime.conditions import Facts, unmet_condition, unmet_expression
from dagster_pgflow.runtime.inputs import breach
from dagster_pgflow.runtime.sources import (
    Flows,
    Source,
    assemble,
    needs_gathering,
    sources_of,
    unpack,
)
from dagster_pgflow.runtime.values import Skipped, from_wire


@dataclass(frozen=True)
class Frame:
    """One running flow: the top one, or one that a subflow step runs.

    Attributes:
        flow: The flow.
        path: The slugs of the subflow steps from the top flow down to here.
        around: The frame and the step that run this flow, unless it is the top one.
    """

    flow: Flow
    path: tuple[str, ...] = ()
    around: "tuple[Frame, SubflowStep] | None" = None

    def path_of(self, step: Step) -> tuple[str, ...]:
        """Return the path of one of the flow's steps."""
        return (*self.path, step.slug)


def frame_at(top: Flow, node_names: Sequence[str], flows: Flows) -> Frame:
    """Return the innermost flow around an op.

    Args:
        top: The flow of the job.
        node_names: The names of the subflow nodes around the op, outermost first.
        flows: Every flow that the top one contains.
    """
    frame = Frame(top)
    for name in node_names:
        steps = {dagster_name(s.slug): s for s in frame.flow.steps if isinstance(s, SubflowStep)}
        step = steps[name]
        frame = Frame(flows[step.flow], frame.path_of(step), (frame, step))
    return frame


def flow_input(frame: Frame, arrived: Any, flows: Flows) -> Any:
    """Return the flow input of a frame, or the skip that reached the subflow step around it.

    Args:
        frame: The running flow.
        arrived: What came through the graph's input.
        flows: Every flow that the top one contains.

    Raises:
        ConditionNotMet: The subflow step's condition does not hold and says `fail`.
    """
    if frame.around is None:
        return arrived
    parent, step = frame.around
    sources = sources_of(by_slug(parent.flow), step, flows)
    if needs_gathering(step, sources, flows):
        return from_wire(arrived)
    if not sources:
        return check(parent, step, flow_input(parent, arrived, flows))
    return step_input(parent, step, sources, unpack(arrived, sources))


def refuse_bad_input(frame: Frame, arrived: Any, flows: Flows) -> None:
    """Check the input of the flows that begin where a root step of a frame stands.

    A flow that begins with a subflow has no op of its own there; it is checked with the inner one.

    Args:
        frame: The running flow.
        arrived: What came through the graph's input.
        flows: Every flow that the top one contains.

    Raises:
        InvalidInput: An input breaks its flow's input schema.
        ConditionNotMet: A subflow step's condition does not hold and says `fail`.
    """
    if frame.around is not None:
        parent, step = frame.around
        sources = sources_of(by_slug(parent.flow), step, flows)
        if not sources and not needs_gathering(step, sources, flows):
            refuse_bad_input(parent, arrived, flows)
    given = flow_input(frame, arrived, flows)
    reason = None if isinstance(given, Skipped) else breach(frame.flow.input_schema, given)
    if reason is not None:
        raise InvalidInput(
            f'The input of flow "{frame.flow.slug}" does not fit its input schema: {reason}',
            ".".join(frame.path),
        )


def step_input(
    frame: Frame,
    step: Step,
    sources: tuple[Source, ...],
    values: Mapping[Source, Any],
    facts: Facts | None = None,
) -> Any:
    """Return `{dep: output}` for a step that has dependencies, or `Skipped`."""
    return check(frame, step, assemble(frame.path, sources, values), facts)


def check(frame: Frame, step: Step, given: Any, facts: Facts | None = None) -> Any:
    """Apply a step's conditions to its input; return the input, or the skip they lead to.

    Args:
        frame: The flow that the step belongs to.
        step: The step.
        given: Its input, or `Skipped`.
        facts: What its conditions in CEL may ask. The ops inside a subflow have none, and do
            not look at those of the subflow step: its helper op did.

    Raises:
        ConditionNotMet: A condition does not hold and `when_unmet` is `fail`.
    """
    path = frame.path_of(step)
    if isinstance(given, Skipped):
        if given.encloses(frame.path):
            return given
        return Skipped("dependency_skipped", path, cascade=True)
    unmet = unmet_condition(step, given)
    if unmet is None and facts is not None:
        unmet = unmet_expression(step, given, facts, frame.flow.slug, ".".join(path))
    if unmet is None:
        return given
    if step.when_unmet == "fail":
        shown = ".".join(path)
        raise ConditionNotMet(f'Step "{shown}" may not run: condition not met, {unmet}.', shown)
    return Skipped("condition_unmet", path, cascade=step.when_unmet == "skip-cascade")
