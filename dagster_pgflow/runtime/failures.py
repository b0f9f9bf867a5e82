"""What is said of failures, and how many elements of a map step may fail."""

from collections.abc import Sequence
from typing import Any

from dagster_pgflow.errors import PgflowError
from dagster_pgflow.model.steps import MapStep
from dagster_pgflow.reports.told import why_told
from dagster_pgflow.runtime.values import Batch, Skipped
from dagster_pgflow.step_errors import ChildRunFailed, TooManyFailed
from dagster_pgflow.step_path import StepPath


def reason_of(error: PgflowError) -> str:
    """Return what went wrong, in the words of the step that failed, in whichever run."""
    return error.reason if isinstance(error, ChildRunFailed) else str(error)


def exhausted(step: MapStep, path: StepPath, failed: int, of: int, first: str) -> Skipped:
    """Return the skip of a map step of which too many elements failed.

    Args:
        step: The map step, which says how many may.
        path: Its path in the run.
        failed: How many elements failed.
        of: How many it has.
        first: What went wrong with the first of them.

    Raises:
        TooManyFailed: `when_exhausted` is `fail`.
    """
    if step.when_exhausted == "fail":
        raise TooManyFailed(
            f'{failed} of the {of} elements of map step "{path}" failed, where'
            f" {_most(step)}; the first one: {first}"
        )
    return Skipped(
        "handler_failed",
        path,
        cascade=step.when_exhausted == "skip-cascade",
        why=why_told(f"{failed} of its {of} elements failed; the first one: {first}"),
    )


def judged(
    step: MapStep, path: StepPath, batches: Sequence[Batch], outputs: list[Any]
) -> list[Any] | Skipped:
    """Return the outputs of a map step, unless too many of its elements failed.

    Args:
        step: The map step.
        path: Its path in the run.
        batches: What its ops sent.
        outputs: The same as one list.

    Raises:
        TooManyFailed: There are too many, and `when_exhausted` is `fail`.
    """
    failed = sorted(index for batch in batches for index in batch.failed)
    if step.bears(len(failed), len(outputs)):
        return outputs
    first = outputs[failed[0]]["error"]["message"]
    return exhausted(step, path, len(failed), len(outputs), first)


def _most(step: MapStep) -> str:
    percent = step.max_failures_percent
    bounds = [
        *([] if step.max_failures is None else [f"max_failures allows {step.max_failures}"]),
        *([] if percent is None else [f"max_failures_percent allows {percent} %"]),
    ]
    return " and ".join(bounds)
