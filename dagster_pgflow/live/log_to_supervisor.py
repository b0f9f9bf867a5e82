"""What the processes of a live worker log is told to the supervisor, which has the one log."""

import logging
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from dagster_pgflow.live.messages import Message, Said

LONGEST_TEXT: Final = 4000
"""Of what is said at once, in characters: each may need twelve bytes on its way."""

OURS: Final = "dagster_pgflow"


class ToSupervisor(logging.Handler):
    """Tells the supervisor; where that cannot be told, standard error is.

    Args:
        report: Tells the supervisor, and returns whether it will hear.
    """

    def __init__(self, report: Callable[[Message], bool]) -> None:
        super().__init__()
        self._report = report

    def emit(self, record: logging.LogRecord) -> None:
        """Tell a record."""
        with suppress(Exception):
            text = self.format(record)[:LONGEST_TEXT]
            said = Said(os.getpid(), record.levelno, record.name, text)
            if not self._report(said):
                sys.stderr.write(f"{text}\n")


def log_to_supervisor(report: Callable[[Message], bool]) -> None:
    """Have all that this process logs told to the supervisor: warnings, and more of what is ours.

    Args:
        report: Tells it.
    """
    logging.raiseExceptions = False
    logging.captureWarnings(capture=True)
    root = logging.getLogger()
    root.handlers = [ToSupervisor(report)]
    root.setLevel(logging.WARNING)
    logging.getLogger(OURS).setLevel(logging.INFO)
