"""Where the input of a step comes from, and how it is put together again.

A dependency on a single or map step is one value. A dependency on a subflow is one value for
each of its final steps: no extra op gathers them, the receiving step does. So a step's input
arrives as an ordered list of sources, the same for the compiler (which wires them) and for the
running op (which reads them).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count
from typing import Any

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import contains_maps, leaves
from dagster_pgflow.model.step import MapStep, Step, SubflowStep
from dagster_pgflow.names import dagster_name
from dagster_pgflow.runtime.mapping import join
from dagster_pgflow.runtime.values import Skipped, from_wire

Flows = Mapping[str, Flow]


@dataclass(frozen=True)
class Source:
    """One value that a step receives.

    Attributes:
        dep: The slug of the dependency.
        path: Where in the dependency, when that is a subflow: the slugs down to a final step.
        collected: Whether the value arrives as the batches of a map step.
    """

    dep: str
    path: tuple[str, ...] = ()
    collected: bool = False


def sources_of(steps: Mapping[str, Step], step: Step, flows: Flows) -> tuple[Source, ...]:
    """Return what a step receives, dependency by dependency.

    Args:
        steps: The steps of its flow by slug.
        step: The step.
        flows: Every flow that its flow contains.
    """
    found: list[Source] = []
    for dep in dict.fromkeys(step.depends_on):
        upstream = steps[dep]
        collected = isinstance(upstream, MapStep)
        found += [Source(dep, path, collected) for path in output_paths(upstream, flows)]
    return tuple(found)


def output_paths(step: Step, flows: Flows) -> list[tuple[str, ...]]:
    """Return the paths of the values that make up a step's output.

    A single or map step has the one empty path; a subflow one path for each final step.
    """
    if not isinstance(step, SubflowStep):
        return [()]
    return [
        (leaf.slug, *path)
        for leaf in leaves(flows[step.flow])
        for path in output_paths(leaf, flows)
    ]


def port_names(ports: Sequence[tuple[str, ...]]) -> dict[tuple[str, ...], str]:
    """Return a distinct Dagster name for each path, readable where slugs allow."""
    names: dict[tuple[str, ...], str] = {}
    taken: set[str] = set()
    for port in ports:
        plain = dagster_name("__".join(port))
        numbered = (f"{plain}__{number}" for number in count(2))
        names[port] = next(name for name in chain([plain], numbered) if name not in taken)
        taken.add(names[port])
    return names


def input_names(sources: Sequence[Source]) -> dict[Source, str]:
    """Return the name of the op input for each source."""
    names = port_names([(source.dep, *source.path) for source in sources])
    return {source: names[source.dep, *source.path] for source in sources}


def needs_gathering(step: SubflowStep, sources: Sequence[Source], flows: Flows) -> bool:
    """Say whether the sources cannot reach the flow that a subflow step runs by themselves.

    Dagster 1.13 has no fan-in of a dynamic output together with others (issue 7060), no op that
    collects one dynamic output while it is mapped over another, as a map step may be that asks
    for the flow input, and runs for ever when an op collects one and waits for what a failure
    keeps behind another (see `compiler.passes.collect_apart`). A condition in CEL is answered
    once, where all that it may ask for is at hand, and not by every op that the flow begins with.

    Args:
        step: The subflow step.
        sources: What it receives.
        flows: Every flow that its flow contains.
    """
    if step.expressions:
        return True
    collects = any(source.collected for source in sources)
    return collects and (len(sources) > 1 or contains_maps(flows[step.flow], flows))


def unpack(raw: Any, sources: Sequence[Source]) -> dict[Source, Any]:
    """Return the values that arrived through the one input of a subflow."""
    return dict(zip(sources, raw if len(sources) > 1 else [raw], strict=True))


def assemble(
    frame: tuple[str, ...], sources: Sequence[Source], values: Mapping[Source, Any]
) -> dict[str, Any] | Skipped:
    """Return `{dep: output}` of the completed dependencies, or why the step is skipped.

    Args:
        frame: The path of the subflow steps around the step.
        sources: What the step receives.
        values: What arrived from each source, as it travelled.
    """
    trees: dict[str, dict[tuple[str, ...], Any]] = {}
    for source in sources:
        arrived = values[source]
        value = (
            join([from_wire(item) for item in arrived]) if source.collected else from_wire(arrived)
        )
        if isinstance(value, Skipped) and _skips(value, (*frame, source.dep), frame):
            return value
        trees.setdefault(source.dep, {})[source.path] = value
    outputs = {dep: _output_of((*frame, dep), tree) for dep, tree in trees.items()}
    return {dep: output for dep, output in outputs.items() if not isinstance(output, Skipped)}


def _skips(skipped: Skipped, dep_path: tuple[str, ...], frame: tuple[str, ...]) -> bool:
    """Say whether a skipped value skips the step that receives it.

    It does when a subflow around that step is skipped, or when its dependency itself cascades.
    """
    return skipped.encloses(frame) or (skipped.cascade and skipped.step == dep_path)


def _output_of(dep_path: tuple[str, ...], tree: Mapping[tuple[str, ...], Any]) -> Any:
    """Return a dependency's output from the values of its final steps."""
    if () in tree:
        return tree[()]
    inner: dict[str, dict[tuple[str, ...], Any]] = {}
    for (leaf, *rest), value in tree.items():
        if isinstance(value, Skipped) and value.encloses(dep_path):
            return value
        inner.setdefault(leaf, {})[tuple(rest)] = value
    outputs = {leaf: _output_of((*dep_path, leaf), part) for leaf, part in inner.items()}
    completed = {leaf: out for leaf, out in outputs.items() if not isinstance(out, Skipped)}
    return completed or None
