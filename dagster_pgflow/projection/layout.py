"""Where everything in a run stands: its scopes and steps, from the pinned definitions.

A scope is the run itself or one subrun. Apart from flows that run once for each item of a list the
layout is the same for every run of one version, so subruns have their numbers before anything has
started. Items come behind all others, in the order in which their lists became known, so that no
number ever changes.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from graphlib import CycleError
from typing import Final, Protocol

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import by_slug, in_order, known_deps, leaves, pipeline_head
from dagster_pgflow.model.options import effort_of
from dagster_pgflow.model.step import MapStep, Step, SubflowStep
from dagster_pgflow.names import HELPER_SUFFIXES, dagster_name
from dagster_pgflow.runtime.sources import shapes_output

RUN_SCOPE: Final = ""
"""The path of the run as a scope; a subrun's is that of its subflow step, and its index if any."""

Task = tuple[str, int]
"""A step path and a task index."""


class Pinned(Protocol):
    """A flow at one of its versions."""

    @property
    def flow(self) -> Flow:
        """The definition."""

    @property
    def version(self) -> int:
        """The number of the version among those of the flow, from 1."""

    @property
    def version_id(self) -> int:
        """The number of the version among those of all flows."""


PinnedTree = Mapping[str, Pinned]
"""A flow and every flow that it contains, by slug."""

Items = Mapping[str, int]
"""How many items the lists of subflow steps have, by path, in the order in which that was known."""


@dataclass(frozen=True)
class StepPlace:
    """A step of a run.

    Attributes:
        path: The slugs of the subflow steps around it and its own, joined by dots; a subflow step
            that runs once for each item of a list stands there with the index, as in `pay[3]`.
        step: Its definition.
        flow_slug: The flow that it belongs to.
        scope: The path of the scope that it belongs to.
        deps: The paths of the steps that it depends on.
        batched_as: For a map step, the one whose batches it has: itself, or the head of its
            pipeline.
        max_attempts: How often each of its tasks is tried at most.
        is_delayed: Whether its first execution only finds out that it is too early.
        has_output_op: Whether it is a subflow step that is over when a helper op says so.
        within: The path of the subflow step around it that runs once for each item, if any.
    """

    path: str
    step: Step
    flow_slug: str
    scope: str
    deps: tuple[str, ...]
    batched_as: MapStep | None
    max_attempts: int
    is_delayed: bool
    has_output_op: bool
    within: str | None

    @property
    def is_map(self) -> bool:
        """Whether the step has as many tasks as a list has elements."""
        return isinstance(self.step, MapStep)

    @property
    def is_whole_list(self) -> bool:
        """Whether it is a map step of which one op does all tasks, as it is in an item."""
        return self.is_map and self.within is not None

    @property
    def is_subflow(self) -> bool:
        """Whether the step is a scope too."""
        return isinstance(self.step, SubflowStep) and self.step.over is None

    @property
    def has_items(self) -> bool:
        """Whether the step is as many scopes as a list has items."""
        return isinstance(self.step, SubflowStep) and self.step.over is not None

    @property
    def collects_errors(self) -> bool:
        """Whether tasks may fail and the step complete all the same."""
        return isinstance(self.step, MapStep) and self.step.collect_errors


