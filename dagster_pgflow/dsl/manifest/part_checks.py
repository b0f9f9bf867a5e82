"""Joins, error groups, timeouts and what else names cells: each fits the cells that there are."""

from collections.abc import Iterable, Iterator

from dagster_pgflow.dsl.manifest.edge_checks import no_such, target_problems
from dagster_pgflow.dsl.manifest.flow_cell_checks import flow_cell_problems
from dagster_pgflow.dsl.manifest.graph import Graph
from dagster_pgflow.dsl.manifest.manifest import (
    ENTRY,
    FAILURE,
    TERMINALS,
    TIMEOUT,
    UNLABELLED,
    Manifest,
)
from dagster_pgflow.dsl.workflow.parts import path_of
from dagster_pgflow.errors import Problem


def part_problems(manifest: Manifest, graph: Graph) -> Iterator[Problem]:
    """Say what is wrong with the parts of a manifest that name cells."""
    for name in (*manifest.cells, *manifest.joins):
        if name in TERMINALS:
            kind = "cells" if name in manifest.cells else "joins"
            message = f'"{name}" is where runs end; give it another name.'
            yield Problem("name-taken", path_of((kind, name)), message)
    yield from _joins(manifest)
    yield from _error_groups(manifest, graph)
    yield from _timeouts(manifest, graph)
    yield from _on_error(manifest, graph)
    yield from _named_cells(manifest)
    yield from flow_cell_problems(manifest)


def _joins(manifest: Manifest) -> Iterator[Problem]:
    owner: dict[str, str] = {}
    for name, join in manifest.joins.items():
        place = ("joins", name)
        if name in manifest.cells:
            message = f'There is a cell "{name}", too; give the join another name.'
            yield Problem("name-taken", path_of(place), message)
        if not join.cells:
            message = f'"{name}" has no members; write their names in "cells".'
            yield Problem("empty-join", path_of((*place, "cells")), message)
        for number, member in enumerate(join.cells):
            yield from _member(manifest, name, number, member, owner)
            owner.setdefault(member, name)


def _member(
    manifest: Manifest, join: str, number: int, member: str, owner: dict[str, str]
) -> Iterator[Problem]:
    at = path_of(("joins", join, "cells", number))
    if member not in manifest.cells:
        yield Problem("unknown-cell", at, no_such("cell", member, list(manifest.cells)))
        return
    if member in owner:
        message = (
            f'"{member}" is a member of "{owner[member]}" already; it can be in one join once.'
        )
        yield Problem("cell-in-two-joins", at, message)
        return
    if member == ENTRY:
        message = (
            f'"{ENTRY}" is where runs begin, so it cannot be a member; let it lead to "{join}".'
        )
        yield Problem("entry-in-join", at, message)
    for kind in ("edges", "dispatches"):
        if getattr(manifest, kind).get(member):
            message = f'"{member}" is a member of "{join}", whose {kind} decide; leave these out.'
            yield Problem("edges-in-join", path_of((kind, member)), message)


def _error_groups(manifest: Manifest, graph: Graph) -> Iterator[Problem]:
    owner: dict[str, str] = {}
    for name, group in manifest.error_groups.items():
        for number, cell in enumerate(group.cells):
            at = path_of(("error-groups", name, "cells", number))
            if cell not in manifest.cells:
                yield Problem("unknown-cell", at, no_such("cell", cell, list(manifest.cells)))
            elif cell in owner:
                message = (
                    f'"{cell}" is in the group "{owner[cell]}" already; it can be in one once.'
                )
                yield Problem("cell-in-two-groups", at, message)
            elif cell in graph.join_of:
                message = (
                    f'"{cell}" is a member of the join "{graph.join_of[cell]}", so its failures'
                    f' take the edge "{FAILURE}" of that; leave it out here.'
                )
                yield Problem("group-in-join", at, message)
            owner.setdefault(cell, name)
        place = ("error-groups", name, "on-error")
        yield from target_problems(manifest, place, group.on_error, graph.join_of)
        if group.on_error in group.cells:
            message = f'"{group.on_error}" would get its own failures; leave it out of the group.'
            yield Problem("own-failures", path_of(place), message)


def _timeouts(manifest: Manifest, graph: Graph) -> Iterator[Problem]:
    for cell in manifest.timeouts:
        at = path_of(("timeouts", cell))
        if cell not in manifest.cells:
            yield Problem("unknown-cell", at, no_such("cell", cell, list(manifest.cells)))
        elif cell in graph.join_of:
            message = f'"{cell}" is a member of a join; write "timeout-ms" of that.'
            yield Problem("timeout-in-join", at, message)
        elif TIMEOUT not in manifest.edges.get(cell, {}):
            message = f'"{cell}" has no edge "{TIMEOUT}" to take; add it, or use "resilience".'
            yield Problem("no-timeout-edge", at, message)


def _on_error(manifest: Manifest, graph: Graph) -> Iterator[Problem]:
    reached = set(graph.order)
    for name, cell in manifest.cells.items():
        place = ("cells", name, "on-error")
        if manifest.strict and not cell.declares_on_error:
            message = (
                f'"{name}" does not say where its failures lead to, which strict asks for;'
                ' write a cell in "on-error", or null.'
            )
            yield Problem("no-on-error", path_of(("cells", name)), message)
        if cell.on_error is None:
            continue
        unknown = list(target_problems(manifest, place, cell.on_error, graph.join_of))
        yield from unknown
        if manifest.strict and not unknown and cell.on_error not in reached:
            message = f'No way leads to "{cell.on_error}"; add one, or name another cell.'
            yield Problem("unreachable-on-error", path_of(place), message)


def _named_cells(manifest: Manifest) -> Iterator[Problem]:
    yield from _unknown(manifest, (("resilience", cell) for cell in manifest.resilience))
    yield from _unknown(manifest, (("transforms", cell) for cell in manifest.transforms))
    for number, interceptor in enumerate(manifest.interceptors):
        for cell in interceptor.scope.cells or ():
            if cell not in manifest.cells:
                at = path_of(("interceptors", number, "scope", "cells"))
                yield Problem("unknown-cell", at, no_such("cell", cell, list(manifest.cells)))
    for cell, transforms in manifest.transforms.items():
        labels = manifest.edges.get(cell, {})
        for label in transforms.outputs:
            if cell in manifest.cells and label not in labels:
                at = path_of(("transforms", cell, label))
                said = no_such(f'edge of "{cell}" with the label', label, list(labels))
                yield Problem("unknown-label", at, said)
    for name, cell_of in manifest.cells.items():
        labels = manifest.edges.get(name, {})
        for label in cell_of.output_schemas:
            if UNLABELLED not in labels and label not in labels:
                at = path_of(("cells", name, "schema", "output", label))
                said = no_such(f'edge of "{name}" with the label', label, list(labels))
                yield Problem("unknown-label", at, said)


def _unknown(manifest: Manifest, places: Iterable[tuple[str, str]]) -> Iterator[Problem]:
    for place in places:
        if place[1] not in manifest.cells:
            said = no_such("cell", place[1], list(manifest.cells))
            yield Problem("unknown-cell", path_of(place), said)
