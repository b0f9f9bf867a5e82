"""The places of steps as people write them who say something about them: `each.charge`, `price[2]`.

Without a number a place means all items of a list, all elements of a map step and all iterations of
a loop; with one it means that one, and goes before. A step in a loop may be called as its flow
calls it, without the loop.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from typing import Final

from dagster_pgflow.errors import ConfigurationError
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.lowered import LoopNode, LoweredFlows, LoweredStep
from dagster_pgflow.model.steps import HandledStep, MapStep, SubflowStep
from dagster_pgflow.step_path import StepPath

_NUMBER: Final = re.compile(r"\[\d+\]")
MOST_LISTED: Final = 1_000
"""How many places of a flow are looked at for one that may be meant."""


def best_match(written: Iterable[str], path: str) -> str | None:
    """Return which of some places means a step, or an element of it, most exactly.

    Args:
        written: Places, as `Places.find` returns them.
        path: Where the step stands in the run.

    >>> best_match(["each.charge", "each[2].charge", "sum"], "each[2].charge")
    'each[2].charge'
    """
    means = [one for one in written if _means(one, path)]
    return max(means, key=lambda one: one.count("["), default=None)


def _means(written: str, path: str) -> bool:
    if written == path:
        return True
    ours, theirs = written.split("."), path.split(".")
    return len(ours) == len(theirs) and all(
        one in (other, other.partition("[")[0]) for one, other in zip(ours, theirs, strict=True)
    )


def without_numbers(path: str) -> str:
    """Return a place that means all items, elements and iterations."""
    return _NUMBER.sub("", path)


def _is_many(step: LoweredStep) -> bool:
    return isinstance(step, MapStep) or (isinstance(step, SubflowStep) and step.over is not None)


@dataclass(frozen=True)
class FoundStep:
    """A step that somebody says something about.

    Attributes:
        path: Its place, with the loops around it.
        step: The step.
        flow: Its flow.
    """

    path: str
    step: LoweredStep
    flow: Flow


class Places:
    """The places of the steps of a flow.

    Args:
        flow_slug: The flow.
        flows: It and the flows that it contains, by slug.
    """

    def __init__(self, flow_slug: str, flows: Mapping[str, Flow]) -> None:
        self._slug = flow_slug
        self._flows = LoweredFlows(flows)

    def find(self, written: str, argument: str) -> FoundStep:
        """Return the step that a place means.

        Args:
            written: The place.
            argument: Where somebody wrote it, for people.

        Raises:
            ConfigurationError: There is no such step.
        """
        try:
            parts = StepPath(written).split(".")
        except (ValueError, TypeError):
            parts = [""]
        found = self._find(self._slug, parts, "")
        if found is None:
            raise ConfigurationError(f"{argument} {self._refusal(str(written))}")
        return found

    def _find(self, name: str, parts: list[str], around: str) -> FoundStep | None:
        flow, (first, *rest) = self._flows[name], parts
        slug = first.partition("[")[0]
        step = next((step for step in flow.steps if step.slug == slug), None)
        here = f"{around}.{first}".removeprefix(".")
        match step:
            case LoopNode():
                return self._find(step.flow, rest or [slug], here)
            case SubflowStep() if rest:
                known = step.flow in self._flows
                return self._find(step.flow, rest, here) if known else None
            case None:
                return self._find_in_loops(flow, parts, around)
            case _:
                numbered = first != slug and not _is_many(step)
                return None if rest or numbered else FoundStep(here, step, flow)

    def _find_in_loops(self, flow: Flow, parts: list[str], around: str) -> FoundStep | None:
        for step in flow.steps:
            if isinstance(step, LoopNode):
                inside = f"{around}.{step.slug}".removeprefix(".")
                found = self._find(step.flow, parts, inside)
                if found is not None:
                    return found
        return None

    def _refusal(self, written: str) -> str:
        known = [path for path, _ in islice(self._all(self._slug), MOST_LISTED)]
        close = get_close_matches(without_numbers(written), known, 1, 0.5)
        advice = f'"{close[0]}" may be meant' if close else f"there are {', '.join(known[:20])}"
        return f'names "{written}", and flow "{self._slug}" has no such step; {advice}.'

    def of_handlers(self) -> Iterator[str]:
        """Yield the places of steps that call a handler."""
        for path, step in self._all(self._slug):
            if isinstance(step, HandledStep) and step.needs_handler:
                yield path

    def _all(self, name: str, around: str = "") -> Iterator[tuple[str, LoweredStep]]:
        for step in self._flows[name].steps:
            here = f"{around}.{step.slug}".removeprefix(".")
            if isinstance(step, LoopNode):
                yield from self._all(step.flow, around)
                continue
            yield here, step
            if isinstance(step, SubflowStep) and step.flow in self._flows:
                yield from self._all(step.flow, here)
