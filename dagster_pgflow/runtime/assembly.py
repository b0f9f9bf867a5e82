"""What a step receives from its dependencies, put together from what arrived.

Here a skipped dependency loses its key, a subflow becomes one value again, and a step finds out
that the run takes another path.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from dagster_pgflow.errors import ListNotWhole
from dagster_pgflow.model.step import JoinStep, Step, StepBase, SubflowStep
from dagster_pgflow.model.ways import is_joined
from dagster_pgflow.runtime.mapping import join
from dagster_pgflow.runtime.sources import Source
from dagster_pgflow.runtime.values import Skipped, SkipReason, foremost, from_wire

NOTHING: Mapping[str, Any] = MappingProxyType({})

Path = tuple[str, ...]
"""Slugs from the top flow down to a step."""

Trace = Callable[[Path], list[dict[str, Any]]]
"""Tells what the steps of a subflow did."""


def no_trace(_path: Path) -> list[dict[str, Any]]:
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
    frame: Path
    trace: Trace = no_trace
    elsewhere: Mapping[str, Path] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """The path of the step."""
        return (*self.frame, self.step.slug)

    def path_of(self, dep: str) -> Path:
        """Return the path of a dependency."""
        return self.elsewhere.get(dep, (*self.frame, dep))


def assemble(
    receiver: Receiver,
    sources: Sequence[Source],
    values: Mapping[Source, Any],
    outside: Mapping[str, Any] = NOTHING,
) -> dict[str, Any] | Skipped:
    """Return `{dep: output}` of the completed dependencies, or why the step is skipped.

    Args:
        receiver: The step.
        sources: What it receives.
        values: What arrived from each source, as it travelled.
        outside: What became of the dependencies outside of the loop around the step.
    """
    arrived = _arrived(sources, values)
    told = [(source.dep, value) for source, value in arrived.items()]
    skips = [
        value
        for dep, value in [*told, *outside.items()]
        if isinstance(value, Skipped) and _skips(value, dep, receiver)
    ]
    if skips:
        return foremost(skips)
    outputs = _outputs(receiver, arrived)
    if outside:
        outputs = {dep: (outputs | dict(outside))[dep] for dep in receiver.step.depends_on}
    ways = {dep: _other_way(receiver, dep, output) for dep, output in outputs.items()}
    others = {dep: way for dep, way in ways.items() if way is not None}
    # What a join waits for is not the way that leads elsewhere, such as a subflow's success.
    came = {dep: output for dep, output in outputs.items() if dep not in others}
    given = dict(_received(receiver, came))
    least = _least(receiver.step)
    if least is not None:
        completed = [output for output in came.values() if not isinstance(output, Skipped)]
        is_enough = len(completed) >= least
        return given if is_enough else _too_few(receiver, outputs, others)
    lost = [way for dep, way in others.items() if not _joins(receiver, dep, list(came), way)]
    if lost:
        behind = dict.fromkeys(path for way in lost for path in way.behind)
        return Skipped(lost[0].reason, receiver.path, untaken=tuple(behind))
    return given


def outputs_by_dep(
    receiver: Receiver, sources: Sequence[Source], values: Mapping[Source, Any]
) -> dict[str, Any]:
    """Return the output of each dependency by the key of its sources, or why it has none.

    Args:
        receiver: The step.
        sources: What it receives.
        values: What arrived from each source, as it travelled.
    """
    return _outputs(receiver, _arrived(sources, values))


def output_of_subflow(path: Path, sources: Sequence[Source], values: Mapping[Source, Any]) -> Any:
    """Return `{final step: output}` of a subflow, `None` without any, or why there is nothing.

    Args:
        path: The path of the subflow step.
        sources: Its final steps.
        values: What arrived from each, as it travelled.
    """
    return _output_of(path, {source.path: from_wire(values[source]) for source in sources})


def outputs_of_items(
    path: Path, sources: Sequence[Source], values: Mapping[Source, Any], count: int | None
) -> list[Any] | Skipped:
    """Return what a subflow returned for each item of its list, or why there is nothing.

    Args:
        path: The path of the subflow step.
        sources: The final steps of its flow.
        values: What arrived from each, item by item.
        count: How many items there are, if that is known.

    Raises:
        ListNotWhole: Something of an item is missing.
    """
    counts = {len(values[source]) for source in sources}
    if count is not None:
        counts.add(count)
    if len(counts) > 1:
        raise ListNotWhole(
            f'Subflow step "{".".join(path)}" returned {min(counts)} of {max(counts)} items.'
        )
    outputs: list[Any] = []
    for index in range(max(counts, default=0)):
        item = (*path[:-1], f"{path[-1]}[{index}]")
        one = {source: values[source][index] for source in sources}
        output = output_of_subflow(item, sources, one)
        if isinstance(output, Skipped):
            # One failed item is a failure of the step; that of a flow around it stays what it is.
            return replace(output, step=path) if output.step == item else output
        outputs.append(output)
    return outputs


def _arrived(sources: Sequence[Source], values: Mapping[Source, Any]) -> dict[Source, Any]:
    return {source: _value(source, values[source]) for source in sources}


def _outputs(receiver: Receiver, arrived: Mapping[Source, Any]) -> dict[str, Any]:
    return {
        key: _output_of(receiver.path_of(dep), _tree(key, arrived))
        for key, dep in {source.key: source.dep for source in arrived}.items()
    }


def _value(source: Source, arrived: Any) -> Any:
    if source.collected:
        return join([from_wire(item) for item in arrived], source.dep)
    return from_wire(arrived)


def _skips(skipped: Skipped, dep: str, receiver: Receiver) -> bool:
    """Say whether a skipped value skips the step that receives it.

    It does when a subflow around that step is skipped, or when its dependency itself cascades,
    unless the step waits only for some of its dependencies.
    """
    own = skipped.step == receiver.path_of(dep)
    cascades = skipped.cascade and own and _least(receiver.step) is None
    return skipped.encloses(receiver.frame) or cascades


def _least(step: StepBase) -> int | None:
    """Return how many dependencies a step waits for, where it is not for all of them."""
    return step.least if isinstance(step, JoinStep) else None


def _too_few(
    receiver: Receiver, outputs: Mapping[str, Any], others: Mapping[str, "_OtherWay"]
) -> Skipped:
    """Return the skip of a join to which too few paths led."""
    behind = dict.fromkeys(path for way in others.values() for path in way.behind)
    cascade = any(output.cascade for output in outputs.values() if isinstance(output, Skipped))
    none_taken = others.keys() == outputs.keys() and all(
        way.reason == "not_taken" for way in others.values()
    )
    reason: SkipReason = "not_taken" if none_taken else "dependency_skipped"
    return Skipped(reason, receiver.path, cascade, untaken=tuple(behind))


def _tree(key: str, arrived: Mapping[Source, Any]) -> dict[Path, Any]:
    return {source.path: value for source, value in arrived.items() if source.key == key}


def _output_of(dep_path: Path, tree: Mapping[Path, Any]) -> Any:
    """Return a dependency's output from the values of its final steps."""
    if () in tree:
        return tree[()]
    inner: dict[str, dict[Path, Any]] = {}
    for (leaf, *rest), value in tree.items():
        if isinstance(value, Skipped) and value.encloses(dep_path):
            return value
        inner.setdefault(leaf, {})[tuple(rest)] = value
    outputs = {leaf: _output_of((*dep_path, leaf), part) for leaf, part in inner.items()}
    completed = {leaf: out for leaf, out in outputs.items() if not isinstance(out, Skipped)}
    return completed or None


