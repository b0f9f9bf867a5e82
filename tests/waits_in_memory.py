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
    _states: dict[StepPath, WaitState] = field(default_factory=dict)

    def wait_for(self, asked: WaitAsked) -> WaitState:
        """Begin to wait, and say how the wait stands."""
        first = self.asked.setdefault((asked.run_id, asked.path), asked)
        self.asked_again[asked.path] = self.asked_again.get(asked.path, 0) + 1
        due_at = first.until if first.seconds is None else BEGAN + first.seconds
        return self._states.get(asked.path, WaitState("open", BEGAN, due_at))

    def answer(self, path: str, answer: Any = None, by: str = "kim") -> None:
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
        return sorted({str(path) for _, path in self.asked if path not in self._states})

    def _end(self, path: str, state: WaitState) -> None:
        due_at = next(
            (
                BEGAN + one.seconds
                for (_, at), one in self.asked.items()
                if at == path and one.seconds is not None
            ),
            None,
        )
        self._states[StepPath(path)] = replace(state, closed_at=ENDED, due_at=due_at)
