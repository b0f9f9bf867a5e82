"""What a start of a Dagster step came to, as far as that is known: it decides what the start says.

Dagster starts a step whenever its op runs. Whether tasks were tried then, and which, only the next
report of that step says.
"""

from collections.abc import Collection, Iterable
from typing import assert_never

from dagster_pgflow.dagster_log.run_events import RunEvent
from dagster_pgflow.reports.report import OpReport, StepDelayed, StepHeld


def with_lookahead(run_events: Iterable[RunEvent]) -> list[tuple[RunEvent, OpReport | None]]:
    """Return run events in their order, each start with what the step reported next.

    Starts that only showed that it is too early, or that a step before waits, are left out.

    Args:
        run_events: What Dagster saw, in order.
    """
    ahead: dict[str, OpReport | None] = {}
    seen: list[tuple[RunEvent, OpReport | None]] = []
    for run_event in reversed(list(run_events)):
        lookahead = None
        match run_event.kind:
            case "started":
                lookahead = ahead.get(run_event.step_key)
                if isinstance(lookahead, StepDelayed | StepHeld):
                    continue
            case "reported" | "succeeded" | "failed" | "retrying":
                ahead[run_event.step_key] = run_event.report
            case "child_run" | "skipped" | "reused":
                pass
            case "run_started" | "run_completed" | "run_failed" | "run_cancelled":
                pass
            case _:
                assert_never(run_event.kind)
        seen.append((run_event, lookahead))
    return seen[::-1]


def tried(lookahead: OpReport | None, indexes: range, attempt: int) -> Collection[int]:
    """Return the indexes of the tasks that an execution of a Dagster step tries.

    Args:
        lookahead: What it reported, if it has.
        indexes: All tasks that the Dagster step works on.
        attempt: Which attempt it is.
    """
    if lookahead is None:
        return indexes
    # A report that is the last one has every task, with the attempts that each took.
    return [
        task.index for task in lookahead.tasks if not task.is_reused and task.attempts >= attempt
    ]
