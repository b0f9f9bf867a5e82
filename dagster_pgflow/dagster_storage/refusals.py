"""Who hears that an event was refused after it had been taken."""

import logging

from dagster_pgflow.dagster_storage.batches import Row

_LOG = logging.getLogger(__name__)


class Refusals:
    """What PostgreSQL said to single events, until their runs store the next one.

    Dagster fails a step whose own events cannot be stored, and goes on when it is a line that a
    handler logs: it says so on the standard error stream and in the run's log. So what was said to
    a line is raised by the next line, which Dagster treats the same way, and by nothing else.
    """

    def __init__(self) -> None:
        self._of_events: dict[str, Exception] = {}
        self._of_lines: dict[str, Exception] = {}

    def note(self, row: Row, reason: Exception) -> None:
        """Keeps what was said to an event."""
        if row.is_line:
            _LOG.error("A line of the log of run %s could not be stored: %s", row.run_id, reason)
            self._of_lines[row.run_id] = reason
        else:
            self._of_events[row.run_id] = reason

    def raise_for_event(self, run_id: str) -> None:
        """Tells a run that an event of Dagster's was refused; once.

        Raises:
            Exception: What PostgreSQL said.
        """
        refusal = self._of_events.pop(run_id, None)
        if refusal is not None:
            raise refusal

    def raise_for_line(self, run_id: str) -> None:
        """Tells a run that anything of it was refused; once.

        Raises:
            Exception: What PostgreSQL said.
        """
        self.raise_for_event(run_id)
        refusal = self._of_lines.pop(run_id, None)
        if refusal is not None:
            raise refusal

    def forget_lines(self, run_id: str) -> None:
        """Lets go of what nobody will ask for any more."""
        self._of_lines.pop(run_id, None)
