"""What a test asserts of a run; what fails says what happened instead."""

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, NoReturn, Self

from dagster_pgflow.in_process.result import FlowResult, StepResult
from dagster_pgflow.model.run_state import SkipReason
from dagster_pgflow.testing.explanation import explanation, missed, shown


@dataclass(frozen=True)
class TestResult(FlowResult):
    """What became of a run in a test.

    Each assertion returns the result, so that several can stand in a row.
    """

    __test__ = False  # pytest takes it for a test otherwise

    def step(self, path: str) -> StepResult:
        """Return a step by its path.

        Raises:
            AssertionError: The run has none there.
        """
        if path not in self.steps:
            close = get_close_matches(path, self.steps, 1)
            advice = f'"{close[0]}" may be meant' if close else f"it has {', '.join(self.steps)}"
            self._fail(f'The run has no step "{path}"; {advice}.')
        return self.steps[path]

    def assert_completed(self, output: Any = ...) -> Self:
        """Assert that the run completed.

        Args:
            output: What it returned, if that matters.
        """
        if self.status != "completed":
            self._fail("The run did not complete.")
        if output is not ... and output != self.output:
            self._fail(f"The run returned {shown(self.output)}, not {shown(output)}.")
        return self

    def assert_failed(self, said: str = "", *, step: str | None = None) -> Self:
        """Assert that the run failed.

        Args:
            said: A part of its error.
            step: The step that failed.
        """
        if self.status != "failed":
            self._fail("The run did not fail.")
        if said not in (self.error or ""):
            self._fail(f"The run failed otherwise: its error has no {said!r} in it.")
        if step is not None and self.step(step).status != "failed":
            self._fail(f'Step "{step}" did not fail.')
        return self

    def assert_waiting(self, *steps: str) -> Self:
        """Assert that the run waits.

        Args:
            *steps: The steps that wait; no others do.
        """
        if self.status != "waiting":
            self._fail("The run does not wait.")
        waiting = sorted(step.path for step in self.steps.values() if step.status == "waiting")
        if steps and waiting != sorted(steps):
            self._fail(f"What waits is {', '.join(waiting)}, not {', '.join(steps)}.")
        return self

    def assert_ran(self, *paths: str) -> Self:
        """Assert that steps completed."""
        for path in paths:
            if self.step(path).status != "completed":
                self._fail(f'Step "{path}" did not complete.')
        return self

    def assert_skipped(
        self, path: str, reason: SkipReason | None = None, *, by: str | None = None
    ) -> Self:
        """Assert that a step was skipped.

        Args:
            path: The step.
            reason: Why: `condition_unmet`, `not_taken`, `handler_failed`, `dependency_skipped`.
            by: The step where the skip began, the branch that did not lead there, or the condition
                in CEL that left it out.
        """
        step = self.step(path)
        if step.status != "skipped":
            self._fail(f'Step "{path}" was not skipped.')
        if reason is not None and step.reason != reason:
            self._fail(f'Step "{path}" was skipped for another reason: {step.reason}.')
        behind = self._behind(step)
        if by is not None and by not in behind:
            told = " or ".join(f'"{one}"' for one in behind)
            self._fail(f'Step "{path}" was skipped by {told or "nobody"}, not by "{by}".')
        return self

    def assert_output(self, path: str, output: Any) -> Self:
        """Assert what a step returned."""
        step = self.step(path)
        if step.status != "completed":
            self._fail(f'Step "{path}" did not complete.')
        if step.output != output:
            self._fail(f'Step "{path}" returned {shown(step.output)}, not {shown(output)}.')
        return self

    def assert_attempts(self, path: str, attempts: int, *, task: int = 0) -> Self:
        """Assert how often a step was tried.

        Args:
            path: The step.
            attempts: How often.
            task: The element, of a map step.
        """
        self.step(path)
        tasks = [one for one in self.tasks.get(path, ()) if one.task_index == task]
        tried = len(tasks[0].attempts) if tasks else 0
        if tried != attempts:
            self._fail(f'Task {task} of step "{path}" was tried {tried} times, not {attempts}.')
        return self

    def assert_route(self, *steps: str) -> Self:
        """Assert that the run went through steps in this order; others may lie between them."""
        for path in steps:
            self.step(path)
        clause = missed(steps, self)
        if clause is not None:
            self._fail(f"The run {clause}.")
        return self

    def _behind(self, step: StepResult) -> list[str]:
        """Return all that a skip may be put down to."""
        asked = [one.text for one in self.conditions if one.path == step.skipped_by]
        unmet = asked[-1:] if step.reason == "condition_unmet" else []
        return [one for one in (*step.left_out_by, step.skipped_by, *unmet) if one is not None]

    def explain(self) -> str:
        """Return what became of the run, of each step and of each attempt, for people."""
        return explanation(self)

    def _fail(self, sentence: str) -> NoReturn:
        raise AssertionError(f"{sentence}\n{self.explain()}")
