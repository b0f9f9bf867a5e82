"""Where a running step stands: the subflow steps around it, and the flow input they give it.

A flow is one graph, whether it runs as a job or inside another flow. Its root steps receive
`flow_input` just as it arrived at the graph; which steps of which flow it came from, and on what
conditions, only the place in the running job tells. That place is the path of the op.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dagster_pgflow.errors import InvalidInput
from dagster_pgflow.expressions.references import INPUT, ITEM, NODES, filled, reference
from dagster_pgflow.model.defaults import input_of_run
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import by_slug
from dagster_pgflow.model.lowered import LoopBody, LoopNode, flow_around, whole_of
from dagster_pgflow.model.steps import SubflowStep
from dagster_pgflow.model.steps.fields import StepBase
from dagster_pgflow.names import dagster_name, iteration_of
from dagster_pgflow.runtime.assembly import Receiver, Trace, assemble, no_trace
from dagster_pgflow.runtime.conditions import Facts, unmet
from dagster_pgflow.runtime.data_map import (
    Received,
    kept_by_subflow,
    merged_output,
    received,
)
from dagster_pgflow.runtime.holding import here
from dagster_pgflow.runtime.input_parts import (
    Flows,
    InputPart,
    input_parts_of,
    needs_gathering,
    unpack,
)
from dagster_pgflow.runtime.inputs import breach
from dagster_pgflow.runtime.iterations import Iteration
from dagster_pgflow.runtime.values import Batch, Skipped, from_wire, kind_of, to_json
from dagster_pgflow.step_errors import (
    ConditionNotMet,
    InvalidOutput,
    ReferenceFailed,
    TypeViolation,
    ValueNotJson,
)
from dagster_pgflow.step_path import RUN, StepPath


@dataclass(frozen=True)
class Frame:
    """One running flow: the top one, or one that a subflow step runs.

    Attributes:
        flow: The flow.
        path: The place of the subflow step or the loop that it runs in, such as `pay[3]`; that of
            the run for the top one.
        around: The frame and the step that run this flow, unless it is the top one.
    """

    flow: Flow
    path: StepPath = RUN
    around: "tuple[Frame, SubflowStep | LoopNode] | None" = None

    @property
    def in_items(self) -> bool:
        """Whether this flow, or one around it, runs once for each item of a list."""
        if self.around is None:
            return False
        parent, step = self.around
        over = step.over if isinstance(step, SubflowStep) else None
        return over is not None or parent.in_items

    @property
    def iteration(self) -> int:
        """Which iteration of the innermost loop of its flow this is, from 1; 0 outside of loops."""
        if not isinstance(self.flow, LoopBody):
            return 0
        return self.path.number or 0

    def path_of(self, step: StepBase) -> StepPath:
        """Return the path of one of the flow's steps."""
        return self.path.to(step.slug)

    def receiver(self, step: StepBase, trace: Trace = no_trace) -> Receiver:
        """Return one of the flow's steps as what receives something.

        Args:
            step: The step.
            trace: Tells what the steps of a subflow did that failed.
        """
        whole = whole_of(self.flow)
        own = {inner.slug for inner in self.flow.steps}
        elsewhere = {dep: self.path_to(dep) for dep in step.depends_on if dep not in own}
        return Receiver(step, by_slug(whole), self.path, trace, elsewhere)

    def received(self, step: StepBase, given: Any) -> Received:
        """Return what one of the flow's steps received.

        Args:
            step: The step.
            given: `{dep: output}`; the flow input at the root of the flow.

        Raises:
            NotMerged: It merges its input, and a dependency returned no object.
        """
        return received(self.flow, step, given, self.path_of(step))

    def path_to(self, slug: str) -> StepPath:
        """Return the path of a step, here or around the loop that this is an iteration of."""
        is_here = any(step.slug == slug for step in self.flow.steps)
        if is_here or self.around is None or not isinstance(self.flow, LoopBody):
            return self.path.to(slug)
        return self.around[0].path_to(slug)


def outermost(top: Flow, path: StepPath, flows: Flows) -> Frame:
    """Return the frame of what a job runs.

    An iteration of a loop, which needs what lies outside of it, comes with the flow around.

    Args:
        top: The flow of the job, or the body of a loop.
        path: Its path, where a step of another run executes it; else nothing.
        flows: Every flow that the top one contains.
    """
    if not isinstance(top, LoopBody):
        return Frame(top, path)
    flow, loop = flow_around(top, flows)
    return Frame(top, path, (outermost(flow, path.scope, flows), loop))


