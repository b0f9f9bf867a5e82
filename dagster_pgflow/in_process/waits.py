"""What steps wait for, in memory: answers are there before anybody asks, or the run waits."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from dagster_pgflow.in_process.clock import Clock
from dagster_pgflow.in_process.paths import best_match
from dagster_pgflow.runtime.waiting_for import rfc3339
from dagster_pgflow.runtime.waits import WaitAsked, Waits, WaitState
from dagster_pgflow.step_path import StepPath


@dataclass(frozen=True)
class GivenAnswer:
    """An answer, or the payload of a signal, with who gave it.

    Attributes:
        value: The answer.
        answered_by: Who answered.
    """

    value: Any
    answered_by: str | None = None


class NoAnswer:
    """Stands for the answer that nobody gave before the deadline."""

    def __repr__(self) -> str:
        return "DEADLINE_PASSED"


DEADLINE_PASSED: Final = NoAnswer()
"""In the place of an answer: nobody answers before the deadline."""

Answers = Mapping[str, Any]
"""Answers by the path of the step: JSON, `GivenAnswer`, or `DEADLINE_PASSED`."""


@dataclass
class WaitsInMemory(Waits):
    """Keeps what the steps of one run wait for.

    Attributes:
        answers: What they are answered.
        clock: The time of the run.
        asked: What they wait for, by path: the first time counts.
        states: How that stands, by path.
    """

    answers: Answers = field(default_factory=dict)
    clock: Clock = field(default_factory=Clock)
    asked: dict[StepPath, WaitAsked] = field(default_factory=dict)
    states: dict[StepPath, WaitState] = field(default_factory=dict)

    def wait_for(self, asked: WaitAsked) -> WaitState:
        """Begin to wait, and say how the wait stands."""
        first = self.asked.setdefault(asked.path, asked)
        state = self.states.get(asked.path)
        if state is None or state.status == "open":
            self.states[asked.path] = state = self._state(first, state)
        return state

    def _state(self, asked: WaitAsked, before: WaitState | None) -> WaitState:
        opened_at = self.clock.now() if before is None else before.opened_at
        due_at = asked.until if asked.seconds is None else opened_at + asked.seconds
        state = WaitState("open", opened_at, due_at=due_at)
        given = best_match(self.answers, asked.path)
        if asked.kind == "sleep" and due_at is not None:
            passes = given is not None or self.clock.passes_at_once
            if passes or due_at <= self.clock.now():
                self.clock.waited(due_at - self.clock.now())
                return self._closed(state, GivenAnswer(None))
            return state
        if given is None:
            return state
        answer = self.answers[given]
        if isinstance(answer, NoAnswer):
            self.clock.waited((due_at or opened_at) - self.clock.now())
            return replace(self._closed(state, GivenAnswer(None)), status="timed_out")
        return self._closed(
            state, answer if isinstance(answer, GivenAnswer) else GivenAnswer(answer)
        )

    def _closed(self, state: WaitState, answer: GivenAnswer) -> WaitState:
        return replace(
            state,
            status="answered",
            closed_at=rfc3339(self.clock.now()),
            answer=answer.value,
            answered_by=answer.answered_by,
        )
