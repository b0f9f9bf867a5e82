"""Runs inside a run: what Dagster saw of them, as a part of the run around them. Pure.

The op of a subflow step that has its flow run as a Dagster run of its own reports which run that
is. So the event logs alone say what belongs together.
"""

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from dagster_pgflow.dagster_log.run_events import RunEvent
from dagster_pgflow.dagster_log.step_keys import key_inside
from dagster_pgflow.reports.report import ChildRunStarted
from dagster_pgflow.step_path import StepPath

_RUN_KINDS: Final = ("run_started", "run_completed", "run_failed", "run_cancelled")
_OP_ENDS: Final = ("succeeded", "failed", "retrying", "skipped")


@dataclass(frozen=True)
class ChildRun:
    """A run inside a run, as an op reported it.

    Attributes:
        run_id: Its id in Dagster.
        path: The path of the scope that it is.
        op: The Dagster step that reported it.
        is_reused: Whether it was over before, and the op only goes on with what it returned.
    """

    run_id: UUID
    path: StepPath
    op: str
    is_reused: bool


def children_in(run_events: Sequence[RunEvent]) -> Mapping[int, ChildRun]:
    """Return the runs that the ops of a run reported, by the place of the run event that says so.

    An op that ran anew, because its process was lost, may have begun a run anew, too: then the
    newer one counts.

    Args:
        run_events: What Dagster saw of the run.
    """
    newest: dict[str, tuple[int, ChildRun]] = {}
    for place, run_event in enumerate(run_events):
        report = run_event.report
        if isinstance(report, ChildRunStarted):
            child = ChildRun(
                UUID(report.child_run), report.path, run_event.step_key, report.is_reused
            )
            newest[child.path] = place, child
    return dict(newest.values())


def as_part(child: ChildRun, run_events: Iterable[RunEvent]) -> list[RunEvent]:
    """Return what Dagster saw of a run inside another one, as that one would have it.

    How it began and ended as a whole, the op around it reports.

    Args:
        child: The run.
        run_events: What Dagster saw of it, and of those inside it.
    """
    return [
        replace(
            run_event,
            step_key=run_event.step_key
            if "/" in run_event.step_key
            else key_inside(child.path, run_event.step_key),
            op=child.op,
        )
        for run_event in run_events
        if run_event.kind not in _RUN_KINDS
    ]


def interleaved(
    around: Sequence[RunEvent],
    children: Mapping[int, ChildRun],
    inside: Mapping[int, Sequence[RunEvent]],
) -> list[RunEvent]:
    """Return what Dagster saw of a run and of those inside it, in one order.

    It is the order of time, as far as clocks of several machines agree on that. Each run keeps its
    own order in any case, and what happened in a run inside stands behind the news of that run and
    before the end of the op that had it run.

    Args:
        around: What Dagster saw of the run.
        children: The runs inside, by the place of the run event in which an op reported each.
        inside: What Dagster saw of them, by the same places.
    """
    return list(_Interleaving(around, children, inside))


class _Interleaving:
    def __init__(
        self,
        around: Sequence[RunEvent],
        children: Mapping[int, ChildRun],
        inside: Mapping[int, Sequence[RunEvent]],
    ) -> None:
        self._around = around
        self._children = children
        self._inside = inside
        self._next = 0
        self._heap: list[tuple[float, int, int]] = []
        self._at_work: Counter[str] = Counter()

    def __iter__(self) -> Iterator[RunEvent]:
        while self._next < len(self._around) or self._heap:
            if self._is_turn_of_run():
                yield self._around[self._next]
                yield from self._begun_at(self._next)
                self._next += 1
            else:
                _, place, index = heapq.heappop(self._heap)
                yield self._inside[place][index]
                self._queue(place, index + 1)

    def _is_turn_of_run(self) -> bool:
        if self._next == len(self._around):
            return False
        if not self._heap:
            return True
        run_event = self._around[self._next]
        waits = run_event.kind in _OP_ENDS and self._at_work[run_event.step_key]
        if waits or run_event.kind in _RUN_KINDS[1:]:
            return False
        return run_event.at.timestamp() <= self._heap[0][0]

    def _begun_at(self, place: int) -> Iterator[RunEvent]:
        """Let a run inside begin; all of one that was over before follows at once."""
        child = self._children.get(place)
        if child is None or place not in self._inside:
            return
        if child.is_reused:
            yield from self._inside[place]
        else:
            self._at_work[child.op] += 1
            self._queue(place, 0)

    def _queue(self, place: int, index: int) -> None:
        if index < len(self._inside[place]):
            at = self._inside[place][index].at.timestamp()
            heapq.heappush(self._heap, (at, place, index))
        else:
            self._at_work[self._children[place].op] -= 1