@dataclass(frozen=True)
class Scope:
    """The run, or one subrun.

    Attributes:
        path: The path of the subflow step, and the index of the item if any; empty for the run.
        flow_slug: The flow that runs here.
        step: The path of the subflow step alone.
        map_index: The index of the item, where the flow runs once for each.
        within: The path of the subflow step around it that runs once for each item, if any.
        parent: The path of the scope around it; `None` for the run.
        subrun_path: The `subrun_index` of every scope around it and its own; empty for the run.
        run_index: Counts the subruns of the run from 1; 0 for the run.
        subrun_index: Counts the subruns of the parent from 1; 0 for the run.
        steps: The paths of its steps, each behind its dependencies.
        leaves: The paths of its final steps.
    """

    path: str
    flow_slug: str
    step: str
    map_index: int | None
    within: str | None
    parent: str | None
    subrun_path: str
    run_index: int
    subrun_index: int
    steps: tuple[str, ...]
    leaves: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """The scopes and steps of a run, each before what it contains.

    Attributes:
        scopes: By path, in the order of `run_index`.
        steps: By path.
        step_nodes: The path of the step for each Dagster step key, without mapping key; inside an
            item with its index.
        helper_nodes: The same for helper ops: the path of the step that each helps.
    """

    scopes: Mapping[str, Scope]
    steps: Mapping[str, StepPlace]
    step_nodes: Mapping[str, str]
    helper_nodes: Mapping[str, str]

    def step_of(self, step_key: str) -> str | None:
        """Return the path of the step that a Dagster step works on, unless it is a helper."""
        return _at(self.step_nodes, step_key)

    def helped_by(self, step_key: str) -> str | None:
        """Return the path of the step that a Dagster step helps, if it is a helper."""
        return _at(self.helper_nodes, step_key)

    def is_inside(self, scope: str, other: str) -> bool:
        """Say whether a scope is that of a subflow step or of one item, or lies somewhere in it."""
        around: str | None = scope
        while around is not None and other not in (around, self.scopes[around].step):
            around = self.scopes[around].parent
        return around is not None

    @cached_property
    def subruns(self) -> Mapping[str, Scope]:
        """The scopes by `subrun_path`."""
        return {scope.subrun_path: scope for scope in self.scopes.values()}

    @cached_property
    def scopes_within(self) -> Mapping[str | None, Sequence[Scope]]:
        """The scopes that lie in the items of each step; those that lie in none under `None`."""
        found: dict[str | None, list[Scope]] = defaultdict(list)
        for scope in self.scopes.values():
            found[scope.within].append(scope)
        return found

    @cached_property
    def steps_within(self) -> Mapping[str | None, Sequence[StepPlace]]:
        """The steps in the same way."""
        found: dict[str | None, list[StepPlace]] = defaultdict(list)
        for place in self.steps.values():
            found[place.within].append(place)
        return found


def layout_of(slug: str, tree: PinnedTree, items: Items | None = None) -> Layout:
    """Return the layout of a run of a flow, also of one that is not sound and cannot run.

    Args:
        slug: The flow.
        tree: The flow and every flow that it contains.
        items: The lists that subflows run over, as far as they are known.
    """
    builder = _Builder(tree)
    builder.add_scope(slug, _Surroundings())
    for path, count in (items or {}).items():
        builder.add_items(path, count)
    return Layout(builder.scopes, builder.steps, builder.step_nodes, builder.helper_nodes)


@dataclass(frozen=True)
class _Surroundings:
    path: str = RUN_SCOPE
    node: str = ""
    step: str = RUN_SCOPE
    index: int | None = None
    within: str | None = None
    parent: str | None = None
    flows: tuple[str, ...] = ()

    def key(self, name: str) -> str:
        """Return the Dagster step key of a node, without what is mapped further inside."""
        key = _join(self.node, name)
        return key if self.index is None else f"{key}[{self.index}]"


@dataclass(frozen=True)
class _Shape:
    """What is the same wherever a flow runs."""

    steps: tuple[Step, ...]
    leaves: tuple[str, ...]
    deps: Mapping[str, tuple[str, ...]]
    heads: Mapping[str, MapStep]


