"""What a step receives from its dependencies, put together from what arrived.

Here a skipped dependency loses its key, a subflow becomes one value again, and a step finds out
that the run takes another path.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import Any

from dagster_pgflow.errors import ListNotWhole
from dagster_pgflow.model.failures import waits_for_failure
from dagster_pgflow.model.routes import is_joined
from dagster_pgflow.model.run_state import SkipReason
from dagster_pgflow.model.steps import JoinStep, Step
from dagster_pgflow.model.steps.data_map import merges_input
from dagster_pgflow.model.steps.fields import StepBase
from dagster_pgflow.runtime.failure_data import (
    laid_over_input,
    refuse_failed_members,
    told_of,
)
from dagster_pgflow.runtime.holding import Held, waiting_among
from dagster_pgflow.runtime.input_parts import InputPart
from dagster_pgflow.runtime.mapping import join
from dagster_pgflow.runtime.values import Skipped, Waiting, foremost, from_wire
from dagster_pgflow.step_path import StepPath

NOTHING: Mapping[str, Any] = MappingProxyType({})

Trace = Callable[[StepPath], list[dict[str, Any]]]
"""Tells what the steps of a subflow did."""


_Inside = tuple[str, ...]
"""Slugs from a subflow down to one of its final steps."""


def no_trace(_path: StepPath) -> list[dict[str, Any]]:
    """Tells nothing, where no step waits for a failure."""
    return []


@dataclass(frozen=True)
class Receiver:
    """A step that receives something.

    Attributes:
        step: The step.
        steps: The steps of its flow by slug.
        frame: The path of the subflow steps around it.
        trace: Tells what the steps of a subflow did that failed.
        elsewhere: The paths of the dependencies that lie outside of the loop around the step.
    """

    step: StepBase
    steps: Mapping[str, Step]
    frame: StepPath
    trace: Trace = no_trace
    elsewhere: Mapping[str, StepPath] = field(default_factory=dict)

    @property
    def path(self) -> StepPath:
        """The path of the step."""
        return self.frame.to(self.step.slug)

    def path_of(self, dep: str) -> StepPath:
        """Return the path of a dependency."""
        return self.elsewhere.get(dep) or self.frame.to(dep)


def assemble(
    receiver: Receiver,
    parts: Sequence[InputPart],
    values: Mapping[InputPart, Any],
    outside: Mapping[str, Any] = NOTHING,
) -> dict[str, Any] | Skipped:
    """Return `{dep: output}` of the completed dependencies, or why the step is skipped.

    Args:
        receiver: The step.
        parts: What it receives.
        values: What arrived from each part, as it travelled.
        outside: What became of the dependencies outside of the loop around the step.

    Raises:
        Held: The step needs what a step that waits has not sent so far.
        MembersFailed: The step is a join, and fails with some of them.
    """
    arrived = _arrived(parts, values)
    skips = _skips_among(receiver, arrived, outside)
    if any(skip.encloses(receiver.frame) for skip in skips):
        return foremost(skips)
    outputs = _outputs(receiver, arrived)
    if outside:
        outputs = {dep: (outputs | dict(outside))[dep] for dep in receiver.step.depends_on}
    waiting, least = waiting_among(outputs.values()), _least(receiver.step)
    if waiting is not None and (least is None or _catches(receiver.step)):
        raise Held(waiting)
    outputs = {dep: output for dep, output in outputs.items() if not isinstance(output, Waiting)}
    # A failure that is caught here is told here, whatever else would have the join be skipped.
    refuse_failed_members(receiver.step, receiver.path, outputs)
    if skips:
        return foremost(skips)
    routes = {dep: _other_route(receiver, dep, output) for dep, output in outputs.items()}
    others = {dep: route for dep, route in routes.items() if route is not None}
    # What a join waits for is not the route that leads elsewhere, such as a subflow's success.
    came = {dep: output for dep, output in outputs.items() if dep not in others}
    given = dict(_received(receiver, came))
    if least is not None:
        completed = [output for output in came.values() if not isinstance(output, Skipped)]
        if len(completed) >= least:
            return given
        if waiting is not None:
            raise Held(waiting)
        return _too_few(receiver, outputs, others, f"{least}, and {len(completed)} completed")
    lost = _lost(receiver, list(came), others)
    if lost:
        behind = dict.fromkeys(path for route in lost for path in route.behind)
        return Skipped(lost[0].reason, receiver.path, not_taken=tuple(behind), why=lost[0].why)
    return given


def _skips_among(
    receiver: Receiver, arrived: Mapping[InputPart, Any], outside: Mapping[str, Any]
) -> list[Skipped]:
    """Return what arrived that has the step skipped."""
    told = [(part.dep, value) for part, value in arrived.items()]
    return [
        value
        for dep, value in [*told, *outside.items()]
        if isinstance(value, Skipped) and _skips(value, dep, receiver)
    ]


def _lost(
    receiver: Receiver, came: list[str], others: Mapping[str, "_OtherRoute"]
) -> list["_OtherRoute"]:
    """Return why the run does not come by the step, as far as its other dependencies tell."""
    goes_on = any(_waits_for_failure(receiver, dep) for dep in came)
    return [
        route
        for dep, route in others.items()
        if not (
            # One failure is enough for the step that goes on after several.
            goes_on if _waits_for_failure(receiver, dep) else _joins(receiver, dep, came, route)
        )
    ]


def outputs_by_dep(
    receiver: Receiver, parts: Sequence[InputPart], values: Mapping[InputPart, Any]
) -> dict[str, Any]:
    """Return the output of each dependency by the key of its parts, or why it has none.

    Args:
        receiver: The step.
        parts: What it receives.
        values: What arrived from each part, as it travelled.
    """
    return _outputs(receiver, _arrived(parts, values))


def output_of_subflow(
    path: StepPath, parts: Sequence[InputPart], values: Mapping[InputPart, Any]
) -> Any:
    """Return `{final step: output}` of a subflow, `None` without any, or why there is nothing.

    One whose failure or skip is known is over, whatever waits in it.

    Args:
        path: The path of the subflow step.
        parts: Its final steps.
        values: What arrived from each, as it travelled.
    """
    return _output_of(path, {part.path: from_wire(values[part]) for part in parts})


def outputs_of_items(
    path: StepPath, parts: Sequence[InputPart], values: Mapping[InputPart, Any], count: int | None
) -> list[Any] | Skipped:
    """Return what a subflow returned for each item of its list, or why there is nothing.

    Args:
        path: The path of the subflow step.
        parts: The final steps of its flow.
        values: What arrived from each, item by item.
        count: How many items there are, if that is known.

    Raises:
        Held: An item waits.
        ListNotWhole: Something of an item is missing.
    """
    # Where one op does all items, it sends one list of them, or that it is held.
    alone = waiting_among(
        from_wire(values[part]) for part in parts if isinstance(values[part], dict)
    )
    if alone is not None:
        raise Held(alone)
    counts = {len(values[part]) for part in parts}
    if count is not None:
        counts.add(count)
    if len(counts) > 1:
        raise ListNotWhole(f'Subflow step "{path}" returned {min(counts)} of {max(counts)} items.')
    outputs = [
        output_of_subflow(path.at(index), parts, {part: values[part][index] for part in parts})
        for index in range(max(counts, default=0))
    ]
    skips = [(path.at(index), out) for index, out in enumerate(outputs) if isinstance(out, Skipped)]
    waiting = waiting_among(outputs)
    if waiting is not None:
        # All items come to their ends, unless a flow around them has come to its own.
        skips = [(item, output) for item, output in skips if output.step != item]
        if not skips:
            raise Held(waiting)
    for item, output in skips:
        # One failed item is a failure of the step; that of a flow around it stays what it is.
        return replace(output, step=path) if output.step == item else output
    return outputs


def _arrived(parts: Sequence[InputPart], values: Mapping[InputPart, Any]) -> dict[InputPart, Any]:
    return {part: _value(part, values[part]) for part in parts}


def _outputs(receiver: Receiver, arrived: Mapping[InputPart, Any]) -> dict[str, Any]:
    return {
        key: _output_of(receiver.path_of(dep), _tree(key, arrived))
        for key, dep in {part.key: part.dep for part in arrived}.items()
    }


def _value(part: InputPart, arrived: Any) -> Any:
    if part.collected:
        return join([from_wire(item) for item in arrived], part.dep)
    return from_wire(arrived)


def _skips(skipped: Skipped, dep: str, receiver: Receiver) -> bool:
    """Return whether a skipped value skips the step that receives it.

    It does when a subflow around that step is skipped, or when its dependency itself cascades,
    unless the step waits only for some of its dependencies.
    """
    own = skipped.step == receiver.path_of(dep)
    cascades = skipped.cascade and own and _least(receiver.step) is None
    return skipped.encloses(receiver.frame) or cascades


def _least(step: StepBase) -> int | None:
    """Return how many dependencies a step waits for, where it is not for all of them."""
    return step.least if isinstance(step, JoinStep) else None


def _catches(step: StepBase) -> bool:
    """Return whether a step fails with any of its dependencies: then it needs to know of all."""
    return isinstance(step, JoinStep) and bool(step.catches)


def _too_few(
    receiver: Receiver, outputs: Mapping[str, Any], others: Mapping[str, "_OtherRoute"], few: str
) -> Skipped:
    """Return the skip of a join to which too few paths led; `few` says how few."""
    behind = dict.fromkeys(path for route in others.values() for path in route.behind)
    cascade = any(output.cascade for output in outputs.values() if isinstance(output, Skipped))
    none_taken = others.keys() == outputs.keys() and all(
        route.reason == "not_taken" for route in others.values()
    )
    if none_taken:
        return Skipped("not_taken", receiver.path, cascade, not_taken=tuple(behind))
    why = f'"{receiver.path}" waits for dependencies to complete, at least {few}'
    return Skipped("dependency_skipped", receiver.path, cascade, not_taken=tuple(behind), why=why)


def _tree(key: str, arrived: Mapping[InputPart, Any]) -> dict[_Inside, Any]:
    return {part.path: value for part, value in arrived.items() if part.key == key}


def _output_of(dep_path: StepPath, tree: Mapping[_Inside, Any]) -> Any:
    """Return a dependency's output from the values of its final steps."""
    if () in tree:
        return tree[()]
    inner: dict[str, dict[_Inside, Any]] = {}
    for (leaf, *rest), value in tree.items():
        if isinstance(value, Skipped) and value.encloses(dep_path):
            return value
        inner.setdefault(leaf, {})[tuple(rest)] = value
    outputs = {leaf: _output_of(dep_path.to(leaf), part) for leaf, part in inner.items()}
    waiting = waiting_among(outputs.values())
    if waiting is not None:
        return waiting
    completed = {leaf: out for leaf, out in outputs.items() if not isinstance(out, Skipped)}
    return completed or None


