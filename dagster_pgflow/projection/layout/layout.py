"""Where everything in a run stands: its scopes and steps, from the pinned definitions.

A scope is the run itself or one subrun. Apart from flows that run once for each item of a list the
layout is the same for every run of one version, so subruns have their numbers before anything has
started. Items come behind all others, in the order in which their lists became known, so that no
number ever changes.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, get_args

from dagster_pgflow.dagster_log.step_keys import spelt_today
from dagster_pgflow.model.failures import goes_on_with
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.lowered import LoopNode, LoweredStep
from dagster_pgflow.model.steps import LoopStep, MapStep, SubflowStep
from dagster_pgflow.model.steps.fields import JsonSchema
from dagster_pgflow.reports.report import WaitKind
from dagster_pgflow.step_path import RUN, StepPath

Task = tuple[StepPath, int]
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
        path: Where it stands.
        step: Its definition.
        flow_slug: The flow that it belongs to.
        scope: The path of the scope that it belongs to.
        deps: The paths of the steps of its scope that it depends on.
        needs: The same, and those that lie outside of the loop around it.
        batched_as: For a map step, the one whose batches it has: itself, or the head of its
            pipeline.
        max_attempts: How often each of its tasks is tried at most.
        is_delayed: Whether its first execution only finds out that it is too early.
        has_output_op: Whether it is a subflow or a loop that is over when a helper op says so.
        within: What must be known before it is there, if anything: how many items the subflow step
            around it has, by the path of that step, or that its loop comes to this iteration.
        in_item_graph: Whether its op stands in a graph that runs once for each item.
        child_run: The path of the innermost scope around it that is a Dagster run of its own.
    """

    path: StepPath
    step: LoweredStep
    flow_slug: str
    scope: StepPath
    deps: tuple[StepPath, ...]
    needs: tuple[StepPath, ...]
    batched_as: MapStep | None
    max_attempts: int
    is_delayed: bool
    has_output_op: bool
    within: StepPath | None
    in_item_graph: bool
    child_run: StepPath | None

    @property
    def is_map(self) -> bool:
        """Whether the step has as many tasks as a list has elements."""
        return isinstance(self.step, MapStep)

    @property
    def is_whole_list(self) -> bool:
        """Whether it is a map step of which one op does all tasks, as it is in an item."""
        return self.is_map and self.in_item_graph

    @property
    def is_subflow(self) -> bool:
        """Whether the step is a scope too."""
        return isinstance(self.step, SubflowStep) and self.step.over is None

    @property
    def has_items(self) -> bool:
        """Whether the step is as many scopes as a list has items."""
        return isinstance(self.step, SubflowStep) and self.step.over is not None

    @property
    def is_loop(self) -> bool:
        """Whether the step is as many scopes as iterations are needed."""
        return isinstance(self.step, LoopNode)

    @property
    def runs_iterations(self) -> bool:
        """Whether it is a loop whose iterations are Dagster runs of their own."""
        step = self.step
        return isinstance(step, LoopNode) and step.loop.runs_iterations(in_items=self.in_item_graph)

    @property
    def runs_child(self) -> bool:
        """Whether its op has a flow run as a Dagster run of its own."""
        return isinstance(self.step, SubflowStep) and self.step.is_child_run

    @property
    def waits(self) -> bool:
        """Whether it waits for a person, a signal or a time."""
        return self.step.type in get_args(WaitKind)

    @property
    def collects_errors(self) -> bool:
        """Whether tasks may fail and the step complete all the same."""
        return isinstance(self.step, MapStep) and self.step.collects

    @property
    def is_judged_apart(self) -> bool:
        """Whether it is a map step that is over when a helper op has counted its failures."""
        counts = isinstance(self.step, MapStep) and self.step.bounds_failures
        return counts and not self.in_item_graph


@dataclass(frozen=True)
class Scope:
    """The run, one subrun, or one iteration of a loop.

    Attributes:
        path: The path of the subflow step or the loop, and the index of the item or the number of
            the iteration if any; empty for the run.
        flow_slug: The flow that runs here.
        input_schema: The schema of its input, which may have defaults.
        step: The path of the subflow step or the loop alone.
        map_index: The index of the item, where the flow runs once for each.
        iteration: The number of the iteration from 1, where it is one.
        within: What must be known before it is there, as for a step.
        parent: The path of the scope around it; `None` for the run.
        subrun_path: The `subrun_index` of every subrun around it and its own; empty for the run.
        run_index: Counts the subruns of the run from 1; 0 for the run.
        subrun_index: Counts the subruns of the parent from 1; 0 for the run.
        steps: The paths of its steps, each behind its dependencies.
        leaves: The paths of its final steps.
        merges_output: Whether it returns the objects of these laid over each other.
    """

    path: StepPath
    flow_slug: str
    input_schema: JsonSchema | None
    step: StepPath
    map_index: int | None
    iteration: int | None
    within: StepPath | None
    parent: StepPath | None
    subrun_path: str
    run_index: int
    subrun_index: int
    steps: tuple[StepPath, ...]
    leaves: tuple[StepPath, ...]
    merges_output: bool = False


