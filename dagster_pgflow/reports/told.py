"""What an op reports of its step that did not run, as a sentence for people."""

from collections.abc import Mapping
from typing import Final

from dagster_pgflow.model.run_state import SkipReason
from dagster_pgflow.step_path import StepPath

_WORDS: Final[Mapping[SkipReason, str]] = {
    "condition_unmet": "a condition does not hold",
    "not_taken": "it lies on a path that this run does not take",
    "handler_failed": "the last attempt failed",
    "dependency_skipped": "a step that it depends on was skipped",
}


LONGEST_WHY: Final = 300
"""Characters."""


def skip_told(path: StepPath, reason: SkipReason, began_at: StepPath, why: str = "") -> str:
    """Return why a step is skipped.

    Args:
        path: The step.
        reason: Why the step is skipped at which that began.
        began_at: That step: the step itself, one before it, or a subflow around it.
        why: What is known of it besides, in words.
    """
    if began_at == path:
        shown = why if len(why) <= LONGEST_WHY else f"{why[:LONGEST_WHY]} …"
        return f'Step "{path}" is skipped: {shown or _WORDS[reason]}.'
    return f'Step "{path}" is skipped with "{began_at}".'


def cancel_told(path: StepPath, failed: StepPath) -> str:
    """Return why a step does not run that lies in something that failed.

    Args:
        path: The step.
        failed: What failed.
    """
    return f'Step "{path}" does not run: "{failed}" failed.'
