"""Values, errors and functions that stand in the places of handlers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeGuard

from dagster_pgflow.in_process.cancellation import Cancellation
from dagster_pgflow.in_process.clock import Clock
from dagster_pgflow.in_process.paths import best_match
from dagster_pgflow.runtime.asked_condition import AskedCondition
from dagster_pgflow.runtime.conductor import Conductor
from dagster_pgflow.runtime.handlers import Handler
from dagster_pgflow.step_errors import NonRetryable, StepError
from dagster_pgflow.step_path import StepPath

StandIns = Mapping[str, Any]
"""What stands in for handlers, by the places of their steps."""


@dataclass
class Conducting(Conductor):
    """Conducts one run.

    Attributes:
        stand_ins: What stands in for handlers, by the places of their steps.
        clock: The time of the run.
        only_stand_ins: Whether no handler is called itself.
        cancellation: Whether the run is to end before its time.
        lacking: The steps, and elements, that came to a handler which may not be called.
        failures: What handlers raised last, by the places of their tasks.
        conditions: What conditions said last, by their steps and texts.
    """

    stand_ins: StandIns = field(default_factory=dict)
    clock: Clock = field(default_factory=Clock)
    only_stand_ins: bool = False
    lacking: list[StepPath] = field(default_factory=list)
    cancellation: Cancellation = field(default_factory=Cancellation)
    failures: dict[StepPath, StepError] = field(default_factory=dict)
    conditions: dict[tuple[str, str], AskedCondition] = field(default_factory=dict)
    _made: dict[tuple[str, int, str], Handler] = field(default_factory=dict)

    @property
    def is_cancelled(self) -> bool:
        """Whether no further step is to begin."""
        return self.cancellation.is_asked

    def does_work_of(self, path: StepPath) -> bool:
        """Return whether it does the work of a step, or of some of its tasks."""
        steps = (
            place.rpartition("[")[0] if place.endswith("]") else place for place in self.stand_ins
        )
        return best_match(steps, path) is not None

    def handler_of(
        self, task: StepPath, attempt: int, name: str, found: Handler | None
    ) -> Handler | None:
        """Return what is called for an attempt of a task."""
        place = best_match(self.stand_ins, task)
        if place is None:
            if self.only_stand_ins:
                self._note_lack(task if self.does_work_of(task.step) else task.step)
            return found
        tried, stand_in = _of_attempt(self.stand_ins[place], attempt)
        made = self._made.get((place, tried, name))
        if made is None:
            function = stand_in if _is_function(stand_in) else _giving(stand_in)
            made = Handler(function, name) if found is None else found.replaced_by(function)
            self._made[place, tried, name] = made
        return made

    def _note_lack(self, path: StepPath) -> NoReturn:
        if path not in self.lacking:
            self.lacking.append(path)
        raise NonRetryable(f'Step "{path}" has no mock, and no handler may be called itself.')

    def note_failure(self, task: StepPath, error: StepError) -> None:
        """Take note of a failed attempt."""
        self.failures[task] = error

    def note_condition(self, asked: AskedCondition) -> None:
        """Take note of a condition that was asked: of each attempt, the last one counts."""
        self.conditions[asked.path, asked.text] = asked

    def waited(self, seconds: float) -> float:
        """Return how much of a delay is really waited for."""
        return self.clock.waited(seconds)

    def raised_by(self, path: str) -> BaseException | None:
        """Return what the handler of a step raised last, if it raised anything."""
        tasks = [task for task in self.failures if path in (task, task.step)]
        return self.failures[tasks[-1]].__cause__ if tasks else None


def _of_attempt(stand_in: Any, attempt: int) -> tuple[int, Any]:
    """Return what stands in for an attempt, and which of several that is.

    A list with errors in it has something for each; for those that follow, the last.
    """
    if isinstance(stand_in, list) and any(is_error(one) for one in stand_in):
        number = min(attempt, len(stand_in)) - 1
        return number, stand_in[number]
    return 0, stand_in


def is_error(stand_in: Any) -> bool:
    """Return whether something is an exception, or a class of these."""
    is_type = isinstance(stand_in, type) and issubclass(stand_in, BaseException)
    return is_type or isinstance(stand_in, BaseException)


def _is_function(stand_in: Any) -> TypeGuard[Callable[..., Any]]:
    return callable(stand_in) and not is_error(stand_in)


def _giving(stand_in: Any) -> Callable[[Any], Any]:
    def give(_input: Any) -> Any:
        if isinstance(stand_in, BaseException):
            # One that was raised before has the frames of that; they would add up.
            raise stand_in.with_traceback(None)
        if is_error(stand_in):
            raise stand_in
        return stand_in

    return give
