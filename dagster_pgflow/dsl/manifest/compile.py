"""Manifests as flows: cells and joins become steps, and so does what has to stand between them.

A manifest says where ways lead; a flow says what steps wait for. First every cell is a draft that
leads where its edges do, then cycles become loops, then joins stand where ways meet, and at the end
drafts become steps. What comes out is a flow like any other.
"""

from collections.abc import Iterator
from typing import Final

from dagster_pgflow.dsl.manifest.compile_cells import FAIL, drafts_of
from dagster_pgflow.dsl.manifest.compile_drafts import Draft
from dagster_pgflow.dsl.manifest.compile_loops import close_loops
from dagster_pgflow.dsl.manifest.compile_meetings import let_ways_meet
from dagster_pgflow.dsl.manifest.compile_names import problems_of_names, slug_of_name
from dagster_pgflow.dsl.manifest.compile_steps import steps_of
from dagster_pgflow.dsl.manifest.graph import Graph, graph_of
from dagster_pgflow.dsl.manifest.halting import halting_problems, with_halts
from dagster_pgflow.dsl.manifest.loops import loops_of
from dagster_pgflow.dsl.manifest.manifest import ENTRY, Manifest
from dagster_pgflow.errors import InvalidFlow, Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.options import FlowOptions
from dagster_pgflow.model.steps.loop import MOST_ITERATIONS
from dagster_pgflow.validation.size import MOST_STEPS, flow_fits_in_one_run

_TOO_MANY_STEPS: Final = Problem(
    "too-many-steps",
    "max-passes",
    f"Its loops go round so often that a run could have more than {MOST_STEPS:,} steps; lower"
    " max-passes, or say max-passes at the edges that close them.",
)


def flow_of_manifest(manifest: Manifest) -> Flow:
    """Return the flow that does what a manifest says.

    Args:
        manifest: A manifest that the checks of manifests have nothing against.

    Raises:
        InvalidFlow: With all that no flow can do, in the words of the manifest.
    """
    problems = tuple(halting_problems(manifest))
    if problems:
        raise InvalidFlow(manifest.id, problems, "Manifest")
    manifest = with_halts(manifest)
    graph = graph_of(manifest)
    loops = loops_of(graph)
    problems = tuple(compile_problems(manifest, graph))
    if problems:
        raise InvalidFlow(manifest.id, problems, "Manifest")
    drafts = drafts_of(manifest, graph, loops)

    def fail(wanted: str, message: str) -> Draft:
        draft = drafts.new("fail", wanted, is_dead_end=True)
        draft.fields = {"handler": FAIL, "params": {"message": message}}
        return draft

    close_loops(drafts, manifest, loops, fail)
    let_ways_meet(drafts)
    flow = Flow(
        slug=slug_of_name(manifest.id),
        description=manifest.doc,
        input_schema=manifest.input_schema,
        merge_output=True,
        options=FlowOptions(max_attempts=1),
        steps=steps_of(drafts, manifest),
    )
    if loops.loops and any(flow_fits_in_one_run(flow, None)):
        raise InvalidFlow(manifest.id, [_TOO_MANY_STEPS], "Manifest")
    return flow


def compile_problems(manifest: Manifest, graph: Graph) -> Iterator[Problem]:
    """Yield what no flow can do.

    Args:
        manifest: What could be read of a manifest.
        graph: Its ways.
    """
    if ENTRY not in graph.leaving:
        message = f'A run begins with the cell "{ENTRY}", and there is none; add it.'
        yield Problem("start-missing", "cells", message)
    yield from problems_of_names([manifest.id], "id")
    yield from problems_of_names((*manifest.cells, *manifest.joins), "cells")
    yield from halting_problems(manifest)
    for tangle in loops_of(graph).tangles:
        told = " and ".join(str(edge) for edge in tangle.back_edges)
        yield Problem(
            "loops-overlap",
            "edges",
            f"The edges {told} close loops that overlap, and neither lies in the other; let both"
            " lead back to one cell.",
        )
    for place, passes in _passes(manifest):
        if not 1 <= passes <= MOST_ITERATIONS:
            yield Problem(
                "passes-out-of-range",
                place,
                f"max-passes is {passes}; it must be from 1 to {MOST_ITERATIONS}.",
            )


def _passes(manifest: Manifest) -> Iterator[tuple[str, int]]:
    yield "max-passes", manifest.max_passes
    for (cell, label), passes in manifest.max_passes_of.items():
        yield f"edges.{cell}.{label}" if label else f"edges.{cell}", passes
