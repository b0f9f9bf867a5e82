"""Why steps were skipped, and why a run went the way it did, in words."""

from collections.abc import Iterator
from typing import Final

from dagster_pgflow.store.run_status import RunReport

REASONS_SHOWN: Final = 30


def reasons(report: RunReport) -> Iterator[str]:
    """Yield a line for each step of which is told why it was skipped, or how the run goes on."""
    told = [step for step in report.steps if step.why]
    if told:
        yield "Why:"
    for step in told[:REASONS_SHOWN]:
        yield f"  {step.step_path}: {'skipped, ' if step.status == 'skipped' else ''}{step.why}"
    if len(told) > REASONS_SHOWN:
        yield f"  and {len(told) - REASONS_SHOWN} more; see the column why of pgflow.step_states."
