"""What keeps the waits of steps where tests have no database."""

from dataclasses import dataclass, field, replace
from typing import Any

from dagster_pgflow.runtime.waits import WaitAsked, Waits, WaitState
from dagster_pgflow.step_path import StepPath

BEGAN: float = 1_900_000_000.0
"""When everything begins to wait."""

ENDED = "2030-03-17T17:46:50Z"


@dataclass
class WaitsInMemory(Waits):
    """Keeps waits, and how they ended, in this process.

    Attributes:
        asked: What steps wait for, by run and path: the first time counts.
        asked_again: How often each was asked.
    """

    asked: dict[tuple[str, StepPath], WaitAsked] = field(default_factory=dict)
    asked_again: dict[StepPath, int] = field(default_factory=dict)
    _states: dict[tuple[str, StepPath], WaitState] = field(default_factory=dict)

    def wait_for(self, asked: WaitAsked) -> WaitState:
        """Begin to wait, and say how the wait stands."""
        key = asked.run_id, asked.path
        first = self.asked.setdefault(key, asked)
        self.asked_again[asked.path] = self.asked_again.get(asked.path, 0) + 1
        due_at = first.until if first.seconds is None else BEGAN + first.seconds
        return replace(self._states.get(key, WaitState("open", BEGAN)), due_at=due_at)

    def answer(self, path: str, answer: Any = None, by: str | None = "kim") -> None:
        """Answer, as a person or a signal does, or as the time that has passed."""
        self._end(path, WaitState("answered", BEGAN, answer=answer, answered_by=by))

    def pass_deadline(self, path: str) -> None:
        """Let the deadline of a wait pass."""
        self._end(path, WaitState("timed_out", BEGAN))

    def cancel(self, path: str) -> None:
        """Cancel a wait."""
        self._end(path, WaitState("cancelled", BEGAN))

    @property
    def open(self) -> list[str]:
        """The steps that wait."""
        return sorted(str(key[1]) for key in self.asked if key not in self._states)

    def _end(self, path: str, state: WaitState) -> None:
        keys = [key for key in self.asked if key[1] == path]
        for key in keys:
            self._states[key] = replace(state, closed_at=ENDED)