@dataclass(frozen=True)
class Layout:
    """The scopes and steps of a run, each before what it contains.

    Attributes:
        scopes: By path, in the order of `run_index`.
        steps: By path.
        step_nodes: The path of the step for each Dagster step key, without mapping key; inside an
            item with its index, and in a run of its own behind the path of its scope.
        helper_nodes: The same for helper ops: the path of the step that each helps.
    """

    scopes: Mapping[str, Scope]
    steps: Mapping[str, StepPlace]
    step_nodes: Mapping[str, StepPath]
    helper_nodes: Mapping[str, StepPath]

    def step_of(self, step_key: str) -> StepPath | None:
        """Return the path of the step that a Dagster step works on, unless it is a helper."""
        return node_at(self.step_nodes, step_key)

    def helped_by(self, step_key: str) -> StepPath | None:
        """Return the path of the step that a Dagster step helps, if it is a helper."""
        return node_at(self.helper_nodes, step_key)

    def is_inside(self, scope: str, other: str) -> bool:
        """Return whether a scope is that of a subflow step or of one item, or lies in it."""
        around: StepPath | str | None = scope
        while around is not None and other not in (around, self.scopes[around].step):
            around = self.scopes[around].parent
        return around is not None

    @cached_property
    def has_lists(self) -> bool:
        """Whether it may grow: steps that run a flow for each item of a list, and loops."""
        return any(place.has_items or place.is_loop for place in self.steps.values())

    @cached_property
    def subruns(self) -> Mapping[str, Scope]:
        """The scopes by `subrun_path`."""
        others = (scope for scope in self.scopes.values() if scope.iteration is None)
        return {scope.subrun_path: scope for scope in others}

    def goes_on_behind(self, step: str) -> str | None:
        """Return the step that its flow goes on with when a step failed, not by a timeout."""
        place = self.steps[step]
        beside = (self.steps[path].step for path in self.scopes[place.scope].steps)
        return goes_on_with(beside, place.step, timed_out=False)

    def iteration_of(self, step: str) -> int | None:
        """Return the iteration of the innermost loop around a step, if there is one."""
        around: str | None = self.steps[step].scope
        while around is not None:
            if self.scopes[around].iteration is not None:
                return self.scopes[around].iteration
            around = self.scopes[around].parent
        return None

    def subrun_around(self, scope: str) -> StepPath:
        """Return the innermost scope around a scope that is no iteration, or the scope."""
        around = self.scopes[scope]
        while around.iteration is not None:
            around = self.scopes[around.parent or RUN]
        return around.path

    @cached_property
    def scopes_within(self) -> Mapping[str | None, Sequence[Scope]]:
        """The scopes by what must be known before they are there; others under `None`."""
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


def contains_child_runs(tree: PinnedTree) -> bool:
    """Return whether any step in a tree of flows may have Dagster runs of its own."""
    steps = [step for pinned in tree.values() for step in pinned.flow.steps]
    in_items = any(isinstance(step, SubflowStep) and step.over is not None for step in steps)
    return any(
        (isinstance(step, SubflowStep) and step.is_child_run)
        or (isinstance(step, LoopStep) and step.runs_iterations(in_items=in_items))
        for step in steps
    )


def node_at(nodes: Mapping[str, StepPath], step_key: str) -> StepPath | None:
    """Return what stands at a Dagster step key, whose index may be padded, or be that of a task."""
    step_key = spelt_today(step_key)
    run, slash, last = step_key.rpartition("/")
    node, _, rest = last.partition("[")
    node = f"{run}{slash}{node}"
    index = rest.removesuffix("]")
    item = nodes.get(f"{node}[{int(index)}]") if index.isdecimal() else None
    return item or nodes.get(node)


def joined(path: str, name: str) -> str:
    """Return the name of something inside something: of nodes, or of subruns by their numbers."""
    return f"{path}.{name}" if path else name
