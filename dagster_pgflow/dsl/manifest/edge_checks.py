"""Edges lead to what there is, and each label that has to be decided has its predicate."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from dagster_pgflow.dsl.manifest.compile_names import slug_of_name
from dagster_pgflow.dsl.manifest.manifest import (
    DEFAULT,
    DONE,
    ENTRY,
    FAILURE,
    SUCCESS,
    TERMINALS,
    TIMEOUT,
    UNLABELLED,
    UNREAD,
    Dispatch,
    Manifest,
)
from dagster_pgflow.dsl.workflow.parts import Place, path_of
from dagster_pgflow.errors import Problem
from dagster_pgflow.validation.types.json_type import nearest

MOST_COMPARED = 1_000
"""Among how many names one is looked for that may be meant."""


def edge_problems(manifest: Manifest) -> Iterator[Problem]:
    """Say what is wrong with the edges and dispatches of a manifest."""
    if ENTRY not in manifest.cells:
        message = f'Every manifest begins with the cell "{ENTRY}"; call one of the cells so.'
        yield Problem("no-start", "cells", message)
    inside = {member: name for name, join in manifest.joins.items() for member in join.cells}
    nodes = [name for name in (*manifest.cells, *manifest.joins) if name not in inside]
    for source, targets in manifest.edges.items():
        yield from _edges_of(manifest, source, targets.items(), inside)
    for node in nodes:
        if not manifest.edges.get(node):
            message = f'"{node}" leads nowhere; write its edge, such as "end".'
            yield Problem("no-edges", path_of(("edges", node)), message)
    for node, asked in manifest.dispatches.items():
        yield from _dispatches_of(manifest, node, asked)
    for node in nodes:
        yield from _undecided(manifest, node)


def no_such(kind: str, name: str, known: Sequence[str]) -> str:
    """Return the beginning of a sentence about a name that nothing has."""
    meant = nearest(name, known) if len(known) <= MOST_COMPARED else None
    return f'There is no {kind} "{name}"' + (f'; do you mean "{meant}"?' if meant else ".")


def _edges_of(
    manifest: Manifest, source: str, targets: Iterable[tuple[str, str]], inside: Mapping[str, str]
) -> Iterator[Problem]:
    if source in inside:
        return  # The checks of joins tell that.
    if source not in manifest.cells and source not in manifest.joins:
        known = [*manifest.cells, *manifest.joins]
        said = no_such("cell or join", source, known)
        yield Problem("unknown-cell", path_of(("edges", source)), said)
    for label, target in targets:
        place = ("edges", source) if label == UNLABELLED else ("edges", source, label)
        yield from target_problems(manifest, place, target, inside)


def target_problems(
    manifest: Manifest, place: Place, target: str, inside: Mapping[str, str]
) -> Iterator[Problem]:
    """Say why a way cannot lead to a target."""
    if target == UNREAD:
        return
    if target in inside:
        message = (
            f'"{target}" is a member of the join "{inside[target]}", which alone can be led to;'
            f' write "{inside[target]}".'
        )
        yield Problem("edge-into-join", path_of(place), message)
    elif target not in manifest.cells and target not in manifest.joins and target not in TERMINALS:
        known = [*(cell for cell in manifest.cells if cell not in inside), *manifest.joins]
        said = no_such("cell, join or terminal", target, [*known, *TERMINALS])
        yield Problem("unknown-target", path_of(place), said)


def _dispatches_of(manifest: Manifest, node: str, asked: Sequence[Dispatch]) -> Iterator[Problem]:
    labels = manifest.edges.get(node, {})
    place = ("dispatches", node)
    if node not in manifest.cells and node not in manifest.joins:
        said = no_such("cell or join", node, [*manifest.cells, *manifest.joins])
        yield Problem("unknown-cell", path_of(place), said)
        return
    if set(labels) == {UNLABELLED}:
        message = f'The edge of "{node}" has no label, so nothing is decided; leave this out.'
        yield Problem("needless-dispatch", path_of(place), message)
        return
    seen: set[str] = set()
    for number, dispatch in enumerate(asked):
        at = path_of((*place, number))
        if dispatch.label in seen:
            message = f'"{dispatch.label}" is asked for twice; join the predicates with "or".'
            yield Problem("duplicate-label", at, message)
        elif labels and dispatch.label not in labels:
            said = no_such(f'edge of "{node}" with the label', dispatch.label, list(labels))
            yield Problem("unknown-label", at, said)
        elif dispatch.label == DEFAULT and number < len(asked) - 1:
            message = f'"{DEFAULT}" always holds, so what is behind it is never asked; put it last.'
            yield Problem("default-not-last", at, message)
        elif dispatch.label == DEFAULT and dispatch.predicate not in ("true", UNREAD):
            message = f'"{DEFAULT}" always holds; give the predicate another label.'
            yield Problem("default-with-predicate", at, message)
        seen.add(dispatch.label)


def _undecided(manifest: Manifest, node: str) -> Iterator[Problem]:
    decided = {dispatch.label for dispatch in manifest.dispatches.get(node, ())}
    decided |= _decided_without(manifest, node)
    for label in manifest.edges.get(node, {}):
        if label in decided:
            continue
        if label == TIMEOUT and node in manifest.cells:
            message = f'Nothing takes this edge; write how long "{node}" may take in "timeouts".'
        else:
            message = f'Nothing says when "{label}" is taken; add a predicate to dispatches.{node}'
            message += f"{_unless_it_runs_a_flow(manifest, node)}."
        yield Problem("label-without-predicate", path_of(("edges", node, label)), message)


def _unless_it_runs_a_flow(manifest: Manifest, node: str) -> str:
    """Return what else may be meant where the labels are those of a cell that runs a flow."""
    if node not in manifest.cells or manifest.edges[node].keys() != {SUCCESS, FAILURE}:
        return ""
    slug = slug_of_name(manifest.cells[node].id)
    return f', or load the flow "{slug}" before it or with it, if this cell is to run that'


def _decided_without(manifest: Manifest, node: str) -> set[str]:
    """Return the labels of a node that need no predicate."""
    found = {UNLABELLED, DEFAULT}
    if node in manifest.joins:
        found |= {DONE, FAILURE}
    if node in manifest.timeouts:
        found.add(TIMEOUT)
    if node in manifest.cells and manifest.cells[node].flow is not None:
        found |= {SUCCESS, FAILURE}
    return found
