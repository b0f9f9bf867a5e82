"""Runs inside a run: what Dagster saw of them, told as a part of the run around them. Pure.

The op of a subflow step that has its flow run as a Dagster run of its own tells which run that is.
So the event logs alone say what belongs together.
"""

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from dagster_pgflow.projection.layout import key_inside
from dagster_pgflow.projection.sightings import Sighting

_RUN_KINDS: Final = ("run_started", "run_completed", "run_failed", "run_cancelled")
_OP_ENDS: Final = ("succeeded", "failed", "retrying", "skipped")


@dataclass(frozen=True)
class ChildTold:
    """A run that an op told of.

    Attributes:
        run_id: Its id in Dagster.
        path: The path of the scope that it is.
        op: The Dagster step that told of it.
        is_reused: Whether it was over before, and the op only goes on with what it returned.
    """

    run_id: UUID
    path: str
    op: str
    is_reused: bool


def children_told(sightings: Sequence[Sighting]) -> Mapping[int, ChildTold]:
    """Return the runs that the ops of a run told of, by the place of the sighting that did.

    An op that ran anew, because its process was lost, may have begun a run anew, too: then the
    newer one counts.

    Args:
        sightings: What Dagster saw of the run.
    """
    newest: dict[str, tuple[int, ChildTold]] = {}
    for place, sighting in enumerate(sightings):
        if sighting.kind == "child_run" and sighting.outcome is not None:
            told = ChildTold(
                UUID(sighting.outcome["child_run"]),
                sighting.outcome["path"],
                sighting.step_key,
                bool(sighting.outcome.get("reused")),
            )
            newest[told.path] = place, told
    return dict(newest.values())


def as_part(told: ChildTold, sightings: Iterable[Sighting]) -> list[Sighting]:
    """Return what Dagster saw of a run inside another one, as that one would have it.

    How it began and ended as a whole the op around it tells.

    Args:
        told: The run.
        sightings: What Dagster saw of it, and of those inside it.
    """
    return [
        replace(
            sighting,
            step_key=sighting.step_key
            if "/" in sighting.step_key
            else key_inside(told.path, sighting.step_key),
            op=told.op,
        )
        for sighting in sightings
        if sighting.kind not in _RUN_KINDS
    ]


def interleaved(
    around: Sequence[Sighting],
    told: Mapping[int, ChildTold],
    inside: Mapping[int, Sequence[Sighting]],
) -> list[Sighting]:
    """Return what Dagster saw of a run and of those inside it, in one order.

    It is the order of time, as far as clocks of several machines agree on that. Each run keeps its
    own order in any case, and what happened in a run inside stands behind the news of that run and
    before the end of the op that had it run.

    Args:
        around: What Dagster saw of the run.
        told: The runs inside, by the place of the sighting in which an op told of each.
        inside: What Dagster saw of them, by the same places.
    """
    return list(_Interleaving(around, told, inside))


class _Interleaving:
    def __init__(
        self,
        around: Sequence[Sighting],
        told: Mapping[int, ChildTold],
        inside: Mapping[int, Sequence[Sighting]],
    ) -> None:
        self._around = around
        self._told = told
        self._inside = inside
        self._next = 0
        self._heap: list[tuple[float, int, int]] = []
        self._at_work: Counter[str] = Counter()

    def __iter__(self) -> Iterator[Sighting]:
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
        sighting = self._around[self._next]
        waits = sighting.kind in _OP_ENDS and self._at_work[sighting.step_key]
        if waits or sighting.kind in _RUN_KINDS[1:]:
            return False
        return sighting.at.timestamp() <= self._heap[0][0]

    def _begun_at(self, place: int) -> Iterator[Sighting]:
        """Let a run inside begin; one that was over before is told of at once."""
        told = self._told.get(place)
        if told is None or place not in self._inside:
            return
        if told.is_reused:
            yield from self._inside[place]
        else:
            self._at_work[told.op] += 1
            self._queue(place, 0)

    def _queue(self, place: int, index: int) -> None:
        if index < len(self._inside[place]):
            at = self._inside[place][index].at.timestamp()
            heapq.heappush(self._heap, (at, place, index))
        else:
            self._at_work[self._told[place].op] -= 1
