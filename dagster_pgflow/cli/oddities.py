"""What a run that did not fail leaves to be looked at, in words."""

from collections.abc import Iterator
from typing import Final, assert_never

from dagster_pgflow.model.run_state import SkipReason
from dagster_pgflow.store.run_status import RunReport, StepReport

WARNINGS_SHOWN: Final = 20


def oddities(report: RunReport) -> Iterator[str]:
    """Yield a line for each final step that was skipped, and for each warning."""
    for step in report.left_out:
        yield f'The output has no "{step.step_slug}": {_why(step)}.'
    for warning in report.warnings[:WARNINGS_SHOWN]:
        yield f"Warning: {warning.message}"
    more = len(report.warnings) - WARNINGS_SHOWN
    if more > 0:
        yield f"There are at least {more} more warnings; see pgflow.event_log."


def _why(step: StepReport) -> str:
    reason: SkipReason = step.skip_reason or "dependency_skipped"
    match reason:
        case "condition_unmet":
            return "its condition did not hold"
        case "not_taken":
            return "it lies on a route that the run did not take"
        case "handler_failed":
            return "its attempts failed, and its when_exhausted is skip"
        case "dependency_skipped":
            return "a step that it depends on was skipped"
        case _:
            assert_never(reason)