@dataclass(frozen=True)
class _OtherRoute:
    """Why the run does not come by a step.

    Attributes:
        behind: The paths of the steps behind which it takes another route.
        reason: What the step says.
        why: The same in words, where that is known.
    """

    behind: tuple[StepPath, ...]
    reason: SkipReason
    why: str = ""


def _other_route(receiver: Receiver, dep: str, output: Any) -> _OtherRoute | None:
    """Return why the run does not come by a step, as far as one dependency tells."""
    failed = isinstance(output, Skipped) and output.error is not None
    not_taken = output.not_taken if isinstance(output, Skipped) else ()
    path = receiver.path_of(dep)
    if failed and _goes_on(receiver, dep, output):
        return None
    if not failed and _waits_for_failure(receiver, dep):
        return (
            _OtherRoute(not_taken, output.reason, output.why)
            if not_taken
            else _OtherRoute((path,), "not_taken", f'"{path}" did not fail')
        )
    if failed:
        return _OtherRoute((path,), "not_taken", f'"{path}" failed')
    return _OtherRoute(not_taken, output.reason, output.why) if not_taken else None


def _received(receiver: Receiver, outputs: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield what each dependency hands to a step that runs: its output, or its error."""
    merged = merges_input(receiver.step)
    told = False
    for dep, output in outputs.items():
        if not isinstance(output, Skipped):
            yield dep, output
        elif output.error is None or not _waits_for_failure(receiver, dep):
            continue
        elif not merged or not told:
            # In one object there is room for one failure.
            told = True
            tell = laid_over_input if merged else told_of
            trace = partial(receiver.trace, receiver.path_of(dep))
            yield dep, tell(output, receiver.steps[dep], trace)


def _waits_for_failure(receiver: Receiver, dep: str) -> bool:
    return waits_for_failure(receiver.step, receiver.steps[dep])


def _goes_on(receiver: Receiver, dep: str, failed: Skipped) -> bool:
    """Return whether it is this step with which the run goes on after a dependency failed."""
    timed_out = failed.failure is not None and failed.failure.timed_out
    return receiver.steps[dep].failure_step(timed_out=timed_out) == receiver.step.slug


def _joins(receiver: Receiver, dep: str, taken: Sequence[str], route: _OtherRoute) -> bool:
    """Return whether a step runs without a dependency, because others took the route instead."""
    steps, slug = receiver.steps, receiver.step.slug
    return any(is_joined(steps, slug, dep, taken, path.slug) for path in route.behind)
