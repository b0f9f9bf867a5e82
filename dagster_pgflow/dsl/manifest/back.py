"""Flows as manifests, and what a manifest cannot say of one.

Nothing is kept beside a flow of the manifest that it may have come from. Its cells, joins and edges
are read off its steps, and the manifest that comes of that is compiled again: only where the same
flow comes out, the manifest says what the flow says.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, cast

from dagster_pgflow.dsl.manifest.back_cells import cell_of, hooks_of, patience_of
from dagster_pgflow.dsl.manifest.back_document import document_of_manifest
from dagster_pgflow.dsl.manifest.back_joins import Joined, joins_of
from dagster_pgflow.dsl.manifest.back_ways import AGAIN, EdgeOfFlow, NotSaid, Ways
from dagster_pgflow.dsl.manifest.compile import flow_of_manifest
from dagster_pgflow.dsl.manifest.compile_cells import SUCCESS
from dagster_pgflow.dsl.manifest.forms import MapForm, form_of
from dagster_pgflow.dsl.manifest.manifest import (
    FAILURE,
    MAX_PASSES,
    TIMEOUT,
    UNLABELLED,
    Cell,
    Dispatch,
    ErrorGroup,
    Interceptor,
    Join,
    Manifest,
    Resilience,
    Transform,
    Transforms,
    Validate,
)
from dagster_pgflow.dsl.manifest.notes import Notes
from dagster_pgflow.dsl.manifest.reading import manifest_of
from dagster_pgflow.errors import InvalidFlow, Problem
from dagster_pgflow.model.differences import differences
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.options import MS
from dagster_pgflow.model.steps import ApprovalStep, Step, SubflowStep

_STEP: Final = re.compile(r"steps\.(?P<slug>\w+)")


def manifest_of_flow(flow: Flow) -> Manifest:
    """Return the manifest that says what a flow says.

    Args:
        flow: A sound flow.

    Raises:
        InvalidFlow: With all that no manifest can say.
    """
    try:
        manifest = _Reading(flow).manifest()
        again = flow_of_manifest(_read_again(manifest))
    except NotSaid as stuck:
        raise InvalidFlow(flow.slug, [_no_edge(stuck.slug)]) from None
    except InvalidFlow as refused:
        raise InvalidFlow(flow.slug, refused.problems) from None
    problems = tuple(_not_said(flow, again))
    if problems:
        raise InvalidFlow(flow.slug, problems)
    return manifest


def _read_again(manifest: Manifest) -> Manifest:
    """Return what a reader finds in the document of a manifest."""
    notes = Notes()
    flows = {cell.flow for cell in manifest.cells.values() if cell.flow is not None}
    form = cast("MapForm", form_of(document_of_manifest(manifest)))
    again = manifest_of(form, notes, flows=flows)
    if notes.problems.found:
        raise InvalidFlow(manifest.id, notes.in_order())
    return again


def _no_edge(slug: str) -> Problem:
    return Problem(
        "not-in-manifests",
        f"steps.{slug}",
        f'Step "{slug}" leads on in a way that no edge of a manifest does; export the flow without'
        " --manifest.",
    )


def _not_said(flow: Flow, again: Flow) -> Iterator[Problem]:
    """Yield what of a flow is lost on the way to a manifest and back."""
    for difference in differences(flow, again):
        if difference.kind == "added" and _STEP.fullmatch(difference.path):
            continue  # Another step is there in place of one that is told of.
        yield Problem(
            "not-in-manifests",
            difference.path,
            f"A manifest cannot say what the flow says here ({difference}); export the flow without"
            " --manifest, or change this.",
        )


class _Reading:
    """Reads a manifest off one flow."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        keeping = [step for step in flow.steps if getattr(step, "keep_input", False)]
        self._keeps = bool(keeping)
        self._ways = Ways(flow, keeps=self._keeps)
        self._joins: Mapping[str, Joined] = joins_of(flow, self._ways.steps)
        for name, joined in self._joins.items():
            self._ways.join_of |= dict.fromkeys((*joined.members, *joined.inside), name)
            for slug in joined.inside:
                self._ways.snapshots[slug] = name
            self._ways.snapshots.setdefault(joined.snapshot, name)
        self._edges: dict[str, list[EdgeOfFlow]] = {}
        self._failing: dict[str, dict[str, str]] = {}
        self._groups: dict[str, list[str]] = {}
        self._transforms: dict[str, Transforms] = {}
        self._passes: dict[tuple[str, str], int] = {}

    def manifest(self) -> Manifest:
        """Return the manifest."""
        flow, cells = self._flow, dict(self._cells())
        for name in cells:
            if name not in self._ways.join_of:
                self._lead(name, self._ways.steps[name])
        for name, joined in self._joins.items():
            self._lead(name, self._ways.steps[joined.last], self._ways.steps[joined.catching])
        return Manifest(
            id=flow.slug,
            doc=flow.description,
            input_schema=flow.input_schema,
            cells={self._name(slug): cell for slug, cell in cells.items()},
            edges={name: self._targets(name) for name in self._edges},
            dispatches={name: asked for name in self._edges if (asked := tuple(self._asked(name)))},
            joins={
                name: Join(tuple(map(self._name, joined.members)), joined.strategy, joined.merge)
                for name, joined in self._joins.items()
            },
            error_groups={
                f"errors-{number}": ErrorGroup(tuple(members), target)
                for number, (target, members) in enumerate(self._groups.items(), 1)
            },
            timeouts=self._timeouts,
            resilience=dict(self._resilience(cells)),
            interceptors=tuple(self._interceptors(cells)),
            transforms=self._transforms,
            max_passes=MAX_PASSES,
            max_passes_of=self._passes,
            propagate_keys=self._keeps,
            validate=self._validate,
            coerce=any(getattr(step, "coerce", False) for step in flow.steps),
        )

    def _name(self, slug: str) -> str:
        return next((one.names[slug] for one in self._joins.values() if slug in one.names), slug)

    def _cells(self) -> Iterator[tuple[str, Cell]]:
        inside = {slug for joined in self._joins.values() for slug in joined.own}
        for step in self._flow.steps:
            if self._ways.is_cell(step) and step.slug not in inside:
                yield step.slug, cell_of(step)

    @property
    def _validate(self) -> Validate:
        levels: list[Validate] = [
            getattr(step, "check_schemas", "off") for step in self._flow.steps
        ]
        said = [level for level in levels if level != "off"]
        has_schemas = any(getattr(step, "output_schema", None) for step in self._flow.steps)
        return said[0] if said else "off" if has_schemas else "strict"

    # Edges.

    def _lead(self, name: str, step: Step, catching: Step | None = None) -> None:
        self._edges[name] = [_with_place_for_passes(edge) for edge in self._ways.edges_of(step)]
        self._failing[name] = dict(self._ways.failures_of(catching or step))
        own = isinstance(step, SubflowStep) or catching is not None
        target = self._failing[name].get("on_failure")
        if target is not None and not own:
            self._groups.setdefault(target, []).append(name)
        for edge in self._edges[name]:
            self._note(name, edge)

    def _note(self, name: str, edge: EdgeOfFlow) -> None:
        if edge.loop is not None and edge.loop.max_iterations != MAX_PASSES:
            self._passes[name, edge.label] = edge.loop.max_iterations
        if edge.transform is not None:
            given = edge.transform
            transform = Transform(given.handler or "", given.output_schema)
            before = self._transforms.get(name, Transforms()).outputs
            self._transforms[name] = Transforms(outputs={**before, edge.label: transform})

    def _targets(self, name: str) -> dict[str, str]:
        targets = {edge.label: edge.target for edge in self._labelled(name)}
        failing = self._failing[name]
        if "on_failure" in failing and not self._is_grouped(name):
            targets[FAILURE] = failing["on_failure"]
        if "on_timeout" in failing:
            targets[TIMEOUT] = failing["on_timeout"]
        return targets

    def _labelled(self, name: str) -> list[EdgeOfFlow]:
        """Return the edges of a cell, each with a label where there are others too."""
        edges, failing = self._edges[name], self._failing[name]
        beside = "on_timeout" in failing or ("on_failure" in failing and not self._is_grouped(name))
        if not beside or edges[0].label != UNLABELLED:
            return edges
        label = SUCCESS if isinstance(self._ways.steps.get(name), SubflowStep) else "done"
        return [EdgeOfFlow(label, edges[0].target, "true", edges[0].transform, edges[0].loop)]

    def _is_grouped(self, name: str) -> bool:
        return any(name in members for members in self._groups.values())

    def _asked(self, name: str) -> Iterator[Dispatch]:
        for edge in self._labelled(name):
            if edge.predicate is not None:
                yield Dispatch(edge.label, edge.predicate)

    # What is said of cells elsewhere.

    @property
    def _timeouts(self) -> dict[str, int]:
        return {
            name: _milliseconds(self._ways.steps[name])
            for name, failing in self._failing.items()
            if "on_timeout" in failing
        }

    def _resilience(self, cells: Mapping[str, Cell]) -> Iterator[tuple[str, Resilience]]:
        timeouts = self._timeouts
        for slug in cells:
            said = patience_of(self._ways.steps[slug], is_routed=slug in timeouts)
            if said != Resilience():
                yield self._name(slug), said

    def _interceptors(self, cells: Mapping[str, Cell]) -> Iterator[Interceptor]:
        for slug in cells:
            yield from hooks_of(self._name(slug), self._hooked(slug))

    def _hooked(self, slug: str) -> Mapping[str, tuple[str, ...]]:
        step = self._ways.steps[slug]
        found: dict[str, tuple[str, ...]] = {}
        around: list[Any] = [step]
        if isinstance(step, SubflowStep):
            around = [*self._flow.steps]
            behind = [one for one in around if step.slug in one.depends_on]
            before = [one for one in around if one.slug in step.depends_on]
            around = [one for one in (*before, *behind) if one.slug.startswith(("before", "after"))]
        for one in around:
            for field in ("before", "after"):
                if handlers := getattr(one, field, ()):
                    found[field] = tuple(handlers)
        return found


def _milliseconds(step: Step) -> int:
    seconds = step.deadline if isinstance(step, ApprovalStep) else step.options.seconds
    return round((seconds or 0) * MS)


def _with_place_for_passes(edge: EdgeOfFlow) -> EdgeOfFlow:
    """Return an edge that can say how often its loop is passed: for that it needs a label."""
    loop = edge.loop
    if loop is None or loop.max_iterations == MAX_PASSES or edge.label != UNLABELLED:
        return edge
    return replace(edge, label=AGAIN, predicate="true")