class _Builder:
    def __init__(self, tree: PinnedTree) -> None:
        self.tree = tree
        self.scopes: dict[str, Scope] = {}
        self.steps: dict[str, StepPlace] = {}
        self.step_nodes: dict[str, str] = {}
        self.helper_nodes: dict[str, str] = {}
        self._shapes: dict[tuple[str, bool], _Shape] = {}
        self._subruns: dict[str, int] = defaultdict(int)
        self._lists: dict[str, tuple[SubflowStep, _Surroundings]] = {}

    def add_scope(self, slug: str, around: _Surroundings) -> None:
        flow = self._flow(slug, around)
        shape = self._shape(flow)
        self.scopes[around.path] = self._scope(slug, around, shape)
        for step in shape.steps:
            self._add_step(self._place(flow, step, shape, around), around)
            if isinstance(step, SubflowStep):
                path = _join(around.path, step.slug)
                if step.over is None:
                    self.add_scope(step.flow, _inside(slug, step, around))
                else:
                    self._lists[path] = (step, _inside(slug, step, around))

    def add_items(self, path: str, count: int) -> None:
        """Add the scopes of a subflow step that runs once for each item of a list."""
        if path not in self._lists:
            return
        step, inside = self._lists.pop(path)
        for index in range(count):
            item = replace(inside, path=f"{path}[{index}]", index=index, within=path)
            self.add_scope(step.flow, item)

    def _scope(self, slug: str, around: _Surroundings, shape: _Shape) -> Scope:
        index, parent = 0, ""
        if around.parent is not None:
            self._subruns[around.parent] += 1
            index, parent = self._subruns[around.parent], self.scopes[around.parent].subrun_path
        return Scope(
            path=around.path,
            flow_slug=slug,
            step=around.step,
            map_index=around.index if around.within == around.step else None,
            within=around.within,
            parent=around.parent,
            subrun_path=_join(parent, str(index)) if index else "",
            run_index=len(self.scopes),
            subrun_index=index,
            steps=tuple(_join(around.path, step.slug) for step in shape.steps),
            leaves=tuple(_join(around.path, leaf) for leaf in shape.leaves),
        )

    def _flow(self, slug: str, around: _Surroundings) -> Flow:
        """Return a flow; where a broken definition leads nowhere, one without steps."""
        if slug not in self.tree or slug in around.flows:
            return Flow(slug)
        return self.tree[slug].flow

    def _shape(self, flow: Flow) -> _Shape:
        # A flow inside itself stands there without steps.
        key = flow.slug, bool(flow.steps)
        if key not in self._shapes:
            self._shapes[key] = _Shape(
                steps=_ordered(flow),
                leaves=tuple(step.slug for step in leaves(flow)),
                deps=known_deps(flow),
                heads=_pipeline_heads(flow),
            )
        return self._shapes[key]

    def _place(self, flow: Flow, step: Step, shape: _Shape, around: _Surroundings) -> StepPlace:
        effort = effort_of(flow.options, step.options)
        return StepPlace(
            path=_join(around.path, step.slug),
            step=step,
            flow_slug=flow.slug,
            scope=around.path,
            deps=tuple(_join(around.path, dep) for dep in shape.deps[step.slug]),
            batched_as=shape.heads.get(step.slug),
            max_attempts=max(effort.max_attempts, 1),
            is_delayed=effort.start_delay > 0,
            has_output_op=isinstance(step, SubflowStep) and self._has_output_op(step),
            within=around.within,
        )

    def _has_output_op(self, step: SubflowStep) -> bool:
        flows = {step.flow: self.tree[step.flow].flow} if step.flow in self.tree else {}
        return step.flow in flows and shapes_output(step, flows)

    def _add_step(self, place: StepPlace, around: _Surroundings) -> None:
        slug = place.step.slug
        self.steps[place.path] = place
        self.step_nodes[around.key(dagster_name(slug))] = place.path
        for suffix in HELPER_SUFFIXES:
            self.helper_nodes[around.key(f"{slug}{suffix}")] = place.path


def _pipeline_heads(flow: Flow) -> dict[str, MapStep]:
    """Return for each map step the one whose batches it has, by slug."""
    steps = by_slug(flow)
    maps = [step for step in flow.steps if isinstance(step, MapStep)]
    try:
        in_order(flow)
        return {step.slug: pipeline_head(steps, step) for step in maps}
    except (CycleError, LookupError):
        # A pipeline that leads nowhere never runs.
        return {step.slug: step for step in maps}


def _ordered(flow: Flow) -> tuple[Step, ...]:
    try:
        return in_order(flow)
    except CycleError:
        # Such a flow has a job too, which says what is wrong and fails.
        return flow.steps


def _inside(slug: str, step: SubflowStep, around: _Surroundings) -> _Surroundings:
    path = _join(around.path, step.slug)
    return replace(
        around,
        path=path,
        node=_join(around.node, dagster_name(step.slug)),
        step=path,
        parent=around.path,
        flows=(*around.flows, slug),
    )


def _at(nodes: Mapping[str, str], step_key: str) -> str | None:
    """Return what stands at a Dagster step key, whose index may be padded, or be that of a task."""
    node, _, rest = step_key.partition("[")
    index = rest.removesuffix("]")
    item = nodes.get(f"{node}[{int(index)}]") if index.isdecimal() else None
    return item or nodes.get(node)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
