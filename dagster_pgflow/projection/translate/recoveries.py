"""What becomes of a run that has lost its process: it goes on, so often and no more."""

from dagster_pgflow.dagster_log.run_events import RunEvent
from dagster_pgflow.projection.translate.run_lifecycle import RunLifecycle
from dagster_pgflow.projection.translate.task_events import TaskEvents

NO_REASON = "Its process was lost."


class Recoveries:
    """Writes that a run was interrupted, where it is to go on, and which attempts were lost so.

    A handler that fails is no such case, whatever was lost beside it.

    Args:
        lifecycle: What has begun and ended so far.
        tasks: Writes about attempts.
        most: How often the run goes on.
    """

    def __init__(self, lifecycle: RunLifecycle, tasks: TaskEvents, most: int) -> None:
        self._lifecycle = lifecycle
        self._tasks = tasks
        self._left = most
        self._has_lost_steps = False

    @property
    def are_left(self) -> bool:
        """Whether the run goes on once more when a process is lost."""
        return self._left > 0

    def note(self, run_event: RunEvent) -> None:
        """Take in what Dagster saw of a step."""
        if run_event.process_lost:
            self._has_lost_steps = True

    def is_left_for(self, run_event: RunEvent) -> bool:
        """Return whether a run goes on that has failed.

        Args:
            run_event: Its failure.
        """
        lost = run_event.process_lost or self._has_lost_steps
        return lost and self.are_left and self._lifecycle.failure is None

    def interrupt(self, run_event: RunEvent) -> None:
        """Write that a run goes on after a failure, and begins again what was under way."""
        self._left -= 1
        self._has_lost_steps = False
        self._tasks.lose_all(run_event.error or NO_REASON)
        data = {} if run_event.error is None else {"error": run_event.error}
        self._lifecycle.pause_run("run.interrupted", data)
