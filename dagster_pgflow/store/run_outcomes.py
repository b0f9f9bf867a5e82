"""What comes of a run, for who waits for it: its output, or an error that says why not."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from dagster_pgflow.errors import PgflowError


class RunWithoutOutput(PgflowError):
    """Who waits for the output of a run gets none.

    Attributes:
        run_id: The run.
        flow_slug: Its flow.
    """

    def __init__(self, run_id: UUID, flow_slug: str, message: str) -> None:
        self.run_id = run_id
        self.flow_slug = flow_slug
        super().__init__(message)


class RunFailed(RunWithoutOutput):
    """The run failed.

    Args:
        run_id: The run.
        flow_slug: Its flow.
        reason: The run's error.
        is_stored: Whether a store has its rows.

    Attributes:
        reason: The run's error, in the words of what failed in it.
    """

    def __init__(
        self, run_id: UUID, flow_slug: str, reason: str | None, *, is_stored: bool = True
    ) -> None:
        self.reason = reason or "It says nothing of why."
        found = (
            f"; `dagster-pgflow status {str(run_id)[:8]}` shows its steps." if is_stored else "."
        )
        super().__init__(
            run_id,
            flow_slug,
            f'{self.reason}\nThat is how run {run_id} of flow "{flow_slug}" failed{found}',
        )


class RunCancelled(RunWithoutOutput):
    """The run was cancelled.

    Attributes:
        reason: Why, where somebody said so.
    """

    def __init__(self, run_id: UUID, flow_slug: str, reason: str | None) -> None:
        self.reason = reason
        said = f": {reason}" if reason else "."
        super().__init__(
            run_id, flow_slug, f'Run {run_id} of flow "{flow_slug}" was cancelled{said}'
        )


class RunTimedOut(RunWithoutOutput):
    """The run is not over, and the time to wait for it is."""

    def __init__(self, run_id: UUID, flow_slug: str, seconds: float) -> None:
        super().__init__(
            run_id,
            flow_slug,
            f'Run {run_id} of flow "{flow_slug}" has not ended within {seconds:g} s. It goes on;'
            f" `dagster-pgflow status {str(run_id)[:8]}` shows its progress, and"
            " `Requests.wait_for` waits for it again.",
        )


def output_of(row: Mapping[str, Any]) -> Any:
    """Return the output of a run that is over.

    Args:
        row: Its `run_id`, `flow_slug`, `status`, `output` and `error_message`.

    Raises:
        RunWithoutOutput: It did not complete.
    """
    match row["status"]:
        case "completed":
            return row["output"]
        case "cancelled":
            raise RunCancelled(row["run_id"], row["flow_slug"], row["error_message"])
        case _:
            raise RunFailed(row["run_id"], row["flow_slug"], row["error_message"])