def frame_at(
    frame: Frame, node_names: Sequence[str], flows: Flows, mapping_key: str | None = None
) -> Frame:
    """Return the innermost flow around an op.

    Args:
        frame: The outermost one in its job.
        node_names: The names of the nodes around the op, subflows and iterations, outermost first.
        flows: Every flow that the outermost one contains.
        mapping_key: Dagster's word for the item, where one of the subflows runs once for each.
    """
    for name in node_names:
        step, index = _at_node(frame.flow, name, mapping_key)
        path = frame.path.to(step.slug).at(index)
        frame = Frame(flows[step.flow], path, (frame, step))
    return frame


def _at_node(
    flow: Flow, name: str, mapping_key: str | None
) -> tuple[SubflowStep | LoopNode, int | None]:
    """Return the step that a node is, and which of its items or iterations."""
    found = iteration_of(name)
    for step in flow.steps:
        if isinstance(step, LoopNode) and found and step.slug == found[0]:
            return step, found[1]
        if isinstance(step, SubflowStep) and dagster_name(step.slug) == name:
            return step, int(mapping_key) if step.over is not None and mapping_key else None
    raise KeyError(name)


def flow_input(frame: Frame, arrived: Any, flows: Flows) -> Any:
    """Return the flow input of a frame, or the skip that reached the subflow step around it.

    Args:
        frame: The running flow.
        arrived: What came through the graph's input; `UNASKED` where nobody gave the run any.
        flows: Every flow that the top one contains.

    Raises:
        ConditionNotMet: The subflow step's condition does not hold and says `fail`.
        Held: There is none so far, because a step before waits.
    """
    if isinstance(frame.flow, LoopBody):
        return Iteration.arrived(arrived).flow_input
    given = here(_given_to(frame, arrived, flows))
    return given if isinstance(given, Skipped) else input_of_run(frame.flow.input_schema, given)


def _given_to(frame: Frame, arrived: Any, flows: Flows) -> Any:
    """Return what a flow is asked to run on, or the skip that reached the step around it."""
    if frame.around is None:
        return arrived
    parent, step = frame.around
    assert isinstance(step, SubflowStep)  # noqa: S101
    if step.over is not None:
        batch = from_wire(arrived)
        return batch.values[0] if isinstance(batch, Batch) else batch
    parts = input_parts_of(by_slug(parent.flow), step, flows, in_items=parent.in_items)
    if _is_gathered(parent, step, parts, flows):
        return from_wire(arrived)
    if parts:
        # A step that may wait for a failure, and with it for a trace, has a helper op.
        found = assemble(parent.receiver(step), parts, unpack(arrived, parts))
        return mapped_input(parent, step, check(parent, step, found), None)
    around = flow_input(parent, arrived, flows)
    given = check(parent, step, around)
    # What only passes through travels on no wire, so even what looks like a marker is data.
    return given if step.input is None else mapped_input(parent, step, given, around)


def _is_gathered(
    parent: Frame, step: SubflowStep, parts: tuple[InputPart, ...], flows: Flows
) -> bool:
    return needs_gathering(parent.flow, step, parts, flows, in_items=parent.in_items)


def items_of(frame: Frame, step: SubflowStep, given: Any, around: Any) -> list[Any] | Skipped:
    """Return what a subflow step gives its flow for each item of its list.

    Args:
        frame: The flow that the step belongs to.
        step: The subflow step; it runs over a list.
        given: Its input, or `Skipped`.
        around: The input of the flow that the step belongs to.

    Raises:
        TypeViolation: There is no list.
        InvalidInput: A reference leads nowhere.
    """
    if isinstance(given, Skipped):
        return given
    path = frame.path_of(step)
    wanted = step.list_reference or ""
    dep = reference(wanted).step
    if dep is not None and dep not in given:
        # A dependency that was skipped counts as an empty list, as it does for a map step.
        return []
    try:
        items = filled(wanted, {NODES: given if step.depends_on else {}, INPUT: around})
    except ReferenceFailed as error:
        raise InvalidInput(f'Subflow step "{path}" has no list: {error}', path) from None
    if not isinstance(items, list):
        raise TypeViolation(
            f'Subflow step "{path}" runs over {wanted}, which is {kind_of(items)}; it must be a'
            " list."
        )
    return [mapped_input(frame, step, given, around, found) for found in enumerate(items)]


