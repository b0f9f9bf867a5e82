"""How steps and their tasks end."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from tests.reference.attempts import Wait, longest

Ending = Literal["completed", "failed", "skipped", "cancelled", "waiting", "started", "created"]
SkipReason = Literal["condition_unmet", "not_taken", "handler_failed", "dependency_skipped"]
OPEN: Final[tuple[Ending, ...]] = ("waiting", "started", "created")
WHY = 'step "why"'
"""Stands for the sentence that says why a task failed, which the rules do not give."""

SOME_TIME: Final = "some time"
"""Stands for the moment of an answer, which the rules do not give either."""


def is_open(status: Ending) -> bool:
    """Return whether what stands so has not ended: it waits, or something does in it or before."""
    return status in OPEN


@dataclass(frozen=True)
class Task:
    """How a task ended.

    Attributes:
        status: How.
        waits: How long each attempt but the last made it wait for the next.
        output: Its output.
        timed_out: Whether its last attempt took too long.
        is_final: Whether it said itself that there is nothing to try again.
    """

    status: Ending
    waits: tuple[Wait, ...] = ()
    output: Any = None
    timed_out: bool = False
    is_final: bool = False

    @property
    def is_failed(self) -> bool:
        """Whether it failed for good."""
        return self.status == "failed"

    @property
    def attempts(self) -> int:
        """How often it was tried."""
        return 0 if self.status == "cancelled" else len(self.waits) + 1


@dataclass(frozen=True)
class Failure:
    """What is known of a failure.

    Attributes:
        cell: The step that failed; a loop fails with one of those that it repeats.
        timed_out: Whether its last attempt took too long.
        received: What it had received, if that is an object that is handed on.
        members: Of a join that failed with others: their slugs.
        may_not_run: Whether it is a subflow step that a condition keeps from running.
    """

    cell: str
    timed_out: bool = False
    received: Mapping[str, Any] | None = None
    members: tuple[str, ...] = ()
    may_not_run: bool = False


@dataclass(frozen=True)
class StepEnd:
    """How a step ended.

    Attributes:
        status: How.
        output: Its output.
        skip_reason: Why it was skipped.
        cascades: Whether every transitive dependent is skipped too.
        tasks: How its tasks ended.
        batch_size: How many of them, one behind the other, stand in one batch.
        failure: Why it failed, or was cancelled in a loop.
        leads_to: The step that its flow goes on with, if it failed and the flow does; then its
            output is what that step receives.
        not_taken: The steps behind which the run takes another route than to this one.
        taken: Of the steps that a branch or a loop names, those that the run goes on with.
        again: Whether it is a loop that another iteration follows.
    """

    status: Ending
    output: Any = None
    skip_reason: SkipReason | None = None
    cascades: bool = False
    tasks: tuple[Task, ...] = ()
    batch_size: int = 1
    failure: Failure | None = None
    leads_to: str | None = None
    not_taken: frozenset[str] = frozenset()
    taken: frozenset[str] = frozenset()
    again: bool = False

    @property
    def routed(self) -> bool:
        """Whether it failed and its flow goes on."""
        return self.leads_to is not None

    @property
    def timed_out(self) -> bool:
        """Whether it failed because an attempt took too long; of several errors one counts."""
        for batch in self.batches:
            failed = [task for task in map(self.tasks.__getitem__, batch) if task.is_failed]
            if failed:
                return next((task for task in failed if task.is_final), failed[0]).timed_out
        return False

    @property
    def ends_all_behind(self) -> bool:
        """Whether what depends on the step cannot run."""
        return self.status in ("failed", "cancelled") and not self.routed

    @property
    def is_open(self) -> bool:
        """Whether it has not ended: it waits, or something does in it or before it."""
        return is_open(self.status)

    @property
    def batches(self) -> list[range]:
        """The indexes of the tasks of each batch."""
        count, size = len(self.tasks), self.batch_size
        return [range(start, min(start + size, count)) for start in range(0, count, size)]

    def waits(self) -> dict[tuple[int, int], Wait]:
        """Return what a task waits behind an attempt, by its index and the attempt's number."""
        return {
            (index, attempt): longest(
                self.tasks[other].waits[attempt - 1]
                for other in batch
                if len(self.tasks[other].waits) >= attempt
            )
            for batch in self.batches
            for index in batch
            for attempt in range(1, len(self.tasks[index].waits) + 1)
        }


@dataclass(frozen=True)
class Began:
    """The input of a flow that began."""

    input: Any


@dataclass(frozen=True)
class Subrun:
    """How a flow inside another one ended.

    Attributes:
        status: How.
        began: What it received, if it began.
        output: Its own output, whatever its step makes of that.
    """

    status: Ending
    began: Began | None = None
    output: Any = None


CANCELLED = StepEnd("cancelled")
LEFT_ALONE = Task("cancelled")
FAILED = StepEnd("failed")
SKIPPED_WITHIN = StepEnd("skipped", skip_reason="dependency_skipped")
