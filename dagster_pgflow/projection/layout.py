"""Where everything in a run stands: its scopes and steps, from the pinned definitions alone.

A scope is the run itself or one subrun. The layout is the same for every run of one version, so
subruns have their numbers before anything has started.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import CycleError
from typing import Final, Protocol

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import in_order, known_deps, leaves
from dagster_pgflow.model.step import MapStep, Step, SubflowStep
from dagster_pgflow.names import HELPER_SUFFIXES, dagster_name

RUN_SCOPE: Final = ""
"""The path of the run as a scope; a subrun's is that of its subflow step."""


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
    """

    path: str
    step: Step
    flow_slug: str
    scope: str
    deps: tuple[str, ...]

    @property
    def is_map(self) -> bool:
        """Whether the step has as many tasks as a list has elements."""
        return isinstance(self.step, MapStep)

    @property
    def is_subflow(self) -> bool:
        """Whether the step is a scope too."""
        return isinstance(self.step, SubflowStep)


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
        subruns = 0
        for step in steps:
            self._add_step(flow, step, deps[step.slug], around)
            if isinstance(step, SubflowStep):
                subruns += 1
                self.add_scope(step.flow, _inside(slug, step, around, subruns))

    def _flow(self, slug: str, around: _Surroundings) -> Flow:
        """Return a flow; where a broken definition leads nowhere, one without steps."""
        if slug not in self.tree or slug in around.flows:
            return Flow(slug)
        return self.tree[slug].flow

    def _add_step(
        self, flow: Flow, step: Step, deps: tuple[str, ...], around: _Surroundings
    ) -> None:
        path = _join(around.path, step.slug)
        paths = tuple(_join(around.path, dep) for dep in deps)
        self.steps[path] = StepPlace(path, step, flow.slug, around.path, paths)
        self.step_nodes[_join(around.node, dagster_name(step.slug))] = path
        for suffix in HELPER_SUFFIXES:
            self.helper_nodes[_join(around.node, f"{step.slug}{suffix}")] = path


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
