"""Where a step says that it waits, and learns whether it need not any more; the store is it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from dagster_pgflow.reports.report import WaitKind
from dagster_pgflow.step_path import StepPath

WaitStatus = Literal["open", "answered", "timed_out", "cancelled"]
"""How a wait stands: a signal that came is an answer, and so is a time that has passed asleep."""


@dataclass(frozen=True)
class WaitAsked:
    """What a step waits for. Said again, it changes nothing: the first time counts.

    Attributes:
        run_id: The run, as `pgflow.runs` has it.
        path: The step.
        flow_slug: Its flow.
        tenant: Whose flow it is, empty for nobody's.
        kind: What kind of step it is.
        prompt: What a person is asked.
        answer_schema: JSON Schema of the answer, or of the signal's payload.
        answerers: Who may answer: names or roles, free text; nobody in particular when empty.
        signal: The name of the signal.
        key: Which of the signals of this name; the run and the step when it is `None`.
        seconds: After how many seconds it goes on at the latest.
        until: The moment at which it goes on at the latest, in seconds since the epoch.
        reminders: After how many seconds somebody is to be reminded.
        dagster_run_id: The Dagster run that asks, of one inside another the outermost, unless it
            goes on with one: one that has only the tags of the run is another run.
    """

    run_id: str
    path: StepPath
    flow_slug: str
    kind: WaitKind
    tenant: str = ""
    prompt: str = ""
    answer_schema: Mapping[str, Any] | None = None
    answerers: tuple[str, ...] = ()
    signal: str | None = None
    key: str | None = None
    seconds: int | None = None
    until: float | None = None
    reminders: tuple[int, ...] = ()
    dagster_run_id: str | None = None


@dataclass(frozen=True)
class WaitState:
    """How a wait stands.

    Attributes:
        status: Whether it is over, and how it ended.
        opened_at: When it began, in seconds since the epoch.
        due_at: When it is over at the latest, in seconds since the epoch.
        closed_at: When it ended, as text (RFC 3339, UTC).
        answer: What was answered, or the payload of the signal.
        answered_by: Who answered.
        details: What else is known, for the log.
    """

    status: WaitStatus
    opened_at: float
    due_at: float | None = None
    closed_at: str | None = None
    answer: Any = None
    answered_by: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


class Waits(ABC):
    """Keeps what the steps of all runs wait for."""

    @abstractmethod
    def wait_for(self, asked: WaitAsked) -> WaitState:
        """Begin to wait, unless the step does already, and say how the wait stands.

        Args:
            asked: What the step waits for.

        Raises:
            StoreError: Nobody knows.
        """
