"""The Dagster runs in which a run goes on that waited: which they are, and how they read as one."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final
from uuid import UUID

import dagster as dg

from dagster_pgflow.dagster_log.changed_runs import requested_run_id
from dagster_pgflow.dagster_log.run_events import RunEvent
from dagster_pgflow.dagster_log.statuses import ending_of
from dagster_pgflow.names import continuation_id, continuation_of

Records = Mapping[UUID, dg.RunRecord]
Fetch = Callable[[Sequence[UUID]], Records]
"""Returns those of some Dagster runs that exist, by id."""

_ENDS: Final = ("run_completed", "run_failed", "run_cancelled")


def chains_of(firsts: Records, fetch: Fetch) -> Mapping[UUID, Sequence[dg.RunRecord]]:
    """Return runs with those that go on with each, in their order.

    A run is gone on with when it has ended, so each question is asked of those alone, at once.

    Args:
        firsts: The runs.
        fetch: Finds others.
    """
    chains = {run_id: [record] for run_id, record in firsts.items()}
    growing = list(chains)
    while growing := [run_id for run_id in growing if _has_ended(chains[run_id][-1])]:
        wanted = {run_id: tuple(_following(chains[run_id])) for run_id in growing}
        found = fetch([one for ids in wanted.values() for one in ids])
        for run_id, ids in wanted.items():
            before = chains[run_id][-1].dagster_run.run_id
            following = (found[one] for one in ids if one in found)
            chains[run_id] += [one for one in following if _goes_on_with(one, before)][:1]
        growing = [run_id for run_id in growing if _newest(chains[run_id]) in wanted[run_id]]
    return chains


def _has_ended(record: dg.RunRecord) -> bool:
    return ending_of(record.dagster_run.status) is not None


def _newest(chain: Sequence[dg.RunRecord]) -> UUID:
    return UUID(chain[-1].dagster_run.run_id)


def _following(chain: Sequence[dg.RunRecord]) -> Iterator[UUID]:
    """Yield the ids that a run may have which goes on with a chain.

    They follow from the id that the run was asked for under, unless somebody has launched it anew
    with all its tags: then its own one counts.
    """
    first = chain[0].dagster_run
    requested = None if first.parent_run_id else requested_run_id(first)
    for run_id in dict.fromkeys((requested or UUID(first.run_id), UUID(first.run_id))):
        yield continuation_id(run_id, len(chain))


def _goes_on_with(record: dg.RunRecord, before: str) -> bool:
    run = record.dagster_run
    return run.parent_run_id == before and continuation_of(run.run_id, run.tags) is not None


def as_continued(run_events: Iterable[RunEvent], dagster_run_id: UUID) -> Iterator[RunEvent]:
    """Yield what Dagster saw of a run that goes on with one, as the whole of both has it."""
    for run_event in run_events:
        is_start = run_event.kind == "run_started"
        yield replace(run_event, goes_on_in=dagster_run_id) if is_start else run_event


def is_over(run_events: Iterable[RunEvent]) -> bool:
    """Return whether a Dagster run has ended, as far as its log says."""
    return any(run_event.kind in _ENDS for run_event in run_events)


@dataclass(frozen=True)
class Position:
    """Where the reading of a run ended.

    Attributes:
        run: Where in the log of its newest Dagster run.
        inside: Where in those of the runs inside that were not over, by their ids.
        newest: The id of its newest Dagster run, where that is not the first.
        rests: Whether the run waits, and was read once more since its Dagster run had ended.
    """

    run: str
    inside: Mapping[str, str] = field(default_factory=dict)
    newest: str | None = None
    rests: bool = False

    def resting(self) -> "Position":
        """Return the same for a run that waits and has been read for good."""
        return replace(self, rests=True)

    def to_text(self) -> str:
        """Return the position as it is stored."""
        if not (self.inside or self.newest or self.rests):
            return self.run
        more = {"newest": self.newest} if self.newest else {}
        rests = {"rests": True} if self.rests else {}
        return json.dumps({"run": self.run, "inside": dict(self.inside), **more, **rests})


def position_in(text: str) -> Position:
    """Return the position that a text says."""
    if not text.startswith("{"):
        return Position(text)
    data = json.loads(text)
    return Position(data["run"], data["inside"], data.get("newest"), data.get("rests", False))
