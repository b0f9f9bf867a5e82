"""Where the steps of a flow lead, in the words of a manifest.

Between the cells of a flow stand steps that only hand on, decide, or end a pass of a loop. A way is
followed through them until it comes to a cell, a join or an end.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, assert_never

from dagster_pgflow.dsl.manifest.compile_cells import END, ENDED_IN_ERROR, ERROR, FAIL, PICK
from dagster_pgflow.dsl.manifest.compile_steps import asked_of_data
from dagster_pgflow.dsl.manifest.manifest import DEFAULT, UNLABELLED
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import by_slug, dependents
from dagster_pgflow.model.steps import (
    ApprovalStep,
    BranchStep,
    HandledStep,
    JoinStep,
    LoopStep,
    MapStep,
    SingleStep,
    SleepStep,
    Step,
    SubflowStep,
    WaitingStep,
    WaitStep,
)

AGAIN: Final = "again"
_LABELS: Final = re.compile(r'"([^"]+)"')
_HELD: Final = re.compile(r'"(\w+)" in deps')


@dataclass(frozen=True)
class EdgeOfFlow:
    """An edge of a manifest.

    Attributes:
        label: Its label; `UNLABELLED` where there is none.
        target: A cell, a join, `end` or `error`.
        predicate: CEL over `data`; `None` where the edge has no label.
        transform: The step that the data passes on the edge.
        loop: The loop that it closes, if it closes one.
    """

    label: str
    target: str
    predicate: str | None = None
    transform: SingleStep | None = None
    loop: LoopStep | None = None


class NotSaid(Exception):
    """A step leads where no edge of a manifest can lead."""

    def __init__(self, slug: str) -> None:
        super().__init__(slug)
        self.slug = slug


class Ways:
    """The ways of one flow.

    Args:
        flow: A sound flow.
        keeps: Whether its cells keep what they receive.
    """

    def __init__(self, flow: Flow, *, keeps: bool) -> None:
        self.steps = by_slug(flow)
        self._after = dependents(flow)
        self._keeps = keeps
        self.join_of: dict[str, str] = {}
        self.snapshots: dict[str, str] = {}

    def is_cell(self, step: Step) -> bool:
        """Return whether a step is a cell; members of joins are cells too."""
        match step:
            case SubflowStep():
                return True
            case SingleStep(handler=handler):
                return step.keep_input or (
                    handler not in (PICK, FAIL) and not self._is_transform(step)
                )
            case BranchStep() | LoopStep():
                return step.handler is not None and (
                    step.keep_input or not isinstance(step, LoopStep) or step.handler != PICK
                )
            case ApprovalStep():
                return True
            case MapStep() | JoinStep() | WaitingStep() | SleepStep():
                return False
            case _:
                assert_never(step)

    def _is_transform(self, step: SingleStep) -> bool:
        return (
            self._keeps
            and not step.keep_input
            and step.merge_input
            and step.slug not in self.join_of
        )

    def edges_of(self, step: Step) -> Iterator[EdgeOfFlow]:
        """Yield the edges behind a cell, or behind the last step of a join, in order."""
        match step:
            case LoopStep():
                yield from self._edges_of_loop(step)
            case BranchStep():
                yield from self._edges_of_branch(step)
            case WaitStep() | SleepStep():
                raise NotSaid(step.slug)
            case SingleStep() | MapStep() | SubflowStep() | JoinStep() | ApprovalStep():
                failing = set(_failure_steps(step).values())
                ahead = [one.slug for one in self._after[step.slug] if one.slug not in failing]
                yield from self._edges_ahead(step, ahead)
            case _:
                assert_never(step)

    def _edges_ahead(self, step: Step, ahead: list[str]) -> Iterator[EdgeOfFlow]:
        if step.slug in self.snapshots:
            yield EdgeOfFlow(UNLABELLED, self.snapshots[step.slug])
            return
        if len(ahead) > 1:
            raise NotSaid(step.slug)
        behind = self.steps[ahead[0]] if ahead else None
        if isinstance(behind, SingleStep) and self._does_what_comes_after(behind):
            yield from self.edges_of(behind)
        elif isinstance(behind, BranchStep) and behind.handler is None:
            yield from self._edges_of_branch(behind)
        else:
            yield self._edge(step.slug, ahead[0] if ahead else None, UNLABELLED, None)

    def _edges_of_branch(self, step: BranchStep) -> Iterator[EdgeOfFlow]:
        for number, rule in enumerate(step.rules):
            if len(rule.then) != 1:
                raise NotSaid(step.slug)
            label = rule.label or f"edge-{number + 1}"
            yield self._edge(step.slug, rule.then[0], label, asked_of_data(rule.when))

    def _edges_of_loop(self, step: LoopStep) -> Iterator[EdgeOfFlow]:
        header = self._target_of(step.slug, step.back_to, AGAIN)[0]
        out = list(self._out_of(step))
        label = self._label_of_again(step, [edge.label for edge in out])
        yield EdgeOfFlow(label, header, asked_of_data(step.condition), loop=step)
        yield from out

    def _label_of_again(self, step: LoopStep, others: list[str]) -> str:
        """Return what the edge that closes a loop is called.

        A step has no label for it; but the sentence that ends a run behind it names all labels.
        """
        for behind in map(self.steps.__getitem__, step.break_path):
            default = behind.default_path if isinstance(behind, BranchStep) else ()
            for ending in map(self.steps.__getitem__, default):
                message = ending.params.get("message", "") if isinstance(ending, SingleStep) else ""
                told = _LABELS.findall(str(message).partition(" was taken: ")[2])
                if left := [label for label in told if label not in others]:
                    return str(left[0])
        label = AGAIN
        while label in others:
            label += "-again"
        return label

    def _out_of(self, step: LoopStep) -> Iterator[EdgeOfFlow]:
        for slug in step.break_path:
            behind = self.steps[slug]
            if isinstance(behind, BranchStep) and behind.handler is None:
                yield from self._edges_of_branch(behind)
            else:
                yield self._edge(step.slug, slug, DEFAULT, "true")

    def failures_of(self, step: Step) -> Iterator[tuple[str, str]]:
        """Yield where failures of a step lead, by the field that says so."""
        for name, slug in _failure_steps(step).items():
            yield name, self._target_of(step.slug, slug, None)[0]

    def _edge(self, source: str, to: str | None, label: str, predicate: str | None) -> EdgeOfFlow:
        target, transform, loop = (
            (END, None, None) if to is None else self._target_of(source, to, label)
        )
        return EdgeOfFlow(label, target, predicate, transform, loop)

    def _target_of(
        self, source: str, to: str, label: str | None
    ) -> tuple[str, SingleStep | None, LoopStep | None]:
        """Follow a way through all that stands between two cells."""
        transform: SingleStep | None = None
        loop: LoopStep | None = None
        while True:
            step = self.steps[to]
            if to in self.snapshots and not self.is_cell(step):
                return self.snapshots[to], transform, loop
            if isinstance(step, SingleStep) and step.handler == FAIL and not step.keep_input:
                return _failing(step), transform, loop
            if self.is_cell(step):
                return self.join_of.get(to, to), transform, loop
            if isinstance(step, SingleStep) and step.handler != PICK:
                transform = step
            source, to, closed = self._next(source, step, label)
            loop = closed or loop
            if not to:
                return END, transform, loop

    def _next(self, source: str, step: Step, label: str | None) -> tuple[str, str, LoopStep | None]:
        """Return what comes behind a step that is no cell: nothing at the end."""
        match step:
            case LoopStep():
                if self._goes_again(step, source):
                    return step.slug, step.back_to, step
                return source, self._left(step, source), None
            case BranchStep():
                return step.slug, _by_label(step, label), None
            case WaitingStep() | SleepStep():
                raise NotSaid(step.slug)
            case SingleStep() | MapStep() | SubflowStep() | JoinStep():
                ahead = [one.slug for one in self._after[step.slug]]
                if len(ahead) > 1:
                    raise NotSaid(step.slug)
                # Behind what holds all ways by name, the name of the way still counts.
                keeps_name = isinstance(step, JoinStep) and not step.merge_input
                return (source if keeps_name else step.slug), (ahead[0] if ahead else ""), None
            case _:
                assert_never(step)

    def _goes_again(self, loop: LoopStep, source: str) -> bool:
        condition = loop.condition
        if condition.startswith("!("):
            return source not in _HELD.findall(condition)
        return condition == "true" or source in _HELD.findall(condition)

    def _left(self, loop: LoopStep, source: str) -> str:
        """Return where a run goes on that left a loop by one of its ways."""
        if not loop.break_path:
            return ""
        behind = self.steps[loop.break_path[0]]
        if isinstance(behind, BranchStep) and behind.handler is None and not behind.merge_input:
            asked = f'"{source}" in output'
            for rule in behind.rules:
                if rule.when == asked:
                    return rule.then[0]
        return loop.break_path[0]

    def _does_what_comes_after(self, step: SingleStep) -> bool:
        after: tuple[str, ...] | None = getattr(step, "after", None)
        return bool(after) and step.handler == PICK and not step.keep_input


def _failure_steps(step: Step) -> Mapping[str, str]:
    named = {name: getattr(step, name, None) for name in ("on_failure", "on_timeout")}
    return {name: slug for name, slug in named.items() if slug is not None}


def _failing(step: HandledStep) -> str:
    if step.params.get("message") != ENDED_IN_ERROR:
        raise NotSaid(step.slug)
    return ERROR


def _by_label(step: BranchStep, label: str | None) -> str:
    for rule in step.rules:
        if rule.label == label and len(rule.then) == 1:
            return rule.then[0]
    raise NotSaid(step.slug)