@dataclass(frozen=True)
class _OtherWay:
    """Why the run does not come by a step.

    Attributes:
        behind: The paths of the subflow steps behind which it takes another way.
        reason: What the step says.
    """

    behind: tuple[Path, ...]
    reason: SkipReason


def _other_way(receiver: Receiver, dep: str, output: Any) -> _OtherWay | None:
    """Return why the run does not come by a step, as far as one dependency tells."""
    failed = isinstance(output, Skipped) and output.error is not None
    untaken = output.untaken if isinstance(output, Skipped) else ()
    path = receiver.path_of(dep)
    if _is_failure_step(receiver, dep):
        if failed:
            return None
        return _OtherWay(untaken, output.reason) if untaken else _OtherWay((path,), "not_taken")
    if failed:
        return _OtherWay((path,), "not_taken")
    return _OtherWay(untaken, output.reason) if untaken else None


def _received(receiver: Receiver, outputs: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield what each dependency hands to a step that runs: its output, or its error."""
    for dep, output in outputs.items():
        if not isinstance(output, Skipped):
            yield dep, output
        elif _is_failure_step(receiver, dep):
            trace = receiver.trace(receiver.path_of(dep))
            yield dep, {"error": output.error, "child_trace": trace}


def _is_failure_step(receiver: Receiver, dep: str) -> bool:
    upstream = receiver.steps[dep]
    return isinstance(upstream, SubflowStep) and upstream.on_failure == receiver.step.slug


def _joins(receiver: Receiver, dep: str, taken: Sequence[str], way: _OtherWay) -> bool:
    """Say whether a step runs without a dependency, because others took the way instead."""
    if _is_failure_step(receiver, dep):
        return False
    steps, slug = receiver.steps, receiver.step.slug
    return any(is_joined(steps, slug, dep, taken, path[-1]) for path in way.behind)
