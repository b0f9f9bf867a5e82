"""Edges that lead to `halt`: the run waits for a person there, and goes on at the same place.

Such an edge stands for a cell that asks, and leads back to where the edge began: that does its work
again, with the answer in the data.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from dagster_pgflow.dsl.manifest.compile_names import slug_of_name
from dagster_pgflow.dsl.manifest.manifest import UNLABELLED, Cell, Manifest
from dagster_pgflow.dsl.workflow.parts import path_of
from dagster_pgflow.errors import Problem

HALT: Final = "halt"


def halting_problems(manifest: Manifest) -> Iterator[Problem]:
    """Yield what leads to `halt` and has no way on behind it."""
    for name, targets in manifest.edges.items():
        if HALT in targets.values() and {*targets.values()} == {HALT}:
            label = next(iter(targets))
            yield Problem(
                "halt-without-way-on",
                path_of(("edges", name, *([label] if label != UNLABELLED else []))),
                f'"{name}" halts whatever the data says, so it never leads on; give it another'
                " edge, or let it lead to a cell that halts.",
            )
    for name, group in manifest.error_groups.items():
        if group.on_error == HALT:
            yield Problem(
                "halt-after-failure",
                path_of(("error-groups", name, "on-error")),
                "Behind a failure nothing goes on at the same place; name a cell that halts.",
            )


def with_halts(manifest: Manifest) -> Manifest:
    """Return a manifest in which edges that lead to `halt` lead to cells that ask."""
    cells, edges = dict(manifest.cells), {**manifest.edges}
    taken = {slug_of_name(name) for name in (*manifest.cells, *manifest.joins)}
    for source, targets in manifest.edges.items():
        if HALT not in targets.values():
            continue
        name = f"{source}-{HALT}"
        while slug_of_name(name) in taken:
            name += "-again"
        taken.add(slug_of_name(name))
        cells[name] = Cell(name, halt={"prompt": _prompt(manifest, source)})
        edges[name] = {UNLABELLED: source}
        edges[source] = {
            label: name if target == HALT else target for label, target in targets.items()
        }
    return replace(manifest, cells=cells, edges=edges)


def _prompt(manifest: Manifest, source: str) -> str:
    cell = manifest.cells.get(source)
    about = f" {cell.doc}" if cell is not None and cell.doc else ""
    prompt = f'"{source}" waits: what is to be laid over the data as "answer"?{about}'
    # What looks like a reference in names and descriptions is none.
    return prompt.replace("${", "{")
