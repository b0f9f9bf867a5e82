"""What an op reports of its step that did not run, as a sentence for people."""

from collections.abc import Mapping
from typing import Final

from dagster_pgflow.json_values.shown import in_one_line
from dagster_pgflow.model.run_state import SkipReason
from dagster_pgflow.step_path import StepPath

_WORDS: Final[Mapping[SkipReason, str]] = {
    "condition_unmet": "a condition does not hold",
    "not_taken": "it lies on a path that this run does not take",
    "handler_failed": "the last attempt failed",
    "dependency_skipped": "a step that it depends on was skipped",
}

LONGEST_WHY: Final = 500
"""Characters."""


def why_told(text: str) -> str:
    """Return why something is as it is, as a part of a sentence that is not too long."""
    return in_one_line(text, LONGEST_WHY).rstrip(".")


def behind_told(step: StepPath, why: str) -> str:
    """Return why something is skipped with a step.

    Args:
        step: That step.
        why: Why that is skipped, in words, as far as it is known.

    >>> behind_told(StepPath("van"), "run_if `input.kilos > 10` is false (input.kilos is 5)")
    '"van" was skipped since run_if `input.kilos > 10` is false (input.kilos is 5)'
    """
    return why_told(f'"{step}" was skipped since {why}' if why else f'"{step}" was skipped')


def passed_by_told(branch: StepPath) -> str:
    """Return why a step is skipped behind a branch that takes another route."""
    return f'"{branch}" does not lead to it in this run'


def skip_told(path: StepPath, reason: SkipReason, began_at: StepPath, why: str = "") -> str:
    """Return why a step is skipped.

    Args:
        path: The step.
        reason: Why the step is skipped at which that began.
        began_at: That step: the step itself, one before it, or a subflow around it.
        why: The same in words; what older code reported has none.
    """
    if began_at == path:
        return f'Step "{path}" is skipped: {why or _WORDS[reason]}.'
    return f'Step "{path}" is skipped with "{began_at}"{why and f": {why}"}.'


def cancel_told(path: StepPath, failed: StepPath) -> str:
    """Return why a step does not run that lies in something that failed.

    Args:
        path: The step.
        failed: What failed.
    """
    return f'Step "{path}" does not run: "{failed}" failed.'
