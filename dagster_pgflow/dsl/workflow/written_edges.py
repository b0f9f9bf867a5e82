"""The edges of a document, in an order from which the same flow is read."""

import heapq
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from dagster_pgflow.dsl.workflow.routes import DEFAULT
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import dependents
from dagster_pgflow.model.steps import BranchStep, Step


@dataclass(frozen=True)
class WrittenEdge:
    """An edge.

    Attributes:
        before: The node that it leaves.
        behind: The node that it leads to.
        condition: The condition that it carries; empty if it has none.
        label: What the route of the condition is called.
    """

    before: str
    behind: str
    condition: str = ""
    label: str | None = None

    def to_json(self) -> dict[str, str]:
        """Return it as a document has it."""
        condition = {"condition": self.condition} if self.condition else {}
        label = {} if self.label is None else {"label": self.label}
        return {"from": self.before, "to": self.behind, **condition, **label}


@dataclass(frozen=True)
class WrittenEdges:
    """The edges of a document.

    Attributes:
        edges: The edges in their order.
        deciding: The branches whose rules are the conditions of their edges, or that need none.
    """

    edges: tuple[WrittenEdge, ...]
    deciding: frozenset[str]

    def decide(self, step: BranchStep) -> bool:
        """Return whether the edges that leave a branch say all that it decides."""
        return step.slug in self.deciding


def written_edges(flow: Flow, parallel: Collection[str]) -> WrittenEdges:
    """Return the edges of a flow.

    Their order says two things: what each step receives first, and which rule of a branch comes
    first. Where both cannot be said at once, branches have to say their rules themselves.

    Args:
        flow: A sound flow.
        parallel: The branches that take every route, which have no rules to write.
    """
    after = dependents(flow)
    branches = [step for step in flow.steps if isinstance(step, BranchStep)]
    deciding = frozenset(
        step.slug
        for step in branches
        if step.slug in parallel or _edges_can_tell(step, after[step.slug])
    )
    leaving = {
        step.slug: [*_leaving(step, after[step.slug], parallel, deciding)] for step in flow.steps
    }
    try:
        return WrittenEdges(_in_order(flow, leaving, deciding), deciding)
    except CycleError:
        plain = {slug: [WrittenEdge(slug, one.slug) for one in after[slug]] for slug in leaving}
        return WrittenEdges(_in_order(flow, plain, ()), frozenset())


def _edges_can_tell(step: BranchStep, after: Sequence[Step]) -> bool:
    """Return whether conditions on edges are enough: every route, and no other edge, leaves it."""
    behind = {one.slug for one in after}.difference(step.failure_steps.values())
    can_tell = all(rule.then and rule.output_schema is None for rule in step.rules)
    return {*step.targets} == behind and can_tell


def _leaving(
    step: Step, after: Sequence[Step], parallel: Collection[str], deciding: Collection[str]
) -> Iterator[WrittenEdge]:
    if not isinstance(step, BranchStep) or step.slug not in deciding:
        yield from (WrittenEdge(step.slug, one.slug) for one in after)
        return
    for rule in step.rules:
        condition = "" if step.slug in parallel else rule.when
        yield from (WrittenEdge(step.slug, to, condition, rule.label) for to in rule.then)
    yield from (WrittenEdge(step.slug, target, DEFAULT) for target in step.default_path)
    failing = {*step.failure_steps.values()}
    yield from (WrittenEdge(step.slug, one.slug) for one in after if one.slug in failing)


def _in_order(
    flow: Flow, leaving: Mapping[str, Sequence[WrittenEdge]], deciding: Collection[str]
) -> tuple[WrittenEdge, ...]:
    """Put edges in an order that says both things, and otherwise in that of the nodes.

    Raises:
        CycleError: There is none.
    """
    edges = [edge for step in flow.steps for edge in leaving[step.slug]]
    places = {id(edge): place for place, edge in enumerate(edges)}
    first: dict[tuple[str, str], int] = {}
    for place, edge in enumerate(edges):
        first.setdefault((edge.before, edge.behind), place)
    sorter: TopologicalSorter[int] = TopologicalSorter(dict.fromkeys(places.values(), ()))
    rows = [[places[id(edge)] for edge in leaving[slug]] for slug in deciding]
    rows += [
        [first[dep, step.slug] for dep in dict.fromkeys(step.depends_on)] for step in flow.steps
    ]
    for row in rows:
        for one, next_one in pairwise(row):
            sorter.add(next_one, one)
    sorter.prepare()
    return tuple(edges[place] for place in _smallest_first(sorter))


def _smallest_first(sorter: "TopologicalSorter[int]") -> Iterator[int]:
    ready: list[int] = []
    while sorter.is_active():
        for place in sorter.get_ready():
            heapq.heappush(ready, place)
        place = heapq.heappop(ready)
        yield place
        sorter.done(place)
