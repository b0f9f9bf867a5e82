"""Tells of what is a Dagster run of its own, as far as the op around it does.

That is the flow of a subflow step, or a pass of a loop. What happened in such a run its own ops
tell, as if it were a graph in the graph. The op around says when that run began, what the step
returned, and why nothing ran at all.
"""

from collections.abc import Iterator
from typing import Any

from dagster_pgflow.projection.layout import Layout, StepPlace
from dagster_pgflow.projection.outlook import Outcome, error_of, told_by
from dagster_pgflow.projection.sightings import Sighting
from dagster_pgflow.projection.unfolding import Unfolding
from dagster_pgflow.runtime.outcome import is_routable


class SubflowOps:
    """Tells what the ops of such steps report.

    Args:
        layout: Where everything stands.
        unfolding: What has begun and ended so far.
    """

    def __init__(self, layout: Layout, unfolding: Unfolding) -> None:
        self._layout = layout
        self._unfolding = unfolding

    def tell(self, path: str, sighting: Sighting) -> None:
        """Write the events that follow from what was seen of the op of a subflow step."""
        outcome = sighting.outcome or {}
        match sighting.kind:
            case "child_run":
                self.begin(outcome, is_reused=sighting.is_reused)
            case "succeeded" | "reused" if outcome.get("status") == "failed":
                self._fail(path, outcome, outcome["error"], outcome.get("failed_subflow"))
            case "succeeded" | "reused":
                self._end(path, sighting, outcome)
            case "failed":
                caught_by = self.caught_around(path, outcome)
                self._fail(path, outcome, error_of(sighting), caught_by)
            case "skipped":
                self.skip(path, "dependency_skipped", path)

    def caught_around(self, path: str, outcome: Outcome | None) -> str | None:
        """Return the subflow that fails, while its flow goes on, when a run inside another fails.

        That run cannot know. Where it lies, the definitions tell.

        Args:
            path: A step of that run, which failed.
            outcome: What its op reported, if it could.
        """
        around = self._layout.steps[path].child_run
        if around is None or not outcome or not is_routable(outcome):
            return None
        scope = self._layout.scopes[around]
        while scope.parent is not None:
            if getattr(self._layout.steps[scope.step].step, "on_failure", None):
                return scope.path
            scope = self._layout.scopes[scope.parent]
        return None

    def begin(self, outcome: Outcome, *, is_reused: bool) -> None:
        """Tell that a run of its own begins, or that one of before is taken over."""
        scope = outcome["path"]
        if scope not in self._layout.scopes:
            return
        told = {"dagster_run_id": outcome["child_run"]}
        iteration = self._layout.scopes[scope].iteration
        if iteration is not None:
            told |= {"iteration": iteration} | ({"reused": True} if is_reused else {})
            self._unfolding.open_scope(scope)
            self._unfolding.note("loop.pass_started", self._layout.scopes[scope].step, told)
            return
        told |= {"input": outcome["input"]} if "input" in outcome else {}
        self._unfolding.receive(scope, told)
        if not is_reused:
            self._unfolding.open_scope(scope)

    def _end(self, path: str, sighting: Sighting, outcome: Outcome) -> None:
        place = self._layout.steps[path]
        for item, failure in outcome.get("failed_items", {}).items():
            self._unfolding.fail(item, failure["error"], failure["subflow"])
            self._unfolding.cancel_inside(item)
        if place.has_items:
            # A helper op tells of the list, and each item is over with the last of its steps.
            return
        match outcome.get("status", "completed"):
            case "skipped":
                self.skip(path, outcome["skip_reason"], outcome["skipped_step"])
            case "cancelled":
                self.cancel(path)
            case _:
                reused = {"reused": True} if sighting.kind == "reused" else {}
                self._unfolding.open_step(path)
                self._unfolding.complete_step(path, told_by(sighting, outcome, "output") | reused)

    def _fail(self, path: str, outcome: Outcome, error: str, caught_by: str | None) -> None:
        place = outcome.get("place", path)
        failed = outcome.get("failed_step", place)
        known = failed in self._layout.steps or failed in self._layout.scopes
        self._unfolding.fail(failed if known else place, error, caught_by)
        if known and not f"{failed}.".startswith(f"{place}."):
            # It was a flow around the step that failed, so that this one never began.
            if caught_by is not None:
                self.cancel(path)
            return
        if place in self._layout.scopes:
            self._unfolding.fail(place, error, caught_by)
            if caught_by is not None:
                # What lies beside it, in a run around this one, may be at work.
                self._unfolding.cancel_inside(place)

    def skip(self, path: str, reason: Any, origin: str) -> None:
        """Tell that all inside a step is skipped."""
        for inner in self._steps_inside(path):
            self._unfolding.skip_step(inner.path, reason, origin)

    def cancel(self, path: str) -> None:
        """Tell that all inside a step is cancelled."""
        for inner in self._steps_inside(path):
            self._unfolding.cancel_step(inner.path)

    def _steps_inside(self, path: str) -> Iterator[StepPlace]:
        """Yield the steps of a flow that does not run, those that are scopes themselves left out.

        A map step among them has no tasks, which each would say itself where it had an op.
        """
        for place in list(self._layout.steps.values()):
            if place.is_subflow or not self._layout.is_inside(place.scope, path):
                continue
            if place.is_map:
                self._unfolding.note("step.queued", place.path, {"tasks": 0, "batches": 1})
            yield place