def mapped_input(
    frame: Frame,
    step: SubflowStep,
    given: Any,
    around: Any,
    item: tuple[int, Any] | None = None,
) -> Any:
    """Return what a subflow step gives its flow: its input, or what its mapping makes of it.

    Args:
        frame: The flow that the step belongs to.
        step: The subflow step.
        given: Its input, or `Skipped`.
        around: The input of the flow that the step belongs to, where the mapping asks for it.
        item: The index of the item at hand and the item, where the flow runs once for each.

    Raises:
        InvalidInput: A reference leads nowhere, or what came out looks like one of our markers.
        NotMerged: The step merges its input, and a dependency returned no object.
    """
    if isinstance(given, Skipped):
        return given
    nodes = given if step.depends_on else {}
    values = {NODES: nodes, INPUT: around} | ({ITEM: item[1]} if item else {})
    try:
        if step.input is not None:
            return to_json(filled(step.input, values))
        return to_json(item[1] if item else frame.received(step, given).input)
    except (ReferenceFailed, ValueNotJson) as error:
        path = frame.path_of(step)
        raise InvalidInput(
            f'The input of subflow step "{path.at(item and item[0])}" cannot be put together:'
            f" {error}",
            path,
        ) from None


def shaped_output(
    frame: Frame,
    step: SubflowStep,
    child: Flow,
    returned: Any,
    index: int | None = None,
    *,
    given: Any = None,
) -> Any:
    """Return the output of a subflow step: what its flow returned, or what its mapping picks.

    Args:
        frame: The flow that the step belongs to.
        step: The subflow step.
        child: The flow that it runs.
        returned: `{final step: output}`, `None` without any, or `Skipped`.
        index: The index of the item, where the flow runs once for each.
        given: The input of the step, where it keeps that.

    Raises:
        InvalidOutput: It breaks the output schema of the flow, a reference leads nowhere, what came
            out looks like one of our markers, or is no object that can be laid over the input.
    """
    if isinstance(returned, Skipped):
        return returned
    path = frame.path_of(step)
    shown = path.at(index)
    output = merged_output(child, returned)
    reason = breach(child.output_schema, output)
    if reason is not None:
        raise InvalidOutput(
            f'The output of flow "{child.slug}" in step "{shown}" does not fit its output schema:'
            f" {reason}",
            path,
        )
    try:
        if step.output is not None:
            output = to_json(filled(step.output, {NODES: returned or {}}))
    except (ReferenceFailed, ValueNotJson) as error:
        raise InvalidOutput(
            f'The output of subflow step "{shown}" cannot be put together: {error}', path
        ) from None
    return kept_by_subflow(step, given, output, path)


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
    parent, step = frame.around or (None, None)
    if parent is not None and isinstance(step, SubflowStep):
        parts = input_parts_of(by_slug(parent.flow), step, flows, in_items=parent.in_items)
        is_fed = step.over is not None or _is_gathered(parent, step, parts, flows)
        if not parts and not is_fed:
            refuse_bad_input(parent, arrived, flows)
    given = flow_input(frame, arrived, flows)
    reason = None if isinstance(given, Skipped) else breach(frame.flow.input_schema, given)
    if reason is not None:
        path = frame.path
        place = f' in step "{path}"' if path else ""
        raise InvalidInput(
            f'The input of flow "{frame.flow.slug}"{place} does not fit its input schema: {reason}',
            path,
        )


def check(frame: Frame, step: StepBase, given: Any, facts: Facts | None = None) -> Any:
    """Apply a step's conditions to its input; return the input, or the skip they lead to.

    Args:
        frame: The flow that the step belongs to.
        step: The step.
        given: Its input, or `Skipped`.
        facts: What its conditions in CEL may ask. The ops inside a subflow have none, and do
            not look at those of the subflow step: its helper op did.

    Raises:
        ConditionNotMet: A condition does not hold and `when_unmet` is `fail`.
        NotMerged: The step merges its input, and a dependency returned no object.
    """
    path = frame.path_of(step)
    if isinstance(given, Skipped):
        if given.encloses(frame.path) or given.step == path:
            return given
        return Skipped("dependency_skipped", path, cascade=True, why=given.told_behind)
    slug = whole_of(frame.flow).slug
    why = unmet(step, frame.received(step, given), facts, slug, path)
    if why is None:
        return given
    if step.when_unmet == "fail":
        raise ConditionNotMet(f'Step "{path}" may not run: condition not met, {why}.', path)
    cascade = step.when_unmet == "skip-cascade"
    return Skipped("condition_unmet", path, cascade=cascade, why=why)
