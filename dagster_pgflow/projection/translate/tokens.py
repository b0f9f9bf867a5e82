"""Tokens: one lies on each route that a run has taken and not yet come to the end of.

A token is emitted on every edge that the run takes, from one step to the next, into a subflow or a
iteration of a loop, and out of it again. A step holds the tokens that arrived until it has ended,
then sends on its own and consumes those. So there is always one left as long as anything is to be
done, and none afterwards: a step whose route goes no further, because it is a final one, or failed,
or leads nowhere this time, sends its token to the end of its scope, where the run, or the step that
is the scope, consumes it.

Whether all steps of a run are done is only asked where a token leaves the steps: at the terminal
steps of its flow, which are known before it begins, and where a route breaks off. What was found is
part of the event, so the questions can be counted.

All that follows from the other events of a run, so the same events always have the same tokens.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from dagster_pgflow.model.event_types import EventType, StepEnding
from dagster_pgflow.model.lowered import LoopNode
from dagster_pgflow.model.run_state import LogEvent
from dagster_pgflow.projection.layout.layout import Layout, StepPlace
from dagster_pgflow.projection.translate.drafts import EventDraft
from dagster_pgflow.projection.translate.endings import STEP_ENDS
from dagster_pgflow.step_path import RUN, StepPath

Node = StepPath | None
"""A step path; `None` is the run itself: what first steps come from, and last ones lead to."""

RUN_ENDS: Final = frozenset({"run.completed", "run.failed", "run.cancelled"})
_ENDS_ROUTE: Final = ("ends_route", "ends_way")
"""What says that a route ends behind a skipped step: now, and in logs from before version 0.1."""


@dataclass(frozen=True, slots=True)
class Consequence:
    """An event that follows from another one.

    Attributes:
        event_type: Its type.
        data: What it says.
        node: The step that it is about, `None` for the run.
    """

    event_type: EventType
    data: Mapping[str, Any]
    node: Node


class Tokens:
    """Where the tokens of one run lie.

    Args:
        layout: Where everything stands.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._terminal = frozenset(layout.scopes[RUN].leaves)
        self._dependents: dict[StepPath, list[StepPath]] = defaultdict(list)
        for place in layout.steps.values():
            for dep in place.deps:
                self._dependents[dep].append(place.path)
        self._held: dict[Node, list[Node]] = {}
        self._counter = 0
        self._entered: set[str] = set()
        self._ended: set[Node] = set()
        self._taken: dict[str, frozenset[str]] = {}
        self._labels: dict[str, dict[str, str]] = {}
        self._started_at: dict[str, datetime] = {}
        self._attempts: dict[str, int] = defaultdict(int)
        self._tries: dict[str, int] = defaultdict(int)

    def before(self, event_type: EventType) -> Iterator[Consequence]:
        """Yield what happens to tokens before an event: the end of a run leaves none behind."""
        if event_type in RUN_ENDS:
            yield from self._consume(None)

    def after(self, event: LogEvent | EventDraft) -> Iterator[Consequence]:
        """Yield what follows from an event, apart from what it is about."""
        kind, path = event.event_type, event.correlation_id
        if kind == "run.queued":
            yield from self._enter(RUN)
        elif path is None:
            return
        elif kind == "subrun.started":
            yield from self._enter(self._layout.subruns[path].path)
        elif kind == "step.started":
            self._started_at[path] = event.timestamp
        elif kind == "task.started":
            self._tries[path] += 1
            self._attempts[path] = max(self._attempts[path], event.event_data["attempt"])
        elif kind == "loop.started":
            yield from self._enter(self._layout.steps[path].path.at(1))
        elif kind == "loop.iterated" and event.event_data["again"]:
            following = event.event_data["iteration"] + 1
            yield from self._enter(self._layout.steps[path].path.at(following))
        elif kind in ("branch.taken", "loop.completed"):
            self._taken[path] = frozenset(event.event_data["taken"])
            self._labels[path] = {k: v for k, v in event.event_data.items() if k == "label"}
        elif ending := _ENDED.get(kind):
            yield from self._leave(self._layout.steps[path], ending, event)

    def _enter(self, scope_path: StepPath) -> Iterator[Consequence]:
        """Put a token on each step that a scope begins with."""
        scope = self._layout.scopes[scope_path]
        if scope_path in self._entered:
            return
        if scope.parent is not None:
            yield from self._enter(scope.parent)
        around: Node = None if scope_path == RUN else scope.step
        if around is not None and around not in self._held:
            return
        self._entered.add(scope_path)
        entries = [path for path in scope.steps if is_root(self._layout.steps[path])]
        for entry in entries:
            if entry not in self._ended:
                yield self._emit(around, entry, {})
        if around is None and not entries:
            yield self._emit(None, None, {})

    def _leave(
        self, place: StepPlace, status: StepEnding, event: LogEvent | EventDraft
    ) -> Iterator[Consequence]:
        """Send on what a step held, once it has ended."""
        path, data = place.path, event.event_data
        if status == "skipped" and not place.deps and data["skip_reason"] != "dependency_skipped":
            # A step may be skipped before anything of its subflow has begun.
            yield from self._enter(place.scope)
        self._ended.add(path)
        yield from self._executed(place, status, event)
        if path not in self._held:
            return
        said = {"attempt": self._attempts.get(path, 0), "status": status}
        if path in self._terminal:
            yield self._emit(path, None, said)
            yield from self._consume(path, may_be_last=True)
            return
        ahead = [node for node in self._targets(place, status, data) if node not in self._ended]
        for node in ahead:
            yield self._emit(path, node, said | self._label(path, node))
        end: Node = None if place.scope == RUN else self._layout.scopes[place.scope].step
        if not ahead and end not in self._ended:
            yield self._emit(path, end, said)
        breaks_off = not ahead and (end is None or end in self._ended)
        yield from self._consume(path, may_be_last=breaks_off)

    def _label(self, path: StepPath, node: StepPath) -> dict[str, str]:
        """Return what the route is called that an edge begins, if a branch calls it anything."""
        on_route = self._layout.steps[node].step.slug in self._taken.get(path, frozenset())
        return self._labels[path] if on_route else {}

    def _targets(
        self, place: StepPlace, status: StepEnding, data: Mapping[str, Any]
    ) -> list[StepPath]:
        """Return the steps that the route leads to behind a step that has ended."""
        if status == "failed" and data.get("on_failure"):
            slugs = {data["on_failure"]}
        elif status in ("failed", "cancelled") or any(data.get(name) for name in _ENDS_ROUTE):
            return []
        else:
            slugs = {self._layout.steps[path].step.slug for path in self._dependents[place.path]}
            slugs -= place.step.routed
            if status == "completed":
                slugs |= self._taken.get(place.path, frozenset())
        return [
            path
            for path in self._dependents[place.path]
            if self._layout.steps[path].step.slug in slugs
        ]

    def _executed(
        self, place: StepPlace, status: StepEnding, event: LogEvent | EventDraft
    ) -> Iterator[Consequence]:
        """Write what came of a step whose handler was tried, or that failed before."""
        path = place.path
        if status == "failed" or (status == "completed" and self._tries.get(path)):
            took = event.timestamp - self._started_at.get(path, event.timestamp)
            data: dict[str, Any] = {
                "attempts": self._tries.get(path, 0),
                "duration_ms": max(round(took.total_seconds() * 1000), 0),
            }
            if status == "failed":
                data["error"] = event.event_data.get("error")
            yield Consequence(
                "node.executed" if status == "completed" else "node.failed", data, path
            )

    def _emit(self, from_node: Node, to_node: Node, said: Mapping[str, Any]) -> Consequence:
        self._held.setdefault(to_node, []).append(from_node)
        self._counter += 1
        data = {"from_node": from_node, "to_node": to_node, **said}
        return Consequence("token.emitted", data, from_node)

    def _consume(self, node: Node, *, may_be_last: bool = False) -> Iterator[Consequence]:
        """Take the tokens away that lie at a node.

        Args:
            node: The node.
            may_be_last: Whether to ask if all steps are done now.
        """
        held = self._held.pop(node, [])
        if not held:
            return
        self._counter -= len(held)
        data: dict[str, Any] = {"to_node": node, "from_nodes": held, "tokens": len(held)}
        if node is not None:
            data["attempt"] = self._attempts.get(node, 0)
        if may_be_last:
            data["last"] = self._counter == len(self._held.get(None, ()))
        yield Consequence("token.consumed", data, node)


_ENDED: Final[Mapping[EventType, StepEnding]] = {event: end for end, event in STEP_ENDS.items()}
"""How a step ended, by the events that are its end."""


def is_root(place: StepPlace) -> bool:
    """Return whether a flow or an iteration begins with a step, whatever else leads to it."""
    return not place.deps or (isinstance(place.step, LoopNode) and place.step.is_root)
