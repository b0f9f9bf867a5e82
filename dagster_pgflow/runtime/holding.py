"""What keeps an op from doing anything yet: its step waits, or one before it or inside it does.

Whoever meets the marker of a step that waits where an output is needed raises `Held`; the body of
the op turns that into the same marker on everything that the op sends.
"""

from collections.abc import Iterable
from typing import Any

from dagster_pgflow.reports.report import WaitKind
from dagster_pgflow.runtime.values import Waiting, from_wire
from dagster_pgflow.step_path import StepPath


class Held(Exception):
    """The op can do nothing yet: what it needs is not there before some step has gone on.

    Attributes:
        waiting: The step that waits.
    """

    def __init__(self, waiting: Waiting) -> None:
        self.waiting = waiting
        super().__init__(f'Step "{waiting.step}" waits.')


class WaitsItself(Held):
    """The step of the op waits.

    Attributes:
        kind: What kind of step it is.
        waits_for: What it waits for, for people.
        due_at: When it goes on at the latest, in seconds since the epoch, if that is set.
    """

    def __init__(
        self, path: StepPath, kind: WaitKind, waits_for: str, due_at: float | None = None
    ) -> None:
        super().__init__(Waiting(path))
        self.kind = kind
        self.waits_for = waits_for
        self.due_at = due_at


def here(value: Any) -> Any:
    """Return a value that is needed.

    Raises:
        Held: There is none so far, because a step waits.
    """
    if isinstance(value, Waiting):
        raise Held(value)
    return value


def arrived(sent: Any) -> Any:
    """Return the `Skipped`, `Batch` or JSON value that travelled, and is needed.

    Raises:
        Held: There is none so far, because a step waits.
    """
    return here(from_wire(sent))


def waiting_among(values: Iterable[Any]) -> Waiting | None:
    """Return the first marker of a step that waits."""
    return next((value for value in values if isinstance(value, Waiting)), None)
