"""Finds out where everything in a run stands: walks through the flows, from the top one down."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from graphlib import CycleError

from dagster_pgflow.dagster_log.step_keys import key_inside
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import by_slug, in_order, known_deps, leaves, pipeline_head
from dagster_pgflow.model.lowered import LoopNode, LoweredFlows, LoweredStep, whole_of
from dagster_pgflow.model.options import retry_policy_of
from dagster_pgflow.model.steps import MapStep, Step, SubflowStep
from dagster_pgflow.names import HELPER_SUFFIXES, dagster_name, iteration_node
from dagster_pgflow.projection.layout.layout import (
    Items,
    Layout,
    PinnedTree,
    Scope,
    StepPlace,
    joined,
    node_at,
)
from dagster_pgflow.runtime.input_parts import shapes_output
from dagster_pgflow.step_path import RUN, StepPath


def layout_of(slug: str, tree: PinnedTree, items: Items | None = None) -> Layout:
    """Return the layout of a run of a flow, also of one that is not sound and cannot run.

    Args:
        slug: The flow.
        tree: The flow and every flow that it contains.
        items: The lists that subflows run over, as far as they are known.
    """
    growing = GrowingLayout(slug, tree)
    for path, count in (items or {}).items():
        growing.add_items(path, count)
    return growing.layout()


@dataclass(frozen=True)
class _Surroundings:
    path: StepPath = RUN
    node: str = ""
    step: StepPath = RUN
    index: int | None = None
    item: int | None = None
    iteration: int | None = None
    within: StepPath | None = None
    parent: StepPath | None = None
    child_run: StepPath | None = None
    flows: tuple[str, ...] = ()

    def key(self, name: str) -> str:
        """Return the Dagster step key of a node, without what is mapped further inside."""
        key = key_inside(self.child_run, joined(self.node, name))
        return key if self.index is None else f"{key}[{self.index}]"

    def of_item(self, item: int) -> "_Surroundings":
        """Return the same for an item of the list that a step runs over."""
        return replace(self, path=self.step.at(item), item=item, within=self.step)

    def of_iteration(self, number: int, within: StepPath | None) -> "_Surroundings":
        """Return the same for an iteration of the loop that a step is."""
        outer, _, slug = self.node.rpartition(".")
        node = joined(outer, iteration_node(slug, number))
        path = self.step.at(number)
        return replace(self, path=path, node=node, iteration=number, within=within)

    def as_child_run(self) -> "_Surroundings":
        """Return the same where it is a Dagster run of its own, whose keys begin anew."""
        return replace(self, node="", index=None, child_run=self.path)


@dataclass(frozen=True)
class _Shape:
    """What is the same wherever a flow runs."""

    steps: tuple[Step, ...]
    leaves: tuple[str, ...]
    deps: Mapping[str, tuple[str, ...]]
    heads: Mapping[str, MapStep]


class GrowingLayout:
    """The layout of a run, to which items are added as soon as their lists are known.

    Args:
        slug: The flow.
        tree: The flow and every flow that it contains.
    """

    def __init__(self, slug: str, tree: PinnedTree) -> None:
        self.tree = tree
        self.scopes: dict[str, Scope] = {}
        self.steps: dict[str, StepPlace] = {}
        self.step_nodes: dict[str, StepPath] = {}
        self.helper_nodes: dict[str, StepPath] = {}
        self._shapes: dict[tuple[str, bool], _Shape] = {}
        self._subruns: dict[str, int] = defaultdict(int)
        self._lists: dict[str, tuple[SubflowStep, _Surroundings]] = {}
        self._loops: dict[str, tuple[LoopNode, _Surroundings]] = {}
        self._flows = LoweredFlows({name: pinned.flow for name, pinned in tree.items()})
        self._add_scope(slug, _Surroundings())

    def layout(self) -> Layout:
        """Return the layout as it is so far."""
        return Layout(
            dict(self.scopes), dict(self.steps), dict(self.step_nodes), dict(self.helper_nodes)
        )

    def step_at(self, step_key: str) -> StepPath | None:
        """Return the path of the step that a Dagster step works on, or helps."""
        return node_at(self.step_nodes, step_key) or node_at(self.helper_nodes, step_key)

    def _add_scope(self, slug: str, around: _Surroundings) -> None:
        flow = self._flow(slug, around)
        shape = self._shape(flow)
        self.scopes[around.path] = self._scope(flow, around, shape)
        for step in shape.steps:
            self._add_step(self._place(flow, step, shape, around), around)
            if isinstance(step, LoopNode):
                inside = _inside(slug, step.slug, around, step.slug)
                self._loops[inside.path] = (step, inside)
                self._add_iteration(step, inside, 1, around.within)
            if isinstance(step, SubflowStep):
                path = around.path.to(step.slug)
                inside = _inside(slug, dagster_name(step.slug), around, step.slug)
                if step.over is not None:
                    self._lists[path] = (step, inside)
                else:
                    self._add_scope(
                        step.flow, inside.as_child_run() if step.is_child_run else inside
                    )

    def add_items(self, path: str, count: int) -> None:
        """Add the scopes of a subflow step that runs once for each item of a list."""
        if path not in self._lists:
            return
        step, inside = self._lists.pop(path)
        for index in range(count):
            item = inside.of_item(index)
            self._add_scope(
                step.flow, item.as_child_run() if step.is_child_run else replace(item, index=index)
            )

    def add_iteration(self, path: StepPath, number: int) -> None:
        """Add the scope of an iteration that a loop comes to."""
        at = path.at(number)
        known = at in self.scopes
        if path in self._loops and not known and number <= self._loops[path][0].loop.max_iterations:
            step, inside = self._loops[path]
            self._add_iteration(step, inside, number, at)

    def _add_iteration(
        self, step: LoopNode, inside: _Surroundings, number: int, within: StepPath | None
    ) -> None:
        one = inside.of_iteration(number, within)
        is_run = step.loop.runs_iterations(in_items=inside.index is not None)
        self._add_scope(step.flow, one.as_child_run() if is_run else one)

    def _scope(self, flow: Flow, around: _Surroundings, shape: _Shape) -> Scope:
        index, parent = 0, ""
        if around.parent is not None:
            parent = self.scopes[around.parent].subrun_path
        if around.parent is not None and around.iteration is None:
            self._subruns[parent] += 1
            index = self._subruns[parent]
        return Scope(
            path=around.path,
            flow_slug=whole_of(flow).slug,
            input_schema=flow.input_schema,
            step=around.step,
            map_index=around.item if around.within == around.step else None,
            iteration=around.iteration,
            within=around.within,
            parent=around.parent,
            subrun_path=joined(parent, str(index)) if index else parent,
            run_index=sum(self._subruns.values()) if index else 0,
            subrun_index=index,
            steps=tuple(around.path.to(step.slug) for step in shape.steps),
            leaves=tuple(around.path.to(leaf) for leaf in shape.leaves),
            merges_output=flow.merge_output,
        )

    def _flow(self, slug: str, around: _Surroundings) -> Flow:
        """Return a flow; where a broken definition leads nowhere, one without steps."""
        if slug.partition(".")[0] not in self.tree or slug in around.flows:
            return Flow(slug)
        return self._flows[slug]

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

    def _place(
        self, flow: Flow, step: LoweredStep, shape: _Shape, around: _Surroundings
    ) -> StepPlace:
        retry_policy = retry_policy_of(flow.options, step.options)
        deps = tuple(around.path.to(dep) for dep in shape.deps[step.slug])
        return StepPlace(
            path=around.path.to(step.slug),
            step=step,
            flow_slug=whole_of(flow).slug,
            scope=around.path,
            deps=deps,
            needs=(*deps, *self._needs_outside(step, around)),
            batched_as=shape.heads.get(step.slug),
            max_attempts=max(retry_policy.max_attempts, 1),
            is_delayed=retry_policy.start_delay > 0,
            has_output_op=self._has_output_op(step),
            within=around.within,
            in_item_graph=around.index is not None,
            child_run=around.child_run,
        )

    def _needs_outside(self, step: LoweredStep, around: _Surroundings) -> Iterator[StepPath]:
        """Yield the paths of the dependencies that lie outside of the loop around a step."""
        here = self.scopes[around.path]
        while here.iteration is not None and here.parent is not None:
            here = self.scopes[here.parent]
            paths = (here.path.to(dep) for dep in dict.fromkeys(step.depends_on))
            yield from (path for path in paths if path in self.steps)

    def _has_output_op(self, step: LoweredStep) -> bool:
        if not isinstance(step, SubflowStep):
            return isinstance(step, LoopNode)
        flows = {step.flow: self.tree[step.flow].flow} if step.flow in self.tree else {}
        return step.flow in flows and (step.is_child_run or shapes_output(step, flows))

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


def _inside(slug: str, node: str, around: _Surroundings, step_slug: str) -> _Surroundings:
    """Return what is around the steps inside a step.

    Args:
        slug: The flow that the step belongs to.
        node: The name of its node.
        around: What is around the step.
        step_slug: The step.
    """
    path = around.path.to(step_slug)
    return replace(
        around,
        path=path,
        node=joined(around.node, node),
        step=path,
        item=None,
        iteration=None,
        parent=around.path,
        flows=(*around.flows, slug),
    )
