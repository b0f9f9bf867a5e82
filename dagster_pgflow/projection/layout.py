"""Where everything in a run stands: its scopes and steps, from the pinned definitions alone.

A scope is the run itself or one subrun. The layout is the same for every run of one version, so
subruns have their numbers before anything has started.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import CycleError
from typing import Final, Protocol

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import by_slug, in_order, known_deps, leaves, pipeline_head
from dagster_pgflow.model.options import effort_of
from dagster_pgflow.model.step import MapStep, Step, SubflowStep
from dagster_pgflow.names import HELPER_SUFFIXES, dagster_name

RUN_SCOPE: Final = ""
"""The path of the run as a scope; a subrun's is that of its subflow step."""

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


@dataclass(frozen=True)
class StepPlace:
    """A step of a run.

    Attributes:
        path: The slugs of the subflow steps around it and its own, joined by dots.
        step: Its definition.
        flow_slug: The flow that it belongs to.
        scope: The path of the scope that it belongs to.
        deps: The paths of the steps that it depends on.
        batched_as: For a map step, the one whose batches it has: itself, or the head of its
            pipeline.
        max_attempts: How often each of its tasks is tried at most.
        is_delayed: Whether its first execution only finds out that it is too early.
    """

    path: str
    step: Step
    flow_slug: str
    scope: str
    deps: tuple[str, ...]
    batched_as: MapStep | None
    max_attempts: int
    is_delayed: bool

    @property
    def is_map(self) -> bool:
        """Whether the step has as many tasks as a list has elements."""
        return isinstance(self.step, MapStep)

    @property
    def is_subflow(self) -> bool:
        """Whether the step is a scope too."""
        return isinstance(self.step, SubflowStep)

    @property
    def collects_errors(self) -> bool:
        """Whether tasks may fail and the step complete all the same."""
        return isinstance(self.step, MapStep) and self.step.collect_errors


@dataclass(frozen=True)
class Scope:
    """The run, or one subrun.

    Attributes:
        path: The path of the subflow step; empty for the run.
        flow_slug: The flow that runs here.
        parent: The path of the scope around it; `None` for the run.
        subrun_path: The `subrun_index` of every scope around it and its own; empty for the run.
        run_index: Counts the subruns of the run from 1; 0 for the run.
        subrun_index: Counts the subruns of the parent from 1; 0 for the run.
        steps: The paths of its steps, each behind its dependencies.
        leaves: The paths of its final steps.
    """

    path: str
    flow_slug: str
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
        step_nodes: The path of the step for each Dagster step key, without mapping key.
        helper_nodes: The same for helper ops: the path of the step that each helps.
    """

    scopes: Mapping[str, Scope]
    steps: Mapping[str, StepPlace]
    step_nodes: Mapping[str, str]
    helper_nodes: Mapping[str, str]


def layout_of(slug: str, tree: PinnedTree) -> Layout:
    """Return the layout of a run of a flow, also of one that is not sound and cannot run.

    Args:
        slug: The flow.
        tree: The flow and every flow that it contains.
    """
    builder = _Builder(tree)
    builder.add_scope(slug, _Surroundings())
    return Layout(builder.scopes, builder.steps, builder.step_nodes, builder.helper_nodes)


@dataclass(frozen=True)
class _Surroundings:
    path: str = RUN_SCOPE
    node: str = ""
    parent: str | None = None
    subrun_path: str = ""
    subrun_index: int = 0
    flows: tuple[str, ...] = ()


class _Builder:
    def __init__(self, tree: PinnedTree) -> None:
        self.tree = tree
        self.scopes: dict[str, Scope] = {}
        self.steps: dict[str, StepPlace] = {}
        self.step_nodes: dict[str, str] = {}
        self.helper_nodes: dict[str, str] = {}

    def add_scope(self, slug: str, around: _Surroundings) -> None:
        flow = self._flow(slug, around)
        steps = _ordered(flow)
        self.scopes[around.path] = Scope(
            path=around.path,
            flow_slug=slug,
            parent=around.parent,
            subrun_path=around.subrun_path,
            run_index=len(self.scopes),
            subrun_index=around.subrun_index,
            steps=tuple(_join(around.path, step.slug) for step in steps),
            leaves=tuple(_join(around.path, step.slug) for step in leaves(flow)),
        )
        deps = known_deps(flow)
        heads = _pipeline_heads(flow)
        subruns = 0
        for step in steps:
            place = _place(flow, step, deps[step.slug], heads.get(step.slug), around.path)
            self._add_step(place, around)
            if isinstance(step, SubflowStep):
                subruns += 1
                self.add_scope(step.flow, _inside(slug, step, around, subruns))

    def _flow(self, slug: str, around: _Surroundings) -> Flow:
        """Return a flow; where a broken definition leads nowhere, one without steps."""
        if slug not in self.tree or slug in around.flows:
            return Flow(slug)
        return self.tree[slug].flow

    def _add_step(self, place: StepPlace, around: _Surroundings) -> None:
        slug = place.step.slug
        self.steps[place.path] = place
        self.step_nodes[_join(around.node, dagster_name(slug))] = place.path
        for suffix in HELPER_SUFFIXES:
            self.helper_nodes[_join(around.node, f"{slug}{suffix}")] = place.path


def _place(
    flow: Flow, step: Step, deps: tuple[str, ...], head: MapStep | None, scope: str
) -> StepPlace:
    effort = effort_of(flow.options, step.options)
    return StepPlace(
        path=_join(scope, step.slug),
        step=step,
        flow_slug=flow.slug,
        scope=scope,
        deps=tuple(_join(scope, dep) for dep in deps),
        batched_as=head,
        max_attempts=max(effort.max_attempts, 1),
        is_delayed=effort.start_delay > 0,
    )


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


def _inside(slug: str, step: SubflowStep, around: _Surroundings, index: int) -> _Surroundings:
    return _Surroundings(
        path=_join(around.path, step.slug),
        node=_join(around.node, dagster_name(step.slug)),
        parent=around.path,
        subrun_path=_join(around.subrun_path, str(index)),
        subrun_index=index,
        flows=(*around.flows, slug),
    )


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
