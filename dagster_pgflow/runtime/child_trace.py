"""What the steps of a subflow did, as the step that goes on after its failure is told."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dagster_pgflow.model.loops import RepeatedStep
from dagster_pgflow.model.step import SubflowStep
from dagster_pgflow.names import is_collector, is_helper
from dagster_pgflow.runtime.sources import Flows
from dagster_pgflow.runtime.values import Batch, from_wire

_ITEM = re.compile(r"\[\d+\]$")

Outcomes = Mapping[str, Mapping[str, Any]]
"""What ops reported last, by Dagster step key."""


def trace_of(path: Sequence[str], outcomes: Outcomes, flows: Flows) -> list[dict[str, Any]]:
    """Return `{step, status, duration_ms, output or error}` of the steps of a subflow, by time.

    A step of a flow further inside is named by its path. Steps that never ran are not told of.
    An output above 4 KiB is left out. Of a subflow that ran once for each item of a list, the steps
    of the items that failed are told of, with their index.

    Args:
        path: The path of the subflow step.
        outcomes: What the ops of the run reported.
        flows: Every flow that the one of the run contains.
    """
    begin = ".".join(path)
    steps: dict[str, _Told] = {}
    for key, outcome in _of_steps(outcomes, flows):
        place = _place(outcome)
        name = place.removeprefix(begin)
        # A helper is told of when it fails, because then nothing else says that its step does.
        is_told = outcome["status"] == "failed" or not _helps(key) or _skips(key, outcome)
        if place.startswith((f"{begin}.", f"{begin}[")) and is_told:
            steps.setdefault(name, _Told(name.removeprefix("."))).outcomes.append(outcome)
    failed = {told.item for told in steps.values() if told.fails(f"{begin}{told.item}")}
    ran = [told for told in steps.values() if told.status != "cancelled"]
    ran = [told for told in ran if not told.item or told.item in failed]
    return [told.entry() for told in sorted(ran, key=lambda told: (told.began_at, told.ended_at))]


def _of_steps(outcomes: Outcomes, flows: Flows) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield what the ops of steps reported, and what those would have that never were.

    The op that has a flow run as a run of its own is not that of one of its steps. It tells of its
    own failure, and for the steps of a flow that does not run.
    """
    for key, outcome in outcomes.items():
        slug, status = outcome.get("runs_flow"), outcome["status"]
        if slug is None or status == "failed":
            yield key, outcome
        elif status == "skipped":
            for place in _steps_inside(outcome["runs_at"], slug, flows):
                yield f"{key}/{place}", {**outcome, "step": place}


def _steps_inside(path: str, slug: str, flows: Flows) -> Iterator[str]:
    """Yield the paths of the steps of a flow and of those that it contains, as far as is known."""
    for step in flows[slug].steps:
        place = f"{path}.{step.slug}"
        match step:
            case SubflowStep(over=None):
                yield from _steps_inside(place, step.flow, flows)
            case SubflowStep():
                continue
            case RepeatedStep():
                yield from _steps_inside(f"{place}[1]", step.flow, flows)
            case _:
                yield place


def _place(outcome: Mapping[str, Any]) -> str:
    """Return the step that an outcome is about.

    What keeps a subflow from running is found out by the first ops inside it, whose own steps have
    not begun.
    """
    failed: str = outcome["failed_step"] if outcome["status"] == "failed" else outcome["step"]
    # An item is no step: its flow's input belongs to the step that runs over the list.
    return _ITEM.sub("", failed)


def _helps(step_key: str) -> bool:
    return is_helper(step_key.rpartition("/")[2].partition("[")[0])


def _skips(step_key: str, outcome: Mapping[str, Any]) -> bool:
    """Say whether an op skips a map step whose own ops did not: too many elements failed."""
    node = step_key.rpartition("/")[2].partition("[")[0]
    return outcome["status"] == "skipped" and is_collector(node)


@dataclass
class _Told:
    """A step, and what its ops reported: one op, or one a batch."""

    step: str
    outcomes: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def item(self) -> str:
        """The index of the item, where there are any."""
        return self.step.partition(".")[0] if self.step.startswith("[") else ""

    @property
    def status(self) -> str:
        statuses = {outcome["status"] for outcome in self.outcomes}
        order = ("failed", "cancelled", "skipped", "completed")
        return next(status for status in order if status in statuses)

    def fails(self, subflow: str) -> bool:
        """Say whether the step made a subflow fail, and no other one inside it that goes on."""
        return any(outcome.get("failed_subflow") == subflow for outcome in self.failures)

    @property
    def failures(self) -> list[Mapping[str, Any]]:
        """What those of its ops reported that failed."""
        return [outcome for outcome in self.outcomes if outcome["status"] == "failed"]

    @property
    def began_at(self) -> float:
        return min((task["started_at"] for task in self._tasks()), default=float("inf"))

    @property
    def ended_at(self) -> float:
        return max((task["completed_at"] for task in self._tasks()), default=float("inf"))

    def entry(self) -> dict[str, Any]:
        has_tasks = any(True for _ in self._tasks())
        duration = round((self.ended_at - self.began_at) * 1000) if has_tasks else 0
        entry = {"step": self.step, "status": self.status, "duration_ms": duration}
        match self.status:
            case "failed":
                return {**entry, "error": self.failures[0]["error"]}
            case "completed" if all("output" in outcome for outcome in self.outcomes):
                return {**entry, "output": self._output()}
            case _:
                return entry

    def _output(self) -> Any:
        values = [from_wire(outcome["output"]) for outcome in self.outcomes]
        batches = [value for value in values if isinstance(value, Batch)]
        if not batches:
            return values[0]
        in_order = sorted(batches, key=lambda batch: batch.start)
        return [value for batch in in_order for value in batch.values]

    def _tasks(self) -> Iterator[Mapping[str, Any]]:
        return (task for outcome in self.outcomes for task in outcome.get("tasks", ()))
