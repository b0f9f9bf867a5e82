"""All that is wrong with a manifest that was read, before it becomes a flow."""

from collections.abc import Iterator, Sequence
from typing import Final

from dagster_pgflow.dsl.manifest.certainty import Certainty
from dagster_pgflow.dsl.manifest.chain import chain_problems
from dagster_pgflow.dsl.manifest.compile import compile_problems
from dagster_pgflow.dsl.manifest.constraints import constraint_problems
from dagster_pgflow.dsl.manifest.edge_checks import edge_problems
from dagster_pgflow.dsl.manifest.gaps import Gaps
from dagster_pgflow.dsl.manifest.graph import Graph, graph_of
from dagster_pgflow.dsl.manifest.manifest import Manifest
from dagster_pgflow.dsl.manifest.meant_ways import meant_graph
from dagster_pgflow.dsl.manifest.part_checks import part_problems
from dagster_pgflow.dsl.manifest.way_checks import loop_problems, reach_problems
from dagster_pgflow.errors import Problem

_OF_EDGES: Final = frozenset({"no-edges", "unknown-target", "edge-into-join", "name-taken"})

_TOLD_ABOVE: Final = frozenset({"start-missing", "loops-overlap"})


def problems_of(manifest: Manifest) -> list[Problem]:
    """Return every problem of a manifest: its edges, its parts, its ways, schemas, constraints."""
    return list(each_problem(manifest))


def each_problem(manifest: Manifest, gaps: Gaps | None = None) -> Iterator[Problem]:
    """Yield the same one by one, for whoever wants no more than some of them.

    Args:
        manifest: What could be read.
        gaps: What could not; what may be wrong only because of them is left out.
    """
    certainty = Certainty(gaps or Gaps(), manifest)
    yield from filter(certainty.of, _each(manifest, graph_of(manifest)))


def flow_problems(manifest: Manifest) -> Iterator[Problem]:
    """Yield what no flow can do, beside what the other checks find."""
    for problem in compile_problems(manifest, graph_of(manifest)):
        if problem.code not in _TOLD_ABOVE:
            yield problem


def _each(manifest: Manifest, graph: Graph) -> Iterator[Problem]:
    found = [*edge_problems(manifest), *part_problems(manifest, graph)]
    yield from found
    yield from _reach(manifest, graph, found)
    yield from loop_problems(manifest, graph)
    yield from chain_problems(manifest, graph)
    # A way that breaks a constraint does so whatever other ways there should be.
    yield from constraint_problems(manifest, graph)


def _reach(manifest: Manifest, graph: Graph, found: Sequence[Problem]) -> Iterator[Problem]:
    """Say what cannot be reached; not again of each cell behind an edge that leads nowhere."""
    codes = {problem.code for problem in found}
    if "no-start" in codes:
        return
    if codes.isdisjoint(_OF_EDGES):
        yield from reach_problems(graph)
        return
    for problem in reach_problems(meant_graph(manifest)):
        if problem.code == "unreachable-cell":
            yield problem
