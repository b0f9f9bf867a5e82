"""Every cell lies on a way from the entry to a terminal, and every loop begins at one cell."""

from collections.abc import Iterator

from dagster_pgflow.dsl.manifest.graph import Graph, ManifestEdge
from dagster_pgflow.dsl.manifest.loops import Loops, loops_of
from dagster_pgflow.dsl.manifest.manifest import ENTRY, TERMINALS, UNLABELLED, Manifest
from dagster_pgflow.dsl.workflow.parts import path_of
from dagster_pgflow.errors import Problem

_MOST_NAMED = 5


def reach_problems(graph: Graph) -> Iterator[Problem]:
    """Say which cells no way leads to, and from which no way leads to a terminal."""
    reached, ending = set(graph.order), _ending(graph)
    for node in graph.nodes:
        if node in TERMINALS:
            continue
        place = path_of(("joins" if node in graph.members else "cells", node))
        if node not in reached:
            message = f'No way leads from "{ENTRY}" to "{node}"; add an edge, or leave it out.'
            yield Problem("unreachable-cell", place, message)
        elif node not in ending:
            message = (
                f'No way leads from "{node}" to {", ".join(TERMINALS[:-1])} or {TERMINALS[-1]};'
                " add an edge that leaves the loop."
            )
            yield Problem("no-way-to-end", place, message)


def loop_problems(manifest: Manifest, graph: Graph) -> Iterator[Problem]:
    """Say which loops begin at several cells, and which bounds on passes belong to none."""
    loops = loops_of(graph)
    for tangle in loops.tangles:
        entries = ", ".join(tangle.entries[:_MOST_NAMED])
        edges = ", ".join(map(str, tangle.back_edges[:_MOST_NAMED]))
        message = (
            f"Loops overlap here without one lying in the other: they begin at {entries}, and the"
            f" edges {edges} lead back into them; let all ways into them lead to one cell."
        )
        yield Problem("overlapping-loops", path_of(("edges", tangle.back_edges[0].source)), message)
    yield from _bounds(manifest, loops)


def _bounds(manifest: Manifest, loops: Loops) -> Iterator[Problem]:
    closing = {edge for loop in loops.loops.values() for edge in loop.back_edges}
    known = {(edge.source, edge.label) for edge in closing}
    in_tangles = {edge.source for tangle in loops.tangles for edge in tangle.back_edges}
    for source, label in manifest.max_passes_of:
        if (source, label) in known or source in in_tangles:
            continue
        target = manifest.edges.get(source, {}).get(label)
        edge = ManifestEdge(source, label, target or "?")
        place = ("edges", source) if label == UNLABELLED else ("edges", source, label)
        message = f"The edge {edge} closes no loop; put max-passes at the one that leads back."
        yield Problem("no-loop", path_of(place), message)


def _ending(graph: Graph) -> set[str]:
    found, waiting = set(TERMINALS), list(TERMINALS)
    while waiting:
        for edge in graph.entering[waiting.pop()]:
            if edge.source not in found:
                found.add(edge.source)
                waiting.append(edge.source)
    return found
